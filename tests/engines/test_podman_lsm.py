"""--security-opt apparmor= and label=, in the lab's machines that have them."""

import os

import pytest

from support import missing
from support_podman import rows

APPARMOR = os.path.exists("/sys/kernel/security/apparmor")
SELINUX = os.path.exists("/sys/fs/selinux/enforce")
pytestmark = missing("podman", "conmon")
apparmor = pytest.mark.skipif(not APPARMOR, reason="AppArmor is not this kernel's LSM")
selinux = pytest.mark.skipif(not SELINUX, reason="SELinux is not this kernel's LSM")

LABEL = "tr -d '\\0' </proc/self/attr/current"
# What podman labels with, from the host's policy package: here from the lab's small policy.
CONTEXTS = """process = "system_u:system_r:donjon_container_t:s0"
file = "system_u:object_r:host_file_t:s0"
"""


@apparmor
@rows("apparmor-default", "apparmor")
def test_profile(podman, outcome):
    """podman's own, which it loads; and one of the user's."""
    options, wanted = {"apparmor-default": ("", "containers-default-"), "apparmor": ("--security-opt=apparmor=donjon-lab", "donjon-lab"),
                       }[outcome.row]
    done = podman.run(options, LABEL)
    assert done.ok and done.out.startswith(wanted) and "(enforce)" in done.out, str(done)


@apparmor
@rows("apparmor-denies")
def test_profile_denies(podman, work):
    (work / "secret").write_text("treasure\n")
    options = f"--security-opt=apparmor=donjon-lab -v {work}/secret:/secret:ro -v {work}/secret:/other:ro"
    done = podman.run(options, "cat /other; cat /secret")
    assert done.status != 0 and done.out == "treasure\n" and "Permission denied" in done.err, str(done)


@apparmor
@rows("apparmor-unconfined")
def test_no_profile(podman, outcome):
    done = podman.run("--security-opt=apparmor=unconfined", LABEL)
    if outcome.judge(done):
        assert done.out.startswith("unconfined"), str(done)


@apparmor
@rows("apparmor-missing")
def test_profile_that_is_not_loaded(podman, outcome):
    """E8 is podman's own: it looks first."""
    assert not outcome.judge(podman.run("--security-opt=apparmor=no-such-profile", "true"))


@apparmor
@rows("apparmor-exec")
def test_exec_has_the_profile(podman):
    name = podman.started("--security-opt=apparmor=donjon-lab")
    assert podman.ok("exec", name, "/bin/sh", "-c", LABEL).startswith("donjon-lab (enforce)")


@pytest.fixture
def contexts(machine):
    path = machine.path("/etc/selinux")
    (path / "lab/contexts").mkdir(parents=True, exist_ok=True)
    (path / "config").write_text("SELINUX=enforcing\nSELINUXTYPE=lab\n")
    (path / "lab/contexts/lxc_contexts").write_text(CONTEXTS)


@selinux
@rows("label", "label-level")
def test_label(podman, outcome, contexts):
    """podman's label with two categories of the container's own; and a level of the user's."""
    options = {"label": "", "label-level": "--security-opt=label=level:s0:c7,c9"}[outcome.row]
    done = podman.run(options, LABEL)
    assert done.ok and done.out.startswith("system_u:system_r:donjon_container_t:s0:c"), str(done)
    if outcome.row == "label-level":
        assert done.out.strip().endswith(":s0:c7,c9"), str(done)


@selinux
@rows("label-disable")
def test_no_label(podman, outcome, contexts):
    """At the default level the container has one anyway."""
    done = podman.run("--security-opt=label=disable", LABEL)
    wanted = "donjon_container_t" if outcome.level == "hardened" else "unconfined_t"
    assert done.ok and wanted in done.out, str(done)


@selinux
@rows("label-exec")
def test_exec_has_the_label(podman, contexts):
    name = podman.started("--security-opt=label=level:s0:c7,c9")
    assert podman.ok("exec", name, "/bin/sh", "-c", LABEL).endswith("donjon_container_t:s0:c7,c9")
