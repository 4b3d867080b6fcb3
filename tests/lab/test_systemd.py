"""The systemd cgroup manager, on a machine whose first process is systemd (contract G2-G4, P59, A1, F6)."""

import os
import subprocess

import pytest

from harness import bundle as b
from harness import faults, oracles
from harness.runtime import until
from units import cgroup_of, exists, limit, limits, listed, show, systemctl

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "systemd", reason="systemd is not process 1 here")


@pytest.fixture
def managed(rt, level):
    return rt.at(level, "--systemd-cgroup")


def test_a_scope_of_its_own(cells, managed, level):
    """Z8, F6, G2, R12, R13: named as other runtimes name it; later commands need no flag."""
    config = b.spec("sleep", 60)
    config["linux"]["cgroupsPath"] = "machine-lab.slice:libpod:one"
    cell = cells.created(config, runtime=managed)
    unit = show("libpod-one.scope")
    assert unit["ControlGroup"] == "/machine.slice/machine-lab.slice/libpod-one.scope"
    assert (unit["Slice"], unit["Delegate"], unit["DefaultDependencies"]) == ("machine-lab.slice", "yes", "no")
    assert {unit[f"{what}Accounting"] for what in ("CPU", "Memory", "IO", "Tasks")} == {"yes"}
    pid = cell.state()["pid"]
    assert cgroup_of(pid) == unit["ControlGroup"]
    with open(f"/sys/fs/cgroup{unit['ControlGroup']}/cgroup.procs") as file:
        assert file.read().split() == [str(pid)], "only the container is left in it"
    cell.runtime = managed.at(level)
    cell.runtime.extra = tuple(e for e in managed.extra if e != "--systemd-cgroup")
    assert cell.start().ok and cell.delete("--force").ok
    assert not exists("libpod-one.scope")


def test_names_that_are_not_given(cells, managed, level):
    """P59: absent, or without a slice."""
    cell = cells.created(b.spec(), runtime=managed)
    assert cgroup_of(cell.state()["pid"]) == f"/system.slice/donjon-{cell.id}.scope"
    config = b.spec()
    for path, group in (("::bare", "/system.slice/bare.scope"), ("-.slice:lab:top", "/lab-top.scope"),
                        ("a-b-c.slice:lab:deep", "/a.slice/a-b.slice/a-b-c.slice/lab-deep.scope")):
        config["linux"]["cgroupsPath"] = path
        assert cgroup_of(cells.created(config, runtime=managed).state()["pid"]) == group


@pytest.mark.parametrize("path", ["/absolute", "name", "a:b", "a.slice:b:c:d", "system.slice:b:", "noslice:b:c",
                                  "a--b.slice:b:c", "system.slice:b:c/d", "system.slice:b c:d", "-a.slice:b:c", "a-.slice:b:c"])
def test_other_shapes_are_errors(cells, managed, fail, level, path):
    """P59: exactly three parts, and each a name."""
    config = b.spec()
    config["linux"]["cgroupsPath"] = path
    cell = cells(config, runtime=managed)
    fail(cell.create(), "linux.cgroupsPath", cell=cell, within=20)


RESOURCES = {
    "memory": {"limit": 256 << 20, "swap": 256 << 20, "reservation": 64 << 20},
    "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 77},
}
FILES = {"memory.max": str(256 << 20), "memory.low": str(64 << 20), "memory.swap.max": "0", "cpu.weight": "100",
         "cpu.max": "50000 100000", "pids.max": "77", "cpuset.cpus": "0", "cpuset.mems": "0"}


def test_limits_outlive_a_reload(cells, managed, level):
    """systemd writes a unit's properties again whenever it reloads: they must be the container's."""
    config = b.spec("sleep", 60)
    config["linux"]["resources"].update(RESOURCES)
    config["linux"]["cgroupsPath"] = "system.slice:lab:limits"
    cells.started(config, runtime=managed)
    unit = show("lab-limits.scope")
    assert (unit["MemoryMax"], unit["TasksMax"], unit["AllowedCPUs"]) == (str(256 << 20), "77", "0")
    assert unit["CPUQuotaPerSecUSec"] == "500ms"
    for _ in range(2):
        assert limits(unit["ControlGroup"], FILES) == FILES
        systemctl("daemon-reload")


