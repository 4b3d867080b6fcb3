"""`events`: contract rows F51, F52, N8; the shape is runc's, the numbers are the kernel's."""

import json
import os
import shutil
import signal
import time

import pytest

from harness import bundle as b
from harness import linux, states
from harness.runtime import Runtime, until

V1 = bool(set(linux.cgroup_roots()) - {""})
MIB = 1 << 20
MEMBERS = {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"}


@pytest.fixture
def limited(cells):
    """A few processes under limits."""
    config = b.spec()
    b.resources(config, memory={"limit": 64 * MIB}, cpu={"quota": 50000, "period": 100000}, pids={"limit": 40})
    return states.family(cells, 3, config)


def _stats(cell):
    result = cell.runtime.call("events", "--stats", cell.id)
    assert result.ok and result.err == "" and len(result.out.splitlines()) == 1, result
    document = result.json()
    assert document["type"] == "stats" and document["id"] == cell.id
    return document["data"]


def _number(cell, controller, v1_file, v2_file):
    value = states.read(cell.pid, controller, v1_file, v2_file)
    return (1 << 64) - 1 if value == "max" else int(value)


def _key(cell, controller, file, key):
    lines = states.read(cell.pid, controller, file, file).splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == key)


# One sample


@pytest.mark.peer
def test_numbers(limited, level):
    """F51, N8: what the kernel's files say; use changes between two looks, limits do not."""
    data = _stats(limited)
    assert set(data) >= MEMBERS
    assert data["pids"] == {"current": len(limited.pids), "limit": 40}
    assert data["memory"]["usage"]["limit"] == 64 * MIB
    assert 0 < data["memory"]["usage"]["usage"] <= 64 * MIB
    raw = data["memory"]["raw"]
    names = {line.split()[0] for line in states.read(limited.pid, "memory", "memory.stat", "memory.stat").splitlines()}
    assert set(raw) == names and all(isinstance(value, int) for value in raw.values())
    assert data["memory"].get("cache", 0) == raw["cache" if V1 else "file"]
    total = data["cpu"]["usage"]["total"]
    now = _number(limited, "cpuacct", "cpuacct.usage", "") if V1 else _key(limited, "cpu", "cpu.stat", "usage_usec") * 1000
    assert 0 < total <= now
    assert data["cpu"]["throttling"].get("periods", 0) <= _key(limited, "cpu", "cpu.stat", "nr_periods")


@pytest.mark.peer
def test_cpu_time_grows(cells, level):
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "while :; do :; done"]
    cell = cells.started(config, kind="busybox")
    first = _stats(cell)["cpu"]["usage"]
    until(lambda: _stats(cell)["cpu"]["usage"]["total"] > first["total"] + 50_000_000)
    usage = _stats(cell)["cpu"]["usage"]
    assert usage["user"] + usage["kernel"] > 0
    if V1:
        assert len(usage["percpu"]) == len(usage["percpu_user"]) == len(usage["percpu_kernel"]) == os.cpu_count()
        assert sum(usage["percpu"]) <= _number(cell, "cpuacct", "cpuacct.usage", "")


def test_no_limits(cells, runtime):
    """As v1 and v2 each say it; a number of processes without limit has no member."""
    data = _stats(cells.started(b.spec("sleep"), runtime=runtime))
    unlimited = (1 << 63) - 4096 if V1 else (1 << 64) - 1
    assert data["memory"]["usage"]["limit"] == data["memory"]["swap"]["limit"] == unlimited
    assert data["pids"] == {"current": 1}


def test_swap_includes_memory(limited, level):
    """On v2, too."""
    memory = _stats(limited)["memory"]
    assert memory["swap"]["usage"] >= memory["usage"]["usage"]
    assert limited.runtime.call("update", "--memory", "48m", "--memory-swap", "80m", limited.id).ok
    assert _stats(limited)["memory"]["swap"]["limit"] == 80 * MIB


def test_cpuset(limited):
    limited.runtime.call("update", "--cpuset-cpus", "0", limited.id)
    cpuset = _stats(limited)["cpuset"]
    assert cpuset["cpus"] == [0] and cpuset["mems"] == [0]


def test_huge_pages(limited):
    """One member for each size the controller knows."""
    place, is_v2 = states.directory(limited.pid, "hugetlb")
    end = ".current" if is_v2 else ".usage_in_bytes"
    sizes = {name.split(".")[1] for name in os.listdir(place)
             if name.startswith("hugetlb.") and name.endswith(end) and ".rsvd." not in name}
    assert set(_stats(limited)["hugetlb"]) == sizes
    for value in _stats(limited)["hugetlb"].values():
        assert value["failcnt"] == 0


def _shape(ours, theirs, path=""):
    """Where a reader of theirs would stumble over ours."""
    if theirs is None:
        return []
    if type(ours) is not type(theirs):
        return [f"{path}: {ours!r} is not like {theirs!r}"]
    if not isinstance(theirs, dict):
        return []
    return [problem for key, value in theirs.items()
            for problem in ([f"{path}.{key} is missing"] if key not in ours else _shape(ours[key], value, f"{path}.{key}"))]


@pytest.mark.skipif(not shutil.which("runc"), reason="runc is missing")
def test_the_shape_is_that_of_runc(cells, limited, state_root):
    """N8."""
    runc = Runtime(shutil.which("runc"), "runc", state_root.parent / "runc-state")
    theirs = cells.started(limited.bundle.config, kind="busybox", runtime=runc)
    assert not _shape(_stats(limited), _stats(theirs), "data")


