"""Limits and their files: contract P59-P85, on whatever cgroup tree the host has."""

import os

import pytest

from harness import bundle as b
from harness import linux, oracles

ROOTS = linux.cgroup_roots()
V1 = bool(set(ROOTS) - {""})


def _hierarchy(controller):
    """Its key in ROOTS: of cgroup v1, or "" for what a hybrid host has left to the unified one."""
    return next((key for key in ROOTS if controller in key.split(",")), "")


def _file(pid, controller, name):
    """The file of this process's cgroup."""
    key = _hierarchy(controller)
    with open(f"/proc/{pid}/cgroup") as lines:
        paths = {}
        for line in lines:
            _, controllers, path = line.strip().split(":", 2)
            paths[controllers.removeprefix("name=") if controllers.startswith("name=") else controllers] = path
    own = next((p for k, p in paths.items() if controller in k.split(",")), paths[""])
    return os.path.join(ROOTS[key] + own, name)


def _value(cell, controller, name):
    with open(_file(cell.pid, controller, name)) as file:
        return file.read().strip()


def _has(name):
    """Does this host's tree have the file at all?  Asked of a cgroup of its own making."""
    controller, file = name[:2]
    key = _hierarchy(controller)
    if key not in ROOTS:
        return False
    if not key:
        with open(os.path.join(ROOTS[""], "cgroup.controllers")) as controllers:
            return controller in controllers.read().split()
    probe = os.path.join(ROOTS[key], f"probe-{os.getpid()}")
    os.mkdir(probe)
    try:
        return os.path.exists(os.path.join(probe, file))
    finally:
        os.rmdir(probe)


def row(resources, v1, v2, peer=True):
    return resources, v1, v2, peer


_MINUS_ONE = pytest.mark.peer(crun="crun 1.8.1 writes -1 as it stands, and v1 has files that say max")
# The property; controller, file and content on v1; the same on v2.
ROWS = {
    "pids": row({"pids": {"limit": 77}}, ("pids", "pids.max", "77"), ("pids", "pids.max", "77")),
    "pids-unlimited": row({"pids": {"limit": -1}}, ("pids", "pids.max", "max"), ("pids", "pids.max", "max")),
    "pids-zero-is-a-limit": row({"pids": {"limit": 0}}, ("pids", "pids.max", "1"), ("pids", "pids.max", "1"), False),
    "memory": row({"memory": {"limit": 64 << 20}}, ("memory", "memory.limit_in_bytes", str(64 << 20)),
                  ("memory", "memory.max", str(64 << 20))),
    "reservation": row({"memory": {"reservation": 32 << 20}}, ("memory", "memory.soft_limit_in_bytes", str(32 << 20)),
                       ("memory", "memory.low", str(32 << 20))),
    "swap": row({"memory": {"limit": 64 << 20, "swap": 96 << 20}}, ("memory", "memory.memsw.limit_in_bytes", str(96 << 20)),
                ("memory", "memory.swap.max", str(32 << 20))),
    "no-swap": row({"memory": {"limit": 64 << 20, "swap": 64 << 20}}, ("memory", "memory.memsw.limit_in_bytes", str(64 << 20)),
                   ("memory", "memory.swap.max", "0")),
    "shares": row({"cpu": {"shares": 512}}, ("cpu", "cpu.shares", "512"), ("cpu", "cpu.weight", "59"), False),
    "shares-default": row({"cpu": {"shares": 1024}}, ("cpu", "cpu.shares", "1024"), ("cpu", "cpu.weight", "100"), False),
    "quota": row({"cpu": {"quota": 50000, "period": 100000}}, ("cpu", "cpu.cfs_quota_us", "50000"),
                 ("cpu", "cpu.max", "50000 100000")),
    "quota-unlimited": row({"cpu": {"quota": -1}}, ("cpu", "cpu.cfs_quota_us", "-1"), ("cpu", "cpu.max", "max 100000")),
    "cpus": row({"cpu": {"cpus": "0", "mems": "0"}}, ("cpuset", "cpuset.cpus", "0"), ("cpuset", "cpuset.cpus", "0")),
    "mems": row({"cpu": {"mems": "0"}}, ("cpuset", "cpuset.mems", "0"), ("cpuset", "cpuset.mems", "0")),
    "idle": row({"cpu": {"idle": 1}}, ("cpu", "cpu.idle", "1"), ("cpu", "cpu.idle", "1"), False),
    "burst": row({"cpu": {"quota": 50000, "period": 100000, "burst": 20000}}, ("cpu", "cpu.cfs_burst_us", "20000"),
                 ("cpu", "cpu.max.burst", "20000"), False),
    "hugepages": row({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]},
                     ("hugetlb", "hugetlb.2MB.limit_in_bytes", str(4 << 20)), ("hugetlb", "hugetlb.2MB.max", str(4 << 20))),
    "hugepages-reserved": row({"hugepageLimits": [{"pageSize": "2MB", "limit": 6 << 20}]},
                              ("hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", str(6 << 20)),
                              ("hugetlb", "hugetlb.2MB.rsvd.max", str(6 << 20)), False),
    "blkio-weight": row({"blockIO": {"weight": 300}}, ("blkio", "blkio.bfq.weight", "300"), ("io", "io.weight", "default 2930"),
                        False),
    "oom-killer-off": row({"memory": {"disableOOMKiller": True}}, ("memory", "memory.oom_control", None),
                          None, False),
    "real-time": row({"cpu": {"realtimeRuntime": 10000, "realtimePeriod": 500000}}, ("cpu", "cpu.rt_runtime_us", "10000"), None,
                     False),
    "real-time-period": row({"cpu": {"realtimeRuntime": 10000, "realtimePeriod": 500000}},
                            ("cpu", "cpu.rt_period_us", "500000"), None, False),
    "swappiness": row({"memory": {"swappiness": 7}}, ("memory", "memory.swappiness", "7"), None),
}


