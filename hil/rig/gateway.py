"""What the gateway says of itself and takes, over its API."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from typing import Any

REQUEST_SECONDS_MAX = 20.0
# What a request may end in while the machine is on its way down or up.
AWAY = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Gateway:
    """The API at an address; `token` is asked for when something is written."""

    def __init__(self, address: str, token):
        self.address = address
        self._token = token

    def get(self, path: str) -> Any:
        """A document."""
        return json.loads(self.raw(path))

    def raw(self, path: str, body: dict | None = None) -> bytes:
        """The body of an answer; a request with a body is a POST."""
        request = urllib.request.Request(f"{self.address}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
            request.add_header("Authorization", f"Bearer {self._token()}")
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS_MAX) as answer:
            return answer.read()

    def status(self) -> dict:
        """All of it."""
        return self.get("/api/status")

    def bus(self, name: str) -> dict:
        """The state of a bus."""
        return next(bus for bus in self.status()["buses"] if bus["name"] == name)

    def values(self) -> list[dict]:
        """What is measured now, each with its path and source."""
        return flatten(self.get("/api/values"))

    def sources(self, bus: str) -> set[str]:
        """The sources of a bus, of those that have spoken since the gateway's start."""
        return {value["source"] for value in self.values() if value["source"].split(".")[0] == bus}

    def history(self, path: str, **query: str) -> list[dict]:
        """Readings of the past."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        lines = self.raw(f"/api/history?path={path}&{words}").decode().splitlines()
        return [json.loads(line) for line in lines if line]

    def write_order(self, title: str, **fields: str) -> str:
        """A work order; its id, when the gateway has said that it is kept."""
        return json.loads(self.raw("/api/work-orders", {"title": title, **fields}))["id"]

    def orders(self) -> dict[str, str]:
        """Id and title of all."""
        found: dict[str, str] = {}
        after = ""
        while page := self.get(f"/api/records/work_orders?limit=1000{after}"):
            found |= {record["id"]: record["fields"]["title"] for record in page}
            after = f"&after={page[-1]['id']}"
        return found


def flatten(document: Any) -> list[dict]:
    """The readings of /api/values."""
    return document["values"] if isinstance(document, dict) else document


class Writer:
    """A crew that writes work orders as fast as it is answered, and remembers which the gateway has said are kept."""

    def __init__(self, gateway: Gateway):
        self._gateway, self._stop = gateway, threading.Event()
        self.acknowledged: list[str] = []
        self.durable_seq = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="crew")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.acknowledged.append(self._gateway.write_order(f"Order {len(self.acknowledged)}"))
                self.durable_seq = self._gateway.status()["store"]["durable_seq"]
            except AWAY:
                return

    def stop(self) -> None:
        """No more, whether the gateway is there or not."""
        self._stop.set()
        self._thread.join()
