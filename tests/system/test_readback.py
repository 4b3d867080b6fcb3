"""The read-back (B40): a kernel that says yes and does nothing is found out before `created` is reported.

strace answers for the kernel: the call is not made, and 0 comes back."""

import pathlib
import shutil
import subprocess

import pytest

from harness import bundle as b
from harness import linux
from harness.runtime import PATIENCE, until

from test_resources import V1
from test_seccomp import CALLS

# What is answered for, and what the one line names then.
LIES = {
    "capset": ["CapPrm", "CapEff"],
    "prctl": ["CapBnd", "no_new_privs"],
    "setgroups": ["groups"],
    "pivot_root": ["container's root"],
    "move_mount": ["mount", "root", "attach"],
    "mount_setattr": ["flags", "read-only", "mount"],
}


def _lying(trace, call, when):
    return ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:retval=0:when={when}"]


def _call(argv):
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20 * PATIENCE)


def _under_a_lie(cell, trace, call, when):
    return _call(_lying(trace, call, when) + cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id))


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


@pytest.mark.levels("none")
def test_the_flags_of_every_cgroup_hierarchy(cells, can, work, level):
    """Each of v1 is a mount of its own; without a cgroup namespace it is bound, and its flags are set then."""
    if not can.strace or not V1:
        pytest.skip("needs strace and cgroup v1")
    for when in range(1, 40):
        config = b.spec()
        b.namespace(config, "cgroup", present=False)
        b.mount(config, "/sys/fs/cgroup", type="cgroup", source="cgroup", options=["nosuid", "noexec", "nodev", "ro"])
        config["process"]["args"] = ["/bin/sh", "-c", "while read -r _ _ _ _ point options _; do case $point in "
                                     "/sys/fs/cgroup*) echo $options;; esac; done </proc/self/mountinfo; exit 0"]
        cell = cells(config, "busybox")
        result = _under_a_lie(cell, work / "trace", "mount_setattr", when)
        if not _told(work / "trace"):
            break
        if result.returncode == 0:
            assert all(line.startswith("ro,nosuid,nodev,noexec") for line in result.stdout.split()), (when, result)
    assert 3 < when < 39


@pytest.mark.levels("none")
def test_a_link_that_is_mounted_covers_nothing(cells, can, work, level):
    """Whatever it leads to: what is there is read back."""
    if not can.strace:
        pytest.skip("needs strace")
    (work / "link").symlink_to("/data")
    (work / "shown").mkdir()
    refused = 0
    for when in range(1, 40):
        config = b.spec()
        b.bind(config, work / "shown", "/data", "nosuid", "nodev", "noexec")
        b.bind(config, work / "link", "/to", "copy-symlink")
        config["process"]["args"] = ["/bin/sh", "-c", "while read -r _ _ _ _ point options _; do "
                                     "[ $point = /data ] && echo $options; done </proc/self/mountinfo; readlink /to"]
        cell = cells(config, "busybox")
        result = _under_a_lie(cell, work / "trace", "mount_setattr", when)
        if not _told(work / "trace"):
            break
        if result.returncode == 0:
            assert "nosuid,nodev,noexec" in result.stdout and result.stdout.endswith("/data\n"), (when, result)
        refused += "mount /data" in result.stderr
    assert refused == 1 and when < 39


OPTIONS = [
    ("tmpfs", "size=4m"), ("tmpfs", "size=4096k"), ("tmpfs", "size=4194304"), ("tmpfs", "size=1%"),
    ("tmpfs", "nr_blocks=1k"), ("tmpfs", "nr_inodes=1k"), ("tmpfs", "mode=0750"), ("tmpfs", "uid=7"), ("tmpfs", "gid=7"),
    ("ramfs", "mode=0750"),
    ("proc", "hidepid=invisible"), ("proc", "hidepid=2"), ("proc", "hidepid=ptraceable"), ("proc", "hidepid=4"),
    ("proc", "hidepid=1"), ("proc", "subset=pid"), ("proc", "gid=7"),
    ("devpts", "gid=5"), ("devpts", "mode=0620"), ("devpts", "ptmxmode=0666"),
    # The kernel reads numbers as C does.
    ("tmpfs", "uid=0x7"), ("tmpfs", "gid=010"), ("tmpfs", "size=0x1000"), ("proc", "hidepid=0x2"), ("proc", "hidepid=04"),
]
PLACES = {"proc": "/proc", "devpts": "/dev/pts"}


