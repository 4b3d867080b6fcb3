"""Many containers, many callers, little room: what adds up, and what a poor surrounding does to the runtime."""

import concurrent.futures
import ctypes
import errno
import json
import multiprocessing
import os
import random
import resource
import signal
import struct
import threading

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import fresh_id, until

from conftest import TAG

OPERATIONS = int(os.environ.get("DONJON_OPERATIONS", 2000))
LIFECYCLES = int(os.environ.get("DONJON_LIFECYCLES", 300))
PRESENT, PARALLEL = 200, 8


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def keys():
    """How many keys root has, whom the runtime's processes are when they make a keyring."""
    with open("/proc/key-users") as users:
        return next(int(line.split()[2].split("/")[0]) for line in users if line.split(":")[0].strip() == "0")


@pytest.fixture(scope="module", autouse=True)
def _no_keys_left():
    """A keyring goes when the last credentials that hold it do, after the network namespaces of a crowd: seconds.
    What others on the machine hold meanwhile is much less than a ring for each container."""
    before = keys()
    yield
    until(lambda: keys() < before + 60, 60, lambda: f"{keys()} keys, {before} before")


@pytest.fixture
def no_descriptors_left():
    before = descriptors()
    yield
    assert descriptors() == before


# T23: many callers, few ids

STATUSES = ("creating", "created", "running", "paused", "stopped")
VERBS = ("create", "create", "start", "start", "state", "state", "exec", "exec", "pause", "resume", "resume", "kill",
         "delete", "force")


def _arguments(verb, id, bundle):
    return {
        "create": ("create", "--bundle", bundle, id), "start": ("start", id), "state": ("state", id),
        "exec": ("exec", id, "/prisoner", "exit", "7"), "kill": ("kill", id, "KILL"),
        "pause": ("pause", id), "resume": ("resume", id), "delete": ("delete", id), "force": ("delete", "--force", id),
    }[verb]


def _problem(verb, id, result):
    """Why no caller could make sense of this answer."""
    if verb == "state" and result.ok:
        try:
            state = json.loads(result.out)
        except ValueError:
            return "not JSON"
        return None if state["id"] == id and state["status"] in STATUSES else "no state of this container"
    if verb == "state" and "does not exist" not in result.err:
        return "neither a state nor 'does not exist'"
    good, refused = {"exec": (7, 255)}.get(verb, (0, 1))
    # SIGKILL reaches what exec started as well.
    if result.status == good or verb == "exec" and result.status == 128 + signal.SIGKILL:
        return None
    return "; ".join(oracles.refusal_problems(result, within=20.0, statuses=(refused,))) or None


def _caller(rt, ids, bundle, count, seed):
    """One of the callers, long-lived: its problems, and what it did successfully."""
    choose = random.Random(seed)
    problems, done = [], dict.fromkeys(VERBS, 0)
    before = None
    for number in range(count):
        verb, id = choose.choice(VERBS), choose.choice(ids)
        try:
            result = rt.call(*_arguments(verb, id, bundle), timeout=30)
        except TimeoutError as error:
            problems.append(f"hangs: {error}")
            break
        problem = _problem(verb, id, result)
        if problem:
            problems.append(f"{problem}: {result}")
        done[verb] += result.status in (0, 7)
        if number == 0:
            before = descriptors()
    if descriptors() != before:
        problems.append(f"{descriptors()} descriptors instead of {before}")
    return problems, done


