"""Things that break: state files (T66), state directories (T65), propagation (T67), sudden deaths (T71), calls
the kernel refuses (T24, T25), full disks (T72), odd clocks (T76)."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from harness import bundle as b
from harness import faults, linux, oracles
from harness.runtime import PATIENCE, until

# T65: who may see the state


def test_t65_modes(cells, rt, state_root):
    cell = cells.created(b.spec("sleep"))
    assert stat.S_IMODE(state_root.stat().st_mode) in (0o700, 0o711, 0o1700)
    for directory, _, files in os.walk(state_root / cell.id):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        for name in files:
            assert not os.lstat(os.path.join(directory, name)).st_mode & 0o022


def test_t65_no_abstract_sockets(cells):
    """CVE-2020-15257."""
    with open("/proc/net/unix") as sockets:
        before = {line.split()[-1] for line in sockets if " @" in line}
    cells.created(b.spec("sleep"))
    with open("/proc/net/unix") as sockets:
        assert {line.split()[-1] for line in sockets if " @" in line} <= before


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_t65_a_root_others_may_write(cells, runtime, fail, work, mode):
    root = work / "state"
    root.mkdir()
    root.chmod(mode)
    rt = runtime.at("none", "--root", str(root))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), str(root), runtime=rt)
    assert os.listdir(root) == []


@pytest.mark.parametrize("case", ["foreign-owner", "link-to-foreign", "file", "fifo"])
def test_t65_a_root_of_somebody_else(cells, runtime, fail, work, canary, case):
    root = work / "state"
    if case == "foreign-owner":
        root.mkdir(mode=0o700)
        os.chown(root, 1000, 1000)
    elif case == "link-to-foreign":
        (work / "foreign").mkdir(mode=0o777)
        os.chown(work / "foreign", 1000, 1000)
        root.symlink_to(work / "foreign")
    elif case == "file":
        root.write_text("")
    else:
        os.mkfifo(root)
    rt = runtime.at("none", "--root", str(root))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), str(root), runtime=rt)


def test_t65_a_root_on_noexec(cells, runtime, work):
    """Nothing is executed from there."""
    root = work / "state"
    root.mkdir(mode=0o700)
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOEXEC | linux.MS_NOSUID | linux.MS_NODEV, "mode=700")
    try:
        rt = runtime.at("none", "--root", str(root))
        cell = cells(b.spec("exit", "6"), runtime=rt)
        assert cell.run().status == 6
        cells.clear()
    finally:
        linux.umount(root)


# T66: what is in a state directory


STATES = {
    "empty": lambda path, text: path.write_text(""),
    "truncated": lambda path, text: path.write_text(text[:len(text) // 2]),
    "garbage": lambda path, text: path.write_bytes(b"\0\xff" * 500),
    "array": lambda path, text: path.write_text("[]"),
    "null": lambda path, text: path.write_text("null"),
    "huge": lambda path, text: path.write_text('{"a":"' + "x" * (8 << 20) + '"}'),
    "sparse": lambda path, text: os.truncate(path, 1 << 40),
    "deep": lambda path, text: path.write_text("[" * 100000),
    "missing": lambda path, text: path.unlink(),
    "fifo": lambda path, text: (path.unlink(), os.mkfifo(path)),
    "directory": lambda path, text: (path.unlink(), path.mkdir(), (path / "file").write_text(text)),
    "foreign-owner": lambda path, text: os.chown(path, 1000, 1000),
    "other-version": lambda path, text: path.write_text(json.dumps({**json.loads(text), "version": 999})),
    "leftover-temporary": lambda path, text: path.with_name("state.json.tmp").write_text("{"),
    "negative-pid": lambda path, text: path.write_text(json.dumps({**json.loads(text), "pid": -1})),
    "pid-one": lambda path, text: path.write_text(json.dumps({**json.loads(text), "pid": 1})),
    "pid-of-the-tests": lambda path, text: path.write_text(json.dumps({**json.loads(text), "pid": os.getpid()})),
    "huge-pid": lambda path, text: path.write_text(json.dumps({**json.loads(text), "pid": 2**40})),
    "text-pid": lambda path, text: path.write_text(json.dumps({**json.loads(text), "pid": "1"})),
}


@pytest.mark.parametrize("damage", STATES)
def test_t66_damaged_state(cells, rt, state_root, damage):
    """An error without harm: nobody foreign is signalled, list goes on, `delete --force` cleans."""
    intact = cells.created(b.spec("sleep"))
    cell = cells.created(b.spec("sleep"))
    pid = cell.pid
    path = state_root / cell.id / "state.json"
    STATES[damage](path, path.read_text())
    for operation in (("state",), ("start",), ("kill", "0")):
        began = time.monotonic()
        result = rt.call(operation[0], cell.id, *operation[1:], timeout=8)
        assert time.monotonic() - began < 5 * PATIENCE and result.status in (0, 1), result
    listed = rt.call("list", "-q")
    assert listed.ok and intact.id in listed.out.split()
    result = cell.delete("--force")
    assert result.ok, result
    assert not (state_root / cell.id).exists()
    # It waits at its gate, which knows it without any record.  Where its cgroup was, only the record knew.
    assert not os.path.exists(f"/proc/{pid}") or "(Z)" in linux.describe(pid)
    oracles.remove_cgroups(cell.id)


def test_the_record_of_an_older_donjon(cells, rt, state_root):
    """Replacing the program loses no container: what it did not know then, the record need not say."""
    cell = cells.created(b.spec("sleep"))
    assert cell.start().ok
    pid = cell.pid
    path = state_root / cell.id / "state.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in record.items() if not key.startswith("rdt")}))
    assert len(json.loads(path.read_text())) < len(record)
    assert json.loads(rt.call("state", cell.id).out)["status"] == "running"
    assert cell.delete("--force").ok
    assert not os.path.exists(f"/proc/{pid}") or "(Z)" in linux.describe(pid)


def test_what_a_lost_record_leaves_is_told(cells, rt, state_root):
    """T66: nobody is signalled on the word of a record that cannot be read, and nobody is forgotten silently."""
    cell = cells.created(b.spec("sleep"))
    assert cell.start().ok
    pid = cell.pid
    (state_root / cell.id / "state.json").write_text("{}")
    result = cell.delete("--force")
    assert result.ok and f"container {cell.id} is removed, but what may still run of it goes on" in result.err, result
    assert os.path.exists(f"/proc/{pid}")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{pid}") or "(Z)" in linux.describe(pid), 5)
    oracles.remove_cgroups(cell.id)


def test_t66_a_link_in_place_of_the_state(cells, rt, state_root, canary, host):
    cell = cells.created(b.spec("sleep"))
    path = state_root / cell.id / "state.json"
    text = path.read_text()
    path.unlink()
    path.symlink_to(canary / "core")
    assert rt.state(cell.id).status == 1
    path.unlink()
    path.write_text(text)
    host.check("cgroups", "processes", "state root")


def test_t66_another_boot(cells, rt, state_root):
    """S13: the recorded pid may belong to anybody, and so may a cgroup of the recorded name."""
    cell = cells.created(b.spec("sleep"))
    pid = cell.pid
    path = state_root / cell.id / "state.json"
    text = path.read_text()
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        own = boot_id.read().strip()
    assert own in text
    path.write_text(text.replace(own, "00000000-0000-4000-8000-000000000000"))
    assert cell.status() == "stopped"
    assert cell.kill("KILL").status == 1 and os.path.exists(f"/proc/{pid}")
    assert rt.call("ps", "--format", "json", cell.id).json() == []
    assert cell.kill("--all", "KILL").ok and os.path.exists(f"/proc/{pid}")
    assert cell.delete("--force").ok
    if "(Z)" not in linux.describe(pid) and os.path.exists(f"/proc/{pid}"):
        os.kill(pid, signal.SIGKILL)
    oracles.remove_cgroups(cell.id)


def test_a_half_made_state_directory(cells, rt, state_root):
    """Z8, S10: without a state file, `delete --force` removes it."""
    cell = cells(b.spec("sleep"))
    (state_root / cell.id).mkdir(mode=0o700, parents=True)
    assert cell.create().status == 1
    assert cell.delete("--force").ok
    assert not (state_root / cell.id).exists()
    assert cell.create().ok


def test_a_half_made_container_owns_nobodys_processes(cells, rt, state_root):
    """T71: it names a cgroup before that is its own; what lives there is spared, and an empty one goes."""
    other = cells.started(b.spec("sleep"))
    record = json.loads((state_root / other.id / "state.json").read_text())
    cell = cells(b.spec("sleep"))
    (state_root / cell.id).mkdir(mode=0o700)
    path = state_root / cell.id / "state.json"
    path.write_text(json.dumps({**record, "id": cell.id, "creating": True, "pid": 0, "startTime": 0, "idRange": 0}))
    path.chmod(0o600)
    result = cell.delete("--force")
    assert result.status == 1 and record["cgroupPath"] in result.err, result
    assert other.status() == "running" and cell.status() == "creating"
    assert other.delete("--force").ok and cell.delete("--force").ok


def test_foreign_files_in_a_state_directory(cells, rt, state_root, canary, host):
    """Removal never follows links."""
    cell = cells.created(b.spec("sleep"))
    os.symlink(canary, state_root / cell.id / "link")
    (state_root / cell.id / "file").write_text("x")
    result = cell.delete("--force")
    if not result.ok:
        shutil.rmtree(state_root / cell.id)
    host.check("cgroups", "processes", "state root")


# T67: no mount namespace, propagation


@pytest.fixture
def propagation(work, host):
    """The caller's own root and the bundle's mount are shared, as on a host with systemd."""
    shared = work / "shared"
    shared.mkdir()
    linux.mount("shared", shared, "tmpfs", 0, "mode=711")
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_SHARED)
    host.settle()
    yield shared
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.umount(shared)
    host.settle()


@pytest.mark.parametrize("propagated", ["", "private", "rprivate", "slave", "rslave"])
def test_t67_the_hosts_mounts_stay(cells, propagation, host, level, propagated):
    """B10: nothing comes back, and the host's own propagation is what it was."""
    config = b.spec("exit", "7")
    if propagated:
        config["linux"]["rootfsPropagation"] = propagated
    cells._work, back = propagation, cells._work
    try:
        cell = cells(config, "skeleton")
        result = cell.run()
        assert result.status == 7, result
        host.check()
    finally:
        cells._work = back


