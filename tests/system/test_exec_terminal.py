"""Terminals of exec: by console socket as engines take them (K1-K6), and relayed as people and CRI-O's
streaming exec have them (Z14); the caller's own is given back as it was, whatever happens."""

import json
import os
import signal
import socket
import subprocess
import termios
import time

import pytest

from harness import bundle as b
from harness import linux, terminals
from harness.runtime import until

from test_exec import NOT_RUN, _comm, _reaper, busybox, not_run, process, running  # noqa: F401 fixtures


# K1-K5: the console socket


@pytest.mark.peer
@pytest.mark.parametrize("uid", [0, 1000])
def test_console_socket(cells, work, level, uid):
    """F33, K1, K4, K5: conmon's and the shim's order: nobody accepts before the command has returned."""
    cell = running(cells)
    path = process(cell, "/prisoner", "report", terminal=True, consoleSize={"height": 31, "width": 71},
                   user={"uid": uid, "gid": uid})
    with terminals.console_socket(work / "console") as listener:
        flags = ("--process", path, "--detach", "--pid-file", work / "pid", "--console-socket", work / "console")
        result = cell.exec(flags=flags)
        assert (result.status, result.out, result.err) == (0, "", ""), result
        master = terminals.receive(listener)
        assert (work / "pid").read_text().isdigit()
        report = json.loads(terminals.read_until(master, b"\n"))
        os.close(master)
    assert [f["fd"] for f in report["fds"]] == [0, 1, 2] and all(f["tty"] for f in report["fds"])
    assert (report["rows"], report["columns"]) == (31, 71)
    assert report["fds"][0]["uid"] == uid, "K5: the process user's"
    assert report["sid"] == report["pid"] == report["pgid"] and report["tty"] == "ok"
    assert {f["rdev"].split(":")[0] for f in report["fds"]} == {"136"}


@pytest.mark.peer
def test_the_size_stays_when_none_is_given(cells, work, level):
    """P14: 0 x 0 means leave it; conmon sets it itself."""
    cell = busybox(cells)
    with terminals.console_socket(work / "console") as listener:
        flags = ("--process", process(cell, "sleep", "1000", terminal=True), "-d", "--console-socket", work / "console")
        assert cell.exec(flags=flags).ok
        master = terminals.receive(listener)
        assert termios.tcgetwinsize(master) == (0, 0)
        os.close(master)


def test_each_has_a_terminal_of_its_own(cells, work, level):
    """From the container's own devpts, beside that of its first process; /dev/console stays that one's."""
    config = b.spec()
    config["process"].update(terminal=True, args=["/bin/sleep", "1000"])
    with terminals.console_socket(work / "init") as listener:
        cell = cells(config, "busybox")
        assert cell.create("--console-socket", work / "init").ok and cell.start().ok
        first = terminals.receive(listener)
    with terminals.terminal() as one, terminals.terminal() as two:
        script = "tty; stat -c %t:%T /dev/console; read x"
        waiting = [cell.spawn_exec("sh", "-c", script, flags=("-t",), **t.streams()) for t in (one, two)]
        shown = [t.read_until(b"88:") .decode().split() for t in (one, two)]
        assert {s[0] for s in shown} == {"/dev/pts/1", "/dev/pts/2"}, shown
        for t, w in zip((one, two), waiting):
            t.write(b"\n")
            assert w.wait().ok
        assert all(s[1].startswith("88:") for s in shown)
    os.close(first)


def test_a_long_console_socket_path(cells, work, level):
    """K3."""
    deep = work / ("d" * 150)
    deep.mkdir()
    directory = os.open(deep, os.O_PATH)
    cell = busybox(cells)
    with terminals.console_socket(f"/proc/self/fd/{directory}/console") as listener:
        flags = ("-t", "-d", "--console-socket", deep / "console")
        assert cell.exec("sleep", "1000", flags=flags).ok
        os.close(terminals.receive(listener))
    os.close(directory)


@pytest.mark.parametrize("kind", ["missing", "nobody listens", "not a socket", "a datagram socket"])
def test_bad_console_sockets(cells, not_run, work, level, kind):
    """The program does not run, and nothing is left of it."""
    cell = busybox(cells)
    path, server = work / "console", None
    if kind == "not a socket":
        path.write_text("")
    elif kind != "missing":
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if "datagram" in kind else socket.SOCK_STREAM)
        server.bind(str(path))
    before = linux.descendants()
    flags = ("-t", "-d", "--console-socket", path, "--pid-file", work / "pid")
    not_run(cell.exec("touch", "/dev/shm/ran", flags=flags), "console socket", cell=cell)
    assert cell.exec("ls", "/dev/shm").out == "" and not (work / "pid").exists()
    assert linux.descendants() == before
    if server:
        server.close()


