"""labgrid's SSHDriver for a machine whose power fails: it does not wait a minute for a farewell."""

import subprocess

import attr
from labgrid.driver import Driver, ExecutionError, SSHDriver
from labgrid.factory import target_factory


@target_factory.reg_driver
@attr.s(eq=False)
class BoxSSHDriver(SSHDriver):
    """Everything of SSHDriver, an end at once, and files as they are: the box has no scp."""

    @Driver.check_active
    def fetch(self, path: str) -> bytes:
        """A file of the box."""
        service = self.networkservice
        where = ["-p", str(service.port), "-l", self._get_username(), service.address]
        done = subprocess.run([self._ssh, "-x", *self.ssh_prefix, *where, "cat", path], capture_output=True, timeout=60)
        if done.returncode != 0:
            raise ExecutionError(f"{path}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def on_deactivate(self):
        """The session that only keeps the connection open has nothing to finish."""
        if self._keepalive:
            self._keepalive.kill()
        super().on_deactivate()