@pytest.mark.peer
@pytest.mark.parametrize("state", ["created", "running", "paused"])
def test_states(cells, level, state):
    if state == "paused" and not cells._runtime.is_donjon:
        pytest.skip("runc 1.1 now and then hangs over a container that others froze")
    with states.cell_in(cells, state) as cell:
        assert _stats(cell)["pids"]["current"] >= 1


@pytest.mark.parametrize("flags", [["--stats"], []], ids=["stats", "watch"])
def test_stopped(cells, level, flags):
    with states.cell_in(cells, "stopped") as cell:
        result = cell.runtime.call("events", *flags, cell.id)
        assert result.status == 1 and "container not running" in result.err and result.out == "", result


@pytest.mark.parametrize("interval", ["0s", "-1s", "5", "", "x", "1d", "5s5"])
def test_bad_intervals(limited, interval):
    result = limited.runtime.call("events", f"--interval={interval}", limited.id, timeout=5)
    assert result.status == 1 and "--interval" in result.err and result.out == "", result


def test_without_a_cgroup(cells, runtime):
    config = b.spec("sleep")
    del config["linux"]["resources"]
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=runtime.at("none", "--cgroup-manager", "disabled"))
    assert cell.run("--detach").ok
    result = runtime.call("events", "--stats", cell.id)
    assert result.status == 1 and "has no cgroup" in result.err, result


# Again and again


def _events(process):
    return [json.loads(line) for line in process.out().splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.peer
@pytest.mark.parametrize("form", [["--interval=1s"], ["--interval", "200ms"]], ids=" ".join)
def test_samples(limited, level, form):
    """F52: go-runc writes --interval=<N>s.  Each sample is a line, at once; the end of the container is ours."""
    process = limited.runtime.spawn("events", *form, limited.id)
    until(lambda: len(_events(process)) >= 3, 8)
    assert {event["type"] for event in _events(process)} == {"stats"}
    assert all(event["id"] == limited.id and set(event["data"]) >= MEMBERS for event in _events(process))
    assert process.running()
    assert limited.kill("KILL").ok
    _gone(limited)
    assert process.wait(5).ok, process.err()


def _gone(cell):
    """What ends runc's events on v1 is the end of the cgroup."""
    cell.wait_stopped()
    if not cell.runtime.is_donjon:
        cell.delete("--force")


def test_the_default_interval(limited):
    """Five seconds: nothing in the first two, and no processor time spent on waiting."""
    process = limited.runtime.spawn("events", limited.id)
    until(lambda: _is_watching(process.pid))
    ticks = []
    for _ in range(2):
        with open(f"/proc/{process.pid}/stat") as stat:
            ticks.append(sum(int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:13]))
        time.sleep(1)
    assert process.out() == "" and ticks[1] - ticks[0] <= 1
    process.signal(signal.SIGTERM)
    assert process.wait().status == -signal.SIGTERM


@pytest.mark.peer
def test_out_of_memory(cells, level):
    """The end of a container that eats more than it has is told before its end."""
    config = b.spec("eat", "200")
    b.resources(config, memory={"limit": 24 * MIB, "swap": 24 * MIB})
    cell = cells.created(config)
    if states.read(cell.pid, "memory", "memory.limit_in_bytes", "memory.max") is None:
        pytest.skip("no memory controller")
    process = cell.runtime.spawn("events", "--interval", "100ms", cell.id)
    until(lambda: _events(process), 5)
    assert cell.start().ok
    _gone(cell)
    assert process.wait(10).ok, process.err()
    oom = [event for event in _events(process) if event["type"] == "oom"]
    assert oom and oom[0] == {"type": "oom", "id": cell.id}


def test_out_of_memory_of_a_child(cells, level):
    """The container goes on, and so do the events."""
    config = b.spec()
    # The shell waits for a line of its input, so that nobody misses the first event.
    config["process"]["args"] = ["/bin/sh", "-c", "read x; /prisoner eat 200; read x; /prisoner eat 200; read x"]
    b.resources(config, memory={"limit": 24 * MIB, "swap": 24 * MIB})
    cell = cells(config, kind="busybox")
    read_end, write_end = os.pipe()
    run = cell.spawn("run", stdin=read_end)
    os.close(read_end)
    until(lambda: cell.status() == "running")
    process = cell.runtime.spawn("events", "--interval", "1h", cell.id)
    until(lambda: _is_watching(process.pid))
    for expected in (1, 2):
        os.write(write_end, b"go\n")
        until(lambda: len([e for e in _events(process) if e["type"] == "oom"]) >= expected, 10)
    assert process.running() and cell.status() == "running"
    os.close(write_end)
    run.wait()
    assert process.wait(5).ok


def _is_watching(pid):
    """It waits for the container's end and for the kernel's word."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return any("eventfd" in name or "inotify" in name for name in names)


def test_a_reader_that_goes_away(limited):
    """The next sample ends us, with an error and not with a signal."""
    read_end, write_end = os.pipe()
    process = limited.runtime.spawn("events", "--interval", "100ms", limited.id, stdout=write_end)
    os.close(write_end)
    assert os.read(read_end, 1)
    os.close(read_end)
    result = process.wait(5)
    assert result.status == 1 and "standard output" in result.err, result
    assert limited.status() == "running"