def test_no_devpts_in_the_container(cells, not_run, level):
    config = b.spec()
    b.unmount(config, "/dev/pts")
    cell = busybox(cells, config)
    with terminals.terminal() as outer:
        waiting = cell.spawn_exec("sh", flags=("-t",), stdin=outer.slave)
        not_run(waiting.wait(), "process.terminal", cell=cell)
        assert outer.is_restored()


# The relay


@pytest.mark.parametrize("by_file", [False, True])
def test_relay(cells, level, by_file):
    """F34, Z14, L10: a pty as stdio, no console socket; size (before the program can look), echo, exact status."""
    cell = busybox(cells)
    args = ["sh", "-c", "stty size; tty; read line; echo got $line; exit 9"]
    with terminals.terminal(rows=17, columns=53) as outer:
        if by_file:
            waiting = cell.spawn_exec(flags=("--process", process(cell, *args, terminal=True)), **outer.streams())
        else:
            waiting = cell.spawn_exec(*args, flags=("--tty",), **outer.streams())
        assert b"17 53\r\n/dev/pts/" in outer.read_until(b"/dev/pts/")
        until(outer.is_raw)
        outer.write(b"hello\r")
        assert b"got hello" in outer.read_until(b"got hello")
        assert waiting.wait().status == 9
        assert outer.is_restored()


@pytest.mark.peer
def test_a_change_of_size_is_passed_on(cells, level):
    """SIGWINCH, also many at once (T51)."""
    cell = busybox(cells)
    script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"
    with terminals.terminal(rows=20, columns=60) as outer:
        waiting = cell.spawn_exec("sh", "-c", script, flags=("-t",), **outer.streams())
        outer.read_until(b"ready")
        for rows in range(21, 60):
            termios.tcsetwinsize(outer.slave, (rows, 90))
        termios.tcsetwinsize(outer.slave, (33, 99))
        waiting.signal(signal.SIGWINCH)
        outer.read_until(b"33 99")
        waiting.signal(signal.SIGTERM)
        waiting.signal(signal.SIGKILL)
        waiting.wait()


def _ends_by_itself(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "echo ready; exit 3", flags=("-t",), **outer.streams())
    return waiting, 3


def _ends_by_signal(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "echo ready; kill -9 $$", flags=("-t",), **outer.streams())
    return waiting, 137


def _is_not_found(cell, outer):
    return cell.spawn_exec("/nowhere", flags=("-t",), **outer.streams()), NOT_RUN


def _is_no_program(cell, outer):
    cell.exec("sh", "-c", "printf text >/dev/shm/text; chmod 755 /dev/shm/text")
    return cell.spawn_exec("/dev/shm/text", flags=("-t",), **outer.streams()), NOT_RUN


def _has_bad_directory(cell, outer):
    return cell.spawn_exec("sh", flags=("-t", "--cwd", "/nowhere"), **outer.streams()), NOT_RUN


def _gets_a_signal(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done",
                              flags=("-t",), **outer.streams())
    outer.read_until(b"ready")
    waiting.signal(signal.SIGTERM)
    return waiting, 5


def _hangs_up(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "echo ready; exec sleep 1000", flags=("-t",), **outer.streams())
    outer.read_until(b"ready")
    waiting.signal(signal.SIGHUP)
    return waiting, 129


def _loses_its_container(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "echo ready; exec sleep 1000", flags=("-t",), **outer.streams())
    outer.read_until(b"ready")
    assert cell.kill("KILL").ok
    return waiting, 137


def _leaves_a_child(cell, outer):
    waiting = cell.spawn_exec("sh", "-c", "trap '' HUP; sleep 1000 & echo ready; exit 4", flags=("-t",),
                              **outer.streams())
    return waiting, 4


@pytest.mark.parametrize("end", [_ends_by_itself, _ends_by_signal, _is_not_found, _is_no_program, _has_bad_directory,
                                 _gets_a_signal, _hangs_up, _loses_its_container, _leaves_a_child],
                         ids=lambda f: f.__name__.strip("_"))
def test_the_callers_terminal_is_given_back(cells, level, end):
    """T70: on every way out, and without waiting for whoever else holds the inner one."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        waiting, status = end(cell, outer)
        result = waiting.wait(5)
        assert result.status == status, (result, outer.read_until(b"\n"))
        assert outer.is_restored()


def test_a_stopped_reader_blocks_nobody(cells, level):
    """T64: a flood into a terminal that nobody reads; the process can still be ended."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        waiting = cell.spawn_exec("sh", "-c", "echo ready; exec yes", flags=("-t",), **outer.streams())
        outer.read_until(b"ready")
        time.sleep(0.3)
        waiting.signal(signal.SIGTERM)
        until(lambda: all("(Z)" in linux.describe(p) for p in linux.descendants(waiting.pid)))
        waiting.signal(signal.SIGTERM)
        assert waiting.wait(5).status == 143, "in a hurry: what is left is not waited for"
        assert outer.is_restored()


