"""Namespaces: new, joined by path, and what lives in them (contract P39-P43, decisions 5, 12, 13, 29)."""

import os
import subprocess
import time

import pytest

from harness import bundle as b
from harness import linux
from harness.runtime import until

FLAGS = {"network": "--net", "ipc": "--ipc", "uts": "--uts", "mount": "--mount", "cgroup": "--cgroup"}
NAMES = {"network": "net", "mount": "mnt"}


@pytest.fixture
def holder():
    """Processes that keep namespaces open: holder("network") returns the path of one."""
    processes = []

    def hold(kind):
        process = subprocess.Popen(["unshare", FLAGS[kind], "sleep", "60"])
        processes.append(process)
        name = NAMES.get(kind, kind)
        path = f"/proc/{process.pid}/ns/{name}"
        until(lambda: os.stat(path).st_ino != linux.namespaces()[name])
        return path

    yield hold
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
@pytest.mark.parametrize("present", [True, False])
@pytest.mark.levels("none")
def test_listed_or_shared(inside, level, kind, present):
    """P39: absent means the runtime's own."""
    config = b.spec("report")
    b.namespace(config, kind, present=present)
    if kind == "uts" and not present:
        del config["hostname"]
    if kind == "ipc" and not present:
        b.unmount(config, "/dev/mqueue")
    report = inside(config)[0]
    name = NAMES.get(kind, kind)
    assert (report["ns"][name] != linux.namespaces()[name]) == present


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["network", "ipc", "uts"])
def test_joined_by_path(inside, holder, level, kind):
    """P40: and the inode says so."""
    path = holder(kind)
    config = b.spec("report")
    b.namespace(config, kind, path)
    report = inside(config)[0]
    assert report["ns"][NAMES.get(kind, kind)] == os.stat(path).st_ino


@pytest.mark.levels("none")
def test_a_joined_cgroup_namespace(inside, holder, level):
    path = holder("cgroup")
    config = b.spec("report")
    b.namespace(config, "cgroup", path)
    assert inside(config)[0]["ns"]["cgroup"] == os.stat(path).st_ino


def test_a_joined_time_namespace(cells):
    first = cells(b.spec("sleep"))
    b.namespace(first.bundle.config, "time")
    first.bundle.write()
    assert first.create().ok
    path = f"/proc/{first.pid}/ns/time"
    config = b.spec("report")
    b.namespace(config, "time", path)
    assert cells.inside(config)[0]["ns"]["time"] == os.stat(path).st_ino


@pytest.mark.peer
def test_the_pid_namespace_of_another_container(cells, level):
    """A pid path needs a fork: the second one is not pid 1."""
    first = cells.started(b.spec("sleep"))
    if level == "hardened":
        pytest.skip("decision 5: pods join the user namespace as well, see below")
    config = b.spec("report")
    b.namespace(config, "pid", f"/proc/{first.pid}/ns/pid")
    report = cells.inside(config)[0]
    assert report["ns"]["pid"] == os.stat(f"/proc/{first.pid}/ns/pid").st_ino
    assert report["pid"] > 1


@pytest.mark.peer
def test_proc_of_a_joined_pid_namespace(cells, level):
    """It shows that namespace and never the host's, also where the user namespace is joined with it."""
    infra = cells.started(b.spec("sleep"))
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "cat /proc/1/comm; cat /proc/self/comm; ls -d /proc/[0-9]* | wc -l"]
    b.namespace(config, "pid", f"/proc/{infra.pid}/ns/pid")
    result = cells(config, kind="busybox").run()
    assert result.ok and result.out.split()[:2] == ["prisoner", "cat"], result
    assert int(result.out.split()[2]) <= 4, result


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("kinds", [["ipc"], ["uts"], ["network"], ["ipc", "uts", "network"], ["pid", "ipc", "uts", "network"]],
                         ids="+".join)
def test_a_pod(cells, level, kinds):
    """Decision 5: the app container joins the infra container's user namespace, with its maps."""
    infra = cells.started(b.spec("sleep"))
    config = b.spec("report")
    for kind in kinds:
        b.namespace(config, kind, f"/proc/{infra.pid}/ns/{NAMES.get(kind, kind)}")
    cell = cells(config)
    result = cell.run()
    assert result.ok, result
    report = result.documents()[0]
    for kind in [*kinds, "user"]:
        name = NAMES.get(kind, kind)
        assert report["ns"][name] == os.stat(f"/proc/{infra.pid}/ns/{name}").st_ino, kind
    types = {m["point"]: m["type"] for m in report["mounts"]}
    assert (types["/proc"], types["/dev/mqueue"], types["/sys"]) == ("proc", "mqueue", "sysfs")
    assert int(report["status"]["CapBnd"], 16) == 0 and report["status"]["Seccomp"] == "2"


@pytest.mark.refusal
@pytest.mark.levels("hardened")
def test_a_pod_of_two_owners(cells, fail, level):
    first, second = cells.started(b.spec("sleep")), cells.started(b.spec("sleep"))
    config = b.spec()
    b.namespace(config, "ipc", f"/proc/{first.pid}/ns/ipc")
    b.namespace(config, "uts", f"/proc/{second.pid}/ns/uts")
    cell = cells(config)
    result = cell.create()
    assert result.status == 1 and "namespace" in result.err and cell.status() == "missing", result