@pytest.mark.parametrize("verb", ["create", "run"])
def test_t67_without_a_mount_namespace(cells, propagation, host, fail, verb):
    """CVE class of runc 1.5.3: no mount namespace means nobody's propagation is touched."""
    config = b.spec("exit", "0")
    b.namespace(config, "mount", present=False)
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    config["mounts"] = []
    cell = cells(config, "skeleton")
    fail(cell.spawn(verb).wait(), "a mount namespace is required", cell=cell)
    host.check("cgroups", "processes", "state root")


# T71: sudden deaths


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 8, 12, 20])
def test_t71_the_runtime_is_killed(cells, rt, clean, level, verb, delay_ms):
    """Z8, Z28: at any moment: the other side is gone within five seconds, and `delete --force` cleans."""
    cell = cells(b.spec("sleep"))
    process = cell.spawn(verb)
    time.sleep(delay_ms / 1000)
    if process.running():
        process.signal(signal.SIGKILL)
        process.wait()
    if verb == "create" and cell.status() not in ("created", "missing", "stopped"):
        # Half-made: nobody is left to finish it.
        until(lambda: not linux.living(), 5, lambda: f"{cell.state()}, {linux.living()} five seconds later")
    clean(cell)


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 4, 8])
def test_t71_start_is_killed(cells, rt, clean, delay_ms):
    cell = cells.created(b.spec("sleep"))
    process = rt.spawn("start", cell.id)
    time.sleep(delay_ms / 1000)
    if process.running():
        process.signal(signal.SIGKILL)
    process.wait()
    assert cell.status() in ("created", "running", "stopped")
    clean(cell)