@pytest.mark.peer
@pytest.mark.parametrize("name", [pytest.param(name, marks=_MINUS_ONE) if "unlimited" in name else name for name in ROWS])
@pytest.mark.levels("none", "hardened")
def test_limits(cells, rt, level, name):
    """P62-P64, P66, P67, P70-P77, P81, P83, Z23: each in the kernel's own file."""
    resources, v1, v2, peer = ROWS[name]
    place = v1 if _hierarchy(v1[0]) else v2
    if V1 and place is v2 and not rt.is_donjon:
        pytest.skip("the peers do not look at a hybrid host's unified hierarchy")
    if not peer and not rt.is_donjon:
        pytest.skip("runc 1.1 does otherwise")
    if place is None or not _has(place):
        pytest.skip(f"no {place and place[1]} on this host")
    config = b.spec("sleep")
    b.resources(config, **resources)
    cell = cells.created(config)
    controller, file, wanted = place
    value = _value(cell, controller, file)
    assert wanted is None and "oom_kill_disable 1" in value or value == wanted


@pytest.mark.parametrize("resources", [
    {"cpu": {"shares": 0}}, {"blockIO": {"weight": 0}}, {"memory": {"limit": 0}}, {"memory": {"disableOOMKiller": False}},
    {"cpu": {"quota": 0}}, {"cpu": {"realtimeRuntime": 0, "realtimePeriod": 0}}, {"memory": {"kernel": 1 << 30}},
    {"memory": {"useHierarchy": True}}, {"network": {}}, {},
], ids=str)
def test_zero_and_false_mean_unset(cells, level, resources):
    """P65, P67, P68, P74, P83, decision 23: Docker sends them always."""
    config = b.spec("exit", "7")
    b.resources(config, **resources)
    result = cells(config).run()
    assert result.status == 7, result


@pytest.mark.peer
def test_the_pids_limit_holds(cells, level):
    config = b.spec("fork", "100")
    b.resources(config, pids={"limit": 10})
    if not _has(("pids", "pids.max")):
        pytest.skip("no pids controller")
    assert cells.inside(config)[0]["children"] < 12


@pytest.mark.peer
def test_the_memory_limit_holds(cells, level):
    config = b.spec("eat", "200")
    b.resources(config, memory={"limit": 32 << 20, "swap": 32 << 20})
    if not _has(("memory", "memory.max" if not V1 else "memory.limit_in_bytes")):
        pytest.skip("no memory controller")
    assert cells(config).run().status == 137


def test_a_memory_limit_too_small_to_start(cells, level):
    """M13, Z27: said as what it is."""
    config = b.spec("sleep")
    b.resources(config, memory={"limit": 4096})
    if not _has(("memory", "memory.max" if not V1 else "memory.limit_in_bytes")):
        pytest.skip("no memory controller")
    cell = cells(config)
    result = cell.create()
    assert cell.status() == "created" if result.ok else "memory" in result.err, result


