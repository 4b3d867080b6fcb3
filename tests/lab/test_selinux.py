"""Confinement by SELinux: the type is in force, it denies, and a wrong one is refused (T53)."""

import contextlib
import os
import pathlib
import re
import subprocess

import pytest

from harness import bundle as b
from harness import linux
from harness.log import Log
from harness.manager import manager as managing

pytestmark = pytest.mark.skipif(
    not os.path.exists("/sys/fs/selinux/enforce"), reason="SELinux is not this kernel's LSM")

CONTAINER = "system_u:system_r:donjon_container_t:s0:c0"
FILES = "system_u:object_r:donjon_file_t:s0:c0"


@pytest.fixture(autouse=True)
def _enforcing():
    """Of a permissive kernel nothing here would be a proof."""
    yield
    assert pathlib.Path("/sys/fs/selinux/enforce").read_text() == "1"


def label_of(path):
    return os.getxattr(path, "security.selinux").rstrip(b"\0").decode()


def labelled(label, *args):
    config = b.spec()
    config["process"]["args"] = list(args)
    if label:
        config["process"]["selinuxLabel"] = label
    return config


def run(cells, label, command, **process):
    config = labelled(label, "/bin/sh", "-c", command)
    config["root"]["readonly"] = False
    config["process"].update(process)
    log = Log()
    result = cells(config, kind="busybox").run(**log.streams)
    result.out = log.text()
    log.close()
    return result


@pytest.mark.peer
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_label_is_in_force(cells, level, no_new_privileges):
    """P30: under no_new_privs the transition needs its own permission, which the module grants."""
    result = run(cells, CONTAINER, "cat /proc/self/attr/current", noNewPrivileges=no_new_privileges)
    assert result.ok and result.out.rstrip("\0\n") == CONTAINER, result


@pytest.mark.peer
@pytest.mark.levels("none")
def test_a_denied_access_is_denied(cells, level):
    """The root filesystem is writable, the user is root: only the type can deny."""
    result = run(cells, CONTAINER, "cat /etc/passwd && echo x >/etc/written")
    assert result.status != 0 and "root:" in result.out and "ermission denied" in result.out, result


@pytest.mark.peer
@pytest.mark.levels("none")
def test_without_a_label_the_same_access_succeeds(cells, level):
    result = run(cells, None, "echo x >/etc/written && cat /etc/written")
    assert result.ok and result.out == "x\n", result


@pytest.mark.peer
@pytest.mark.parametrize("label", [
    "system_u:system_r:no_such_t:s0", "donjon_container_t",
    "system_u:system_r:donjon_container_t:s0:c1024"])
def test_a_label_the_policy_does_not_know_is_refused(cells, fail, level, label):
    cell = cells(labelled(label, "/bin/true"), kind="busybox")
    fail(cell.create(), cell=cell)


def test_podman_tells_a_label_from_other_errors(cells, fail, level):
    """E8: its own expression, and what the path ends in."""
    cell = cells(labelled("system_u:system_r:no_such_t:s0", "/bin/true"), kind="busybox")
    found = re.search("`/proc/[a-z0-9-].+/attr.*`", fail(cell.create(), "process.selinuxLabel", cell=cell))
    assert found and found[0].endswith("/exec`"), found


@pytest.mark.levels("hardened")
def test_the_container_type_is_added(cells, level):
    result = run(cells, None, "cat /proc/self/attr/current; cat /etc/passwd; echo scratch >/tmp/x && cat /tmp/x")
    assert ":donjon_container_t:" in result.out, result
    assert "root:" in result.out and "scratch" in result.out, "reads what is there, writes its own tmpfs: " + result.out


@pytest.mark.levels("hardened")
def test_an_unconfined_type_is_refused(cells, fail, level):
    cell = cells(labelled("system_u:system_r:spc_t:s0", "/bin/true"), kind="busybox")
    fail(cell.create(), "lsm.confined", cell=cell)


