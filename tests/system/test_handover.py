"""What a caller hands over and is handed: pidfd, activation sockets, its terminal."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness import bundle as b
from harness.runtime import patient
from harness.terminals import read_until


def _listener(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(patient(5))
    return listener


def test_pidfd_socket(cells, work):
    """F14, K6: the same message as for terminals, with a pidfd of the container's process."""
    listener = _listener(work / "pidfd")
    cell = cells(b.spec("exit", "7"))
    assert cell.create("--pidfd-socket", work / "pidfd").ok
    peer, _ = listener.accept()
    message, fds, _, _ = socket.recv_fds(peer, 4096, 4)
    assert len(fds) == 1 and 1 <= len(message) <= 4095
    with open(f"/proc/self/fdinfo/{fds[0]}") as info:
        pid = next(int(line.split()[1]) for line in info if line.startswith("Pid:"))
    assert pid == cell.pid
    assert not select.select([fds[0]], [], [], 0)[0]
    assert cell.start().ok
    assert select.select([fds[0]], [], [], 5)[0], "the pidfd tells the end"
    os.close(fds[0])
    peer.close(), listener.close()


def test_a_pidfd_socket_nobody_listens_at(cells, work, fail):
    cell = cells(b.spec())
    fail(cell.create("--pidfd-socket", work / "nothing"), "pidfd socket", cell=cell)


def _spawn_activated(cell, sockets, names):
    """As systemd does: the descriptors from 3 on, LISTEN_PID is the process that gets them."""
    pid = os.fork()
    if pid == 0:
        try:
            for i, fd in enumerate(sockets):
                os.dup2(fd, 100 + i)
            for i in range(len(sockets)):
                os.dup2(100 + i, 3 + i)
                os.close(100 + i)
            os.closerange(3 + len(sockets), 100)
            argv = cell.runtime.argv("create", "--bundle", cell.bundle.path, cell.id)
            env = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names}
            os.execve(argv[0], argv, env)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("names", ["web", "web:admin"])
def test_activation_sockets(cells, rt, work, level, names):
    """V4: they become the first descriptors inside, and the program is told."""
    path = work / "data"
    path.mkdir()
    path.chmod(0o777)
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "env >/data/env; ls -l /proc/self/fd >/data/fds"]
    b.bind(config, path, "/data")
    cell = cells(config, "busybox", runtime=rt.override("proc.fds=preserve:socket_activation") if level != "none" else rt)
    listeners = [_listener(work / name) for name in names.split(":")]
    assert _spawn_activated(cell, [listener.fileno() for listener in listeners], names) == 0
    assert cell.start().ok
    cell.wait_stopped()
    env = dict(line.split("=", 1) for line in (path / "env").read_text().splitlines())
    assert (env["LISTEN_FDS"], env["LISTEN_PID"], env["LISTEN_FDNAMES"]) == (str(len(listeners)), "1", names)
    for n, listener in enumerate(listeners):
        assert f" {3 + n} -> socket:" in (path / "fds").read_text()
        listener.close()


@pytest.mark.levels("hardened")
def test_activation_sockets_need_an_override(cells, work, capfd, level):
    """V4: a socket of the host is a way out of the container."""
    cell = cells(b.spec())
    listener = _listener(work / "activated")
    assert _spawn_activated(cell, [listener.fileno()], "web") == 1 and cell.status() == "missing"
    assert "proc.fds" in capfd.readouterr().err
    listener.close()


@pytest.mark.parametrize("flags, blamed", [
    ([], "LISTEN_FDS=9: descriptor 4 is not open"), (["--preserve-fds", "1"], "LISTEN_FDS=9: descriptor 4 is not open")])
def test_activation_sockets_that_are_not_there(cells, work, level, flags, blamed):
    """V4: the variable is named, not a flag that nobody gave."""
    listener = _listener(work / "activated")
    os.set_inheritable(listener.fileno(), True)
    cell = cells(b.spec())
    argv = [str(a) for a in cell.runtime.argv("create", *flags, "--bundle", cell.bundle.path, cell.id)]
    script = 'exec 3<&"$0" 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; LISTEN_PID=$$ LISTEN_FDS=9 exec "$@"'
    result = subprocess.run(["/bin/bash", "-c", script, str(listener.fileno()), *argv], capture_output=True,
                            text=True, pass_fds=[listener.fileno()], timeout=60, check=False)
    assert result.returncode == 1 and result.stderr == f"donjon: {blamed}\n" and cell.status() == "missing", result
    listener.close()


def _terminal_run(cells, script, size):
    config = b.spec()
    config["process"]["terminal"] = True
    config["process"]["args"] = ["/bin/sh", "-c", script]
    cell = cells(config, "busybox")
    master, slave = pty.openpty()
    _resize(master, *size)
    process = cell.spawn("run", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    return cell, process, master, slave


def _resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


SIZE = "trap 'busybox stty size' WINCH; busybox stty size; while :; do sleep 0.05; done"


def test_the_terminal_has_the_callers_size(cells, level):
    """At the start, and after each change of it."""
    cell, process, master, slave = _terminal_run(cells, SIZE, (33, 77))
    try:
        read_until(master, b"33 77")
        _resize(master, 44, 99)
        process.signal(signal.SIGWINCH)
        read_until(master, b"44 99")
    finally:
        cell.kill("KILL")
        process.wait()
        os.close(master), os.close(slave)


@pytest.mark.parametrize("end", ["TERM to the runtime", "KILL to the container"])
def test_the_callers_terminal_is_restored(cells, end):
    cell, process, master, slave = _terminal_run(cells, "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
                                                 (24, 80))
    before = termios.tcgetattr(slave)
    read_until(master, b"up")
    assert termios.tcgetattr(slave) != before, "raw while it runs"
    if end.startswith("TERM"):
        process.signal(signal.SIGTERM)
    else:
        assert cell.kill("KILL").ok
    assert process.wait().status == (3 if end.startswith("TERM") else 128 + signal.SIGKILL)
    assert termios.tcgetattr(slave) == before
    os.close(master), os.close(slave)


def test_everything_a_terminal_holds_is_shown(cells):
    """What the program wrote just before its end is not lost with it."""
    _, process, master, slave = _terminal_run(cells, "busybox seq 1 2000; echo the-end", (24, 80))
    text = read_until(master, b"the-end")
    assert text.count(b"\n") > 1990
    assert process.wait().status == 0
    os.close(master), os.close(slave)