@pytest.mark.peer
def test_every_hierarchy_is_joined(cells):
    """Decision 29: name=systemd and the v2 tree included."""
    cell = cells.created(b.spec("sleep"))
    with open(f"/proc/{cell.pid}/cgroup") as lines:
        paths = dict(line.strip().split(":", 2)[1:] for line in lines)
    own = [key for key, path in paths.items() if cell.id in path]
    peers_skip = {""} if not cell.runtime.is_donjon else set()
    assert set(own) >= set(paths) - peers_skip, paths


def test_without_cgroups(cells, rt):
    """F7: podman's --cgroups=disabled."""
    config = b.spec("exit", "0")
    del config["linux"]["resources"]
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=rt.at(rt.level, "--cgroup-manager", "disabled"))
    before = oracles.cgroups(cell.id)
    result = cell.create()
    assert result.ok and cell.status() == "created", result
    assert oracles.cgroups(cell.id) == before == set()


def test_without_cgroups_at_hardened(cells, runtime):
    """Decision 16: limits we would have added are recorded as unavailable."""
    config = b.spec("sleep")
    config["linux"]["resources"] = {}
    b.unmount(config, "/sys/fs/cgroup")
    cell = cells(config, runtime=runtime.at("hardened", "--cgroup-manager", "disabled"))
    result = cell.create()
    assert result.ok, result
    notes = {note["check"] for note in cell.state()["hardening"]["notes"]}
    assert {"res.memory", "res.pids"} & notes


def test_without_cgroups_those_of_the_caller_are_not_shown(cells, rt):
    """Decision 16, B28: there is a mount, and nothing of the caller's part of the tree in it.  At none it is as with
    crun: a cgroup namespace that begins at the caller's."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "find /sys/fs/cgroup -name 'cgroup.procs' | wc -l; "
                                 "touch /sys/fs/cgroup/x 2>/dev/null || echo read-only"]
    b.namespace(config, "cgroup")
    config["linux"]["resources"] = {}
    result = cells(config, "busybox", runtime=rt.at(rt.level, "--cgroup-manager", "disabled")).run()
    assert result.ok, result
    shown, written = result.out.split()
    assert written == "read-only" and (int(shown) > 0) == (rt.level == "none"), result


@pytest.mark.skipif(not V1, reason="no cgroup v1 hierarchy is mounted")
@pytest.mark.levels("none")
def test_a_hierarchy_of_the_host_over_the_containers(cells, level):
    """As `podman run --systemd=always` has it with cgroup v1: the later mount's flags are what counts there."""
    hierarchy = next(root for name, root in linux.cgroup_roots().items() if name)
    top, place = "/sys/fs/cgroup", f"/sys/fs/cgroup/{os.path.basename(hierarchy)}"
    config = b.spec()
    config["process"]["args"] = ["/bin/cat", "/proc/self/mountinfo"]
    b.unmount(config, top)
    config["mounts"].append({"destination": top, "type": "cgroup", "source": "cgroup",
                             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})
    b.bind(config, hierarchy, place)
    result = cells(config, "busybox").run()
    assert result.ok, result
    mounts = [line.split() for line in result.out.splitlines()]
    assert sorted(m[5][:2] for m in mounts if m[4] == place) == ["ro", "rw"], result.out


def test_a_configured_limit_without_cgroups_is_an_error(cells, rt, fail):
    config = b.spec()
    b.resources(config, pids={"limit": 10})
    cell = cells(config, runtime=rt.at(rt.level, "--cgroup-manager", "disabled"))
    fail(cell.create(), ("linux.resources", "cgroup"), cell=cell)


@pytest.mark.parametrize("key, value", [("memory.high", "30000000"), ("pids.max", "55")])
def test_unified(cells, key, value, can):
    """P85: written last, line by line."""
    if V1:
        pytest.skip("unified is of cgroup v2")
    config = b.spec("sleep")
    b.resources(config, unified={key: value})
    cell = cells.created(config)
    assert _value(cell, key.split(".")[0], key) in (value, str(int(value) // 4096 * 4096))


def test_a_systemd_cgroup_is_not_there_yet(cells, rt, fail):
    """Z26: accepted as a flag, an error only when used."""
    assert rt.at(rt.level, "--systemd-cgroup").call("list", "-q").ok
    cell = cells(b.spec(), runtime=rt.at(rt.level, "--systemd-cgroup"))
    fail(cell.create(), "systemd", cell=cell)
