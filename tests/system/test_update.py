"""`update`: contract rows F56-F66, T9, P60-P85; the kernel's own files say what happened."""

import json
import os

import pytest

from harness import bundle as b
from harness import linux, oracles, states
from harness.runtime import until

V1 = bool(set(linux.cgroup_roots()) - {""})
MIB = 1 << 20
UNLIMITED = str((1 << 63) - 4096)

# What is looked at: controller, file on v1, file on v2.
FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "swap": ("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
    "reservation": ("memory", "memory.soft_limit_in_bytes", "memory.low"),
    "quota": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    "period": ("cpu", "cpu.cfs_period_us", "cpu.max"),
    "shares": ("cpu", "cpu.shares", "cpu.weight"),
    "burst": ("cpu", "cpu.cfs_burst_us", "cpu.max.burst"),
    "idle": ("cpu", "cpu.idle", "cpu.idle"),
    "cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus.effective"),
    "mems": ("cpuset", "cpuset.mems", "cpuset.mems.effective"),
    "pids": ("pids", "pids.max", "pids.max"),
    "blkio": ("blkio", "blkio.bfq.weight", "io.weight"),
}


class Limits:
    """A container's limits as the kernel has them, in the words of v1: no limit is -1, swap includes
    memory, quota and period are two."""

    def __init__(self, cell):
        self.pid = cell.pid

    def __getitem__(self, name):
        value = states.read(self.pid, *FILES[name])
        if value is None:
            pytest.skip(f"no {FILES[name][1 if V1 else 2]} on this host")
        if V1:
            return "-1" if value in (UNLIMITED, "max") else value
        if name in ("quota", "period"):
            value = value.split()[name == "period"]
        if name == "swap" and value != "max":
            limit = states.read(self.pid, *FILES["memory"])
            return "-1" if limit == "max" else str(int(limit) + int(value))
        return "-1" if value == "max" else value.removeprefix("default ")

    def __call__(self, *names):
        return {name: self[name] for name in names}


def _weight(shares):
    """P70: what v2 makes of shares."""
    return shares if V1 else {"256": "35", "512": "59", "1024": "100", "2048": "174"}[shares]


BASIC = {"memory": {"limit": 64 * MIB}, "cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 40}}


@pytest.fixture
def cell(cells):
    config = b.spec("sleep")
    b.resources(config, **json.loads(json.dumps(BASIC)))
    return cells.started(config)


@pytest.fixture
def limits(cell):
    return Limits(cell)


def _update(cell, *flags, text=None):
    """Resources go in by standard input."""
    if text is None:
        return cell.runtime.call("update", *flags, cell.id)
    read_end, write_end = os.pipe()
    os.write(write_end, (text if isinstance(text, str) else json.dumps(text)).encode())
    os.close(write_end)
    try:
        return cell.runtime.call("update", *flags, "--resources", "-", cell.id, stdin=read_end)
    finally:
        os.close(read_end)


def _updated(cell, *flags, text=None):
    result = _update(cell, *flags, text=text)
    assert result.ok and (result.out, result.err) == ("", ""), result


def _refused(result, *names):
    """One line that names what is wrong; the container lives on, so HOST is for the test's end."""
    problems = oracles.refusal_problems(result, *names)
    assert not problems, f"{'; '.join(problems)}: {result}"


# One flag, one file

FLAGS = {
    "memory": (["--memory", "33554432"], {"memory": str(32 * MIB)}),
    "memory-suffix": (["--memory", "48m"], {"memory": str(48 * MIB)}),
    "memory-and-swap": (["--memory", "48m", "--memory-swap", "80m"], {"memory": str(48 * MIB), "swap": str(80 * MIB)}),
    "reservation": (["--memory-reservation", "20m"], {"reservation": str(20 * MIB)}),
    "quota": (["--cpu-quota", "20000"], {"quota": "20000", "period": "100000"}),
    "period": (["--cpu-period", "50000"], {"quota": "50000", "period": "50000"}),
    "quota-and-period": (["--cpu-quota=30000", "--cpu-period=60000"], {"quota": "30000", "period": "60000"}),
    "no-quota": (["--cpu-quota", "-1"], {"quota": "-1", "period": "100000"}),
    "shares": (["--cpu-share", "512"], {"shares": _weight("512")}),
    "cpus": (["--cpuset-cpus", "0"], {"cpus": "0"}),
    "mems": (["--cpuset-mems", "0"], {"mems": "0"}),
    "pids": (["--pids-limit", "77"], {"pids": "77"}),
    "no-pids": (["--pids-limit", "-1"], {"pids": "-1"}),
    "burst": (["--cpu-burst", "10000"], {"burst": "10000"}),
    "idle": (["--cpu-idle", "1"], {"idle": "1"}),
    "blkio": (["--blkio-weight", "300"], {"blkio": "300" if V1 else "2930"}),
    "last-wins": (["--pids-limit", "5", "--pids-limit", "66"], {"pids": "66"}),
}
# Newer than runc 1.1, or another formula there.
NOT_PEERS = {"burst", "idle", "blkio", *({"shares"} if not V1 else ())}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in NOT_PEERS else [pytest.mark.peer]) for n in FLAGS])
def test_flags(cell, limits, level, name):
    """F57-F65: what is named changes, everything else keeps its value."""
    flags, wanted = FLAGS[name]
    others = [n for n in ("memory", "quota", "period", "pids", "shares", "reservation")
              if n not in wanted and not (n == "shares" and "idle" in wanted)]
    before = limits(*others)
    limits(*wanted)
    _updated(cell, *flags)
    assert limits(*wanted) == wanted
    assert limits(*others) == before


