"""Facts of a bench that no driver knows: how the gateway sees what is around it."""

import attr
from labgrid.factory import target_factory
from labgrid.resource import Resource


@target_factory.reg_resource
@attr.s(eq=False)
class Bench(Resource):
    """Addresses of the test host as the gateway reaches it, and the names that the gateway gives to its ports."""

    # On the vessel's network, and on the link to the shore, which goes away for a while.
    lan_host = attr.ib(validator=attr.validators.instance_of(str))
    uplink_host = attr.ib(validator=attr.validators.instance_of(str))
    # What servers of the test host listen on, so that the gateway reaches them there.
    listen_on = attr.ib(validator=attr.validators.instance_of(str))
    # Serial adapters as the gateway names them: /dev/serial/by-id/...
    gps_port = attr.ib(validator=attr.validators.instance_of(str))
    meter_port = attr.ib(validator=attr.validators.instance_of(str))
    # Two CAN interfaces of the gateway on one bus.
    can_listens = attr.ib(default="can0", validator=attr.validators.instance_of(str))
    can_sends = attr.ib(default="can1", validator=attr.validators.instance_of(str))
