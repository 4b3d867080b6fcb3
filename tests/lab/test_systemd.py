"""The systemd cgroup manager, on a machine whose first process is systemd (contract G2-G4, P59, A1, F6)."""

import os
import subprocess

import pytest

from harness import bundle as b
from harness.runtime import until

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "systemd", reason="systemd is not process 1 here")


def systemctl(*args, check=True):
    return subprocess.run(["systemctl", *args], check=check, capture_output=True, text=True).stdout


def show(unit):
    return dict(line.split("=", 1) for line in systemctl("show", unit).splitlines() if "=" in line)


def exists(unit):
    return show(unit)["LoadState"] == "loaded"


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return file.read().strip().removeprefix("0::")


def limit(group, file):
    with open(f"/sys/fs/cgroup{group}/{file}") as text:
        return text.read().strip()


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
    config["linux"]["cgroupsPath"] = "::bare"
    assert cgroup_of(cells.created(config, runtime=managed).state()["pid"]) == "/system.slice/bare.scope"


@pytest.mark.parametrize("path", ["/absolute", "name", "a:b", "a.slice:b:c:d", "system.slice:b:", "noslice:b:c",
                                  "a--b.slice:b:c", "system.slice:b:c/d", "system.slice:b c:d"])
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
        assert {file: limit(unit["ControlGroup"], file) for file in FILES} == FILES
        systemctl("daemon-reload")


def test_unified_wins_in_both_places(cells, managed, level):
    """P85: a property that said otherwise would be written back."""
    config = b.spec("sleep", 60)
    config["linux"]["resources"]["unified"] = {"memory.max": str(300 << 20), "pids.max": "55"}
    config["linux"]["cgroupsPath"] = "system.slice:lab:unified"
    cells.started(config, runtime=managed)
    group = show("lab-unified.scope")["ControlGroup"]
    systemctl("daemon-reload")
    assert (limit(group, "memory.max"), limit(group, "pids.max")) == (str(300 << 20), "55")


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