@pytest.mark.peer
@pytest.mark.parametrize("flags", [["--memory", "0"], ["--cpu-share", "0"], ["--pids-limit", "0"], []], ids=" ".join)
def test_zero_is_not_given(cell, limits, flags):
    before = limits("memory", "shares", "pids", "quota")
    _updated(cell, *flags)
    assert limits("memory", "shares", "pids", "quota") == before


@pytest.mark.peer
@pytest.mark.parametrize("flag", ["--kernel-memory", "--kernel-memory-tcp"])
def test_obsolete_flags(cell, limits, flag):
    """F58."""
    if not cell.runtime.is_donjon:
        pytest.skip("runc 1.1 warns")
    before = limits("memory")
    _updated(cell, flag, "50m")
    assert limits("memory") == before


# What belongs together


@pytest.mark.peer
def test_no_memory_limit_lifts_swap_too(cell, limits, level):
    """F57."""
    _updated(cell, "--memory", "32m", "--memory-swap", "40m")
    assert limits("memory", "swap") == {"memory": str(32 * MIB), "swap": str(40 * MIB)}
    _updated(cell, "--memory", "-1")
    assert limits("memory", "swap") == {"memory": "-1", "swap": "-1"}
    _updated(cell, "--memory", "50m")
    assert limits["memory"] == str(50 * MIB)


@pytest.mark.parametrize("flags", [["--memory-swap", "-1"], ["--memory-swap", "80m"]], ids=" ".join)
def test_swap_alone(cell, limits, level, flags):
    """P63: beside the memory limit in force."""
    _updated(cell, "--memory", "32m", "--memory-swap", "40m")
    _updated(cell, *flags)
    assert limits("memory", "swap") == {"memory": str(32 * MIB), "swap": "-1" if "-1" in flags else str(80 * MIB)}


def test_swap_needs_a_memory_limit(cell, limits):
    _updated(cell, "--memory", "-1")
    _refused(_update(cell, "--memory-swap", "80m"), "memory.swap", "memory.limit")
    assert limits("memory", "swap") == {"memory": "-1", "swap": "-1"}


@pytest.mark.peer
def test_both_go_up_and_down(cell, limits):
    """The kernel checks one against the other, and which is first depends on the direction."""
    for size in (32, 256, 16, 512, 48):
        _updated(cell, "--memory", f"{size}m", "--memory-swap", f"{size}m")
        assert limits("memory", "swap") == {"memory": str(size * MIB), "swap": str(size * MIB)}


def test_memory_beyond_memory_and_swap(cell, limits):
    """v1 keeps one limit for both."""
    if not V1:
        pytest.skip("swap has a limit of its own on v2")
    _updated(cell, "--memory", "32m", "--memory-swap", "40m")
    _refused(_update(cell, "--memory", "48m"), "linux.resources.memory.limit", "set memory.swap, too")
    assert limits("memory", "swap") == {"memory": str(32 * MIB), "swap": str(40 * MIB)}


