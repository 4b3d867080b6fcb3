"""The five judgements of the threat catalogue: HOST, FAIL, BASE, CLEAN, BOUND.

Each is a plain function or object here; conftest.py offers them as fixtures.
"""

import hashlib
import os
import re
import signal
import stat
import time

from . import linux
from .runtime import PATIENCE

# HOST: nothing outside the container changed


def _file(path, status):
    entry = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid,
             status.st_rdev, status.st_nlink)
    if stat.S_ISDIR(status.st_mode):
        return entry + (status.st_mtime_ns,)
    attributes = tuple(sorted((n, os.getxattr(path, n, follow_symlinks=False))
                              for n in os.listxattr(path, follow_symlinks=False)))
    content = ""
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    return entry + (status.st_size, status.st_mtime_ns, status.st_ctime_ns, content, attributes)


def tree(root):
    """Every file below `root` with everything about it but the access time."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in [".", *names, *files]:
            path = os.path.normpath(os.path.join(directory, name))
            found[path] = _file(path, os.lstat(path))
    return found


_SYSCTLS = [
    f"/proc/sys/{name}" for name in (
        "kernel/core_pattern kernel/modprobe kernel/hostname kernel/domainname kernel/msgmax kernel/msgmnb "
        "kernel/sem kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_rmid_forced kernel/randomize_va_space "
        "kernel/pid_max kernel/threads-max kernel/printk kernel/panic kernel/sysrq kernel/kptr_restrict "
        "kernel/dmesg_restrict kernel/unprivileged_bpf_disabled fs/mqueue/msg_max fs/mqueue/queues_max "
        "fs/suid_dumpable fs/protected_symlinks fs/pipe-max-size fs/mount-max net/ipv4/ip_forward "
        "net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range net/ipv4/tcp_syncookies "
        "net/ipv4/ip_local_port_range net/core/somaxconn vm/overcommit_memory vm/memfd_noexec "
        "user/max_user_namespaces user/max_mnt_namespaces user/max_pid_namespaces user/max_net_namespaces"
    ).split()
]


def all_sysctls():
    found = {}
    for directory, _, files in os.walk("/proc/sys"):
        for name in files:
            path = os.path.join(directory, name)
            found[path] = _read(path)
    return found


def _read(path):
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        return error.errno
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        return error.errno
    finally:
        os.close(descriptor)


def cgroups(mine=None):
    """Directories of every hierarchy; with `mine`, only those named after this session."""
    found, queue = [], list(linux.cgroup_roots().values())
    while queue:
        path = queue.pop()
        try:
            if os.stat(path).st_nlink == 2:  # a leaf: kernfs counts sub-directories
                continue
            with os.scandir(path) as entries:
                below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # another user's: gone meanwhile, or nested beyond any path
            continue
        found += below
        queue += below
    return {path for path in found if mine is None or mine in path}


_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/console")


def _devices():
    found = {}
    for path in _DEVICES:
        try:
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev)
        except FileNotFoundError:
            found[path] = None
    return found


def restore(was, mine):
    """What a failed test did to the host must not stay, nor fail the next one: crun 1.8 gives /dev/null
    to the container's root, for one."""
    for pid in linux.descendants() - was["processes"]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for path, entry in was["devices"].items():
        if entry is not None and _devices()[path] != entry:
            os.chmod(path, stat.S_IMODE(entry[0]))
            os.chown(path, entry[1], entry[2])
    for path, value in was["sysctls"].items():
        if isinstance(value, bytes) and _read(path) != value:
            with open(path, "wb") as file:
                file.write(value)
    remove_cgroups(mine, keep=was["cgroups"])


def remove_cgroups(name, keep=frozenset()):
    """Of containers whose record was destroyed on purpose, or lost by a failure."""
    for path in sorted(cgroups(name) - keep, reverse=True):
        for _ in range(100):
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError:  # its processes are still dying
                time.sleep(0.01)


