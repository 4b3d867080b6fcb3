"""`ps`: contract rows F50, N6, N7, T11, R3."""

import os

import pytest

from harness import bundle as b
from harness import linux, states
from harness.runtime import until


@pytest.fixture
def family(cells):
    return states.family(cells, 4)


def _ps(cell, *args):
    """Flags first; what follows the id is for ps(1)."""
    flags = [a for a in args if a.startswith("--format")]
    result = cell.runtime.call("ps", *flags, cell.id, *args[len(flags):])
    assert result.ok and result.err == "", result
    return result.out


@pytest.mark.peer
@pytest.mark.parametrize("state", ["running", "paused"])
def test_json(family, level, state):
    """F50, N6: the host's pids of all processes."""
    if state == "paused":
        assert family.call("pause").ok
    result = family.runtime.call("ps", "--format", "json", family.id)
    assert sorted(result.json()) == family.pids


@pytest.mark.parametrize("flags", [["--format=json"], ["-f", "json"], ["-format", "json"],
                                   ["--format", "table", "--format", "json"]], ids=" ".join)
def test_forms_of_the_flag(family, flags):
    """F50."""
    result = family.runtime.call("ps", *flags, family.id)
    assert result.json() == family.pids


def test_json_of_sub_cgroups(family, level):
    """A container may make cgroups of its own below the one it was given."""
    place, _ = states.directory(family.pid, "freezer")
    below = os.path.join(place, "below")
    os.mkdir(below)
    try:
        with open(os.path.join(below, "cgroup.procs"), "w") as procs:
            procs.write(str(family.pids[-1]))
        assert family.runtime.call("ps", "-f", "json", family.id).json() == family.pids
        assert family.kill("KILL").ok
        family.wait_stopped()
        assert family.delete("--force").ok
    finally:
        if os.path.isdir(below):
            os.rmdir(below)


@pytest.mark.peer
def test_table(family, level):
    """N7: ps(1) itself, less the lines of others; -ef where nothing is said."""
    header, *rows = _ps(family).splitlines()
    assert header.split()[:3] == ["UID", "PID", "PPID"]
    assert sorted(int(row.split()[1]) for row in rows) == family.pids


@pytest.mark.peer
@pytest.mark.parametrize("args, head", [
    (["-eo", "pid,args"], ["PID", "COMMAND"]),
    (["aux"], ["USER", "PID"]),
    (["-e", "-o", "ppid,pid"], ["PPID", "PID"]),
    (["-eo", "pid", "--sort", "-pid"], ["PID"]),
], ids=lambda value: " ".join(value))
def test_arguments_for_ps(family, level, args, head):
    """F50, R3: parsing stops at the id."""
    header, *rows = _ps(family, *args).splitlines()
    words = header.split()
    assert words[:len(head)] == head
    pids = [int(row.split()[words.index("PID")]) for row in rows]
    assert sorted(pids) == family.pids
    if "--sort" in args:
        assert pids == sorted(pids, reverse=True)


@pytest.mark.peer
@pytest.mark.parametrize("args", [["-eo", "comm"], ["--nonsense"]], ids=" ".join)
def test_arguments_that_do_not_do(family, args):
    result = family.runtime.call("ps", family.id, *args)
    assert result.status == 1 and result.err


def test_after_the_end(cells, level):
    """T11: nobody, and no error."""
    with states.cell_in(cells, "stopped") as cell:
        assert cell.runtime.call("ps", "--format", "json", cell.id).json() == []
        assert len(_ps(cell).splitlines()) == 1


def test_orphans_of_a_stopped_container(cells):
    """In a shared pid namespace the rest outlives init, and is still the container's."""
    config = b.spec("orphan")
    b.namespace(config, "pid", present=False)
    cell = cells.started(config)
    cell.wait_for("left")
    cell.wait_stopped()
    left = cell.runtime.call("ps", "--format", "json", cell.id).json()
    assert left and set(left) <= linux.descendants()
    assert cell.kill("KILL").ok, "S3: SIGKILL is for all of them"
    until(lambda: not linux.living())
    result = cell.kill("KILL")
    assert result.status == 1 and "container not running: no such process" in result.err


def test_without_a_cgroup(cells, runtime, fail):
    config = b.spec("sleep")
    del config["linux"]["resources"]
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=runtime.at("none", "--cgroup-manager", "disabled"))
    assert cell.run("--detach").ok
    result = runtime.call("ps", "--format", "json", cell.id)
    assert result.status == 1 and "has no cgroup" in result.err, result
    assert runtime.call("kill", cell.id, "KILL").ok
    until(lambda: runtime.state(cell.id).json()["status"] == "stopped")
    assert runtime.call("ps", "--format", "json", cell.id).json() == []


def test_without_ps(family):
    """V6: the caller's PATH may lead nowhere."""
    result = family.runtime.call("ps", family.id, env={"PATH": "/nonexistent"})
    assert result.status == 1 and "ps" in result.err, result
    assert family.runtime.call("ps", "-f", "json", family.id, env={}).json() == family.pids
    assert family.runtime.call("ps", family.id, env={}).ok