def test_unified_wins_in_both_places(cells, managed, level):
    """P85: a property that said otherwise would be written back."""
    config = b.spec("sleep", 60)
    config["linux"]["resources"].update(cpu={"cpus": "0", "mems": "0", "quota": 70000, "period": 50000})
    config["linux"]["resources"]["unified"] = {
        "memory.max": "300M", "pids.max": "55", "cpu.max": "30000", "cpuset.cpus": "0", "cpuset.mems": "0"}
    config["linux"]["cgroupsPath"] = "system.slice:lab:unified"
    cells.started(config, runtime=managed)
    unit = show("lab-unified.scope")
    assert (unit["AllowedCPUs"], unit["AllowedMemoryNodes"]) == ("0", "0")
    wanted = {"memory.max": str(300 << 20), "pids.max": "55", "cpu.max": "30000 50000"}
    for _ in range(2):
        assert limits(unit["ControlGroup"], wanted) == wanted
        systemctl("daemon-reload")


def test_annotations_set_properties(cells, managed, level):
    """A1: those podman and CRI-O send; nothing that is a resource or a right."""
    config = b.spec("sleep", 60)
    config["annotations"] = {
        "org.systemd.property.TimeoutStopUSec": "uint64 10000000", "org.systemd.property.KillSignal": "15",
        "org.systemd.property.CollectMode": "'inactive-or-failed'", "org.systemd.property.After": "['dbus.service']",
        "org.systemd.property.MemoryMax": "uint64 1"}
    config["linux"]["cgroupsPath"] = "system.slice:lab:asked"
    cells.started(config, runtime=managed)
    unit = show("lab-asked.scope")
    assert (unit["TimeoutStopUSec"], unit["KillSignal"], unit["CollectMode"]) == ("10s", "15", "inactive-or-failed")
    assert "dbus.service" in unit["After"].split() and unit["MemoryMax"] != "1"


def test_an_annotation_that_cannot_be_read(cells, managed, fail, level):
    """A1."""
    config = b.spec()
    config["annotations"] = {"org.systemd.property.TimeoutStopUSec": "soon"}
    cell = cells(config, runtime=managed)
    fail(cell.create(), "org.systemd.property.TimeoutStopUSec", cell=cell, within=20)


def test_a_create_that_fails_leaves_no_unit(cells, managed, fail, level):
    """Z8, G4, Z24."""
    config = b.spec()
    config["process"]["args"] = ["/nowhere"]
    config["linux"]["cgroupsPath"] = "system.slice:lab:failed"
    cell = cells(config, runtime=managed)
    fail(cell.create(), "/nowhere", cell=cell, within=20)
    assert not exists("lab-failed.scope")


def test_a_unit_that_is_in_use(cells, managed, level):
    """G2: of a live container, which goes on."""
    configs = [b.spec("sleep", 60) for _ in range(2)]
    for config in configs:
        config["linux"]["cgroupsPath"] = "system.slice:lab:taken"
    first = cells.started(configs[0], runtime=managed)
    second = cells(configs[1], runtime=managed)
    result = second.create()
    assert result.status == 1 and "lab-taken.scope" in result.err, result
    assert first.state()["status"] == "running" and exists("lab-taken.scope")


def test_the_end_of_the_program_is_the_end_of_the_scope(cells, managed, level):
    """G4: also when systemd was quicker."""
    config = b.spec("exit", 7)
    config["linux"]["cgroupsPath"] = "system.slice:lab:short"
    cell = cells(config, runtime=managed)
    assert cell.run().status == 7
    until(lambda: not exists("lab-short.scope"))