@pytest.mark.levels("hardened")
def test_an_overlay_that_is_rebuilt_keeps_the_engines_label(cells, work, level):
    """Engines label the mount, not the files; the label has a comma of its own."""
    label = "system_u:object_r:host_file_t:s0:c5,c7"
    bundle = cells.bundle(labelled(None, "/bin/cat", "/etc/passwd"), "busybox")
    for name in ("upper", "work"):
        (work / name).mkdir()
    os.rename(bundle.rootfs, work / "lower")
    bundle.rootfs.mkdir()
    linux.mount("overlay", bundle.rootfs, "overlay", 0,
                f'context="{label}",lowerdir={work}/lower,upperdir={work}/upper,workdir={work}/work')
    try:
        cell = cells.created(bundle=bundle)
        assert cell.state()["hardening"]["rootfsOwners"].startswith("c: ")
        found = os.getxattr(f"/proc/{cell.pid}/root/etc/passwd", "security.selinux")
        assert found.rstrip(b"\0").decode() == label
        cells.clear()
    finally:
        linux.umount(bundle.rootfs)


@pytest.mark.levels("none")
@pytest.mark.parametrize("kind", [None, "context", "rootcontext"])
def test_mounts_are_labelled(cells, level, kind):
    """P52, A3: file systems made for the container, and not those of the kernel; in the way podman asks for."""
    label = "system_u:object_r:host_file_t:s0:c5,c7"
    config = b.spec("sleep")
    config["linux"]["mountLabel"] = label
    if kind:
        config["annotations"] = {"run.oci.mount_context_type": kind}
    pid = cells.created(config).pid
    found = {place: os.getxattr(f"/proc/{pid}/root/{place}", "security.selinux").rstrip(b"\0").decode()
             for place in ("dev", "dev/shm", "dev/mqueue", "dev/null", "proc")}
    assert found["dev"] == found["dev/shm"] == found["dev/mqueue"] == label and found["proc"] != label, found
    assert (found["dev/null"] == label) == (kind != "rootcontext"), "of the root alone, or of all in it"


# exec: the container's own label (B39), or another that was given and is allowed (F41)


def own_label(cell, *flags):
    log = Log()
    result = cell.exec("/bin/cat", "/proc/self/attr/current", flags=flags, **log.streams)
    result.out = log.text().rstrip("\0\n")
    log.close()
    return result


@pytest.mark.peer
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_exec_has_the_containers_label(cells, level, no_new_privileges):
    config = labelled(CONTAINER, "/bin/sleep", "1000")
    config["process"]["noNewPrivileges"] = no_new_privileges
    result = own_label(cells.started(config, "busybox"))
    assert result.ok and result.out == CONTAINER, result


@pytest.mark.levels("hardened")
def test_exec_has_the_label_that_was_added(cells, level):
    cell = cells.started(labelled(None, "/bin/sleep", "1000"), "busybox")
    with open(f"/proc/{cell.pid}/attr/current") as label:
        own = label.read().rstrip("\0\n")
    assert ":donjon_container_t:" in own and own_label(cell).out == own
    result = own_label(cell, "--process-label", CONTAINER)
    assert (result.status == 255 and "exec.parity" in result.out) or CONTAINER == own, result
    result = own_label(cell, "--process-label", "system_u:system_r:spc_t:s0")
    assert result.status == 255 and "lsm.confined" in result.out, result


@pytest.mark.levels("none")
def test_exec_with_a_label_of_its_own(cells, level):
    """F41."""
    other = CONTAINER.replace("c0", "c5")
    cell = cells.started(labelled(CONTAINER, "/bin/sleep", "1000"), "busybox")
    result = own_label(cell, "--process-label", other)
    assert result.ok and result.out == other, result


def test_exec_with_a_label_the_policy_does_not_know(cells, level):
    cell = cells.started(labelled(CONTAINER, "/bin/sleep", "1000"), "busybox")
    result = own_label(cell, "--process-label", "system_u:system_r:no_such_t:s0")
    assert result.status == 255 and cell.status() == "running", result


