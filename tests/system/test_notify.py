"""SCMP_ACT_NOTIFY: the listener goes to a real agent, which answers (P90, P91, decision 53)."""

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

import pytest

from harness import bundle as b
from harness.runtime import until

NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
CONTINUE = 1
MKDIR = ("mkdir", "mkdirat")
NUMBERS = {83: "mkdir", 258: "mkdirat", 59: "execve", 1: "write", 231: "exit_group", 3: "close", 257: "openat", 0: "read"}

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are x86-64's")


class Agent:
    """Listens, takes one state a connection, and answers what it is asked with `answer(name)`: an errno,
    0 to let the kernel carry the call out, None for no answer at all."""

    def __init__(self, path, answer=lambda name: 0, stays=True):
        self.states, self.asked = [], []
        self._answer, self._stays, self._stop = answer, stays, threading.Event()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(4)
        self._server.settimeout(0.1)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                text, fds = b"", []
                while True:
                    data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16))
                    for _, _, cmsg in ancillary:
                        received = array.array("i")
                        received.frombytes(cmsg)
                        fds += [(fd, len(text)) for fd in received]
                    text += data
                    if not data or text.endswith(b"}"):  # runc keeps the connection
                        break
            self.states.append((json.loads(text), [at for _, at in fds]))
            for fd, _ in fds:
                thread = threading.Thread(target=self._serve, args=(fd,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, listener):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while self._stays and not self._stop.is_set():
            events = poll.poll(50)
            if not events:
                continue
            if not events[0][1] & select.POLLIN:  # nobody is left to ask, and older kernels' RECV would wait for ever
                break
            request = bytearray(80)
            try:
                fcntl.ioctl(listener, NOTIF_RECV, request)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    continue
                break
            number = struct.unpack_from("=QIIi", request)
            name = NUMBERS.get(number[3], str(number[3]))
            self.asked.append(name)
            verdict = self._answer(name)
            if verdict is None:
                continue
            response = struct.pack("=QqiI", number[0], 0, -verdict, 0 if verdict else CONTINUE)
            try:
                fcntl.ioctl(listener, NOTIF_SEND, bytearray(response))
            except OSError as error:
                assert error.errno == errno.ENOENT
        os.close(listener)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._server.close()


@pytest.fixture
def asking(rt, level):
    """At hardened a profile that allows by default needs its override."""
    return rt.override("seccomp.default-deny=allow:a_test") if level == "hardened" else rt


@pytest.fixture
def agent(work):
    agents = []

    def start(**options):
        agents.append(Agent(work / "agent", **options))
        return agents[-1]

    yield start
    for one in agents:
        one.end()


def config_for(work, *names, args=("/bin/sh", "-c", "mkdir /tmp/new; echo status $?"), metadata="token=7"):
    config = b.spec()
    config["process"]["args"] = list(args)
    config["process"]["noNewPrivileges"] = True
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(work / "agent"), "listenerMetadata": metadata,
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}]}
    return config


@pytest.mark.peer(crun="crun 1.8.1 hangs over the tests' agent")
def test_the_agent_decides(cells, agent, work, asking, level):
    """P90, P91: the state with the descriptor in its first bytes, one connection; the answer is the agent's."""
    one = agent(answer=lambda name: errno.EDQUOT)
    cell = cells(config_for(work, *MKDIR), kind="busybox", runtime=asking)
    result = cell.run()
    assert result.ok and "status 1" in result.out and "quota" in result.err.lower(), result
    assert one.asked and set(one.asked) <= set(MKDIR)
    (state, at), = one.states
    assert at == [0] and state["fds"] == ["seccompFd"] and state["metadata"] == "token=7"
    assert state["state"]["id"] == cell.id and state["pid"] == state["state"]["pid"] > 0
    assert state["ociVersion"] and state["state"]["bundle"]


def test_every_call_may_be_asked_about(cells, agent, work, asking, level):
    """Decision 53: execve, write and exit_group included; create, then start from another process."""
    one = agent()
    cell = cells.created(config_for(work, "execve", "write", "exit_group", "close", "openat", "read", *MKDIR),
                         kind="busybox", runtime=asking)
    assert not one.states
    assert cell.start().ok
    until(lambda: cell.status() == "stopped")
    assert {"execve", "write", "exit_group"} <= set(one.asked)


