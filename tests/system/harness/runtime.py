"""The runtime under test as a command, and one container of it."""

import dataclasses
import itertools
import json
import os
import select
import signal
import subprocess
import tempfile
import time

from .against import IS_FAKE

_serial = itertools.count()
PROBE = None  # the prisoner, outside: measures a command
PATIENCE = 5 if os.environ.get("DONJON_LAB") else 1  # an emulated processor takes that much longer


BRIEF = 0.3  # for a program that is no runtime


def patient(seconds):
    """How long to wait for what a runtime should bring within that time."""
    return min(seconds, BRIEF) if IS_FAKE else seconds * PATIENCE


@dataclasses.dataclass
class Result:
    """How one command ended."""

    argv: list
    status: int  # exit status; -N when signal N ended it
    out: str
    err: str
    seconds: float
    rss_kib: int  # peak, of commands run with measure=True

    @property
    def ok(self):
        return self.status == 0

    def json(self):
        return json.loads(self.out)

    def documents(self):
        """Everything the prisoner printed: one JSON document a line, complete ones only."""
        lines = self.out.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith(("{", "[")) and line.endswith("\n")]

    def __str__(self):
        return (
            f"{' '.join(self.argv)}\n  status {self.status} after {self.seconds:.2f} s\n"
            f"  stdout: {self.out[-3000:]}\n  stderr: {self.err[-3000:]}"
        )


class Process:
    """A command that may still run.  Its streams are files unless the test brings its own, so that
    a container that outlives the command keeps nothing open that the test waits for."""

    def __init__(self, argv, stdin=None, stdout=None, stderr=None, measure=False, **popen):
        self.argv = [str(a) for a in argv]
        # A child of this process inherits its peak memory; one of a small program does not.
        self._usage = tempfile.NamedTemporaryFile() if measure else None
        if measure:
            self.argv = [PROBE, "rusage", self._usage.name, *self.argv]
        self._out = stdout if stdout is not None else tempfile.TemporaryFile()
        self._err = stderr if stderr is not None else tempfile.TemporaryFile()
        self._began = time.monotonic()
        self._result = None
        self._popen = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=self._out, stderr=self._err, **popen,
        )
        self.pid = self._popen.pid

    def wait(self, timeout=20.0):
        """Its Result.  A command that is still there after `timeout` is killed and fails the test."""
        if self._result is None:
            status = self._reap(timeout)
            seconds = time.monotonic() - self._began
            rss = int(self._usage.read() or 0) if self._usage else 0
            self._result = Result(self.argv, status, self.out(), self.err(), seconds, rss)
        return self._result

    def running(self):
        pidfd = os.pidfd_open(self.pid)
        try:
            return not select.select([pidfd], [], [], 0)[0]
        finally:
            os.close(pidfd)

    def _reap(self, timeout):
        pidfd = os.pidfd_open(self.pid)
        try:
            late = not select.select([pidfd], [], [], timeout * PATIENCE)[0]
        finally:
            os.close(pidfd)
        if late:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        if late:
            raise TimeoutError(f"{' '.join(self.argv)}: still running after {timeout} s; {self.err()[-500:]}")
        return self._popen.returncode

    def signal(self, number):
        os.kill(self.pid, number)

    def out(self):
        return _text(self._out)

    def err(self):
        return _text(self._err)

    def wait_for(self, text, timeout=5.0):
        """Until `text` is in the output."""
        return until(lambda: text in self.out(), timeout, lambda: f"{text!r} never came: {self.out()} {self.err()}")


def _text(file):
    if isinstance(file, int) or not file.seekable():
        return ""
    return os.pread(file.fileno(), 64 << 20, 0).decode(errors="surrogateescape")


def until(condition, timeout=5.0, complaint=None, apart=False):
    """Polls: for what has no event to wait for; `apart`: the runtime has no part in it."""
    end = time.monotonic() + (timeout * PATIENCE if apart else patient(timeout))
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(complaint() if complaint else "condition never held")
        time.sleep(0.005)
    return True


class Runtime:
    """`path` with the global options every call of a test shares."""

    def __init__(self, path, kind, root, level="none", extra=()):
        self.path, self.kind, self.root, self.level = path, kind, root, level
        self.extra = tuple(extra)
        self.is_donjon = kind not in ("runc", "crun")

    def at(self, level, *extra):
        """The same runtime and state directory at another policy level or with more options."""
        return Runtime(self.path, self.kind, self.root, level, self.extra + tuple(extra))

    def override(self, *overrides):
        return self.at(self.level, *[part for o in overrides for part in ("--override", o)])

    def argv(self, *args):
        policy = ("--policy", self.level) if self.is_donjon and self.level else ()
        return [self.path, "--root", str(self.root), *policy, *self.extra, *(str(a) for a in args)]

    def spawn(self, *args, **popen):
        return Process(self.argv(*args), **popen)

    def call(self, *args, timeout=20.0, **popen):
        return self.spawn(*args, **popen).wait(timeout)

    def ids(self):
        result = self.call("list", "--quiet") if self.kind == "crun" else self.call("list", "-q")
        return result.out.split()

    def state(self, id):
        return self.call("state", id)


class Cell:
    """One container."""

    def __init__(self, runtime, bundle, id):
        self.runtime, self.bundle, self.id = runtime, bundle, id
        self.command = None  # whose streams the container has

    def spawn(self, verb, *flags, **popen):
        self.command = self.runtime.spawn(verb, "--bundle", self.bundle.path, *flags, self.id, **popen)
        return self.command

    def create(self, *flags, timeout=20.0, **popen):
        return self.spawn("create", *flags, **popen).wait(timeout)

    def run(self, *flags, timeout=20.0, **popen):
        return self.spawn("run", *flags, **popen).wait(timeout)

    def call(self, verb, *args, **popen):
        return self.runtime.call(verb, self.id, *args, **popen)

    def start(self, **popen):
        return self.call("start", **popen)

    def kill(self, *args, **popen):
        """Flags first: parsing stops at the id (contract R3)."""
        flags = [a for a in args if a.startswith("--")]
        return self.runtime.call("kill", *flags, self.id, *args[len(flags):], **popen)

    def spawn_exec(self, *args, flags=(), **popen):
        return self.runtime.spawn("exec", *flags, self.id, *args, **popen)

    def exec(self, *args, flags=(), timeout=20.0, **popen):
        """Flags stand before the id, what follows it is the command's (contract R3)."""
        return self.spawn_exec(*args, flags=flags, **popen).wait(timeout)

    def exec_report(self, *flags, **popen):
        """What a prisoner sees that was started by exec."""
        result = self.exec("/prisoner", "report", flags=flags, **popen)
        assert result.ok, result
        return result.documents()[0]

    def delete(self, *flags, **popen):
        return self.runtime.call("delete", *flags, self.id, **popen)

    def state(self):
        """The state document, or None when there is no such container."""
        result = self.runtime.state(self.id)
        return result.json() if result.ok else None

    def status(self):
        state = self.state()
        return state["status"] if state else "missing"

    @property
    def pid(self):
        return self.state()["pid"]

    def out(self):
        return self.command.out()

    def documents(self):
        return Result([], 0, self.out(), "", 0, 0).documents()

    def wait_for(self, text, timeout=5.0):
        return self.command.wait_for(text, timeout)

    def wait_stopped(self, timeout=5.0):
        return until(lambda: self.status() in ("stopped", "missing"), timeout,
                     lambda: f"{self.id} never stopped: {self.status()}")


def fresh_id(tag):
    return f"{tag}-{next(_serial)}"
