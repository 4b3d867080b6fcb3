"""Terminals as callers have them: a console socket, and a pty of one's own."""

import contextlib
import os
import pty
import select
import socket
import termios

from .runtime import patient


@contextlib.contextmanager
def console_socket(path):
    """A listener as conmon and the shim have it; accepts only when `receive` is called (K1)."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    try:
        yield listener
    finally:
        listener.close()


def receive(listener):
    """The one descriptor of the one message, after which the peer closes (K2)."""
    listener.settimeout(patient(5))
    peer, _ = listener.accept()
    message, fds, _, _ = socket.recv_fds(peer, 4096, 4)
    assert len(fds) == 1 and 1 <= len(message) <= 4095
    assert peer.recv(1) == b"", "closed afterwards"
    peer.close()
    return fds[0]


def read_until(master, text, timeout=5):
    """What the terminal shows up to and including `text`, or up to its end."""
    data = b""
    while text not in data:
        ready, _, _ = select.select([master], [], [], patient(timeout))
        assert ready, f"{text!r} never came: {data!r}"
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        data += chunk
    return data


class Terminal:
    """A pty; `slave` is what the command gets."""

    def __init__(self, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (rows, columns))
        self.before = termios.tcgetattr(self.slave)

    def streams(self):
        return {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, "start_new_session": True}

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def write(self, text):
        os.write(self.master, text)

    def read_until(self, text, timeout=5):
        return read_until(self.master, text, timeout)

    def close(self):
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)


@contextlib.contextmanager
def terminal(**size):
    opened = Terminal(**size)
    try:
        yield opened
    finally:
        opened.close()