# Readiness: what the program reports reaches the service manager


@pytest.fixture
def manager(work):
    with managing(work / "manager") as made:
        yield made


def reporting(level, mount_label, *then):
    """At level hardened both labels are the policy's."""
    config = labelled(None if level == "hardened" else CONTAINER, "/prisoner", "notify", "READY=1", "+", *then)
    if mount_label and level == "none":
        config["linux"]["mountLabel"] = mount_label
    return config


def test_the_program_reports_that_it_is_ready(cells, manager, level):
    """V3: the file it writes has a type of the container's, the socket behind it the program's own label."""
    log = Log()
    cell = cells(reporting(level, FILES, "sleep"))
    assert cell.create(env=manager.env, **log.streams).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    assert manager.take() == (f"READY=1\nMAINPID={cell.pid}\n", 0), log.text()
    assert manager.take() == ("BARRIER=1", 1) and starting.wait().ok
    with open(f"/proc/{cell.pid}/attr/current") as current:
        _, _, kind, categories = current.read().rstrip("\0\n").split(":", 3)
    notify = cell.runtime.root / cell.id / "notify"
    assert kind == "donjon_container_t" and label_of(notify) == f"system_u:object_r:donjon_file_t:{categories}"
    assert ":donjon_file_t:" in label_of(notify / "notify.sock")
    log.close()


def test_only_that_socket_has_the_programs_label(cells, manager, level):
    """V3: those that `run` makes later are its own."""
    log = Log()
    cell = cells(reporting(level, FILES, "sleep"))
    running = cell.spawn("run", env=manager.env, **log.streams)
    assert manager.take() == ("READY=1\n", 0), log.text()
    assert pathlib.Path(f"/proc/{running.pid}/attr/sockcreate").read_text() == ""
    assert cell.kill("KILL").ok and running.wait().status == 137
    log.close()


@pytest.mark.levels("none")
def test_without_a_mount_label_there_is_nothing_to_write(cells, manager, level):
    """V3: as with every other file that is not the container's."""
    log = Log()
    result = cells(reporting(level, None, "exit", "0")).run(env=manager.env, **log.streams)
    assert result.ok and '"socket":"EACCES"' in log.text() and manager.hears() == [], result
    log.close()


# Without the module


def load_policy(policy):
    with open("/sys/fs/selinux/load", "wb", buffering=0) as load:
        load.write(policy)


@contextlib.contextmanager
def no_module():
    """The host's policy alone: the labels of the module mean nothing to the kernel any more."""
    lab = pathlib.Path("/run/lab")
    base = pathlib.Path(__file__).parent / "selinux/base.cil"
    subprocess.run(["secilc", "--mls", "true", "--policyvers", "31", "--output", lab / "without",
                    "--filecontext", "/dev/null", base, lab / "categories.cil"], check=True)
    load_policy((lab / "without").read_bytes())
    try:
        yield
    finally:
        load_policy((lab / "policy").read_bytes())


@pytest.mark.levels("hardened")
def test_without_the_module_it_is_refused(cells, fail, manager, level):
    """Decision 49: neither unconfined nor silently something else."""
    cell = cells(reporting(level, None, "exit", "0"))
    with no_module():
        fail(cell.create(env=manager.env), "lsm.confined", "semodule -i donjon.cil", cell=cell)
    assert manager.hears() == []


@pytest.mark.parametrize("told", [False, True])
def test_a_module_that_is_gone_at_start(cells, manager, level, told):
    """T53: the label was there at create: the program does not run without it."""
    log, env = Log(), manager.env if told else None
    cell = cells(reporting(level, FILES, "exit", "0"))
    assert cell.create(env=env, **log.streams).ok
    with no_module():
        result = cell.start(env=env)
    assert result.status == 1 and '"socket"' not in log.text() and manager.hears() == [], result
    log.close()
