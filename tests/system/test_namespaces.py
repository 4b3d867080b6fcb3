"""Namespaces: new, joined by path, and what lives in them (contract P39-P43, decisions 5, 12, 13, 29)."""

import contextlib
import os
import pathlib
import signal
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


# A mount namespace by path (P40): as runc and crun have it, the root of all who are in it moves


def _joins(path, *command):
    config = b.spec(*command)
    b.namespace(config, "mount", path)
    return config


def _mounts(path):
    with open(path.replace("/ns/mnt", "/mountinfo")) as file:
        return file.read()


@pytest.mark.peer
@pytest.mark.levels("none")
def test_a_joined_mount_namespace(inside, holder, level):
    """P40: the process is in it, and still sees nothing but the container's own tree."""
    path = holder("mount")
    report, paths = inside(_joins(path, "report", "+", "paths", "/prisoner", "/etc/passwd", "/proc/sys"))
    assert report["ns"]["mnt"] == os.stat(path).st_ino
    assert paths["/prisoner"]["stat"] == "ok" and paths["/etc/passwd"]["stat"] == "ENOENT"
    assert "ro" in paths["/proc/sys"]["flags"]


@pytest.mark.peer
@pytest.mark.levels("none")
def test_the_others_in_a_joined_mount_namespace(cells, holder, level):
    """P40: their root is the container's, before and after its end, and they themselves live on."""
    path = holder("mount")
    root = path.replace("/ns/mnt", "/root")
    cell = cells.started(_joins(path, "sleep"))
    assert os.path.samestat(os.stat(root), os.stat(f"/proc/{cell.pid}/root"))
    assert os.path.exists(f"{root}/prisoner") and not os.path.exists(f"{root}/etc/passwd")
    cell.kill("KILL")
    until(lambda: cell.status() == "stopped")
    assert cell.delete().ok
    assert os.path.exists(f"{root}/prisoner")


@pytest.mark.levels("none")
def test_exec_into_a_joined_mount_namespace(cells, holder, level):
    path = holder("mount")
    cell = cells.started(_joins(path, "sleep"))
    report = cell.exec("/prisoner", "report").documents()[0]
    assert report["ns"]["mnt"] == os.stat(path).st_ino


@pytest.mark.levels("none")
def test_what_a_joined_mount_namespace_shares(cells, level, work):
    """Neither the container's mounts nor the end of its own go on to those it was a peer of."""
    script = "mount --make-rshared / && unshare --mount --propagation unchanged sleep 60; :"
    outer = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], start_new_session=True)
    children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children")

    def inner():
        for pid in children.read_text().split():
            with contextlib.suppress(FileNotFoundError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                    return f"/proc/{pid}/ns/mnt"
        return None

    try:
        until(inner)
        path = inner()
        before = _mounts(f"/proc/{outer.pid}/ns/mnt")
        assert "shared:" in before and "shared:" in _mounts(path)
        result = cells(_joins(path, "report")).run()
        assert result.ok and result.documents()[0]["ns"]["mnt"] == os.stat(path).st_ino
        assert _mounts(f"/proc/{outer.pid}/ns/mnt") == before
    finally:
        os.killpg(outer.pid, signal.SIGKILL)
        outer.wait()


@pytest.mark.levels("none")
@pytest.mark.parametrize("change, message", [
    (lambda c: b.mount(c, "/data", type="nonsense", source="none"), "nonsense"),
    (lambda c: b.mount(c, "/data", type="tmpfs", source="tmpfs", options=["runbindable"]), "unbindable"),
    (lambda c: b.mount(c, "/data", type="bind", source="/nowhere", options=["bind"]), "mounts[7]"),
    (b.user_namespace, "without a user namespace"),
], ids=["type", "unbindable", "source", "userns"])
def test_a_joined_mount_namespace_of_a_launch_that_fails(cells, holder, fail, level, change, message):
    """runc and crun build in it; here it is as it was."""
    path = holder("mount")
    before = _mounts(path)
    config = _joins(path, "report")
    change(config)
    cell = cells(config)
    fail(cell.create(), message, cell=cell)
    assert _mounts(path) == before and os.path.exists(path.replace("/ns/mnt", "/root/etc/passwd"))


@pytest.mark.parametrize("whose", ["self", "ours", "init's"])
@pytest.mark.parametrize("masks", [True, False])
def test_the_hosts_mount_namespace_by_path(cells, fail, level, whose, masks):
    """T41, at no level: a pivot would take the host's processes along."""
    before = _mounts("/proc/self/ns/mnt")
    pid = {"self": "self", "ours": os.getpid(), "init's": 1}[whose]
    path = f"/proc/{pid}/ns/mnt"
    config = _joins(path, "report")
    if not masks:
        del config["linux"]["maskedPaths"], config["linux"]["readonlyPaths"]
    cell = cells(config)
    ours = os.access(path, os.R_OK) and os.stat(path).st_ino == linux.namespaces()["mnt"]
    if masks and ours:
        expected = "linux.maskedPaths: needs a mount namespace"
    elif level == "hardened":
        expected = "ns.mnt: "
    elif ours:
        expected = "a mount namespace is required"
    else:
        expected = "is the host's mount namespace" if os.access(path, os.R_OK) else path
    fail(cell.create(), expected, cell=cell)
    assert _mounts("/proc/self/ns/mnt") == before


@pytest.mark.levels("hardened")
def test_anothers_mount_namespace_is_refused(cells, holder, fail, level):
    path = holder("mount")
    cell = cells(_joins(path, "report"))
    fail(cell.create(), "ns.mnt: ", "joins another's mount namespace by path", cell=cell)


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


def test_time_offsets_need_the_namespace(cells, fail):
    config = b.spec()
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}
    cell = cells(config)
    fail(cell.create(), "linux.timeOffsets", cell=cell)


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
