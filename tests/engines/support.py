"""What the tests of all engines share: commands, daemons, namespaces, the table's judgement."""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import types

import pytest

from harness import against, linux, oracles
from harness import runtime as processes
from harness.runtime import patient, until

import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DONJON_BUILD", ROOT / "build"))
RUNTIME = pathlib.Path(os.environ.get("DONJON_RUNTIME", BUILD / "donjon"))
CACHE = pathlib.Path(os.environ.get("DONJON_CACHE", BUILD / "cache"))
LEVELS = ("none", "hardened")
TAG = f"de{os.getpid()}"  # in the name of everything a session makes
processes.BRIEF = 2.0  # an engine takes its time before it calls a runtime

CLAIMED = set()  # rows that have a test


def is_donjon():
    return not against.IS_PEER


def levels_of(engine, name):
    """Where a row is tried.  A program that is no runtime has no levels: once, and twice where one is refused."""
    if against.IS_PEER:
        return LEVELS[:1]
    if against.IS_FAKE and not table.outcome(engine, name, "hardened"):
        return LEVELS[1:]
    return LEVELS


def row(engine, *names):
    """Marks a test of these rows: it runs for each of them, at each level, with its `outcome`."""
    unknown = [name for name in names if name not in table.TABLE[engine]]
    assert not unknown, f"not in table.py: {engine} {unknown}"
    CLAIMED.update((engine, name) for name in names)
    return pytest.mark.row(engine, *names)


class Outcome:
    """What the table says of a row at a level."""

    def __init__(self, engine, name, level):
        self.engine, self.row, self.level = engine, name, level
        self.checks = table.outcome(engine, name, level)

    @property
    def runs(self):
        return not self.checks

    def refuses(self, done, *status):
        """False where the row must run: that is the test's to judge.  Else whether it was refused is
        judged here: an exit status, the check ids and the way out on the user's terminal, and not a word
        from inside."""
        if self.runs:
            return False
        if isinstance(self.checks, table.Fails):
            assert not done.ok and self.checks in done.out + done.err, done
            return True
        assert done.status in (status or (1,)), f"not refused as it must be: {done}"
        said = done.out + done.err  # docker exec tells its user on stdout
        assert "refused by policy level hardened" in said, done
        # "ID=VALUE" in the table: the override that would allow it; an ID alone: there is none.
        wanted = [[f"{check.split('=')[0]}: ", f"override {check}" if "=" in check else "no override"]
                  for check in self.checks]
        unsaid = [text for texts in wanted for text in texts if text not in said]
        assert not unsaid, f"{unsaid} not said: {done}"
        other = [line for line in done.out.splitlines() if "refused by policy" not in line]
        assert all(re.fullmatch("[0-9a-f]{64}", line) for line in other), f"something ran: {done}"
        return True


@dataclasses.dataclass
class Look:
    """A container that looks from inside: what it is asked with, a script, and a pattern of the whole
    output.  At the default level it may say something else, stricter."""

    asked: object
    script: str
    says: str
    hardened: str | None = None
    status: int = 0
    input: str | None = None

    def expects(self, outcome, facts):
        hardened = outcome.level == "hardened" and self.hardened is not None
        return filled(self.hardened if hardened else self.says, facts)


def filled(value, facts):
    """`{name}` of the facts put in; other braces are the text's own."""
    if isinstance(value, str):
        for name, fact in facts.items():
            value = value.replace("{" + name + "}", str(fact))
        return value
    if isinstance(value, dict):
        return {key: filled(part, facts) for key, part in value.items()}
    return [filled(part, facts) for part in value] if isinstance(value, list) else value


class Done(types.SimpleNamespace):
    """How a command ended."""

    @property
    def ok(self):
        return self.status == 0

    def __str__(self):
        return (f"{' '.join(self.argv)}\n  status {self.status} after {self.seconds:.2f} s\n"
                f"  stdout: {self.out[-3000:]}\n  stderr: {self.err[-3000:]}")

    __repr__ = __str__


def call(*argv, timeout=60, input=None, env=None, **popen):
    """Runs a command to its end."""
    argv = [str(a) for a in argv]
    began = time.monotonic()
    run = subprocess.run(argv, timeout=timeout, capture_output=True, text=True, errors="surrogateescape",
                         env={**os.environ, **(env or {})},
                         **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}), **popen)
    return Done(argv=argv, status=run.returncode, out=run.stdout, err=run.stderr,
                seconds=time.monotonic() - began)