def _identity(status):
    """Nobody changes a file and keeps all of these: what is old enough need not be read again."""
    return (status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_rdev,
            status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _identities(root):
    found, queue = {}, [root]
    while queue:
        with os.scandir(queue.pop()) as entries:
            for entry in entries:
                found[entry.path] = _identity(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    queue.append(entry.path)
    return found


class Host:
    """Snapshots of what a container must not change.  `mine` is the part of the host that other
    users of a busy machine do not change either: everything named after this session."""

    def __init__(self, runtime, canary, state_root, mine):
        self._runtime, self._canary, self._root, self._mine = runtime, canary, state_root, mine
        self._watched = {}
        self.before = self.look()

    def watch(self, *paths):
        """More files and trees that must stay as they are now, while the test runs."""
        self._watched.update({str(path): tree(path) for path in paths})

    def settle(self):
        """Takes the present state as the one to keep: after a test changed the host itself."""
        self.before = self.look()

    def look(self):
        return {
            "canary": _identities(self._canary),
            "mounts": linux.mountinfo(),
            "sysctls": {path: _read(path) for path in _SYSCTLS},
            "cgroups": cgroups(self._mine),
            "processes": linux.descendants(),
            "state root": self._entries(),
            "runtime binary": _identity(os.stat(self._runtime)),
            "devices": _devices(),
            "hostname": os.uname().nodename,
            "namespaces": linux.namespaces(),
        }

    def _entries(self):
        """Whatever names a container: fixed files of the store (locks, pools) may stay."""
        found = set()
        for directory, names, files in os.walk(self._root):
            found.update(os.path.join(directory, n) for n in [*names, *files])
        return {path for path in found if self._mine is None or self._mine in os.path.relpath(path, self._root)}

    def differences(self, *ignore):
        found = []
        now = self.look()
        for part, was in self.before.items():
            if part in ignore or was == now[part]:
                continue
            found.append(f"{part}: " + _difference(part, was, now[part]))
        return found

    def check(self, *ignore):
        """HOST: equal to what it was.  `ignore` names parts that the test changes on purpose."""
        differences = self.differences(*ignore)
        for path, was in self._watched.items():
            if tree(path) != was:
                differences.append(_difference("watched", was, tree(path)))
        assert not differences, "the host changed: " + "; ".join(differences)


def _difference(part, was, now):
    if isinstance(was, dict):
        keys = [k for k in {**was, **now} if was.get(k) != now.get(k)]
        return ", ".join(f"{k}: {was.get(k)} -> {now.get(k)}" for k in keys[:5])
    if isinstance(was, (set, list)):
        gone, came = set(was) - set(now), set(now) - set(was)
        if part == "processes":
            came = [linux.describe(pid) for pid in came]
        return f"gone {sorted(gone)[:5]}, came {sorted(came)[:5]}"
    return f"{was} -> {now}"


# FAIL: a clean refusal


def refusal_problems(result, *names, within=5.0, statuses=range(1, 126)):
    """Why this is not a clean refusal that names every one of `names` (a tuple: any of them)."""
    problems = []
    if result.status not in statuses:
        problems.append(f"exit status {result.status}")
    if result.seconds > within * PATIENCE:
        problems.append(f"took {result.seconds:.1f} s")
    line = result.err[:-1] if result.err.endswith("\n") else result.err
    if not line or "\n" in line:
        problems.append("not one line on stderr")
    if len(line) > 2100:
        problems.append(f"{len(line)} bytes of message")
    if re.search(r"[\x00-\x1f\x7f]", line):
        problems.append("control characters in the message")
    for name in names:
        alternatives = name if isinstance(name, tuple) else (name,)
        if not any(a in line for a in alternatives):
            problems.append(f"the message does not name {' or '.join(map(repr, alternatives))}")
    return problems


# Texts that callers take for something else (contract E rows, decision 40): no refusal may hold one.
CALLER_PATTERNS = [
    "permission denied", "operation not permitted", "no such file", "not found", "is a directory",
    "not a directory", "does not exist", "executable file", "open executable", "no such process",
    "container not running", "already finished", "invalid process", "failed to run runc",
]


def caller_pattern(message):
    """The first pattern of any caller that this message would trigger."""
    return next((p for p in CALLER_PATTERNS if p in message.lower()), None)


# BASE: what a container that started must look like from inside

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
    "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
    "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
).split()


def mask(names):
    return sum(1 << CAPABILITIES.index(n.removeprefix("CAP_")) for n in set(names))


def own_bounding():
    with open("/proc/self/status") as status:
        return int(re.search(r"CapBnd:\s*(\w+)", status.read())[1], 16)


DEFAULT_DEVICES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}

# Mount points `hardened` may add (decisions 7 and 24, extended masks) and API trees.
_ADDED = re.compile(r"/(tmp|run|var/tmp|proc/.*|sys/.*|dev|dev/.*)$")


def baseline_args(config):
    """Prisoner arguments whose answer `base_problems` judges."""
    linux_part = config.get("linux", {})
    paths = [*linux_part.get("maskedPaths", []), *linux_part.get("readonlyPaths", [])]
    return ["report", "+", "paths", *dict.fromkeys(paths)]


