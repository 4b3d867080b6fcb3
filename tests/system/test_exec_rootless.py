"""exec by callers without rights on the host: users with and without sub-ids, and the root of a user
namespace an engine made for one."""

import os
import signal

import pytest

from harness import linux, terminals
from harness.runtime import until

from test_exec import NOT_RUN, assert_parity, not_run, process  # noqa: F401 fixtures
from test_rootless import (DIRECT, EVERY, by, caller, callers, cells, document, known_users, kernel, rt,  # noqa: F401
                           set_maps)


def running(cells, caller, kind="skeleton", **process_):
    config = document(caller)
    config["process"].update(args=["/prisoner", "report", "+", "sleep"], **process_)
    cell = cells.started(config, kind)
    until(lambda: cell.documents(), 5, lambda: f"{cell.out()} {cell.command.err()}")
    return cell


@by(*EVERY)
def test_parity(caller, cells, level):
    """The same confinement, by the same path."""
    cell = running(cells, caller)
    own = cell.documents()[0]
    for report in (cell.exec_report(), cell.exec(flags=("--process", process(cell, "/prisoner", "report"))).documents()[0]):
        # Mounts of the host that came along may go away meanwhile.
        assert_parity(own, report, "mounts")


@by(*EVERY)
def test_in_a_created_container(caller, cells, level):
    """Its process is the stage, which nobody may look into; the caller may still enter beside it."""
    cell = cells.created(document(caller))
    assert cell.exec("/prisoner", "exit", "3").status == 3


@by(*EVERY)
def test_detached(caller, cells, level):
    cell = running(cells, caller)
    before = linux.descendants()
    result = cell.exec("/prisoner", "sleep", flags=("-d", "--pid-file", caller.home / "run/pid"))
    assert result.ok, result
    pid = int((caller.home / "run/pid").read_text())
    assert linux.descendants() - before == {pid}
    assert linux.namespaces(pid) == linux.namespaces(cell.pid)
    assert kernel(pid)["uid"] == caller.uid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@by(*EVERY)
def test_with_a_terminal(caller, cells, level):
    cell = running(cells, caller, "busybox")
    with terminals.terminal(rows=19, columns=91) as outer:
        os.chmod(os.ttyname(outer.slave), 0o666)
        waiting = cell.spawn_exec("sh", "-c", "stty size; tty; exit 4", flags=("-t",), **outer.streams())
        assert b"19 91\r\n/dev/pts/0" in outer.read_until(b"/dev/pts/0")
        assert waiting.wait().status == 4 and outer.is_restored()


@by("granted")
def test_as_another_user(caller, cells, level):
    report = running(cells, caller).exec_report("--user", "1000:1000", "-g", "7")
    assert report["status"]["Uid"].split() == ["1000"] * 4 and report["status"]["Groups"].split() == ["7"]


@by("single")
def test_ids_that_are_not_mapped(caller, cells, not_run, level):
    cell = running(cells, caller)
    not_run(cell.exec("/prisoner", "exit", "0", flags=("--user", "1000")), "process.user.uid", "is not mapped", cell=cell)


@by("granted")
def test_the_callers_own_id_is_left_out(caller, cells, level):
    """A map of sub-ids alone: nobody inside is the caller, who must still be able to see what it started."""
    config = document(caller)
    set_maps(config, (0, caller.maps()[1][1], 1000))
    config["process"]["args"] = ["/prisoner", "report", "+", "sleep"]
    cell = cells(config, "skeleton")
    if not cell.create().ok:
        pytest.skip("this root file system cannot be used with such a map")
    assert cell.start().ok
    until(lambda: cell.documents())
    assert_parity(cell.documents()[0], cell.exec_report(), "mounts")


@by(*DIRECT)
def test_pid_and_score(caller, cells, level):
    """oom_score_adj can be raised by anybody, also for a process that nobody may look into."""
    cell = running(cells, caller, oomScoreAdj=500)
    assert cell.exec_report()["oom_score_adj"] == "500\n"


@by(*DIRECT)
def test_nobody_elses_container(caller, callers, cells, rt, not_run, level):
    """Another user finds none, and cannot enter by its state."""
    cell = running(cells, caller)
    other = callers["single" if caller.uid == callers["granted"].uid else "granted"]
    argv = rt.argv("exec", cell.id, "/prisoner", "exit", "0")
    result = other.call(*argv[len(caller.prefix()):])
    assert result.status == NOT_RUN, result