def _with_option(kind, option):
    """None but this: what another promises could be what is found out."""
    place = PLACES.get(kind, "/memory")
    config = b.spec("exit", "0")
    config["linux"]["maskedPaths"], config["linux"]["readonlyPaths"] = [], []
    # strace counts by process: what the outside calls for /dev comes before all that is lied about.
    config["mounts"][:0] = [{"destination": f"/first{i}", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", "noexec", "size=4k"]} for i in range(4)]
    b.mount(config, place, type=kind, source=kind, options=["nosuid", "nodev", "noexec", option])
    return config, place


@pytest.mark.parametrize("kind, option", OPTIONS)
def test_what_a_mount_was_given_as_data(cells, can, work, level, kind, option, kernel):
    """Its size, the modes and owners of its root, and what shows in the kernel's list of its options alone."""
    if not can.strace:
        pytest.skip("needs strace")
    key, value = option.split("=")

    def made(trace, when):
        config, place = _with_option(kind, option)
        cell = cells(config)
        argv = _lying(trace, "fsconfig", when) + cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id)
        return place, subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                     timeout=20 * PATIENCE, preexec_fn=kernel)

    _, honest = made(work / "first", 1000)
    assert honest.returncode == 0, honest
    calls = [line.split(None, 1) for line in (work / "first").read_text().splitlines() if "fsconfig(" in line]
    wanted = f'"{key}", "{value}"'
    pid = next(pid for pid, call in calls if wanted in call)
    of_stage = [call for caller, call in calls if caller == pid]
    when = max(i for i, call in enumerate(of_stage, 1) if wanted in call)
    place, result = made(work / "second", when)
    told = [line for line in (work / "second").read_text().splitlines() if "(INJECTED)" in line]
    assert len(told) == 1 and wanted in told[0], told
    assert result.returncode == 1 and f"{place}: its {option} is not as planned" in result.stderr, result


@pytest.mark.parametrize("options, seen", [
    (["size=4k", "nr_blocks=1k"], "1024"), (["nr_blocks=1k", "size=4k"], "1"), (["mode=755", "uid=7", "uid=0x3"], "3 755"),
    (["mode=0700", "mode=0755"], "0 755")])
def test_the_last_of_several_is_what_is_read_back(cells, level, options, seen):
    """Both of the first pair say how many blocks there are."""
    config, _ = _with_option("tmpfs", options[0])
    b.mount(config, "/memory", options=["nosuid", "nodev", "noexec", *options])
    config["process"]["args"] = ["/bin/stat", "-fc", "%b"] if "nr_blocks" in str(options) else ["/bin/stat", "-c", "%u %a"]
    config["process"]["args"].append("/memory")
    result = cells(config, "busybox").run()
    assert result.ok and result.out.strip() == seen, result


# The filters, which are loaded last (decision 26)


def _filtered(*command):
    config = b.spec(*command)
    config["process"]["noNewPrivileges"] = True
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS, "nanosleep", "clock_nanosleep"))
    return config


def _is_found_out(result, cell):
    assert result.returncode in (1, 255), result
    assert result.stderr.count("\n") == 1 and "linux.seccomp" in result.stderr and "filters" in result.stderr, result


def _filters(level):
    return range(1, 2 if level == "none" else 3)


