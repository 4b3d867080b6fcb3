"""The few kernel calls Python's library does not offer."""

import ctypes
import errno
import os
import re
import struct

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC = 4096, 16384
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS = 1, 36, 8
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
SYS_KEYCTL, SYS_IOPRIO_SET = 250, 251

KERNEL = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))


def _check(result, *what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), *[str(w) for w in what[:1]])
    return result


def _bytes(text):
    return None if text is None else os.fsencode(text)


def unshare(flags):
    _check(_libc.unshare(flags))


def mount(source, target, kind=None, flags=0, data=None):
    _check(_libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(data)), target)


def umount(target, flags=MNT_DETACH):
    _check(_libc.umount2(_bytes(target), flags), target)


def prctl(option, value):
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def personality(persona):
    return _check(_libc.personality(ctypes.c_ulong(persona)))


def session_keyring():
    """Serial of the caller's session keyring."""
    return _libc.syscall(SYS_KEYCTL, 0, -3, 0, 0, 0)


def join_session_keyring():
    return _check(_libc.syscall(SYS_KEYCTL, 1, None, 0, 0, 0))


def ioprio_set(value):
    _check(_libc.syscall(SYS_IOPRIO_SET, 1, 0, value))


def filter_calls(*instructions):
    """A seccomp filter of the runtime's caller; for preexec_fn."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    fprog = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(program))
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0))


def no_statmount():
    """As on kernels before Linux 6.8; for preexec_fn."""
    filter_calls((0x20, 0, 0, 0), (0x15, 0, 1, 457), (0x06, 0, 0, 0x00050000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000))


def new_mount(kind, target, options):
    """fsopen, fsconfig for each pair, fsmount, move_mount: no page that options have to fit."""
    fs = _check(_libc.syscall(430, _bytes(kind), 1))
    try:
        for key, value in options:
            _check(_libc.syscall(431, fs, 1, _bytes(key), _bytes(value), 0), key)
        _check(_libc.syscall(431, fs, 6, None, None, 0), target)
        tree = _check(_libc.syscall(432, fs, 1, 0))
    finally:
        os.close(fs)
    try:
        _check(_libc.syscall(429, tree, b"", -100, _bytes(target), 4), target)
    finally:
        os.close(tree)


def open_tree(path):
    """A detached clone: its descriptor must never reach a container."""
    return _check(_libc.syscall(428, -100, _bytes(path), 1 | 0x80000))


def namespaces(pid="self"):
    names = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup", "time")
    return {name: os.stat(f"/proc/{pid}/ns/{name}").st_ino for name in names}


def descendants(pid=None):
    """Every process below this one, zombies included: as the tests' process is the subreaper,
    that is every process any test has left behind."""
    found, queue = set(), [pid or os.getpid()]
    while queue:
        parent = queue.pop()
        try:
            tasks = os.listdir(f"/proc/{parent}/task")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for task in tasks:
            try:
                with open(f"/proc/{parent}/task/{task}/children") as children:
                    fresh = {int(child) for child in children.read().split()} - found
            except (FileNotFoundError, ProcessLookupError):
                continue
            found |= fresh
            queue.extend(fresh)
    return found


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            text = cmdline.read().replace(b"\0", b" ").decode(errors="replace").strip()
        with open(f"/proc/{pid}/stat") as stat:
            state = stat.read().rsplit(")", 1)[1].split()[0]
        return f"{pid} ({state}) {text}"
    except OSError:
        return f"{pid} (gone)"


def living():
    """Descriptions of all descendants but zombies."""
    return [text for text in map(describe, descendants()) if "(Z)" not in text and "(gone)" not in text]


def reap_orphans():
    """What a killed runtime leaves to its subreaper is a zombie until that one looks, and the pid namespace
    it was in does not end before: conmon and the shim look, and so must we."""
    for pid in descendants():
        try:
            with open(f"/proc/{pid}/status") as status:
                if len(next(line for line in status if line.startswith("NSpid:")).split()) > 2:
                    os.waitpid(pid, os.WNOHANG)
        except (FileNotFoundError, ProcessLookupError, ChildProcessError, StopIteration):
            pass  # another's child, or gone


def mountinfo():
    """The caller's mounts without their ids, which change with every remount."""
    with open("/proc/self/mountinfo") as lines:
        return sorted(" ".join(line.split()[2:]) for line in lines)


def cgroup_roots():
    """Mount points of every cgroup hierarchy, by the name /proc/PID/cgroup uses."""
    roots = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            head, tail = line.split(" - ", 1)
            kind, _, options = tail.split()[:3]
            point = head.split()[4]
            if kind == "cgroup2":
                roots[""] = point
            elif kind == "cgroup":
                skip = {"rw", "ro", "xattr", "noprefix", "clone_children"}
                names = [o for o in options.split(",") if o not in skip and not o.startswith("release_agent")]
                roots[",".join(names)] = point
    return roots