@pytest.mark.parametrize("state", ["created", "running"])
def test_t71_init_is_killed(cells, clean, level, state):
    cell = cells.created(b.spec("sleep")) if state == "created" else cells.started(b.spec("sleep"))
    os.kill(cell.pid, signal.SIGKILL)
    cell.wait_stopped()
    clean(cell)


def test_t71_init_is_killed_while_start_waits(cells, clean):
    """The gate's other end is gone: an error, not a hang."""
    cell = cells.created(b.spec("sleep"))
    os.kill(cell.pid, signal.SIGKILL)
    result = cell.start(timeout=6)
    assert result.status == 1 and result.err and result.seconds < 5 * PATIENCE
    clean(cell)


def test_t71_every_system_call(rt, can, session_dir, level):
    """SIGKILL at one system call after the other, of the runtime or its child."""
    if not can.strace:
        pytest.skip("needs strace")
    campaign = faults.Campaign(rt, session_dir, seed=71)
    points = campaign.points(("create", "start", "run", "exec"), faults.DEATHS, 80)
    outcomes = campaign.run(points)
    assert not outcomes.violations, str(outcomes)


# T24: mount calls the kernel refuses (decision 35: no classic path)


@pytest.mark.parametrize("call", ["fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr"])
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM", "EINVAL"])
def test_t24_refused_mount_calls(runtime, can, session_dir, call, error):
    """FAIL that names the call, never a weaker mount."""
    if not can.strace:
        pytest.skip("needs strace")
    campaign = faults.Campaign(runtime, session_dir, seed=24)
    outcome = campaign.try_point(faults.Point("run", call, 1, f"error={error}", every=True))
    assert outcome.kind in ("refused", "unaffected"), outcome
    if outcome.kind == "refused":
        assert any(word in outcome.result.err for word in (call, call.replace("_", " "), "mount", "root")), outcome


