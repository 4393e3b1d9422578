"""The box as it leaves the yard, flashed and switched on: it records, hears each kind of wire, lets nobody else in."""

import re
import socket
from datetime import datetime

import pytest
from labgrid.util.helper import get_free_port
from rig import ports
from rig.ports import Port
from rig.wait import eventually

HEARD_SECONDS_MAX = 60.0
# A port that drops says nothing: so long is waited for an answer where others have answered at once.
SILENCE_SECONDS = 3.0

# Every socket that waits for somebody. os/README.md lists them for people; what listens beyond is a hole.
LISTENING = {
    Port("tcp", "*", 22),  # ssh, because a key was provisioned
    Port("tcp", "*", 8080),  # the pages, because gateway.toml says 0.0.0.0
    Port("tcp", "lo", 1883),  # the broker on board
    Port("tcp", "lo", 53),  # names, for programs of this machine
    Port("udp", "lo", 53),
}
DHCP_CLIENT = 68
EXPOSURE_MAX = 1.5
LOGGED = "navigation.speedThroughWater"
# Three of the simulated backbone's devices.
MAKERS = {"Garmin", "Airmar", "Maretron"}


def test_it_boots_to_recording(box):
    """The console says so, the slot is the flashed one, nothing failed."""
    boot = box.strategy.boots[-1]
    assert (boot.slot, boot.data) == ("hawser-a", "ok")
    assert box.run("systemctl list-units --failed --plain --no-legend") == ""
    box.strategy.tap.wait(r"address [0-9.]+ on \w+", 0, HEARD_SECONDS_MAX)
    assert box.strategy.order() == ["000A"]
    used = box.run("awk '/^MemTotal/ {all = $2} /^MemAvailable/ {print int((all - $2) / 1024)}' /proc/meminfo")
    box.figures.append(f"power on to recording: {box.strategy.power_on_seconds:.1f} s; to the first reading: "
                       f"{box.strategy.power_on_seconds - boot.seconds + first_reading_seconds(box):.1f} s; "
                       f"memory used then: {used} MiB")  # fmt: skip


def first_reading_seconds(box) -> float:
    """When the oldest reading that is stored came (its sentence has no time of its own), after the kernel's start."""
    readings = eventually("readings of the log", HEARD_SECONDS_MAX, lambda: box.api.history(LOGGED))
    first = min(datetime.fromisoformat(reading["observed_at"]).timestamp() for reading in readings)
    now, uptime = box.run("date +%s.%N; cut -d' ' -f1 /proc/uptime").split()
    return first - (float(now) - float(uptime))


def test_its_units_are_sound_and_the_gateway_is_confined(box):
    """systemd's own judgement of both: 1.5 of 10 or less is exposed."""
    units = " ".join(f"/usr/lib/systemd/system/hawser*.{kind}" for kind in ("service", "timer", "path"))
    assert box.run(f"systemd-analyze verify --man=no {units} 2>&1") == ""
    exposed = re.search(r"exposure level for \S+: ([0-9.]+)", box.run("systemd-analyze security --no-pager hawser.service"))
    assert float(exposed[1]) <= EXPOSURE_MAX


def test_it_listens_where_it_is_said_to_and_nowhere_else(box):
    """By the kernel's own tables."""
    found = eventually("the services that start late", HEARD_SECONDS_MAX, lambda: listening_all(box))
    assert {port for port in found if not (port.protocol == "udp" and port.number == DHCP_CLIENT)} == LISTENING


def listening_all(box) -> set[Port]:
    """What listens, once all that is listed does."""
    found = ports.of_gateway(box.run)
    return found if found >= LISTENING else set()


@pytest.mark.lg_feature("emulated")
@pytest.mark.parametrize("link, open_ports", [("net", {22, 8080}), ("uplink", set())])
def test_the_firewall_lets_in_what_is_listed(box, link, open_ports):
    """From outside: on the vessel's network the pages and ssh, on the modem nothing. 1883 listens nowhere outside."""
    monitor = box.strategy.power.monitor
    doors = {guest: get_free_port() for guest in (22, 8080, 1883, 53)}
    for guest, host in doors.items():
        monitor.human(f"hostfwd_add {link} tcp:127.0.0.1:{host}-:{guest}")
    try:
        assert {guest for guest, host in doors.items() if answers(host)} == open_ports
    finally:
        for host in doors.values():
            monitor.human(f"hostfwd_remove {link} tcp:127.0.0.1:{host}")


def answers(port: int) -> bool:
    """Whether anybody is behind a forwarded port: QEMU itself takes the connection, so bytes must come back."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.settimeout(SILENCE_SECONDS)
        try:
            link.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return link.recv(1) != b""
        except OSError:
            return False


def test_an_adapter_that_is_pulled_and_plugged_is_one_source(box):
    """NMEA 0183 over USB: the same talkers before and after, by the same name, and its readings go on."""
    before = eventually("the talkers of the GPS", HEARD_SECONDS_MAX, lambda: talkers(box))
    box.plug("gps").off()
    eventually("the bus is closed", HEARD_SECONDS_MAX, lambda: box.api.bus("gps")["state"] != "open")
    counted = box.api.bus("gps")["readings"]
    box.plug("gps").on()
    eventually("readings again", HEARD_SECONDS_MAX, lambda: box.api.bus("gps")["readings"] > counted)
    assert box.api.bus("gps")["state"] == "open"
    stored = {row["source"] for row in box.api.history("navigation.speedOverGround")}
    assert box.api.sources("gps") == before
    assert stored <= before and stored


def talkers(box) -> set[str]:
    """The sources of the GPS, once its cycle of sentences has gone round."""
    found = box.api.sources("gps")
    return found if box.api.bus("gps")["readings"] > 60 else set()


def test_nmea_2000_from_one_controller_to_the_other(box):
    """A simulated backbone on one CAN interface is heard on the other: address claims, fast packets, readings."""
    box.run(f"systemd-run --unit hil-can --collect /usr/bin/hawser sim --output nmea2000=can:{box.bench.can_sends}")
    try:
        eventually("devices have claimed an address", HEARD_SECONDS_MAX,
                   lambda: MAKERS <= {device["manufacturer"] for device in box.api.bus("backbone")["devices"]}
        )  # fmt: skip
        eventually("an oil pressure, which is a fast packet", HEARD_SECONDS_MAX, lambda: oil_pressure(box))
        # The emulated controller drops a frame when the host is late, and a fast packet is lost with it; nothing else.
        lost = box.api.bus("backbone")["rejected_by_reason"]
        assert all(reason.startswith("fast_packet") for reason in lost)
        assert sum(lost.values()) < box.api.bus("backbone")["sentences"] / 10
    finally:
        box.run("systemctl stop hil-can")


def oil_pressure(box) -> list[dict]:
    """Of PGN 127489."""
    return [
        value
        for value in box.api.values()
        if value["source"].startswith("backbone.") and "oilPressure" in value["path"]
    ]


@pytest.mark.parametrize("bus", ["switchboard", "generator"])
def test_modbus(box, bus):
    """A GX over TCP, an energy meter on a serial line: polled, and their values kept."""
    eventually("open and answering", HEARD_SECONDS_MAX,
               lambda: box.api.bus(bus)["state"] == "open" and box.api.bus(bus)["readings"] > 20)  # fmt: skip
    shown = [value for value in box.api.values() if value["source"].split(".")[0] == bus]
    assert [value for value in shown if value["path"].startswith("electrical") and value["quality"] == "good"]
