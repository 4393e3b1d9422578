"""Both environment files describe a bench that the tests can use: every driver finds what it is bound to."""

import unittest
from pathlib import Path

import labgrid
from labgrid.protocol import ConsoleProtocol, PowerProtocol

from rig.protocols import AdapterProtocol, DiskProtocol, StickProtocol

HERE = Path(__file__).resolve().parents[2]


class Benches(unittest.TestCase):
    """Nothing is activated: no machine is needed, and none is touched."""

    def check(self, name: str) -> labgrid.Target:
        """A target of the environment."""
        target = labgrid.Environment(str(HERE / name)).get_target()
        strategy = target.get_driver("GatewayStrategy", activate=False)
        self.assertIsInstance(strategy.power, PowerProtocol)
        self.assertIsInstance(strategy.console, ConsoleProtocol)
        self.assertIsInstance(strategy.disk, DiskProtocol)
        for adapter in ("gps", "meter"):
            found = target.get_driver(AdapterProtocol, name=adapter, activate=False)
            self.assertRegex(found.feed, r"^(pty|serial):")
        target.get_driver(StickProtocol, name="stick", activate=False)
        target.get_driver(PowerProtocol, name="uplink", activate=False)
        target.get_resource("Bench")
        return target

    def test_the_emulated_one(self):
        target = self.check("qemu.yaml")
        self.assertEqual(target.env.get_target_features(), {"emulated"})

    def test_the_example_of_a_real_one(self):
        target = self.check("board-example.yaml")
        self.assertEqual(target.env.get_target_features(), set())
