"""Confinement by AppArmor: the label is in force, it denies, and a wrong one is refused (T53)."""

import os
import pathlib
import subprocess

import pytest

from harness import bundle as b
from harness.manager import manager as managing

pytestmark = pytest.mark.skipif(
    not os.path.exists("/sys/kernel/security/apparmor"), reason="AppArmor is not this kernel's LSM")

LAB = "donjon-lab"  # allows everything but /secret
DEFAULT = "donjon-default"
PROFILE = pathlib.Path(__file__).resolve().parents[2] / "profiles/apparmor" / DEFAULT


def labelled(profile, *args):
    config = b.spec()
    config["process"]["args"] = list(args)
    if profile:
        config["process"]["apparmorProfile"] = profile
    return config


def run(cells, profile, command, runtime=None):
    cell = cells(labelled(profile, "/bin/sh", "-c", command), kind="busybox", runtime=runtime)
    (cell.bundle.rootfs / "secret").write_text("treasure\n")
    return cell.run()


def loaded():
    with open("/sys/kernel/security/apparmor/profiles") as profiles:
        return {line.rsplit(" ", 1)[0] for line in profiles}


@pytest.mark.peer
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_label_is_in_force(cells, level, no_new_privileges):
    """P29."""
    config = labelled(LAB, "/bin/cat", "/proc/self/attr/current")
    config["process"]["noNewPrivileges"] = no_new_privileges
    result = cells(config, kind="busybox").run()
    assert result.ok and result.out == f"{LAB} (enforce)\n", result


@pytest.mark.peer
def test_a_denied_access_is_denied(cells, level):
    result = run(cells, LAB, "cat /etc/passwd && cat /secret")
    assert result.status != 0 and "root:" in result.out and "treasure" not in result.out, result
    assert "Permission denied" in result.err, result


@pytest.mark.peer
@pytest.mark.levels("none")
def test_without_a_label_the_same_access_succeeds(cells, level):
    result = run(cells, None, "cat /secret; cat /proc/self/attr/current")
    assert result.ok and result.out.startswith("treasure\nunconfined"), result


@pytest.mark.peer
def test_a_profile_that_is_not_loaded_is_refused(cells, fail, level):
    cell = cells(labelled("no-such-profile", "/bin/true"), kind="busybox")
    fail(cell.create(), "no-such-profile", cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["donjon-lab//nothing", "unconfined\nroot", "../donjon-lab"])
def test_a_name_that_is_none_is_refused(cells, fail, level, name):
    cell = cells(labelled(name, "/bin/true"), kind="busybox")
    fail(cell.create(), cell=cell)


@pytest.mark.levels("hardened")
def test_the_default_profile_is_added(cells, level):
    result = run(cells, None, "cat /proc/self/attr/current")
    assert result.ok and result.out == f"{DEFAULT} (enforce)\n", result


@pytest.fixture
def unloaded():
    """The default profile is installed but not loaded."""
    subprocess.run(["apparmor_parser", "--remove", str(PROFILE)], check=True)
    assert DEFAULT not in loaded()
    yield
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", str(PROFILE)], check=True)


@pytest.mark.levels("hardened")
def test_a_default_profile_that_is_missing_is_loaded(cells, unloaded, level):
    """Decision 49."""
    result = run(cells, None, "cat /proc/self/attr/current")
    assert result.ok and result.out == f"{DEFAULT} (enforce)\n", result
    assert DEFAULT in loaded()


@pytest.mark.levels("hardened")
def test_unconfined_is_refused(cells, fail, level):
    cell = cells(labelled("unconfined", "/bin/true"), kind="busybox")
    fail(cell.create(), "lsm.confined", cell=cell)


@pytest.mark.levels("none")
@pytest.mark.peer
def test_unconfined_is_what_the_bundle_asked_for(cells, level):
    result = run(cells, "unconfined", "cat /proc/self/attr/current")
    assert result.ok and result.out == "unconfined\n", result


@pytest.mark.levels("none")
def test_the_default_profile_denies(cells, level):
    """What only the profile can deny: the container is root with every capability and no filter."""
    config = labelled(DEFAULT, "/bin/sh", "-c",
                      "cat /proc/self/attr/current; mount -t tmpfs none /tmp; echo x >/proc/sys/kernel/domainname")
    b.capabilities(config, "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE")
    config["linux"]["readonlyPaths"] = []
    result = cells(config, kind="busybox").run()
    assert result.out == f"{DEFAULT} (enforce)\n", result
    assert result.err.count("ermission denied") == 2, result


# exec: the container's own label (B39), or another that was given and is allowed (F41)


def own_label(cell, *flags):
    return cell.exec("/bin/cat", "/proc/self/attr/current", flags=flags)


@pytest.mark.peer
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_exec_has_the_containers_label(cells, level, no_new_privileges):
    config = labelled(LAB, "/bin/sleep", "1000")
    config["process"]["noNewPrivileges"] = no_new_privileges
    cell = cells(config, kind="busybox")
    (cell.bundle.rootfs / "secret").write_text("treasure\n")
    assert cell.create().ok and cell.start().ok
    result = own_label(cell)
    assert (result.status, result.out, result.err) == (0, f"{LAB} (enforce)\n", ""), result
    result = cell.exec("/bin/cat", "/secret")
    assert result.status == 1 and "Permission denied" in result.err, result


@pytest.mark.levels("hardened")
def test_exec_has_the_label_that_was_added(cells, level):
    cell = cells.started(labelled(None, "/bin/sleep", "1000"), "busybox")
    assert own_label(cell).out == f"{DEFAULT} (enforce)\n"
    assert own_label(cell, "--apparmor", DEFAULT).out == f"{DEFAULT} (enforce)\n"
    result = own_label(cell, "--apparmor", LAB)
    assert result.status == 255 and "exec.parity" in result.err, result
    result = own_label(cell, "--apparmor", "unconfined")
    assert result.status == 255 and "lsm.confined" in result.err, result


@pytest.mark.levels("none")
@pytest.mark.parametrize("wanted", [LAB, "unconfined"])
def test_exec_with_a_label_of_its_own(cells, level, wanted):
    """F41."""
    cell = cells.started(labelled(DEFAULT, "/bin/sleep", "1000"), "busybox")
    result = own_label(cell, "--apparmor", wanted)
    assert result.ok and result.out.split()[0] == wanted, result


def test_exec_with_a_label_that_is_none(cells, level):
    cell = cells.started(labelled(LAB, "/bin/sleep", "1000"), "busybox")
    for name in ("no-such-profile", "unconfined\nroot"):
        result = own_label(cell, "--apparmor", name)
        assert result.status == 255 and result.out == "" and result.err.count("\n") == 1, result
    assert cell.status() == "running"


# Readiness: what the program reports reaches the service manager


@pytest.mark.parametrize("profile", [DEFAULT, LAB])
def test_the_program_reports_that_it_is_ready(cells, work, level, profile):
    """V3: the profile lets it write the socket and send to who is behind it."""
    config = labelled(profile, "/prisoner", "notify", "READY=1", "+", "sleep")
    with managing(work / "manager") as manager:
        cell = cells(config)
        assert cell.create(env=manager.env).ok
        starting = cell.runtime.spawn("start", cell.id, env=manager.env)
        assert manager.take() == (f"READY=1\nMAINPID={cell.pid}\n", 0), cell.out()
        assert manager.take() == ("BARRIER=1", 1) and starting.wait().ok
        with open(f"/proc/{cell.pid}/attr/current") as current:
            assert current.read() == f"{profile} (enforce)\n"