@pytest.mark.peer
def test_quota_and_period_one_by_one(cell, limits, level):
    """F60: each keeps the other, also where no quota is set."""
    steps = [(["--cpu-quota", "20000"], "20000", "100000"), (["--cpu-period", "50000"], "20000", "50000"),
             (["--cpu-quota", "-1"], "-1", "50000"), (["--cpu-period", "200000"], "-1", "200000"),
             (["--cpu-quota", "300000"], "300000", "200000")]
    for flags, quota, period in steps:
        _updated(cell, *flags)
        assert limits("quota", "period") == {"quota": quota, "period": period}, flags


def test_a_burst_is_at_most_the_quota(cell, limits):
    limits["burst"]
    _refused(_update(cell, "--cpu-burst", "50001"), "linux.resources.cpu.burst", "quota")
    _updated(cell, "--cpu-burst", "50000")
    _updated(cell, "--cpu-burst", "0")
    assert limits["burst"] == "0"


def test_the_weight_comes_back_after_idle(cell, limits, level):
    """F64: `idle` takes its place, and it keeps its value all the same."""
    limits["idle"]
    before = limits["shares"]
    for shares in (None, "2048"):
        if shares:
            _updated(cell, "--cpu-share", shares)
        _updated(cell, "--cpu-idle", "1")
        _updated(cell, "--cpu-idle", "0")
        assert limits("idle", "shares") == {"idle": "0", "shares": _weight(shares) if shares else before}


# --resources


@pytest.mark.peer
@pytest.mark.parametrize("place", ["-", "file"])
def test_resources(cell, limits, level, tmp_path, place):
    """F56: from a file or standard input, and then every other flag is ignored."""
    resources = {"memory": {"limit": 48 * MIB, "swap": 48 * MIB}, "cpu": {"quota": 25000, "period": 50000, "shares": 1024},
                 "pids": {"limit": 31}}
    if place == "-":
        _updated(cell, "--pids-limit", "99", text=resources)
    else:
        (tmp_path / "resources.json").write_text(json.dumps(resources))
        _updated(cell, "--pids-limit", "99", "-r", tmp_path / "resources.json")
    assert limits("memory", "swap", "quota", "period", "pids") == {
        "memory": str(48 * MIB), "swap": str(48 * MIB), "quota": "25000", "period": "50000", "pids": "31"}


