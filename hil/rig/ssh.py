"""labgrid's SSHDriver for a machine whose power fails: it does not wait a minute for a farewell."""

import attr
from labgrid.driver import SSHDriver
from labgrid.factory import target_factory


@target_factory.reg_driver
@attr.s(eq=False)
class BoxSSHDriver(SSHDriver):
    """Everything of SSHDriver, and an end at once."""

    def on_deactivate(self):
        """The session that only keeps the connection open has nothing to finish."""
        if self._keepalive:
            self._keepalive.kill()
        super().on_deactivate()