def test_a_joined_user_namespace(cells):
    """Two clones: the helper enters it and clones on."""
    first = cells(b.spec("sleep"), "skeleton")
    b.user_namespace(first.bundle.config)
    first.bundle.write()
    assert first.create().ok
    config = b.spec("report")
    b.user_namespace(config)
    b.namespace(config, "user", f"/proc/{first.pid}/ns/user")
    report = cells.inside(config, kind="skeleton")[0]
    assert report["ns"]["user"] == os.stat(f"/proc/{first.pid}/ns/user").st_ino
    assert report["status"]["Uid"].split() == ["0"] * 4 and report["ns"]["pid"] != linux.namespaces()["pid"]


@pytest.mark.parametrize("same", [True, False])
def test_a_user_namespace_path_with_mappings(cells, same):
    """P40: containerd and CRI-O send both; equal is fine, different is an error."""
    first = cells(b.spec("sleep"), "skeleton")
    b.user_namespace(first.bundle.config)
    first.bundle.write()
    assert first.create().ok
    config = b.spec("exit", "0")
    b.user_namespace(config, 100000 if same else 200000)
    b.namespace(config, "user", f"/proc/{first.pid}/ns/user")
    result = cells(config, "skeleton").run()
    assert result.ok == same, result


@pytest.mark.peer
def test_loopback_is_up(inside, level):
    """B6."""
    assert inside(b.spec("report"))[0]["interfaces"] == {"lo": True}


@pytest.mark.peer
def test_the_hosts_interfaces_are_seen_without_a_namespace(cells, level):
    if level == "hardened":
        pytest.skip("ns.net is refused: see test_hardened.py")
    config = b.spec("report")
    b.namespace(config, "network", present=False)
    assert set(cells.inside(config)[0]["interfaces"]) == set(os.listdir("/sys/class/net")) - {"bonding_masters"}


@pytest.mark.peer
def test_hostname_and_domainname(inside, level):
    """P4, P5."""
    config = b.spec("report")
    config["hostname"] = "a-name"
    assert inside(config)[0]["hostname"] == "a-name"


def test_domainname(inside, level):
    config = b.spec("report")
    config["domainname"] = "example.org"
    assert inside(config)[0]["domainname"] == "example.org"


def test_hostname_of_a_joined_namespace(inside, holder, level):
    """P4: CRI-O sends both; joining by path counts.  Set from outside."""
    path = holder("uts")
    config = b.spec("report")
    b.namespace(config, "uts", path)
    config["hostname"] = "joined"
    assert inside(config)[0]["hostname"] == "joined"


def test_time_namespace(inside, level):
    """P43: offsets are written before the first child."""
    config = b.spec("report")
    b.namespace(config, "time")
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 100000, "nanosecs": 5}, "boottime": {"secs": 200000}}
    report = inside(config)[0]
    assert report["ns"]["time"] != linux.namespaces()["time"]
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert abs(report["clocks"]["monotonic"] - now - 100000) < 5
    assert abs(report["clocks"]["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) - 200000) < 5


@pytest.mark.refusal
def test_time_offsets_need_the_namespace(cells, fail):
    config = b.spec()
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}
    cell = cells(config)
    fail(cell.create(), "linux.timeOffsets", cell=cell)


@pytest.mark.refusal
def test_time_offsets_the_kernel_refuses(cells, fail, level):
    """P43: of a time before the clock began; the error names the property."""
    config = b.spec()
    b.namespace(config, "time")
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": -(1 << 40)}}
    cell = cells(config)
    fail(cell.create(), "linux.timeOffsets", cell=cell)


@pytest.mark.parametrize("hostname", ["x" * 64, "a", "ü"])
def test_hostnames(inside, hostname):
    config = b.spec("report")
    config["hostname"] = hostname
    assert inside(config)[0]["hostname"].encode("latin-1") == hostname.encode()


@pytest.mark.peer
def test_the_first_process_is_pid_1(inside, level):
    report = inside(b.spec("report"))[0]
    assert (report["pid"], report["ppid"]) == (1, 0)
    assert report["status"]["NSpid"].split() == ["1"]


@pytest.mark.peer
@pytest.mark.levels("none")
def test_a_shared_pid_namespace(cells, level):
    config = b.spec("report")
    b.namespace(config, "pid", present=False)
    report = cells.inside(config)[0]
    assert report["pid"] > 1 and report["ns"]["pid"] == linux.namespaces()["pid"]


# Network sysctls of joined namespaces


def test_sysctls_of_a_joined_network_namespace(cells, holder, level):
    """Decision 12: written outside with the namespace entered."""
    path = holder("network")
    config = b.spec("read", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
    b.namespace(config, "network", path)
    config["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80"}
    result = cells(config).run()
    assert result.ok and result.out == "80\n", result


def test_low_ports_of_a_joined_network_namespace(cells, holder, runtime):
    """Decision 13: joined ones too, recorded as touching shared state."""
    path = holder("network")
    config = b.spec("read", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
    b.namespace(config, "network", path)
    cell = cells(config, runtime=runtime.at("hardened"))
    assert cell.create().ok
    assert "net" in str(cell.state()["hardening"]["notes"])
    assert cell.start().ok
    cell.wait_stopped()
    assert cell.out() == "0\n"