@pytest.mark.peer
@pytest.mark.parametrize("resources", [
    {}, {"memory": {}, "cpu": {}},
    {"memory": {"limit": 0, "swap": 0, "reservation": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
     "blockIO": {"weight": 0}},
], ids=["nothing", "empty", "zeros"])
def test_what_engines_send_for_nothing(cell, limits, level, resources):
    """Decision 23."""
    names = ("memory", "swap", "quota", "period", "shares", "pids", "cpus")
    before = limits(*names)
    _updated(cell, text=resources)
    assert limits(*names) == before


def test_unknown_properties_are_ignored(cell, limits):
    """Decision 31."""
    _updated(cell, text={"pids": {"limit": 33}, "novelty": {"limit": 1}})
    assert limits["pids"] == "33"


def test_devices_are_not_touched(cells, level):
    """Devices keep their rules: what could be opened still can, what could not cannot."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "echo ready; read x; echo >/dev/null && echo null works"]
    cell = cells(config, kind="busybox")
    read_end, write_end = os.pipe()
    process = cell.spawn("run", stdin=read_end)
    os.close(read_end)
    process.wait_for("ready")
    rules = [states.read(cell.pid, "devices", "devices.list", "cgroup.type")]
    _updated(cell, text={"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 20}})
    assert [states.read(cell.pid, "devices", "devices.list", "cgroup.type")] == rules
    os.write(write_end, b"go\n")
    os.close(write_end)
    result = process.wait()
    assert "null works" in result.out, result


def test_other_controllers(cell, can):
    """What only --resources can say."""
    pid = cell.pid
    if states.read(pid, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") is not None:
        _updated(cell, text={"hugepageLimits": [{"pageSize": "2MB", "limit": 6 * MIB}]})
        assert states.read(pid, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == str(6 * MIB)
    if not V1:
        _updated(cell, text={"unified": {"memory.high": str(60 * MIB)}})
        assert states.read(pid, "memory", "", "memory.high") == str(60 * MIB)


@pytest.mark.parametrize("text, name", [
    ("nonsense", "linux.resources"), ("", "linux.resources"), ("[]", "linux.resources"), ('{"memory":{"limit":"1"}}', "memory.limit"),
    ('{"memory":{"limit":-2}}', "linux.resources.memory.limit"), ('{"cpu":{"cpus":"a"}}', "linux.resources.cpu.cpus"),
    ('{"cpu":{"idle":2}}', "linux.resources.cpu.idle"), ('{"blockIO":{"weight":5}}', "linux.resources.blockIO.weight"),
    ('{"pids":{"limit":1},"pids":{"limit":2}}', "pids"), ('{"hugepageLimits":[{"pageSize":"../x","limit":1}]}', "hugepageLimits[0]"),
    ('{"unified":{"../x":"1"}}', "linux.resources.unified"), ('{"memory":{"limit":100,"swap":50}}', "linux.resources.memory.swap"),
], ids=str)
def test_bad_resources(cell, limits, text, name):
    """The JSON path of what is wrong, and nothing is changed."""
    before = limits("memory", "pids", "quota", "cpus")
    _refused(_update(cell, text=text), name)
    assert limits("memory", "pids", "quota", "cpus") == before
    assert "updated" not in cell.state()


@pytest.mark.parametrize("flags, name", [
    (["--memory", "xx"], "--memory"), (["--memory", "-5"], "--memory"), (["--memory", "1t"], "--memory"),
    (["--cpu-quota", "1.5"], "--cpu-quota"), (["--blkio-weight", "5"], "blockIO.weight"),
    (["--cpuset-cpus", "x"], "cpu.cpus"), (["--pids-limit"], "--pids-limit"), (["--nonsense", "1"], "--nonsense"),
    (["--resources", "/nonexistent"], "/nonexistent"), (["--l3-cache-schema", "L3:0=f"], "RDT"),
    (["--mem-bw-schema", "MB:0=20"], "RDT"), (["--cpu-share", "1k"], "--cpu-share"),
], ids=str)
def test_bad_flags(cell, limits, flags, name):
    before = limits("memory", "pids", "quota", "cpus")
    _refused(_update(cell, *flags), name)
    assert limits("memory", "pids", "quota", "cpus") == before


def test_all_or_nothing(cell, limits, level):
    """2.1: an update that fails half-way leaves everything as if it had not been tried."""
    names = ("memory", "swap", "reservation", "quota", "period", "shares", "pids", "cpus")
    before = limits(*names)
    # The kernel knows that there is no such memory node; what is written before must not stay.
    _refused(_update(cell, text={"memory": {"limit": 32 * MIB, "swap": 40 * MIB, "reservation": 16 * MIB},
                             "cpu": {"quota": 10000, "period": 20000, "shares": 77, "cpus": "0", "mems": "63"},
                             "pids": {"limit": 11}}), "linux.resources.cpu.mems")
    assert limits(*names) == before
    assert "updated" not in cell.state()
    if V1:
        _refused(_update(cell, text={"pids": {"limit": 11}, "cpu": {"shares": 77},
                                 "network": {"priorities": [{"name": "lo", "priority": 3}]}}), "network.priorities")
        assert limits(*names) == before


def test_check_before_update(cells, level):
    """P69: a limit below what is in use."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=8 && echo ready; sleep 1000"]
    b.resources(config, memory={"limit": 64 * MIB})
    cell = cells.started(config, kind="busybox")
    cell.wait_for("ready")
    limits = Limits(cell)
    _refused(_update(cell, text={"memory": {"limit": 4 * MIB, "checkBeforeUpdate": True}}), "linux.resources.memory", "uses")
    assert limits["memory"] == str(64 * MIB) and cell.status() == "running"
    _updated(cell, text={"memory": {"limit": 16 * MIB, "checkBeforeUpdate": True}})
    _refused(_update(cell, "--memory", "4m"), "linux.resources.memory", "uses")
    assert limits["memory"] == str(16 * MIB)


# What is kept


def test_the_state_shows_what_was_updated(cell, level):
    assert "updated" not in cell.state()
    _updated(cell)
    assert "updated" not in cell.state()
    _updated(cell, "--memory", "32m", "--memory-swap", "40m")
    _updated(cell, "--pids-limit", "55")
    _updated(cell, text={"memory": {"limit": 48 * MIB, "swap": 48 * MIB, "reservation": 0}, "cpu": {"cpus": "0"},
                         "devices": [{"allow": True, "access": "rwm"}]})
    assert cell.state()["updated"] == {"memory": {"limit": 48 * MIB, "swap": 48 * MIB}, "pids": {"limit": 55},
                                       "cpu": {"cpus": "0"}}


