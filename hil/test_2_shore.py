"""The shore on the host: what was taken arrives there, though the link goes away for a while."""

from rig.wait import eventually

ARRIVES_SECONDS_MAX = 120.0


def test_readings_and_a_work_order_arrive_over_a_link_that_goes_away(box):
    """Written while the link was away, on the shore once it is back; and readings have gone on in between."""
    shore = box.around.shore
    eventually("the shore has readings", ARRIVES_SECONDS_MAX, lambda: shore.readings() > 0)
    box.plug("uplink").off()
    try:
        eventually("the gateway knows it is offline", ARRIVES_SECONDS_MAX,
                   lambda: box.api.status()["shore"]["link"] == "offline")  # fmt: skip
        order = box.api.write_order("Written while nobody ashore could hear")
        taken = box.api.status()["store"]["last_seq"]
        eventually("it records on", ARRIVES_SECONDS_MAX, lambda: box.api.status()["store"]["durable_seq"] > taken)
        assert box.api.status()["shore"]["readings_acknowledged_seq"] < taken
        assert order not in shore.orders()
    finally:
        box.plug("uplink").on()
    box.api.raw("/api/sync/now", {})
    eventually("the work order is ashore", ARRIVES_SECONDS_MAX, lambda: order in shore.orders())
    eventually("the readings are ashore", ARRIVES_SECONDS_MAX,
               lambda: box.api.status()["shore"]["readings_acknowledged_seq"] >= taken)  # fmt: skip
    assert shore.readings() >= taken