# T25: the same for everything else that is newer than a kernel or a filter may be

NEWER = [("run", call) for call in ("clone3", "pidfd_open", "close_range", "memfd_create", "execveat", "statx", "keyctl",
                                    "seccomp", "pidfd_getfd", "openat2")]
NEWER += [("exec", call) for call in ("clone3", "pidfd_open", "close_range", "memfd_create", "execveat", "setns", "seccomp")]
NEWER += [(verb, call) for verb in ("kill", "delete") for call in ("pidfd_open", "pidfd_send_signal")]


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM", "EINVAL"])
@pytest.mark.parametrize("verb, call", NEWER)
def test_t25_refused_calls(rt, can, session_dir, level, verb, call, error):
    """BASE or FAIL: nothing weaker for want of a call."""
    if not can.strace:
        pytest.skip("needs strace")
    campaign = faults.Campaign(rt, session_dir, seed=25)
    outcome = campaign.try_point(faults.Point(verb, call, 1, f"error={error}", every=True))
    assert outcome.kind in ("refused", "unaffected", "stricter"), outcome


@pytest.mark.parametrize("policy", [1, 2])
def test_t25_memfds_without_exec(cells, level, policy):
    """B14: the sealed stage is executed from a memfd; a host that forbids that is told so, never served from a
    file that somebody else can write.  The setting belongs to a pid namespace of the test's own."""
    cell = cells(b.spec("exit", "6"))
    script = f"echo {policy} >/proc/sys/vm/memfd_noexec || exit 77; exec \"$@\""
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh",
            *cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id)]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=20 * PATIENCE)
    if result.returncode == 77:
        pytest.skip("this kernel has no vm.memfd_noexec")
    if policy == 1:
        assert result.returncode == 6, result
    else:
        assert result.returncode == 1 and "memfd" in result.stderr and result.stderr.count("\n") == 1, result


# T72: nothing can be written any more


def _full(kind, point):
    """A file system at `point` on which the next write, or the next file, fails."""
    options = {"no space": "size=4k,mode=700", "no inodes": "nr_inodes=1,mode=700", "read-only": "mode=700"}[kind]
    linux.mount("full", point, "tmpfs", 0, options)
    if kind == "no space":
        (point / "filler").write_bytes(b"x" * 4096)
    if kind == "read-only":
        linux.mount(None, point, None, linux.MS_REMOUNT | linux.MS_RDONLY)


@pytest.fixture
def full(work, host):
    point = work / "full"
    point.mkdir(mode=0o700)

    def make(kind):
        _full(kind, point)
        host.before["mounts"] = host.look()["mounts"]
        return point

    yield make
    linux.umount(point)
    host.before["mounts"] = host.look()["mounts"]


KINDS_OF_FULL = ["no space", "no inodes", "read-only"]


@pytest.mark.parametrize("kind", KINDS_OF_FULL)
def test_t72_the_state_directory(cells, runtime, fail, full, kind):
    point = full(kind)
    rt = runtime.at("none", "--root", str(point))
    before = sorted(os.listdir(point))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), "state directory", runtime=rt)
    assert sorted(os.listdir(point)) == before


@pytest.mark.parametrize("kind", KINDS_OF_FULL)
@pytest.mark.parametrize("flag", ["--pid-file", "--log"])
def test_t72_files_of_the_command_line(cells, rt, fail, full, level, kind, flag):
    """K8, Z3: a caller that cannot be told the pid has no container; one that cannot have a log hears it on stderr."""
    point = full(kind)
    cell = cells(b.spec("sleep"), runtime=rt.at(rt.level, "--log", point / "log") if flag == "--log" else rt)
    result = cell.create(*(["--pid-file", point / "pid"] if flag == "--pid-file" else []))
    if flag == "--log" and result.ok:  # nothing had to be written
        assert kind == "no space" and (point / "log").stat().st_size == 0
        assert cell.delete("--force").ok
        return
    line = fail(result, str(point), cell=cell)
    assert "\n" not in line.strip() and not (point / "pid").exists()


def test_t72_the_log_of_a_failure(cells, rt, full, level):
    """Z2: what cannot be logged is said on stderr all the same."""
    point = full("no space")
    config = b.spec()
    config["ociVersion"] = "2.0.0"
    result = cells(config, runtime=rt.at(rt.level, "--log", point / "log", "--log-format", "json")).create()
    assert result.status == 1 and "ociVersion" in result.err, result