class Daemon:
    """A daemon of the session's own, ended by its pid."""

    def __init__(self, argv, log, namespace=None, env=None):
        self.argv = [str(a) for a in argv]
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as output:
            self._popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(env or {})},
                preexec_fn=lambda: self._prepare(namespace))
        self.pid = self._popen.pid

    @staticmethod
    def _prepare(namespace):
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # a session that is killed leaves no daemon
        if namespace:
            enter_network(namespace)

    def wait_for(self, ready, timeout=30.0):
        def judge():
            assert self._popen.poll() is None, f"{self.argv[0]} ended: {self.said()}"
            return ready()

        until(judge, timeout, lambda: f"{self.argv[0]} is not ready: {self.said()}", apart=True)
        return self

    def said(self):
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self, timeout=20.0):
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise AssertionError(f"{self.argv[0]} does not end: {self.said()}") from None


def listens(path):
    """Whether somebody answers on this socket."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        return client.connect_ex(str(path)) == 0


def gone(pid):
    """Whether the process has ended; what its parents left to us is reaped.  A zombie has ended: an
    init of the tests' own may never reap it."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return any(end in linux.describe(pid) for end in ("(Z)", "(gone)"))


LIMITS = {  # name: (v1 controller, v1 file, v2 file)
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "swap": ("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
    "pids": ("pids", "pids.max", "pids.max"),
    "cpu": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    "shares": ("cpu", "cpu.shares", "cpu.weight"),
    "period": ("cpu", "cpu.cfs_period_us", "cpu.max"),
    "cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus"),
}


def cgroup_files(pid):
    """A function that reads a file of the process's cgroup: controller, name on v1, name on v2."""
    with open(f"/proc/{pid}/cgroup") as lines:
        paths = {name: path for _, names, path in (line.strip().split(":", 2) for line in lines)
                 for name in names.split(",")}
    roots = linux.cgroup_roots()

    def read(controller, v1, v2):
        file = f"{roots[controller]}{paths[controller]}/{v1}" if controller in roots else f"{roots['']}{paths['']}/{v2}"
        return pathlib.Path(file).read_text()

    return read


def limits_of(pid):
    """What the kernel holds a process to, read from outside, by name: the number, or a word."""
    read, found = cgroup_files(pid), {}
    for name, files in LIMITS.items():
        words = read(*files).split() or [""]
        word = words[-1] if name == "period" else words[0]
        found[name] = int(word) if word.lstrip("-").isdigit() else word
    return found


def members_of(pid):
    """Every process of the process's cgroup."""
    return {int(member) for member in cgroup_files(pid)("pids", "cgroup.procs", "cgroup.procs").split()}


# Network namespaces


def make_network(path):
    """A network namespace as a file, with loopback up."""
    pathlib.Path(path).touch()
    subprocess.run(["unshare", f"--net={path}", "ip", "link", "set", "lo", "up"], check=True)
    return path


def enter_network(path):
    with open(path) as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), linux.CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"enter {path}")


def inside_network(path, function, *args):
    """Calls the function in the network namespace: a thread can enter without taking the others along."""
    answer = []

    def body():
        try:
            enter_network(path)
            answer.append((function(*args), None))
        except Exception as error:  # handed over to the caller
            answer.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = answer[0]
    if error is not None:
        raise error
    return value


def http(address, port, path="/", timeout=5.0):
    """(status, body) of a GET."""
    with socket.create_connection((address, port), timeout=timeout) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


# Terminals


class Terminal:
    """A command on a pseudo-terminal of its own, as a person runs it."""

    def __init__(self, argv, env=None):
        self._master, slave = os.openpty()
        self.argv = [str(a) for a in argv]
        self.text = ""
        self._popen = subprocess.Popen(self.argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                       env={**os.environ, **(env or {})},
                                       preexec_fn=lambda: _take_terminal(0))
        os.close(slave)

    def type(self, text):
        os.write(self._master, text.encode())

    def _read(self, timeout):
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other side any more
            chunk = b""
        self.text += chunk.decode(errors="replace")
        return bool(chunk)

    def wait_for(self, text, timeout=15.0):
        end = time.monotonic() + patient(timeout)
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} never came: {self.text}"
            self._read(0.1)

    def resize(self, rows, columns):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, timeout=20.0):
        """The exit status."""
        end = time.monotonic() + patient(timeout)
        while self._popen.poll() is None:
            assert time.monotonic() < end, f"{self.argv} does not end: {self.text}"
            self._read(0.05)
        while self._read(0):
            pass
        return self._popen.returncode

    def signal(self, number):
        os.kill(self._popen.pid, number)

    def close(self):
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        os.close(self._master)


def _take_terminal(fd):
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def need_all_capabilities():
    """For Docker's --privileged, which lists them all, and a runtime that insists on what the host lacks."""
    if not is_donjon() and oracles.own_bounding() != oracles.mask(oracles.CAPABILITIES):
        pytest.skip("runc fails where the host lacks a capability (contract P23 says it should not)")


def missing(*programs):
    """A mark that skips where a program is not installed."""
    absent = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} missing")