def test_a_signal_that_comes_with_the_end(cells, level):
    """The same when both are there before either is looked at."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        waiting = cell.spawn_exec("sh", "-c", "echo ready; exec yes", flags=("-t",), **outer.streams())
        outer.read_until(b"ready")
        time.sleep(0.3)
        waiting.signal(signal.SIGSTOP)
        for pid in linux.descendants(waiting.pid):
            os.kill(pid, signal.SIGKILL)
        until(lambda: all("(Z)" in linux.describe(p) for p in linux.descendants(waiting.pid)))
        waiting.signal(signal.SIGTERM)
        waiting.signal(signal.SIGCONT)
        assert waiting.wait(5).status == 137
        assert outer.is_restored()


def test_a_slow_reader_gets_all(cells, level):
    """What the terminal still holds after the end of the process waits for its reader."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        waiting = cell.spawn_exec("sh", "-c", "seq 1 4000; echo last", flags=("-t",), **outer.streams())
        time.sleep(1.5)
        assert outer.read_until(b"last").decode().split() == [*map(str, range(1, 4001)), "last"]
        assert waiting.wait(5).ok


def test_a_flood_arrives_whole(cells, level):
    """Every byte, in order, at its end, too."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        script = "i=0; while [ $i -lt 3000 ]; do echo line$i; i=$((i+1)); done; echo last"
        waiting = cell.spawn_exec("sh", "-c", script, flags=("-t",), **outer.streams())
        lines = outer.read_until(b"last").decode().split()
        assert lines == [*(f"line{i}" for i in range(3000)), "last"]
        assert waiting.wait().ok


def test_input_from_a_pipe(cells, level):
    """A terminal inside, none outside."""
    cell = busybox(cells)
    read_end, write_end = os.pipe()
    waiting = cell.spawn_exec("sh", "-c", "read x; echo got $x; exit 6", flags=("-t",), stdin=read_end)
    os.write(write_end, b"piped\n")
    result = waiting.wait()
    assert result.status == 6 and "got piped" in result.out, result
    os.close(read_end), os.close(write_end)


@pytest.mark.peer
def test_without_a_terminal_stdin_reaches_its_end(cells, level):
    """kubectl exec -i: pipes are passed through as they are (V8)."""
    cell = busybox(cells)
    read_end, write_end = os.pipe()
    waiting = cell.spawn_exec("cat", stdin=read_end)
    os.close(read_end)
    os.write(write_end, b"text")
    os.close(write_end)
    result = waiting.wait()
    assert (result.status, result.out) == (0, "text"), result


@pytest.mark.peer
def test_r8_nothing_holds_the_callers_terminal(cells, work, level):
    """Z11: after a detached exec the caller's pty is nobody else's: its master sees the end."""
    cell = busybox(cells)
    with terminals.console_socket(work / "console") as listener, terminals.terminal() as outer:
        flags = ("--process", process(cell, "sleep", "1000", terminal=True), "-d",
                 "--console-socket", work / "console", "--pid-file", work / "pid")
        assert cell.exec(flags=flags, **outer.streams()).ok
        os.close(outer.slave)
        with pytest.raises(OSError):
            while os.read(outer.master, 100):
                pass
        until(lambda: _comm(int((work / "pid").read_text())) == "sleep")
        os.close(terminals.receive(listener))


def test_t51_input_cannot_be_pushed(cells, level):
    """CVE-2017-5226: a program without a terminal of its own cannot reach the caller's."""
    cell = busybox(cells)
    with terminals.terminal() as outer:
        result = cell.spawn_exec("/prisoner", "try", "ioctl=0x5412", stdin=outer.slave, start_new_session=True).wait()
        assert result.documents()[0]["ioctl=0x5412"] != "ok", result
        assert outer.is_restored()


def test_the_terminal_that_run_relays_is_given_back(cells, level):
    """The same loop serves run."""
    config = b.spec()
    config["process"].update(terminal=True, args=["/bin/sh", "-c", "echo ready; exec sleep 1000"])
    cell = cells(config, "busybox")
    with terminals.terminal() as outer:
        waiting = cell.spawn("run", **outer.streams())
        outer.read_until(b"ready")
        assert outer.is_raw()
        subprocess.run(cell.runtime.argv("kill", cell.id, "KILL"), check=True)
        assert waiting.wait().status == 137 and outer.is_restored()