def base_problems(documents, config, level="none"):
    """How the prisoner's report differs from what config.json promises at this level: weaker or
    other than asked for.  Empty when all is as it must be."""
    if not documents:
        return ["the prisoner did not report"]
    report = documents[0]
    paths = documents[1] if len(documents) > 1 else {}
    hardened = level != "none"
    problems = []

    def expect(what, found, wanted):
        if found != wanted:
            problems.append(f"{what}: {found!r}, expected {wanted!r}")

    _expect_identity(expect, report, config, hardened)
    _expect_process(expect, report, config)
    _expect_namespaces(expect, report, config, hardened)
    _expect_mounts(expect, problems, report, config, hardened)
    _expect_devices(expect, report, config)
    _expect_masks(problems, paths, config)
    return problems


SETS = ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")


def expected_capabilities(process):
    """The five sets after execve: the kernel's rules applied to what the document lists."""
    listed = process.get("capabilities") or {}
    bounding, permitted, inheritable, ambient = (
        mask(listed.get(name, [])) & own_bounding() for name in ("bounding", "permitted", "inheritable", "ambient"))
    ambient &= permitted & inheritable
    gained = ambient
    if process.get("user", {}).get("uid", 0) == 0:
        gained = bounding | inheritable
        if process.get("noNewPrivileges"):
            gained &= permitted
    return {"CapBnd": bounding, "CapEff": gained, "CapPrm": gained, "CapInh": inheritable, "CapAmb": ambient}


def _expect_identity(expect, report, config, hardened):
    status, process = report["status"], config["process"]
    user = process.get("user", {})
    expect("Uid", status["Uid"].split(), [str(user.get("uid", 0))] * 4)
    expect("Gid", status["Gid"].split(), [str(user.get("gid", 0))] * 4)
    expect("Groups", set(map(int, status["Groups"].split())), set(user.get("additionalGids", [])))
    expected = dict.fromkeys(SETS, 0) if hardened else expected_capabilities(process)
    expect("capabilities", {key: int(status[key], 16) for key in SETS}, expected)
    expect("NoNewPrivs", status["NoNewPrivs"], "1" if hardened or process.get("noNewPrivileges") else "0")
    filtered = hardened or "seccomp" in config.get("linux", {})
    expect("Seccomp", status["Seccomp"], "2" if filtered else "0")
    expect("securebits", report["securebits"], 0)


def _expect_process(expect, report, config):
    status, process = report["status"], config["process"]
    expect("blocked signals", int(status["SigBlk"], 16), 0)
    expect("ignored signals", int(status["SigIgn"], 16), 0)
    expect("descriptors", [f["fd"] for f in report["fds"]], [0, 1, 2])
    expect("cwd", report["cwd"], os.path.normpath(process["cwd"]))
    expect("umask", report["umask"], process.get("user", {}).get("umask", 0o022))
    for limit in process.get("rlimits", []):
        if limit["type"] == "RLIMIT_CORE" and limit["hard"] == 0:  # decision 45
            continue
        expect(limit["type"], report["rlimits"][limit["type"]], [limit["soft"], limit["hard"]])
    expect("parent-death signal", report["pdeathsig"], 0)
    expect("personality", report["personality"], 0)
    expect("nice", report["sched"]["nice"], 0)
    expect("interval timer", report["sched"]["timer"], 0)
    missing = [e for e in process.get("env", []) if e not in report["env"]]
    extra = [e for e in report["env"] if e not in process.get("env", []) and not e.startswith("HOME=")]
    expect("environment", (missing, extra), ([], []))


_NAMESPACES = {"network": "net", "mount": "mnt"}


def _expect_namespaces(expect, report, config, hardened):
    host = linux.namespaces()
    listed = {n["type"]: n.get("path") for n in config["linux"]["namespaces"]}
    for kind in ("user", "pid", "network", "mount", "ipc", "uts", "cgroup", "time"):
        name = _NAMESPACES.get(kind, kind)
        inside = report["ns"][name]
        if listed.get(kind):
            expect(f"{kind} namespace", inside, os.stat(listed[kind]).st_ino)
        else:
            own = kind in listed or (hardened and kind in ("user", "uts", "cgroup"))
            expect(f"own {kind} namespace", inside != host[name], own)
    if "cgroup" in listed or hardened:
        lines = report["cgroup"].split()
        expect("cgroup paths", [line for line in lines if not line.endswith(":/")], [])
    if "uts" in listed and config.get("hostname"):
        expect("hostname", report["hostname"], config["hostname"])
    if "network" in listed and not listed["network"]:
        expect("interfaces", report["interfaces"].get("lo"), True)


_FLAG_OPTIONS = ("nosuid", "nodev", "noexec", "ro")