@pytest.mark.parametrize("command", [("sleep", "1000",), ("exit", "0")], ids=["stays", "ends at once"])
def test_a_filter_of_run_that_is_not_loaded(cells, can, work, level, command):
    if not can.strace:
        pytest.skip("needs strace")
    for when in _filters(level):
        cell = cells(_filtered(*command))
        result = _under_a_lie(cell, work / "trace", "seccomp", when)
        assert _told(work / "trace")
        _is_found_out(result, cell)
        assert cell.id not in cell.runtime.ids()


def test_a_filter_that_is_not_loaded_between_create_and_start(cells, can, work, level):
    """The process was there before: strace is told of it by its pid."""
    if not can.strace:
        pytest.skip("needs strace")
    for when in _filters(level):
        cell = cells(_filtered("sleep", "1000"))
        assert cell.create().ok
        trace = subprocess.Popen([*_lying(work / "trace", "seccomp", when), "-p", str(cell.pid)])
        until(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{cell.pid}/status").read_text())
        result = _call(cell.runtime.argv("start", cell.id))
        trace.wait(20 * PATIENCE)
        assert _told(work / "trace")
        _is_found_out(result, cell)
        cell.wait_stopped()


def test_a_filter_of_exec_that_is_not_loaded(cells, can, work, level):
    if not can.strace:
        pytest.skip("needs strace")
    cell = cells(_filtered("sleep", "1000"))
    assert cell.create().ok and cell.start().ok
    for when in _filters(level):
        result = _call(_lying(work / "trace", "seccomp", when)
                       + cell.runtime.argv("exec", cell.id, "/prisoner", "sleep", "1000"))
        assert _told(work / "trace")
        _is_found_out(result, cell)
    assert cell.status() == "running"


def _allow_everything():
    linux.filter_calls((0x06, 0, 0, 0x7FFF0000))


@pytest.mark.parametrize("inherits", ["create", "start"])
def test_filters_of_the_caller_are_counted_apart(cells, can, work, level, inherits):
    """What the container's process has inherited stands for none of its own; what `start` has is no matter."""
    if not can.strace:
        pytest.skip("needs strace")
    cell = cells(_filtered("sleep", "1000"))
    assert cell.create(preexec_fn=_allow_everything if inherits == "create" else None).ok
    assert cell.start(preexec_fn=_allow_everything if inherits == "start" else None).ok
    status = pathlib.Path(f"/proc/{cell.pid}/status").read_text()
    assert f"Seccomp_filters:\t{(inherits == 'create') + len(_filters(level))}\n" in status, status
    if inherits == "start":
        return
    cell = cells(_filtered("sleep", "1000"))
    result = subprocess.run(_lying(work / "trace", "seccomp", len(_filters(level)))
                            + cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id), capture_output=True,
                            text=True, stdin=subprocess.DEVNULL, timeout=20 * PATIENCE, preexec_fn=_allow_everything)
    assert _told(work / "trace")
    _is_found_out(result, cell)


@pytest.mark.parametrize("first, second, shown", [
    ("/run", "/var/run", "/run"), ("/var/run", "/run", "/run"), ("/data/below", "/other", "/data"), ("/data", "/other", "/data")])
def test_a_mount_covered_by_way_of_a_link(cells, level, first, second, shown):
    """The later one counts, as the image's links lead; the earlier one cannot be looked at."""
    config = b.spec("paths", shown)
    for place, size in ((first, "4k"), (second, "64k")):
        config["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs",
                                 "options": ["nosuid", "nodev", "noexec", f"size={size}", "mode=755"]})
    cell = cells(config, "skeleton")
    rootfs = cell.bundle.path / "rootfs"
    (rootfs / "data").mkdir()
    (rootfs / "other").symlink_to("data")
    shutil.rmtree(rootfs / "var/run", ignore_errors=True)
    (rootfs / "var").mkdir(exist_ok=True)
    (rootfs / "run").mkdir(exist_ok=True)
    (rootfs / "var/run").symlink_to("/run")
    assert cell.run().documents()[0][shown]["stat"] == "ok"