@pytest.mark.peer
@pytest.mark.parametrize("state", ["created", "running", "paused"])
def test_states(cells, level, state):
    """T9, and the limits are there when the program starts."""
    config = b.spec("sleep")
    b.resources(config, pids={"limit": 40})
    if state == "paused" and not cells._runtime.is_donjon:
        pytest.skip("runc 1.1 now and then hangs over a container that others froze")
    with states.cell_in(cells, state, config) as cell:
        _updated(cell, "--pids-limit", "41")
        assert Limits(cell)["pids"] == "41"
        assert cell.status() == state
        if state == "created":
            assert cell.start().ok
            assert Limits(cell)["pids"] == "41"


@pytest.mark.parametrize("state, text", [("stopped", "container not running"), ("creating", "being created"),
                                         ("missing", "container does not exist")])
def test_texts(cells, level, state, text):
    with states.cell_in(cells, state) as cell:
        result = _update(cell, "--pids-limit", "5")
        assert result.status == 1 and text in result.err and len(result.err.splitlines()) == 1, result


def test_caller_flags_are_not_needed(cell, limits):
    """R13: CRI-O and the shim leave --systemd-cgroup out, or not."""
    for number, extra in enumerate((["--systemd-cgroup"], ["--cgroup-manager", "disabled"], []), 50):
        assert cell.runtime.at(cell.runtime.level, *extra).call("update", "--pids-limit", number, cell.id).ok
        assert limits["pids"] == str(number)


def test_without_a_cgroup(cells, runtime):
    config = b.spec("sleep")
    del config["linux"]["resources"]
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=runtime.at("none", "--cgroup-manager", "disabled"))
    assert cell.create().ok
    result = runtime.call("update", "--pids-limit", "5", cell.id)
    assert result.status == 1 and "has no cgroup" in result.err, result


def test_a_container_in_the_foreground(cells, level):
    """Its `run` waits for it, and keeps nobody from it."""
    cell = cells(b.spec("sleep"))
    process = cell.spawn("run")
    until(lambda: cell.status() == "running")
    results = [_update(cell, "--pids-limit", "44"), cell.call("pause"), cell.call("resume"),
               cell.delete("--force")]
    assert all(r.ok and r.seconds < 2 for r in results), [str(r) for r in results]
    assert process.wait().status == 137 and cell.status() == "missing"


# What the policy added (decisions 15 and 16)


@pytest.fixture
def hardened(cells, runtime):
    """A container whose configuration says nothing about limits."""
    return cells.started(b.spec("sleep"), runtime=runtime.at("hardened"))


def test_hardened_keeps_what_is_not_updated(hardened):
    limits = Limits(hardened)
    before = limits("memory", "swap", "pids", "shares")
    assert before["pids"] == "1024" and before["swap"] == before["memory"]
    _updated(hardened, "--cpu-quota", "50000")
    assert limits("memory", "swap", "pids", "shares") == before


def test_hardened_swap_follows_memory(hardened):
    """No swap was allowed beside half of the host's memory, and none is beside the new limit."""
    limits = Limits(hardened)
    for size in ("64m", "16m", "128m", "-1", "32m"):
        _updated(hardened, "--memory", size)
        wanted = size if size == "-1" else str(int(size[:-1]) * MIB)
        assert limits("memory", "swap") == {"memory": wanted, "swap": wanted}
    _updated(hardened, "--memory", "64m", "--memory-swap", "96m")
    assert limits("memory", "swap") == {"memory": str(64 * MIB), "swap": str(96 * MIB)}


def test_hardened_swap_of_an_override(cells, runtime):
    """The share the administrator allowed goes along."""
    config = b.spec("sleep")
    b.resources(config, memory={"limit": 32 * MIB})
    cell = cells.started(config, runtime=runtime.at("hardened").override("res.swap=8m:a_test"))
    limits = Limits(cell)
    assert limits["swap"] == str(40 * MIB)
    _updated(cell, "--memory", "64m")
    assert limits("memory", "swap") == {"memory": str(64 * MIB), "swap": str(72 * MIB)}


def test_hardened_takes_the_operators_figures(hardened):
    """As it would have taken the configuration's, with the record that they are."""
    limits = Limits(hardened)
    _updated(hardened, "--pids-limit", "5000", "--cpu-share", "2048", "--memory", "-1")
    assert limits("pids", "shares", "memory") == {"pids": "5000", "shares": _weight("2048"), "memory": "-1"}
    assert hardened.state()["updated"] == {"memory": {"limit": -1}, "cpu": {"shares": 2048}, "pids": {"limit": 5000}}
