"""`pause` and `resume`: contract rows T7, T8, S5, S14, M7; what follows in each state is in test_lifecycle.py."""

import os
import subprocess
import time

import pytest

from harness import bundle as b
from harness import linux, states
from harness.runtime import until


@pytest.fixture
def ticker(cells):
    """A container that says something every hundredth of a second, and has children that do nothing."""
    config = b.spec()
    config["process"]["args"] = [
        "/bin/sh", "-c", "sleep 1000 & sleep 1001 & while echo tick; do sleep 0.01; done"]
    cell = cells.started(config, kind="busybox")
    cell.wait_for("tick")
    return cell


def _grows(cell, within):
    before = len(cell.out())
    end = time.monotonic() + within
    while time.monotonic() < end:
        if len(cell.out()) > before:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.peer
def test_a_paused_container_does_nothing(ticker, level):
    """It is frozen when `pause` returns, all of it, and goes on where it was."""
    pid = ticker.pid
    for _ in range(3):
        result = ticker.call("pause")
        assert result.ok and (result.out, result.err) == ("", ""), result
        assert states.is_frozen(pid)
        assert not _grows(ticker, 0.2)
        assert ticker.state()["pid"] == pid
        result = ticker.call("resume")
        assert result.ok and (result.out, result.err) == ("", ""), result
        assert not states.is_frozen(pid)
        assert _grows(ticker, 5)


@pytest.mark.peer
def test_many_processes(cells, level):
    cell = states.family(cells, 200)
    result = cell.call("pause")
    assert result.ok and states.is_frozen(cell.pid), result
    assert cell.call("resume").ok


def test_pausing_is_quick(ticker):
    """No needless sleep: about what looking at the state takes."""
    seconds = {"state": [], "pause": [], "resume": []}
    for _ in range(10):
        for verb, times in seconds.items():
            times.append(ticker.call(verb).seconds)
    median = {verb: sorted(times)[5] for verb, times in seconds.items()}
    assert max(median["pause"], median["resume"]) < 3 * median["state"] + 0.005, seconds


@pytest.mark.parametrize("state, verb, text", [
    ("paused", "pause", "container not running"),
    ("stopped", "pause", "container not running"),
    ("creating", "pause", "container not running"),
    ("running", "resume", "container not paused"),
    ("created", "resume", "container not paused"),
    ("stopped", "resume", "container not paused"),
])
def test_texts(cells, level, state, verb, text):
    """M7."""
    with states.cell_in(cells, state) as cell:
        result = cell.call(verb)
        assert result.status == 1 and text in result.err and len(result.err.splitlines()) == 1, result


@pytest.mark.peer
@pytest.mark.parametrize("flags", [(), ("--all",)], ids=["init", "all"])
def test_sigkill_ends_a_paused_container(ticker, level, flags):
    """T3, S5: on v1 a frozen process does not die by itself."""
    assert ticker.call("pause").ok
    if not ticker.runtime.is_donjon and flags:
        pytest.skip("runc 1.1 thaws for its own kill of init only")
    assert ticker.kill(*flags, "KILL").ok
    ticker.wait_stopped()
    until(lambda: not linux.living())


@pytest.mark.levels("none")
@pytest.mark.parametrize("how", ["kill", "delete"])
def test_who_froze_himself_in_a_cgroup_below(cells, rt, level, can, how):
    """S5: a container with its own cgroups may freeze some of its processes, which on v1 outlive SIGKILL, and with
    them the pid namespace."""
    if not can.v1 or not os.path.exists("/sys/fs/cgroup/freezer"):
        pytest.skip("needs a freezer of cgroup v1")
    config = b.spec()
    b.mount(config, "/sys/fs/cgroup", options=["nosuid", "noexec", "nodev", "rw"])
    b.namespace(config, "cgroup")
    config["process"]["args"] = ["/bin/sh", "-c", """
        cd /sys/fs/cgroup/freezer && mkdir below && sh -c 'echo $$ > below/cgroup.procs; exec sleep 1000' &
        cd /sys/fs/cgroup/freezer && until grep -q . below/cgroup.procs; do sleep 0.01; done
        echo FROZEN > below/freezer.state && until grep -q FROZEN below/freezer.state; do sleep 0.01; done
        echo frozen; exec sleep 1000"""]
    cell = cells.started(config, kind="busybox")
    cell.wait_for("frozen\n")
    if how == "kill":
        assert cell.kill("KILL").ok
        cell.wait_stopped()
    result = cell.delete("--force")
    assert result.ok and result.seconds < 5, result
    until(lambda: not linux.living())


def test_killed_while_it_freezes(ticker, level, can, work):
    """T23: SIGKILL thaws, and what it ends is not waited for; nobody else could have the container meanwhile."""
    state = f"/sys/fs/cgroup/freezer/donjon-{ticker.id}/freezer.state"
    if not can.strace or not os.path.exists(state):
        pytest.skip("needs strace, and a freezer of cgroup v1")
    slow = ["strace", "-qq", "-o", work / "trace", "-P", state, "-e", "trace=write", "-e", "inject=write:delay_exit=1000000"]
    began = time.monotonic()
    with subprocess.Popen([*slow, *ticker.runtime.argv("pause", ticker.id)], stderr=subprocess.PIPE, text=True) as pause:
        until(lambda: _read(state) != "THAWED\n")
        assert ticker.kill("KILL").ok
        error = pause.communicate(timeout=20)[1]
    assert "FROZEN" in (work / "trace").read_text()
    assert pause.returncode == 1 and error == "donjon: container not running\n"
    assert time.monotonic() - began < 5
    ticker.wait_stopped()


def _read(path):
    with open(path) as file:
        return file.read()


def test_another_signal_waits_for_resume(cells, level):
    cell = cells.started(b.spec("signals"))
    cell.wait_for("ready")
    assert cell.call("pause").ok
    assert cell.kill("TERM").ok
    time.sleep(0.1)
    assert cell.status() == "paused" and "got" not in cell.out()
    assert cell.call("resume").ok
    cell.wait_for("got 15\n")


def test_delete_by_force(ticker, level, clean):
    assert ticker.call("pause").ok
    clean(ticker)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_caller_flags_are_not_needed(ticker, verb):
    """R13: what create was told is kept; what is said now about managers changes nothing."""
    runtime = ticker.runtime.at(ticker.runtime.level, "--systemd-cgroup")
    assert runtime.call("pause", ticker.id).ok
    if verb == "resume":
        assert runtime.call("resume", ticker.id).ok
    assert ticker.status() == ("running" if verb == "resume" else "paused")
    ticker.call("resume")


def test_without_a_cgroup(cells, runtime, fail):
    """F7: there is nothing to freeze by, and the container goes on."""
    config = b.spec("sleep")
    del config["linux"]["resources"]
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=runtime.at("none", "--cgroup-manager", "disabled"))
    assert cell.run("--detach").ok
    result = runtime.call("pause", cell.id)
    assert result.status == 1 and "has no cgroup" in result.err, result
    assert runtime.state(cell.id).json()["status"] == "running"