def test_t23_many_callers_few_ids(cells, rt, level, no_descriptors_left):
    """T23: whatever eight callers do to three ids, each answer is one that a caller understands, none waits for
    ever, and nothing is left."""
    few = [cells(b.spec("sleep"), "skeleton") for _ in range(3)]
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(PARALLEL, context) as pool:
        callers = [pool.submit(_caller, rt, [c.id for c in few], str(few[0].bundle.path),
                               OPERATIONS // 2 // PARALLEL, 23 + i) for i in range(PARALLEL)]
        while busy := concurrent.futures.wait(callers, 0.02).not_done:
            linux.reap_orphans()
            if len(busy) < PARALLEL:  # who is left may wait for what nobody would let go on any more
                for cell in few:
                    rt.call("resume", cell.id)
    problems = [p for c in callers for p in c.result()[0]]
    assert not problems, f"{len(problems)}: " + "\n".join(problems[:5])
    for verb in VERBS:
        assert sum(c.result()[1][verb] for c in callers) > 0, f"{verb} never succeeded: no test of it"
    cells.clear()
    assert not set(rt.ids()) & {c.id for c in few}


# Issue 3: many at once


class Crowd:
    """Containers of one bundle; the oldest goes when there are enough."""

    def __init__(self, rt, bundle):
        self._rt, self._bundle, self._lock = rt, bundle, threading.Lock()
        self.present, self.most, self.full = [], 0, threading.Event()

    def lifecycle(self, _):
        id = fresh_id(TAG)
        with self._lock:
            self.present.append(id)
        for arguments in (("create", "--bundle", self._bundle, id), ("start", id)):
            result = self._rt.call(*arguments, timeout=60)
            assert result.ok, result
        with self._lock:
            self.most = max(self.most, len(self.present))
            oldest = self.present.pop(0) if len(self.present) > PRESENT else None
        if oldest:
            self.delete(oldest)
            linux.reap_orphans()

    def delete(self, id):
        result = self._rt.call("delete", "--force", id, timeout=60)
        assert result.ok, result


@pytest.mark.levels("hardened")
def test_200_at_once_eight_in_parallel(cells, rt, level, host, no_descriptors_left):
    """Issue 3: DONJON_LIFECYCLES of them (2000 for the long run) with 200 present leave nothing, and no two of
    those present share host ids."""
    crowd = Crowd(rt, cells.bundle(b.spec("sleep"), "skeleton").path)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        try:
            list(pool.map(crowd.lifecycle, range(LIFECYCLES)))
            assert crowd.most >= min(PRESENT, LIFECYCLES)
            listed = [c for c in rt.call("list", "--format", "json", timeout=60).json() if c["id"] in crowd.present]
            assert len(listed) == len(crowd.present) and {c["status"] for c in listed} == {"running"}
            firsts = {_first_host_id(c["pid"]) for c in listed}
            assert len(firsts) == len(listed), "host ids are shared"
        finally:
            list(pool.map(crowd.delete, crowd.present))
    linux.reap_orphans()
    assert not [id for id in rt.ids() if TAG in id]
    host.check("processes")


def _first_host_id(pid):
    with open(f"/proc/{pid}/uid_map") as lines:
        return lines.readline().split()[1]


# T62: processes that nobody waits for

_MANY = """{first}
for session in $(seq {sessions}); do
	busybox setsid sh -c 'for i in $(seq 50); do sleep 1000 >/dev/null 2>&1 & done'
done
echo ready
{last}
"""


def _swarm(cells, config, count, first="", last="wait; sleep 1000"):
    """A running container with `count` processes whose parents are gone, and their pids outside."""
    b.resources(config, pids={"limit": 2 * count + 50})
    bundle = cells.bundle(config, "busybox")
    config["process"]["args"] = ["/bin/sh", bundle.script(_MANY.format(first=first, last=last, sessions=count // 50))]
    bundle.write()
    cell = cells(bundle=bundle)
    return cell


def _members(cell):
    """Every process in the container's cgroups, by the kernel's lists."""
    found = set()
    for directory in oracles.cgroups(cell.id):
        try:
            with open(os.path.join(directory, "cgroup.procs")) as procs:
                found |= {int(pid) for pid in procs.read().split()}
        except OSError:
            pass  # gone, or a threaded one
    return found


def _is_alive(pid):
    return "(gone)" not in linux.describe(pid) and "(Z)" not in linux.describe(pid)


def _assert_all_gone(cell, pids, clean):
    clean(cell)
    alive = [linux.describe(pid) for pid in pids if _is_alive(pid) and "sleep" in linux.describe(pid)]
    assert not alive, alive[:5]


def test_t62_a_thousand_orphans(cells, level, clean):
    """T62: init ignores TERM and does not wait for anybody."""
    cell = _swarm(cells, b.spec(), 1000, first="trap '' TERM INT HUP", last="while :; do sleep 1000; done")
    assert cell.create().ok and cell.start().ok
    cell.wait_for("ready", 60)
    until(lambda: len(_members(cell)) >= 1001, 10, lambda: f"{len(_members(cell))} processes")
    pids = _members(cell)
    assert cell.kill("TERM").ok
    assert cell.status() == "running"
    _assert_all_gone(cell, pids, clean)


@pytest.mark.levels("none")
def test_t62_init_exits_first(cells, level, clean):
    """T62: in the host's pid namespace nothing ends with init, but the cgroup knows who is left."""
    config = b.spec()
    b.namespace(config, "pid", present=False)
    cell = _swarm(cells, config, 200, last="exit 0")
    assert cell.create().ok and cell.start().ok
    cell.wait_for("ready", 60)
    cell.wait_stopped()
    pids = _members(cell)
    assert len(pids) >= 200
    _assert_all_gone(cell, pids, clean)


def test_t62_the_runtime_dies(cells, level, clean):
    """T62: whoever waits in `run` is killed, with everything of the container still there."""
    cell = _swarm(cells, b.spec(), 200, first="trap '' TERM")
    runner = cell.spawn("run")
    cell.wait_for("ready", 60)
    pids = _members(cell)
    assert len(pids) >= 200
    runner.signal(signal.SIGKILL)
    assert runner.wait().status == -signal.SIGKILL
    _assert_all_gone(cell, pids, clean)


# T73: descriptors


def _limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


@pytest.mark.parametrize("number", [8, 12, 16, 24, 32, 40, 64])
def test_t73_few_descriptors(cells, base_or_fail, clean, level, number):
    """T73: an ordinary container or a clear refusal."""
    config = b.spec()
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": number, "hard": number}]
    cell = cells(config, "skeleton")
    result = base_or_fail(cell, preexec_fn=_limited(resource.RLIMIT_NOFILE, number))
    assert result.ok or result.status == 127 or "too many open files" in result.err.lower(), result
    clean(cell)


def test_t73_what_is_undone_needs_descriptors_too(cells, base_or_fail, clean, state_root, level):
    """T73: at whichever step they run out, and that depends on the host's hierarchies: the group and the
    state go again."""
    failed = set()
    for number in range(6, 56):
        cell = cells(b.spec(), "skeleton")
        result = base_or_fail(cell, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, 1024)))
        assert not (state_root / cell.id).exists() or result.ok, (number, result)
        assert result.ok or "too many open files" in result.err.lower(), (number, result)
        failed |= set() if result.ok else {result.err}
        clean(cell)
    assert len(failed) > 3, "this is about failures"


@pytest.mark.parametrize("number", [4, 5, 6])
def test_t73_a_name_is_given_back(cells, rt, state_root, level, number):
    """No descriptor is left to look into the directory that was just made for it."""
    cell = cells(b.spec())
    result = cell.run(preexec_fn=_limited(resource.RLIMIT_NOFILE, number))
    assert not result.ok and "too many open files" in result.err.lower(), result
    assert not (state_root / cell.id).exists()


def test_a_thousand_mounts_under_a_thousand_descriptors(cells, work, level):
    """Issue 3: 1,000 bind mounts under a limit of 1,024."""
    config = b.spec("report")
    source = work / "source"
    source.mkdir(mode=0o755)
    b.mount(config, "/many", type="tmpfs", source="tmpfs", options=["mode=755"])
    for i in range(1000):
        b.bind(config, source, f"/many/{i}", "ro")
    cell = cells(config, "skeleton")
    os.mkdir(cell.bundle.rootfs / "many")
    result = cell.run(timeout=60, preexec_fn=_limited(resource.RLIMIT_NOFILE, 1024))
    assert result.ok, result
    points = [m["point"] for m in result.documents()[0]["mounts"]]
    assert len([p for p in points if p.startswith("/many/")]) == 1000


# T74: memory


@pytest.fixture
def small_cgroup(can):
    """A cgroup of 4 MiB: a function that makes the calling process enter it."""
    if can.v1:
        root = next((point for names, point in linux.cgroup_roots().items() if "memory" in names.split(",")), None)
        file = "memory.limit_in_bytes"
    else:
        root, file = linux.cgroup_roots().get(""), "memory.max"
    if root is None or not (can.v1 or can.v2_memory):
        pytest.skip("no memory controller")
    # Named so that HOST misses it, and so does what sweeps after a failure not.
    path = os.path.join(root, fresh_id(f"{TAG}small"))
    os.mkdir(path)
    try:
        with open(os.path.join(path, file), "w") as limit:
            limit.write(str(4 << 20))

        def enter():
            with open(os.path.join(path, "cgroup.procs"), "w") as procs:
                procs.write(str(os.getpid()))

        yield enter
    finally:
        until(lambda: _try_rmdir(path), 5, lambda: f"{path} is in use")


def _try_rmdir(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@pytest.mark.parametrize("verb", ["run", "create"])
def test_t74_four_mebibytes(cells, rt, level, verb, small_cgroup):
    """T74: enough, or a refusal, or the kernel's own; then CLEAN."""
    cell = cells(b.spec("exit", "9"), "skeleton")
    result = getattr(cell, verb)(preexec_fn=small_cgroup)
    if result.ok and verb == "create":
        assert cell.start().ok
        cell.wait_stopped()
    elif result.status not in (9, -signal.SIGKILL, 128 + signal.SIGKILL):
        assert not oracles.refusal_problems(result), result
    cell.delete("--force")
    assert cell.id not in rt.ids()
    until(lambda: not oracles.cgroups(cell.id), 2, lambda: str(oracles.cgroups(cell.id)))


@pytest.mark.parametrize("mebibytes", [2, 4, 6, 7, 8, 9, 10, 12])
def test_t74_little_address_space(cells, clean, level, mebibytes):
    """T74: allocations and mappings that fail, at each stage as the limit rises."""
    cell = cells(b.spec("exit", "9"), "skeleton")
    result = cell.run(preexec_fn=_limited(resource.RLIMIT_AS, mebibytes << 20))
    if result.status not in (9, 127):
        assert not oracles.refusal_problems(result), result
    clean(cell)


# T26, T77: calls that the runtime's own surroundings refuse

_BPF = struct.Struct("HBBI")
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 22, 38, 24
CAP_SYS_ADMIN = 21
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(number, error):
    """A seccomp filter of the caller's: this system call fails.  The numbers used here are the same everywhere."""
    lines = [_BPF.pack(0x20, 0, 0, 0),  # load the number
             _BPF.pack(0x15, 0, 1, number),
             _BPF.pack(0x06, 0, 0, 0x00050000 | error),
             _BPF.pack(0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(lines)

    def install():
        program = _Program(len(lines), code)
        if _prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")

    return install


OPENAT2, CLOSE_RANGE, PIDFD_OPEN = 437, 436, 434
ANSWERS = [errno.ENOSYS, errno.EPERM]


def _comparable(document):
    """What must not depend on how paths were resolved; the order of independent mounts may."""
    mounts = sorted((m["point"], m["type"], m["options"]) for m in document["mounts"])
    same = {key: document[key] for key in ("env", "cwd", "hostname", "rlimits")}
    return {"mounts": mounts, "dev": _entries(document["dev"]), **same}


def _entries(paths):
    """Without what every container has of its own: device numbers, and host ids in options."""
    return {path: {k: v for k, v in entry.items() if k not in ("dev", "ino", "mount")} for path, entry in paths.items()}


def _reporting(cells, work):
    """A document whose paths go over links, into a bind mount, a mount of a file, and below a mount."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config), "+", "sleep"]
    source = work / "source"
    source.mkdir(mode=0o755, exist_ok=True)
    (source / "file").write_text("bound\n")
    b.bind(config, source, "/link/deep", "ro")
    b.bind(config, source / "file", "/tmp/file", "ro")
    b.mount(config, "/tmp/scratch", type="tmpfs", source="tmpfs", options=["nosuid", "nodev", "mode=755"])
    bundle = cells.bundle(config, "skeleton")
    os.makedirs(bundle.rootfs / "real/deep")
    os.symlink("/real", bundle.rootfs / "link")
    os.mkdir(bundle.rootfs / "tmp/scratch")
    (bundle.rootfs / "tmp/file").touch()
    return bundle


def _reported(cells, work, **popen):
    """create, start and exec of it, all with these surroundings: both reports."""
    cell = cells(bundle=_reporting(cells, work))
    for result in (cell.create(**popen), cell.start(**popen)):
        assert result.ok, result
    until(lambda: len(cell.documents()) == 2, 10, lambda: f"{cell.out()} {cell.command.err()}")
    return cell, cell.documents(), cell.exec_report(**popen)


@pytest.mark.parametrize("error", ANSWERS, ids=errno.errorcode.get)
def test_t26_without_openat2(cells, work, level, error):
    """T26, decision 35: the same container, and exec joins it the same way."""
    _, (wanted, wanted_paths), _ = _reported(cells, work)
    cell, (report, paths), joined = _reported(cells, work, preexec_fn=refuse(OPENAT2, error))
    assert _comparable(report) == _comparable(wanted)
    assert _entries(paths) == _entries(wanted_paths)
    problems = oracles.base_problems([report, paths], cell.bundle.config, level)
    # Links in destinations are resolved; and the caller's filter is the container's, too.
    known = ("Seccomp:", "nothing is mounted at /link/deep", "unexpected mount at /real/deep")
    assert not [p for p in problems if not p.startswith(known)], problems
    assert {"/real/deep", "/tmp/file", "/tmp/scratch"} <= {m["point"] for m in report["mounts"]}
    assert not oracles.parity_problems(report, joined, ignore=("Seccomp_filters",))


@pytest.mark.parametrize("error", ANSWERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("target", ["{up}{canary}", "{canary}", "/proc/self/root", "loop"])
def test_t26_hostile_links_without_openat2(cells, fail, canary, level, target, error):
    """T26 of D.1: a destination that leads out of the image stays in it, or is refused, as with openat2."""
    outcomes = []
    for popen in ({}, {"preexec_fn": refuse(OPENAT2, error)}):
        config = b.spec("report")
        b.mount(config, "/loop/etc", type="tmpfs", source="tmpfs", options=["mode=755"])
        bundle = cells.bundle(config, "skeleton")
        os.symlink(target.format(up="../" * 20, canary=canary), bundle.rootfs / "loop")
        cell = cells(bundle=bundle)
        result = cell.run(**popen)
        if not result.ok:
            fail(result, cell=cell)
        outcomes.append(_comparable(result.documents()[0]) if result.ok else result.status)
    assert outcomes[0] == outcomes[1]


def test_t26_openat2_too_new(cells, base_or_fail, clean, level):
    """T26: E2BIG is no reason for the walker (decision 35), and none for a weaker container."""
    cell = cells(b.spec(), "skeleton")
    base_or_fail(cell, preexec_fn=refuse(OPENAT2, errno.E2BIG))
    clean(cell)


@pytest.mark.parametrize("error", ANSWERS, ids=errno.errorcode.get)
def test_t26_features_tell(rt, error):
    """T26: `features` shows which resolver is in use."""
    resolver = "org.donjon.path-resolver"
    assert rt.call("features").json()["annotations"][resolver] == "openat2"
    assert rt.call("features", preexec_fn=refuse(OPENAT2, error)).json()["annotations"][resolver] == "walker"


@pytest.mark.parametrize("number", [PIDFD_OPEN, CLOSE_RANGE, 428, 429, 435, 438, 439, 441, 442], ids=str)
@pytest.mark.parametrize("error", ANSWERS, ids=errno.errorcode.get)
@pytest.mark.levels("hardened")
def test_t77_other_calls_refused(cells, base_or_fail, clean, level, number, error):
    """T77, SystemCallFilter=: of calls newer than many a filter."""
    cell = cells(b.spec(), "skeleton")
    base_or_fail(cell, preexec_fn=refuse(number, error))
    clean(cell)


def _no_new_privileges():
    linux.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _without_sys_admin():
    linux.prctl(_PR_CAPBSET_DROP, CAP_SYS_ADMIN)


def _read_only(*paths):
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    for path in paths:
        linux.mount(path, path, None, linux.MS_BIND)
        linux.mount(None, path, None, linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)


def _protected_tunables():
    _read_only("/proc/sys")


def _protected_cgroups():
    _read_only(*linux.cgroup_roots().values())


def _all(*functions):
    def run():
        for function in functions:
            function()
    return run


@pytest.mark.parametrize("surroundings", [
    (_no_new_privileges,), (_without_sys_admin,), (_no_new_privileges, _without_sys_admin), (_protected_tunables,),
    (_protected_cgroups,), (_no_new_privileges, refuse(OPENAT2, errno.EPERM)),
], ids=["NoNewPrivileges", "without CAP_SYS_ADMIN", "both", "ProtectKernelTunables", "ProtectControlGroups",
        "SystemCallFilter"])
def test_t77_hardened_units(cells, base_or_fail, clean, level, surroundings):
    """T77: BASE or a clear refusal, and nothing left."""
    config = b.spec()
    if level == "none" and len(surroundings) > 1 and surroundings[1] is not _without_sys_admin:
        b.seccomp(config, "SCMP_ACT_ALLOW")  # so that BASE expects a filter
    cell = cells(config, "skeleton")
    result = base_or_fail(cell, preexec_fn=_all(*surroundings))
    if level == "none" and surroundings[0] in (_no_new_privileges, _protected_tunables) and \
            _without_sys_admin not in surroundings:
        assert result.ok, result  # nothing of it is needed; in a user namespace the kernel wants all of /proc visible
    clean(cell)
