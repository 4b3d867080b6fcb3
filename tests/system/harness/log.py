"""A container's output as engines take it: through a pipe."""

import os


class Log:
    """A pipe with an owner: services reopen it through /dev/stdout, labels decide who may write."""

    def __init__(self, owner=0):
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.fchown(self.writer, owner, owner)

    @property
    def streams(self):
        return {"stdout": self.writer, "stderr": self.writer}

    def text(self):
        """What was written since the last call."""
        try:
            return os.read(self._reader, 1 << 16).decode(errors="replace")
        except BlockingIOError:
            return ""

    def close(self):
        os.close(self._reader)
        os.close(self.writer)