def test_without_an_agent(cells, work, asking, level):
    """P90: failure is an error; nothing is left running."""
    cell = cells.created(config_for(work, *MKDIR), kind="busybox", runtime=asking)
    result = cell.start()
    assert result.status == 1 and "linux.seccomp.listenerPath" in result.err, result
    assert cell.state()["status"] == "stopped"


@pytest.mark.levels("none")
def test_an_agent_that_does_not_answer(cells, agent, work, asking, level):
    """Decision 53: start waits for the execve with a bound."""
    agent(answer=lambda name: None)
    cell = cells.created(config_for(work, "execve"), kind="busybox", runtime=asking)
    result = cell.start(timeout=30)
    assert result.status == 1 and "10 s" in result.err, result
    assert cell.state()["status"] == "stopped"


@pytest.mark.levels("none")
def test_an_agent_that_goes_away(cells, agent, work, asking, level):
    """What nobody listens to is answered by the kernel: no such call."""
    agent(stays=False)
    result = cells(config_for(work, *MKDIR), kind="busybox", runtime=asking).run()
    assert result.ok and "status 1" in result.out and "not implemented" in result.err, result


def test_exec_has_a_state_of_its_own(cells, agent, work, asking, level):
    """P90: the same filter again, and so the agent again, for the new process."""
    one = agent(answer=lambda name: errno.EXDEV)
    cell = cells.started(config_for(work, *MKDIR, args=("/bin/sleep", "60")), kind="busybox", runtime=asking)
    result = cell.exec("/bin/sh", "-c", "mkdir /tmp/exec; echo status $?")
    assert result.ok and "status 1" in result.out, result
    first, second = [state for state, _ in one.states]
    assert first["pid"] == first["state"]["pid"] == second["state"]["pid"] != second["pid"]


@pytest.mark.levels("none")
def test_a_path_nobody_needs(cells, work, asking, level):
    """P90: ignored without a rule that notifies."""
    config = config_for(work, *MKDIR)
    config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_ALLOW"
    result = cells(config, kind="busybox", runtime=asking).run()
    assert result.out == "status 1\n" and "Read-only" in result.err, "the kernel's own answer"


@pytest.mark.levels("none")
@pytest.mark.parametrize("kind", ["fifo", "file", "directory", "dangling", "datagram", "device", "abstract", "relative", "long"])
def test_t42_paths_that_are_no_agent(cells, work, asking, level, kind):
    """P90: an error that names the property, at create or at start, and no program that runs unwatched."""
    config = config_for(work, *MKDIR)
    path = work / "agent"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    {"fifo": lambda: os.mkfifo(path), "file": path.touch, "directory": path.mkdir,
     "dangling": lambda: path.symlink_to("/not/there"), "datagram": lambda: listener.bind(str(path)),
     "device": lambda: path.symlink_to("/dev/null")}.get(kind, lambda: None)()
    config["linux"]["seccomp"]["listenerPath"] = {
        "abstract": "@agent", "relative": "agent", "long": "/" + "x" * 200}.get(kind, str(path))
    cell = cells(config, kind="busybox", runtime=asking)
    result = cell.create()
    if result.ok:
        result = cell.start()
        until(lambda: cell.status() == "stopped")
    assert result.status == 1 and "linux.seccomp.listenerPath" in result.err, result
    assert "status" not in cell.out(), "the program ran"
    listener.close()


@pytest.mark.levels("none")
def test_t42_a_link_to_the_agent(cells, agent, work, asking, level):
    """P90: a path of the host, resolved there as the caller's own; /run is a link in many places."""
    agent(answer=lambda name: errno.EXDEV)
    (work / "link").symlink_to(work / "agent")
    config = config_for(work, *MKDIR)
    config["linux"]["seccomp"]["listenerPath"] = str(work / "link")
    result = cells(config, kind="busybox", runtime=asking).run()
    assert result.ok and "status 1" in result.out, result
