"""A service manager: what listens at $NOTIFY_SOCKET."""

import contextlib
import os
import select
import socket
import struct

from .runtime import patient


class Manager:
    """`address` as the variable has it.  Takes what comes, and answers barriers as systemd does."""

    def __init__(self, address):
        self.env = {**os.environ, "NOTIFY_SOCKET": str(address)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(address).replace("@", "\0", 1))
        if str(address).startswith("/"):
            os.chmod(address, 0o777)
        self.senders = set()

    def close(self):
        self._socket.close()

    def take(self, timeout=5.0):
        """The next message, or None; with the number of descriptors it brought."""
        if not select.select([self._socket], [], [], patient(timeout))[0]:
            return None
        data, ancillary, _, _ = self._socket.recvmsg(65536, 4096)
        fds = 0
        for _, kind, content in ancillary:
            if kind == socket.SCM_CREDENTIALS:
                self.senders.add(struct.unpack("3i", content)[0])
            else:
                received = struct.unpack(f"{len(content) // 4}i", content)
                fds += len(received)
                for fd in received:
                    os.close(fd)
        return data.decode(), fds

    def hears(self, timeout=0.2):
        """All messages until nothing comes any more."""
        return list(iter(lambda: self.take(timeout), None))


@contextlib.contextmanager
def manager(address):
    made = Manager(address)
    try:
        yield made
    finally:
        made.close()