# Flags of one update after the other; what the kernel's files and the unit say then.
UPDATES = [
    (["--memory=128m", "--memory-swap=160m", "--memory-reservation=32m", "--cpu-quota=20000", "--cpu-share=512",
      "--cpuset-cpus=0", "--cpuset-mems=0", "--pids-limit=33", "--blkio-weight=300"],
     {"memory.max": str(128 << 20), "memory.swap.max": str(32 << 20), "memory.low": str(32 << 20),
      "cpu.max": "20000 50000", "cpu.weight": "59", "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "33",
      "io.weight": "default 2930"},
     {"MemoryMax": str(128 << 20), "MemorySwapMax": str(32 << 20), "MemoryLow": str(32 << 20),
      "CPUQuotaPerSecUSec": "400ms", "CPUQuotaPeriodUSec": "50ms", "CPUWeight": "59", "AllowedCPUs": "0",
      "AllowedMemoryNodes": "0", "TasksMax": "33", "IOWeight": "2930"}),
    (["--cpu-period=80000", "--cpu-idle=1"], {"cpu.max": "20000 80000", "cpu.idle": "1"},
     {"CPUQuotaPerSecUSec": "250ms", "CPUQuotaPeriodUSec": "80ms"}),
    (["--memory=-1", "--cpu-quota=-1", "--pids-limit=-1", "--cpu-idle=0"],
     {"memory.max": "max", "memory.swap.max": "max", "cpu.idle": "0", "cpu.weight": "59", "pids.max": "max"},
     {"MemoryMax": "infinity", "MemorySwapMax": "infinity", "CPUQuotaPerSecUSec": "infinity", "CPUWeight": "59",
      "TasksMax": "infinity"}),
]


def test_update_tells_systemd_too(cells, managed, level):
    """F57-F65, T9, P71: what a reload writes again are the new limits."""
    config = b.spec("sleep", 60)
    config["linux"]["resources"].update(cpu={"quota": 50000, "period": 50000})
    config["linux"]["cgroupsPath"] = "system.slice:lab:updated"
    cell = cells.started(config, runtime=managed)
    for flags, files, properties in UPDATES:
        result = cell.runtime.call("update", *flags, cell.id)
        assert result.ok and not result.err, result
        unit = show("lab-updated.scope")
        assert {name: unit[name] for name in properties} == properties
        assert limits(unit["ControlGroup"], files) == files
        systemctl("daemon-reload")
        assert limits(unit["ControlGroup"], files) == files


def test_a_paused_container(cells, managed, level):
    """T7, T8, S9, G4: a reload does not thaw it, and it can be deleted as it is."""
    config = b.spec("sleep", 60)
    config["linux"]["cgroupsPath"] = "system.slice:lab:paused"
    cell = cells.started(config, runtime=managed)
    group = cgroup_of(cell.pid)
    for _ in range(2):
        assert cell.call("pause").ok
        systemctl("daemon-reload")
        assert cell.status() == "paused" and "frozen 1" in limit(group, "cgroup.events")
        assert cell.call("resume").ok
        assert cell.status() == "running" and "frozen 0" in limit(group, "cgroup.events")
    assert cell.call("pause").ok and cell.delete("--force").ok
    assert listed("lab-paused*") == []


@pytest.mark.levels("none")
def test_delete_leaves_no_unit(cells, managed, level):
    """G4: of one that runs, of one that has ended, and of one whose unit has failed."""
    config = b.spec("sleep", 60)
    config["annotations"] = {"org.systemd.property.TimeoutStopUSec": "uint64 500000",
                             "org.systemd.property.CollectMode": "'inactive'"}
    for end in ("force", "kill", "fail"):
        config["linux"]["cgroupsPath"] = f"system.slice:lab:gone-{end}"
        cell = cells.started(config, runtime=managed)
        if end == "fail":  # frozen, it cannot heed the signal
            assert cell.call("pause").ok
            systemctl("stop", "lab-gone-fail.scope")
            assert show("lab-gone-fail.scope")["ActiveState"] == "failed"
        elif end == "kill":
            assert cell.kill("KILL").ok
        if end != "force":
            cell.wait_stopped()
        assert cell.delete(*(["--force"] if end == "force" else [])).ok
        assert listed(f"lab-gone-{end}*") == []