def _expect_mounts(expect, problems, report, config, hardened):
    visible = {}
    for line in report["mounts"]:
        visible[line["point"]] = line
    root = visible.get("/", {"options": "", "tags": ""})
    if config["root"].get("readonly") or hardened:
        expect("/ read-only", "ro" in root["options"].split(","), True)
    masks = [*config["linux"].get("maskedPaths", []), *config["linux"].get("readonlyPaths", [])]
    promised = {"/"} | {os.path.normpath("/" + path.lstrip("/")) for path in masks}
    for mount in config["mounts"]:
        point = os.path.normpath(mount["destination"])
        promised.add(point)
        found = visible.get(point)
        if found is None:
            problems.append(f"nothing is mounted at {point}")
            continue
        # On v1 a cgroup mount is a tmpfs with the hierarchies in it, and those are what counts.
        below = [m for p, m in visible.items() if mount.get("type") == "cgroup" and p.startswith(point + "/")]
        for line in below or [found]:
            options = set(line["options"].split(",")) | set(line["super"].split(","))
            for option in mount.get("options", []):
                if option in _FLAG_OPTIONS and option not in options:
                    problems.append(f"{line['point']} lost {option}")
        if not {"bind", "rbind"} & set(mount.get("options", [])) and mount.get("type") not in ("bind", "cgroup", None):
            expect(f"{point} type", found["type"], mount["type"])
    for point, line in visible.items():
        known = point in promised or any(point.startswith(p + "/") for p in promised - {"/"})
        if not known and not _ADDED.match(point):
            problems.append(f"unexpected mount at {point}")
        if "shared:" in line["tags"]:
            problems.append(f"{point} is shared: {line['tags']}")


def _expect_devices(expect, report, config):
    if any(os.path.normpath(m["destination"]) == "/dev" and m.get("type") == "bind" for m in config["mounts"]):
        return
    wanted = dict(DEFAULT_DEVICES)
    for device in config["linux"].get("devices", []):
        if os.path.dirname(device["path"]) == "/dev":
            wanted[os.path.basename(device["path"])] = f"{device.get('major')}:{device.get('minor')}"
    found = {n: e["rdev"] for n, e in report["dev"].items() if e["type"] in ("chr", "blk")}
    found.pop("console", None)
    expect("device nodes", found, wanted)
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                         ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        expect(f"/dev/{name}", report["dev"].get(name, {}).get("target"), target)


def is_masked(entry):
    """Absent, unreadable, empty, or an empty directory nobody can write."""
    if entry["stat"] != "ok" or entry["read"] in ("EACCES", "EPERM", "ENOENT", "EIO"):
        return True
    if entry["type"] == "dir":
        return entry.get("entries") == 0 and entry.get("create") != "ok"
    return entry.get("bytes") == 0


def is_read_only(entry):
    if entry["stat"] != "ok":
        return True
    attempt = entry.get("create") if entry["type"] == "dir" else entry.get("write")
    return attempt != "ok" and "ro" in entry.get("flags", ["ro"])


def _expect_masks(problems, paths, config):
    for path in config["linux"].get("maskedPaths", []):
        if path in paths and not is_masked(paths[path]):
            problems.append(f"{path} is not masked: {paths[path]}")
    for path in config["linux"].get("readonlyPaths", []):
        if path in paths and not is_read_only(paths[path]) and not is_masked(paths[path]):
            problems.append(f"{path} is not read-only: {paths[path]}")


# Exec parity: what the container's own process has, one that joined it has

_SAME_STATUS = ("Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters Speculation_Store_Bypass "
                "SpeculationIndirectBranch Cpus_allowed_list Mems_allowed_list Umask SigBlk SigIgn SigCgt TracerPid").split()
_SAME = ("ns cgroup uid_map gid_map setgroups lsm umask hostname domainname machine securebits personality root_inode "
         "oom_score_adj mounts rlimits sched dumpable pdeathsig interfaces dev env cwd").split()


def parity_problems(own, new, ignore=()):
    """Where the confinement of a process that exec started differs, both as they see it of themselves."""
    problems = [f"{key}: {there[key]!r}, the container's own process has {here[key]!r}"
                for keys, here, there in ((_SAME_STATUS, own["status"], new["status"]), (_SAME, own, new))
                for key in keys if key not in ignore and here.get(key) != there.get(key)]
    if [f["fd"] for f in new["fds"]] != [0, 1, 2]:
        problems.append(f"descriptors: {new['fds']}")
    if "CapInh" not in ignore and int(new["status"]["CapInh"], 16):
        problems.append("CapInh: CVE-2022-29162")
    return problems
