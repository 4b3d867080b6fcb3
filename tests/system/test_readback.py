"""The read-back (B40): a kernel that says yes and does nothing is found out before `created` is reported.

strace answers for the kernel: the call is not made, and 0 comes back."""

import subprocess

import pytest

from harness import bundle as b
from harness.runtime import PATIENCE

# What is answered for, and what the one line names then.
LIES = {
    "capset": ["CapPrm", "CapEff"],
    "prctl": ["CapBnd", "no_new_privs"],
    "setgroups": ["groups"],
    "pivot_root": ["container's root"],
    "move_mount": ["mount", "root", "attach"],
    "mount_setattr": ["flags", "read-only", "mount"],
}


def _under_a_lie(cell, trace, call, when):
    argv = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:retval=0:when={when}",
            *cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id)]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20 * PATIENCE)


def _told(trace):
    return "(INJECTED)" in trace.read_text()


def _config():
    """One with something to lie about at every level."""
    config = b.spec("report")
    config["process"]["user"]["additionalGids"] = [7, 8]
    config["process"]["noNewPrivileges"] = True
    return config


@pytest.mark.parametrize("call", LIES)
def test_every_call_of_a_kind(cells, can, work, level, call):
    if not can.strace:
        pytest.skip("needs strace")
    cell = cells(_config())
    result = _under_a_lie(cell, work / "trace", call, "1+")
    assert _told(work / "trace")
    assert result.returncode == 1 and result.stdout == "", result
    assert any(word in result.stderr for word in LIES[call]), result
    assert cell.id not in cell.runtime.ids()


@pytest.mark.levels("hardened")
def test_one_mount_flag_after_the_other(cells, can, work, level):
    """Of the root filesystem, its submounts and the read-only paths: refused, or nothing is missing at the root."""
    if not can.strace:
        pytest.skip("needs strace")
    refused = 0
    for when in range(1, 40):
        config = _config()
        config["process"]["args"] = ["/bin/sh", "-c", "while read -r _ _ _ _ point options _; do "
                                     "[ $point = / ] && echo $options; done </proc/self/mountinfo; exit 0"]
        cell = cells(config, "busybox")
        result = _under_a_lie(cell, work / "trace", "mount_setattr", when)
        if not _told(work / "trace"):
            break
        if result.returncode == 0:
            assert result.stdout.startswith("ro,nosuid,nodev"), (when, result, (work / "trace").read_text())
            continue
        refused += 1
        assert result.stderr.count("\n") == 1 and result.stdout == "", result
    assert refused > 3 and when < 39