@pytest.mark.levels("none")
def test_a_unit_that_failed_is_not_in_the_way(cells, managed, level):
    """G2, Z24: what is left of a scope of that name is reset."""
    with subprocess.Popen(["systemd-run", "--quiet", "--scope", "--unit=lab-failed-before.scope",
                           "--property=TimeoutStopSec=500ms", "sh", "-c", "trap '' TERM; echo; sleep 60 & wait; wait"],
                          stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        systemctl("stop", "lab-failed-before.scope")
    assert show("lab-failed-before.scope")["ActiveState"] == "failed"
    config = b.spec("sleep", 60)
    config["linux"]["cgroupsPath"] = "system.slice:lab:failed-before"
    cell = cells.started(config, runtime=managed)
    assert show("lab-failed-before.scope")["ActiveState"] == "active"
    assert cell.delete("--force").ok and listed("lab-failed-before*") == []


NO_BUS = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}


def test_without_a_bus(cells, managed, fail, level):
    """G3: an error, never another manager; and one that could not be deleted still can be."""
    config = b.spec("sleep", 60)
    fail(cells(config, runtime=managed).create(env=NO_BUS), "the system's systemd", "D-Bus", within=20)
    cell = cells.started(config, runtime=managed)
    group = cgroup_of(cell.pid)
    before = limit(group, "pids.max")
    for arguments in (("update", "--pids-limit=9", cell.id), ("delete", "--force", cell.id)):
        result = cell.runtime.call(*arguments, env=NO_BUS)
        problems = oracles.refusal_problems(result, "D-Bus", within=20)
        assert not problems, f"{problems}: {result}"
        assert cell.status() == "stopped" or limit(group, "pids.max") == before
    assert cell.delete("--force").ok and listed(f"donjon-{cell.id}*") == []


@pytest.mark.levels("none")
def test_delete_of_a_half_made_one_ends_nobody_else(cells, managed, level):
    """Z8, T71: it died before its scope was there, and the name is another container's."""
    config = b.spec("sleep", 60)
    config["linux"]["cgroupsPath"] = "system.slice:lab:shared"
    first = cells.started(config, runtime=managed)
    second = cells(config, runtime=managed)
    killed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=sendmsg:signal=SIGKILL:when=2"]
    done = subprocess.run([*killed, *managed.argv("create", "--bundle", second.bundle.path, second.id)], check=False)
    assert done.returncode != 0 and second.status() == "creating"
    assert not second.delete("--force").ok
    assert first.status() == "running" and exists("lab-shared.scope")
    assert first.delete("--force").ok and second.delete("--force").ok
    assert listed("lab-shared*") == []


class Deaths(faults.Campaign):
    """The runtime is killed at one call after the other."""

    def _judge(self, cell, point, result):
        kind, why = super()._judge(cell, point, result)
        unit = f"donjon-{cell.id}.scope"
        made = cell.status() in ("created", "running")
        if kind == "killed" and point.verb == "create" and not made:
            try:  # nobody has to delete it first
                until(lambda: listed(unit) == [], 10)
            except AssertionError:
                return "violation", f"{unit} is left"
        return kind, why


@pytest.mark.levels("none")
def test_a_runtime_that_is_killed(managed, session_dir, host, capsys, level):
    """T71, G4: between the scope's beginning and the container's, wherever that is: no unit stays."""
    seed = int(os.environ.get("DONJON_FAULT_SEED", 1))
    campaign = Deaths(managed, session_dir, seed)
    points = campaign.points(("create",), faults.DEATHS, 14) + campaign.points(("delete",), faults.DEATHS, 4)
    outcomes = campaign.run(points, workers=1)
    assert not outcomes.violations, f"seed {seed}: {outcomes}"
    assert outcomes.counts()["killed"] > len(points) / 2, str(outcomes)
    until(lambda: listed("donjon-*") == [])