@pytest.mark.parametrize("verb, arguments", [("start", ()), ("kill", ("KILL",)), ("pause", ()), ("update", ("--pids-limit", "50"))])
def test_t72_an_existing_container(cells, runtime, work, verb, arguments):
    """The old state is intact when no new one can be written: nothing is cut off by a rename half done."""
    point = work / "state"
    point.mkdir(mode=0o700)
    linux.mount("state", point, "tmpfs", 0, "size=256k,mode=700")
    try:
        rt = runtime.at("none", "--root", str(point))
        cell = cells(b.spec("sleep"), runtime=rt)
        assert cell.create().ok
        if verb != "start":
            assert cell.start().ok
        with open(point / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 4096)
        result = cell.call(verb, *arguments)
        assert result.ok or "no space" in result.err.lower() or "write" in result.err, result
        state = cell.state()
        assert state["id"] == cell.id and state["status"] in ("created", "running", "paused", "stopped"), state
        assert cell.delete("--force").ok and sorted(os.listdir(point)) == ["filler"]
    finally:
        cells.clear()
        linux.umount(point)


WRITES = ("write", "rename", "renameat", "renameat2", "mkdirat", "openat", "ftruncate", "fchmod")


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EROFS", "EIO"])
@pytest.mark.parametrize("verb", ["create", "start", "run", "delete", "update"])
def test_t72_at_every_write(rt, can, session_dir, verb, error):
    """Disk full mid-rename: the last such call of the command, and the one before it."""
    if not can.strace:
        pytest.skip("needs strace")
    campaign = faults.Campaign(rt, session_dir, seed=72)
    points = [faults.Point(verb, call, when, f"error={error}") for call, (first, last) in campaign.calls(verb).items()
              if call in WRITES for when in {last, max(first, last - 1)}]
    assert points
    outcomes = campaign.run(points)
    assert not outcomes.violations, str(outcomes)


# T76: what time it is

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void)
{
	static int calls;
	const char *jump = getenv("CLOCK_JUMP");
	return atol(getenv("CLOCK_OFFSET")) + (jump ? calls++ * atol(jump) : 0);
}
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += offset();
	return r;
}
time_t time(time_t *out)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
"""


@pytest.fixture(scope="session")
def clock(session_dir):
    """The runtime's own clock set otherwise: that of the machine is everybody's."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a compiler")
    library = session_dir / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, "-x", "c", "-"], input=CLOCK, text=True, check=True)

    def environment(seconds, jump=0):
        return {**os.environ, "LD_PRELOAD": str(library), "CLOCK_OFFSET": str(seconds), "CLOCK_JUMP": str(jump)}

    return environment


NOW = int(time.time())
TIMES = {"1970": -NOW, "1970 and a day": -NOW + 86400, "2038": 2**31 - 1 - NOW, "2039": 2**31 + 40000000 - NOW,
         "2200": 7258118400 - NOW}


@pytest.mark.parametrize("when", TIMES)
def test_t76_odd_clocks(cells, clock, work, level, when):
    """Times are readable, nothing runs out early, and the state can be read under another clock."""
    env = clock(TIMES[when])
    config = b.spec("sleep")
    config["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.3"], "timeout": 5}]} \
        if level == "none" else {}
    cell = cells(config)
    cell.runtime = cell.runtime.at(cell.runtime.level, "--log", work / "log", "--log-format", "json")
    result = cell.create(env=env)
    assert result.ok, result
    created = cell.state()["created"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created) and created[:4] == {
        "1970 and a day": "1970"}.get(when, when), created
    assert cell.start(env=env).ok and cell.status() == "running"
    refused = cell.start(env=env)
    assert refused.status == 1 and json.loads((work / "log").read_text())["time"][:4] == created[:4]
    assert cell.id in cell.runtime.call("list", env=env).out
    assert cell.kill("KILL", env=env).ok
    cell.wait_stopped()
    assert cell.delete(env=env).ok


@pytest.mark.parametrize("jump", [-3600, 3600, -86400 * 365])
def test_t76_a_clock_that_jumps(cells, clock, level, jump):
    """With every look at it: no timeout misfires, and none is missed."""
    env = clock(0, jump)
    config = b.spec("exit", "4")
    slow = {"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.5"], "timeout": 5}
    config["hooks"] = {"prestart": [slow]} if level == "none" else {}
    result = cells(config).run(env=env)
    assert result.status == 4, result
    if level == "none":
        config["hooks"] = {"prestart": [{**slow, "args": ["sh", "-c", "sleep 100"], "timeout": 1}]}
        result = cells(config).run(env=env)
        assert result.status == 1 and "prestart" in result.err and 0.9 < result.seconds < 5 * PATIENCE, result
