"""Somebody else's Modbus server: pymodbus, with two devices. Prints its port, serves until it is killed.

Usage: pymodbus_server.py socket|rtu. It takes registers as numbers and encodes them itself.
"""

import asyncio
import sys

from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

FLOATS = {0: 230.25, 2: 229.5, 4: 231.0, 6: 10.5, 8: 11.0, 10: 12.5, 70: 50.0, 72: 1234.5}


def meter():
    """Unit 1: an SDM630 with some of its input registers, and zeros between."""
    data = []
    for address in range(0, 206, 2):
        data.append(SimData(address, values=FLOATS.get(address, 0.0), datatype=DataType.FLOAT32))
    return SimDevice(1, simdata=data)


def other():
    """Unit 2: a few registers of each type with a hole at 6."""
    data = [
        SimData(0, values=-12345, datatype=DataType.INT16),
        SimData(1, values=54321, datatype=DataType.UINT16),
        SimData(2, values=-123456789, datatype=DataType.INT32),
        SimData(4, values=3456789012, datatype=DataType.UINT32),
        SimData(7, values=-1234567890123, datatype=DataType.INT64),
        SimData(11, values=2.718281828459045, datatype=DataType.FLOAT64),
        SimData(15, values="HAWSER 1", datatype=DataType.STRING),
    ]
    return SimDevice(2, simdata=data)


async def main():
    framer = FramerType(sys.argv[1])
    server = ModbusTcpServer([meter(), other()], framer=framer, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
