"""The process as it sees itself: T48-T50, T52-T57, T59, T60, and what config.process asks for."""

import contextlib
import fcntl
import json
import os
import pty
import resource
import signal
import socket
import stat
import subprocess
import termios

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import PATIENCE, Process, until
from harness.terminals import read_until, receive

from test_resources import V1, _has

# T48: descriptors


def _leaks():
    """One descriptor of every kind that must not get in."""
    pair = socket.socketpair()
    pipe = os.pipe()
    kept = [pair, pipe]
    fds = [
        os.open("/etc", os.O_RDONLY | os.O_DIRECTORY),
        os.open("/", os.O_PATH),
        os.open("/proc/self/ns/net", os.O_RDONLY),
        os.open("/proc/self/ns/mnt", os.O_RDONLY),
        os.open("/sys/fs/cgroup", os.O_RDONLY | os.O_DIRECTORY),
        os.open("/proc/self/mem", os.O_RDONLY),
        os.memfd_create("leak", 0),
        os.pidfd_open(os.getpid()),
        linux.open_tree("/etc"),
        pair[0].fileno(),
        pipe[0],
    ]
    return fds, kept


@pytest.mark.peer
@pytest.mark.parametrize("verb", ["run", "create"])
def test_t48_leaked_descriptors(cells, level, verb):
    """B7, R9, CVE-2024-21626: exactly 0, 1 and 2."""
    fds, kept = _leaks()
    cell = cells(b.spec("report"))
    result = cell.spawn(verb, pass_fds=fds).wait()
    assert result.ok, result
    if verb == "create":
        assert cell.start().ok
        until(lambda: cell.documents())
    assert [f["fd"] for f in cell.documents()[0]["fds"]] == [0, 1, 2]
    for fd in fds[:-2]:
        os.close(fd)
    del kept


def test_t48_high_descriptors(cells, level):
    """Also beyond any limit somebody might loop to."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    fd = fcntl.fcntl(0, fcntl.F_DUPFD, min(hard, 60000) - 1)
    report = cells(b.spec("report")).run(pass_fds=[fd]).documents()[0]
    os.close(fd)
    assert [f["fd"] for f in report["fds"]] == [0, 1, 2]


def _contiguous(files):
    """Puts these at 3, 4, ... of a child."""
    def preexec():
        copies = [fcntl.fcntl(f, fcntl.F_DUPFD, 100) for f in files]
        for i, copy in enumerate(copies):
            os.dup2(copy, 3 + i)
            os.close(copy)
    return preexec


@pytest.mark.peer
@pytest.mark.levels("none")
def test_t48_preserved_descriptors(cells, level):
    """F29, F19: these and no others."""
    read_end, write_end = os.pipe()
    config = b.spec("report")
    result = cells(config).run("--preserve-fds", "2", close_fds=False,
                               preexec_fn=_contiguous([read_end, write_end, read_end]))
    os.close(read_end), os.close(write_end)
    assert result.ok, result
    fds = result.documents()[0]["fds"]
    assert [f["fd"] for f in fds] == [0, 1, 2, 3, 4] and {f["type"] for f in fds[3:]} == {"fifo"}


@pytest.mark.levels("none")
def test_t48_a_preserved_descriptor_that_is_not_open(cells, fail, level):
    cell = cells(b.spec())
    fail(cell.create("--preserve-fds", "5"), ("preserve-fds", "3"), cell=cell)


@pytest.mark.parametrize("value", ["-1", "x", "99999999999", ""])
def test_t48_bad_numbers_of_descriptors(cells, fail, value):
    cell = cells(b.spec())
    fail(cell.create(f"--preserve-fds={value}"), "preserve-fds", cell=cell)


def test_t48_listen_fds_of_somebody_else(cells, level):
    """V4: only when LISTEN_PID is the runtime's own pid."""
    report = cells(b.spec("report")).run(
        env={**os.environ, "LISTEN_FDS": "3", "LISTEN_PID": "1"}, pass_fds=[_leaks()[0][0]]).documents()[0]
    assert [f["fd"] for f in report["fds"]] == [0, 1, 2]
    assert not [e for e in report["env"] if e.startswith("LISTEN_")]


# T49: users and groups


@pytest.mark.peer
@pytest.mark.parametrize("user", [
    {"uid": 1000, "gid": 1000},
    {"uid": 1000, "gid": 1000, "additionalGids": [5, 6, 1000, 5]},
    {"uid": 0, "gid": 0, "additionalGids": []},
    {"uid": 12345, "gid": 54321, "additionalGids": list(range(100, 160))},
    {"uid": 1000, "gid": 1000, "umask": 0o027},
    {"uid": 65534, "gid": 65534},
    {"uid": 1000, "gid": 0, "additionalGids": [0]},
], ids=str)
def test_t49_users(cells, base, level, user):
    """P19, P21, B23: ids and groups exact, an empty list means none at all."""
    config = b.spec()
    config["process"]["user"] = user
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    preexec = (lambda: os.setgroups([7, 8, 9]))
    result = cells(config).run(preexec_fn=preexec)
    assert result.ok, result
    documents = result.documents()
    # What /proc and the masks show differs for them; identity does not.
    base(documents[:1], config)


@pytest.mark.peer
def test_t49_numeric_names_are_not_looked_up(cells, level):
    """CVE-2016-3697."""
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    cell = cells(config, "busybox")
    (cell.bundle.rootfs / "etc/passwd").write_text("1000:x:0:0:root:/root:/bin/sh\n")
    assert cell.run().documents()[0]["status"]["Uid"].split() == ["1000"] * 4


@pytest.mark.peer
@pytest.mark.parametrize("env, passwd, home", [
    ([], "user:x:1000:1000::/home/user:/bin/sh\n", "/home/user"),
    ([], "other:x:1:1::/x:/bin/sh\n", "/"),
    (["HOME=/set"], "user:x:1000:1000::/home/user:/bin/sh\n", "/set"),
])
def test_home(cells, level, env, passwd, home):
    """P16."""
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    config["process"]["env"] += env
    cell = cells(config, "busybox")
    (cell.bundle.rootfs / "etc/passwd").write_text(passwd)
    assert f"HOME={home}" in cell.run().documents()[0]["env"]


def test_ids_beyond_the_usual_range(cells):
    """Decision 19: OpenShift's uids get a line of their own in the generated map."""
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1000680000, "gid": 0, "additionalGids": [1000680000]}
    result = cells(config, runtime=cells._runtime.at("hardened")).run()
    assert result.ok, result
    status = result.documents()[0]["status"]
    assert status["Uid"].split() == ["1000680000"] * 4 and status["Groups"].split() == ["1000680000"]


# T50: capabilities


ALL = ["CAP_" + name for name in oracles.CAPABILITIES]


@pytest.mark.peer
@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("sets", [
    {},
    {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]},
    {"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_KILL"]},
    {"bounding": [], "effective": [], "permitted": [], "inheritable": [], "ambient": []},
    {n: ["CAP_KILL"] for n in ("bounding", "effective", "permitted", "inheritable", "ambient")},
    {n: ["CAP_KILL", "CAP_CHOWN"] for n in ("bounding", "permitted", "inheritable")},
], ids=["none", "one", "partly", "empty", "ambient", "inheritable"])
def test_t50_capability_sets(cells, base, level, uid, sets):
    """P24, B20: read back exactly; hardened clears all five (decision 52)."""
    config = b.spec()
    config["process"]["user"] = {"uid": uid, "gid": uid}
    config["process"]["capabilities"] = sets
    base(cells.inside(config, "report"), config)


@pytest.mark.levels("none")
def test_t50_absent_capabilities_mean_none(cells, level):
    """P23, Z29: closed by default."""
    config = b.spec("report")
    del config["process"]["capabilities"]
    status = cells.inside(config)[0]["status"]
    assert {int(status[k], 16) for k in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}


@pytest.mark.levels("none")
def test_t50_everything_that_can_be_granted(cells, level):
    """P23: what the runtime itself does not hold is no error."""
    config = b.spec("report")
    b.capabilities(config, *ALL)
    status = cells.inside(config)[0]["status"]
    assert int(status["CapBnd"], 16) == oracles.own_bounding() & oracles.mask(ALL)


@pytest.mark.peer
def test_t50_no_gain_across_exec(cells, level):
    config = b.spec("try", "capset", "setuid=0", "setgid=0", "setgroups=0", "chown=/prisoner")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    config["process"]["capabilities"] = {}
    assert set(cells.inside(config)[0].values()) <= {"EPERM", "EROFS", "EACCES", "EINVAL"}


# T52: standard streams


def _run_with(cells, level_runtime, streams, config=None):
    cell = cells(config or b.spec("report"), runtime=level_runtime)
    return cell, cell.spawn("run", stdin=streams[0], stdout=streams[1], stderr=streams[2])


def _identity(fd):
    status = os.fstat(fd)
    return status.st_mode, status.st_uid, status.st_gid, fcntl.fcntl(fd, fcntl.F_GETFL)


def _drain(fd, into):
    while chunk := os.read(fd, 65536):
        into.append(chunk)


@pytest.mark.parametrize("kind", ["file", "fifo", "socket", "null", "host-tty"])
@pytest.mark.parametrize("uid", [0, 1000])
def test_t52_streams_keep_their_owner(cells, rt, work, level, kind, uid):
    """B27, decision 1, CVE-2026-88265: the host's objects are never changed."""
    keep = []
    if kind == "file":
        fd = os.open(work / "out", os.O_RDWR | os.O_CREAT, 0o600)
    elif kind == "fifo":
        os.mkfifo(work / "fifo", 0o600)
        fd = os.open(work / "fifo", os.O_RDWR)
    elif kind == "socket":
        left, right = socket.socketpair()
        keep = [left, right]
        fd = left.fileno()
    elif kind == "null":
        fd = os.open("/dev/null", os.O_RDWR)
    else:
        master, fd = pty.openpty()
        keep = [master]
    before = _identity(fd)
    config = b.spec("exit", "7")
    config["process"]["user"] = {"uid": uid, "gid": uid}
    _, process = _run_with(cells, rt, [fd, fd, fd], config)
    assert process.wait().status == 7
    assert _identity(fd) == before
    if kind != "socket":
        os.close(fd)
    if kind == "host-tty":
        os.close(master)
    del keep


CHANGE_AND_WRITE = "chmod 600 /proc/self/fd/0; echo out && echo err >&2 && exit 7"


@contextlib.contextmanager
def _null_of_the_host(path):
    """A node of our own that nobody else has to share, open as go-runc opens its null streams."""
    os.mknod(path, stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
    os.chmod(path, 0o666)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    os.close(fd)


def test_t52_a_null_device_of_the_host_becomes_the_containers(cells, rt, work, level):
    """V8: containerd's null streams are open for reading alone, and nobody may chmod the host's node."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", CHANGE_AND_WRITE]
    cell = cells(config, "busybox", runtime=rt)
    with _null_of_the_host(work / "null") as fd:
        done = cell.spawn("run", stdin=fd, stdout=fd, stderr=fd).wait()
        assert done.status == 7, done


@pytest.mark.parametrize("instead", ["true", "mknod /dev/null p", "mkdir /dev/null", "ln -s zero /dev/null"])
def test_t52_a_null_device_that_the_container_took_away(cells, rt, work, level, instead):
    """What is executed in it gets another one, and not the host's."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", f"rm /dev/null; {instead}; : >/dev/shm/done; sleep 1000"]
    cell = cells.started(config, "busybox", runtime=rt)
    until(lambda: os.path.exists(f"/proc/{cell.pid}/root/dev/shm/done"))
    with _null_of_the_host(work / "null") as fd:
        done = cell.exec("/bin/sh", "-c", CHANGE_AND_WRITE if level == "none" else "chmod 600 /proc/self/fd/0; exit 7", stdin=fd,
                         stdout=fd, stderr=fd)
        assert done.status == 7, done


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1"])
def test_t52_a_pipe_can_be_reopened(cells, rt, level, uid, stream):
    """Decision 1: every image that logs through a link to /dev/stdout; only pipes change owner."""
    read_end, write_end = os.pipe()
    config = b.spec("write", stream, "logged\n")
    config["process"]["user"] = {"uid": uid, "gid": uid}
    _, process = _run_with(cells, rt, [None, write_end, write_end], config)
    os.close(write_end)
    chunks = []
    _drain(read_end, chunks)
    os.close(read_end)
    assert process.wait().ok, (process.err(), chunks)
    assert b"".join(chunks) == b"logged\n"


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_t52_closed_streams_become_null(cells, rt, work, level, closed):
    """The container's own null device, never a file of the image or a descriptor of ours."""
    config = b.spec("report")
    b.bind(config, work, "/out")
    config["process"]["args"] = ["/bin/sh", "-c", "/prisoner report >/out/report"]
    config["process"]["user"] = {"uid": 0, "gid": 0}
    cell = cells(config, "busybox", runtime=rt)
    process = cell.spawn("run", preexec_fn=lambda: [os.close(fd) for fd in closed])
    assert process.wait().ok, process.err()
    report = json.loads((work / "report").read_text())
    fds = {f["fd"]: f for f in report["fds"]}
    assert set(fds) == {0, 1, 2}
    for fd in set(closed) - {1}:
        assert fds[fd]["rdev"] == "1:3", fds[fd]


# Terminals


def _console(work):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(work / "console"))
    listener.listen()
    return listener


@pytest.mark.peer
def test_console_socket(cells, work, level):
    """F15, P13, P14, Z12, K1-K5: connect, one message with the master, never waiting for an answer."""
    config = b.spec("report", "+", "try", "open-rw=/dev/console", "open-rw=/dev/tty")
    config["process"]["terminal"] = True
    config["process"]["consoleSize"] = {"height": 33, "width": 77}
    listener = _console(work)
    cell = cells(config)
    # Accepted only after the runtime exits, as go-runc does.
    assert cell.create("--console-socket", work / "console").ok
    master = receive(listener)
    assert cell.start().ok
    lines = read_until(master, b'"open-rw=/dev/tty":"ok"}').decode().splitlines()
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    report, tried = documents
    assert all(f["tty"] for f in report["fds"]) and [f["fd"] for f in report["fds"]] == [0, 1, 2]
    assert report["tty"] == "ok" and (report["rows"], report["columns"]) == (33, 77)
    assert report["sid"] == report["pid"] == report["pgid"]
    assert report["dev"]["console"]["type"] == "chr" and report["dev"]["console"]["rdev"].startswith("136:")
    assert tried["open-rw=/dev/console"] == "ok"
    os.close(master)
    listener.close()


@pytest.mark.peer(runc="runc 1.1.5 needs a short path")
def test_a_long_console_socket_path(cells, work):
    """K3."""
    deep = work / ("d" * 120)
    deep.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(deep, os.O_PATH)
    listener.bind(f"/proc/self/fd/{directory}/console")
    listener.listen()
    config = b.spec("exit", "0")
    config["process"]["terminal"] = True
    cell = cells(config)
    assert cell.create("--console-socket", deep / "console").ok
    os.close(receive(listener))
    os.close(directory)
    listener.close()


@pytest.mark.peer
def test_run_relays_the_terminal(cells, level):
    """Foreground run: the runtime allocates and proxies it; the outer terminal's mode is restored."""
    config = b.spec()
    config["process"]["terminal"] = True
    config["process"]["args"] = ["/bin/sh", "-c", "stat -c %t /dev/stdin >/dev/null; tty; read line; echo got $line; exit 9"]
    cell = cells(config, "busybox")
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = cell.spawn("run", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    read_until(master, b"/dev/pts/")
    os.write(master, b"hello\n")
    text = read_until(master, b"got hello")
    assert b"got hello" in text
    assert process.wait().status == 9
    assert termios.tcgetattr(slave) == before
    os.close(master), os.close(slave)


@pytest.mark.peer
def test_the_terminal_belongs_to_the_process_user(cells, work, level):
    config = b.spec("report")
    config["process"]["terminal"] = True
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    listener = _console(work)
    cell = cells(config)
    assert cell.create("--console-socket", work / "console").ok
    master = receive(listener)
    assert cell.start().ok
    report = json.loads(read_until(master, b"\n").decode())
    assert report["fds"][0]["uid"] == 1000
    os.close(master)
    listener.close()


# T53: labels


def test_t53_apparmor_where_it_is_off(cells, fail, can):
    if can.apparmor:
        pytest.skip("this host has AppArmor")
    config = b.spec()
    config["process"]["apparmorProfile"] = "donjon-default"
    cell = cells(config)
    fail(cell.create(), "process.apparmorProfile", cell=cell)


def test_t53_selinux_where_it_is_off(cells, fail, can):
    if can.selinux:
        pytest.skip("this host has SELinux")
    config = b.spec()
    config["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0:c1,c2"
    cell = cells(config)
    fail(cell.create(), "process.selinuxLabel", cell=cell)


def test_t53_apparmor_label(cells, can, level):
    if not can.apparmor:
        pytest.skip("needs AppArmor")
    config = b.spec("report")
    config["process"]["apparmorProfile"] = "donjon-default"
    assert cells.inside(config)[0]["lsm"]["current"].startswith("donjon-default (enforce)")


def test_t53_an_unknown_apparmor_profile(cells, fail, can):
    if not can.apparmor:
        pytest.skip("needs AppArmor")
    config = b.spec()
    config["process"]["apparmorProfile"] = "donjon-nonsense"
    cell = cells(config)
    fail(cell.create(), "donjon-nonsense", cell=cell)


def test_t53_selinux_label(cells, can, level):
    if not can.selinux:
        pytest.skip("needs SELinux")
    config = b.spec("report")
    config["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0:c1,c2"
    assert cells.inside(config)[0]["lsm"]["current"].startswith("system_u:system_r:container_t:s0:c1,c2")


# T54: what /proc and /sys show


EXTENDED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/acpi", "/proc/scsi",
            "/proc/latency_stats", "/proc/timer_stats", "/proc/asound", "/sys/firmware", "/proc/interrupts",
            "/proc/kallsyms", "/proc/modules", "/proc/kmsg", "/proc/config.gz", "/proc/slabinfo", "/proc/vmallocinfo",
            "/proc/pagetypeinfo", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security",
            "/sys/devices/virtual/powercap", "/sys/fs/selinux"]


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("uid", [0, 1000])
def test_t54_extended_masks(cells, level, uid):
    config = b.spec("paths", *EXTENDED)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    found = cells.inside(config)[0]
    assert {p: e for p, e in found.items() if not oracles.is_masked(e)} == {}


@pytest.mark.peer
@pytest.mark.parametrize("namespaces", [
    {"user": True}, {"cgroup": True}, {"user": True, "cgroup": True}, {"network": False},
    {"user": True, "network": False}, {"user": True, "network": False, "cgroup": True}, {},
], ids=str)
def test_t54_sys_and_proc_sys_are_read_only(cells, namespaces):
    """crun issue 2178: in every combination of namespaces."""
    config = b.spec()
    for kind, present in namespaces.items():
        if kind == "user" and present:
            b.user_namespace(config)
        else:
            b.namespace(config, kind, present=present)
    if namespaces.get("user") and namespaces.get("network") is False:
        pytest.skip("sysfs of the host's network namespace cannot be mounted from a user namespace")
    found = cells.inside(config, "paths", "/sys", "/proc/sys", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
                         "/proc/sys/kernel/modprobe", kind="skeleton")[0]
    assert "ro" in found["/sys"]["flags"] and "ro" in found["/proc/sys"]["flags"]
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe"):
        assert found[path]["stat"] == "ENOENT" or found[path]["write"] in ("EROFS", "EACCES"), found[path]


def test_t54_sysfs_of_a_joined_network_namespace(cells, work, level):
    """Design, launch-findings 4: prepared outside, read-only, and of that namespace."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        config = b.spec()
        b.namespace(config, "network", f"/proc/{holder.pid}/ns/net")
        report, paths = cells.inside(config, "report", "+", "paths", "/sys", "/sys/class/net/lo", "/sys/class/net")
        assert report["ns"]["net"] == os.stat(f"/proc/{holder.pid}/ns/net").st_ino
        assert "ro" in paths["/sys"]["flags"] and paths["/sys/class/net/lo"]["stat"] == "ok"
        assert paths["/sys/class/net"]["entries"] == 1
    finally:
        holder.kill()
        holder.wait()


# T55, T60: the filter


FORBIDDEN = ["unshare=user", "unshare=mnt", "unshare=net", "unshare=pid", "unshare=uts", "unshare=ipc", "unshare=cgroup",
             "unshare=time", "clone=10000000", "clone=20000", "clone=40000000", "setns=uts", "setns=user", "mount",
             "bind", "umount", "pivot", "move-mount", "open-tree", "fsopen", "fsconfig", "fsmount", "fspick",
             "mount-setattr", "keyctl", "add-key", "request-key", "bpf", "perf", "userfaultfd", "init-module",
             "finit-module", "delete-module", "kexec-load", "reboot", "swapon", "swapoff", "acct", "syslog", "quotactl",
             "quotactl-fd", "vhangup", "sethostname=x", "setdomainname", "fanotify-init", "open-by-handle-at",
             "pidfd-getfd", "iopl", "ioperm", "ustat", "sysfs", "uselib", "lsm-set-self-attr", "socket=38:5", "socket=40:1",
             "socket=33:2", "socket=17:3", "socket=44:3", "ioctl=0x5412", "ioctl=0x541c", "ioctl=0x100005412",
             "chroot"]


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("profile", ["built-in", "allow-everything-listed"])
def test_t60_forbidden_calls(cells, level, uid, profile):
    """Refused by the built-in profile, and by the guard filter below any other."""
    config = b.spec("try", *FORBIDDEN)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    if profile != "built-in":
        with open("/proc/kallsyms") as symbols:  # every call this kernel has, by its own word
            names = {line.split()[2].removeprefix("__x64_sys_") for line in symbols if " __x64_sys_" in line}
        b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*sorted(names)))
    tried = cells.inside(config)[0]
    allowed = {name: answer for name, answer in tried.items()
               if answer not in ("EPERM", "ENOSYS", "EACCES", "SIGSYS", "EAFNOSUPPORT")}
    assert allowed == {}


@pytest.mark.levels("hardened")
def test_t55_verdicts(cells, level):
    """ENOSYS for unknown numbers and clone3, EPERM for known-and-refused; native ABI only."""
    tried = cells.inside(b.spec(), "try", "unknown-call", "clone3=0", "clone3=10000000", "io-uring", "call=511",
                         "int80=20", "int80=4", "int80=1000", "x32=39", "x32=0", "unshare=user", "sysfs", "socket=38:5",
                         "socket=0x100000026:5", "ioctl=0x5412", "ioctl=0xffffffff00005412",
                         "personality=400000")[0]
    assert tried["personality=400000"] == "EPERM"
    assert tried["unknown-call"] == tried["clone3=0"] == tried["clone3=10000000"] == "ENOSYS"
    assert tried["unshare=user"] == tried["sysfs"] == "EPERM"
    assert tried["socket=38:5"] == tried["socket=0x100000026:5"] != "ok"
    assert tried["ioctl=0x5412"] == tried["ioctl=0xffffffff00005412"] == "EPERM"
    for name in ("int80=20", "int80=4", "x32=39", "x32=0"):
        assert tried[name] in ("EPERM", "ENOSYS", "SIGSYS"), (name, tried[name])


@pytest.mark.levels("hardened")
def test_t55_ordinary_programs_are_not_hindered(cells, level):
    tried = cells.inside(b.spec(), "try", "socket=1:1", "socket=2:1", "socket=10:2", "socket=16:3", "create=/tmp/x",
                         "mkdir=/tmp/d", "clone=0", "ptrace")[0]
    for name in ("socket=1:1", "socket=2:1", "socket=10:2", "create=/tmp/x", "mkdir=/tmp/d", "clone=0"):
        assert tried[name] == "ok", tried


def test_t55_nnp_is_never_lost(cells, rt, level):
    """P25."""
    config = b.spec("report")
    config["process"]["noNewPrivileges"] = level == "none"
    assert cells.inside(config)[0]["status"]["NoNewPrivs"] == "1"


@pytest.mark.peer
@pytest.mark.levels("none")
def test_t55_nnp_only_when_asked_for_at_none(cells, level):
    """P25."""
    config = b.spec("report")
    config["process"]["noNewPrivileges"] = False
    assert cells.inside(config)[0]["status"]["NoNewPrivs"] == "0"


def test_e50_speculation_is_not_relaxed(cells, level):
    """E50, decision 44: SPEC_ALLOW only where the profile lists it."""
    config = b.spec("report")
    b.seccomp(config, "SCMP_ACT_ERRNO" if level == "hardened" else "SCMP_ACT_ALLOW",
              *([b.rule(*SMALL)] if level == "hardened" else [b.rule("acct", action="SCMP_ACT_ERRNO")]))
    status = cells.inside(config)[0]["status"]
    with open("/proc/self/status") as lines:
        host = [line.split("\t")[1].strip() for line in lines if line.startswith("Speculation_Store_Bypass")]
    assert status["Speculation_Store_Bypass"] in ("thread force mitigated", "not vulnerable", *host)


# What a static musl program needs to print its report.
SMALL = """execve exit exit_group read write open openat close fstat newfstatat stat lstat statx readlink readlinkat
writev readv mmap munmap mprotect brk rt_sigaction rt_sigprocmask rt_sigreturn getpid getppid gettid getuid geteuid
getgid getegid getgroups getcwd umask uname prctl personality getrlimit prlimit64 sched_getparam sched_getscheduler
getpriority ioprio_get getitimer clock_gettime ioctl fcntl statfs fstatfs getdents64 lseek socket getsid getpgrp
getpgid keyctl set_tid_address arch_prctl fork clone wait4 alarm sendto recvfrom bind sendmsg recvmsg getsockname
access faccessat""".split()


# T56: cgroups as seen from inside


@pytest.mark.peer
def test_t56_paths(cells):
    """Decision 29: with an own cgroup namespace every line ends in /."""
    config = b.spec("report")
    b.namespace(config, "cgroup")
    lines = cells.inside(config)[0]["cgroup"].splitlines()
    assert lines and all(line.endswith(":/") for line in lines), lines


@pytest.mark.peer
def test_t56_membership_at_the_first_instruction(cells, can):
    config = b.spec("read", "/proc/self/cgroup")
    cell = cells(config)
    lines = cell.run().out.splitlines()
    assert lines
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if set(controllers.split(",")) & {"pids", "memory", "devices", "freezer", "cpu"} or not can.v1:
            assert cell.id in path, line


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["none", "cgroup", "user", "both"])
def test_t56_writes_below_the_cgroup_tree_fail(cells, can, kind):
    """CVE-2023-25809."""
    config = b.spec()
    if kind in ("cgroup", "both"):
        b.namespace(config, "cgroup")
    if kind in ("user", "both"):
        b.user_namespace(config)
    top = "/sys/fs/cgroup/pids" if can.v1 else "/sys/fs/cgroup"
    tried = cells.inside(config, "try", f"put=max:{top}/pids.max", f"mkdir={top}/x", f"put=0:{top}/cgroup.procs",
                         f"create={top}/x", f"remount-rw={top}", kind="skeleton")[0]
    assert "ok" not in tried.values(), tried


# T59: inherited oddities


def _odd_caller():
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2, signal.SIGALRM})
    os.umask(0o777)
    os.nice(5)
    linux.personality(0x0040000)  # ADDR_NO_RANDOMIZE
    linux.ioprio_set(3 << 13)
    os.sched_setaffinity(0, {0})
    signal.setitimer(signal.ITIMER_REAL, 600)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir("/proc")


def test_t59_an_odd_caller(cells, base, level):
    """B24: reset to the baseline."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    cell = cells(config)
    result = cell.spawn("run", preexec_fn=_odd_caller,
                        env={**os.environ, "LD_PRELOAD": "", "LD_LIBRARY_PATH": "/nowhere", "NOTIFY_SOCKET": "/x"}).wait()
    assert result.ok, result
    documents = result.documents()
    base(documents, config)
    assert documents[0]["sched"]["ioprio"] in (0, 4)
    assert documents[0]["status"]["Cpus_allowed_list"] == _own_cpus()


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("verb", ["run", "exec"])
@pytest.mark.parametrize("kind", ["directory", "handle", "namespace"])
def test_t52_a_standard_stream_into_the_host(cells, rt, fail, level, kind, verb):
    """B15, CVE-2024-21626: a directory of the host is a way out, whatever its number is."""
    path, flags = {"directory": ("/etc", os.O_RDONLY), "handle": ("/etc/hostname", os.O_PATH),
                   "namespace": ("/proc/self/ns/net", os.O_RDONLY)}[kind]
    cell = cells(b.spec("report")) if verb == "run" else cells.started(b.spec("sleep"))
    fd = os.open(path, flags)
    try:
        if verb == "run":
            fail(cell.run(stdin=fd), "proc.fds", cell=cell)
            allowed = cells(cell.bundle.config, runtime=rt.override("proc.fds=preserve:test"))
            assert allowed.run(stdin=fd).ok
        else:
            refused = cell.exec("/prisoner", "report", stdin=fd)
            assert refused.status == 255 and "proc.fds" in refused.err, refused
            assert cell.exec("/prisoner", "report").ok
    finally:
        os.close(fd)


@pytest.mark.parametrize("policy", [os.SCHED_BATCH, os.SCHED_IDLE, os.SCHED_FIFO, os.SCHED_RR])
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_t59_a_callers_scheduling_policy(cells, level, policy, verb):
    """A real-time caller must not make the container a rival of the host's most important processes."""
    def caller():
        os.sched_setscheduler(0, policy, os.sched_param(5 if policy in (os.SCHED_FIFO, os.SCHED_RR) else 0))

    try:
        subprocess.run(["true"], check=True, preexec_fn=caller)
    except subprocess.SubprocessError:
        pytest.skip("may not have that policy itself")
    cell = cells(b.spec("report")) if verb == "run" else cells.started(b.spec("sleep"))
    result = (cell.run(preexec_fn=caller) if verb == "run"
              else cell.call("exec", "/prisoner", "report", preexec_fn=caller))
    assert result.ok and result.documents()[0]["sched"]["policy"] == os.SCHED_OTHER, result


def _own_cpus():
    with open("/proc/self/status") as lines:
        return next(line.split()[1] for line in lines if line.startswith("Cpus_allowed_list"))


@pytest.mark.parametrize("limit", [0, 2000, 20000])
@pytest.mark.parametrize("verb", ["create", "run"])
def test_t59_a_file_size_limit(cells, level, verb, limit):
    """SIGXFSZ would end us half-way: it is an error, and nothing stays."""
    cell = cells(b.spec())
    argv = cell.runtime.argv(verb, "--bundle", cell.bundle.path, cell.id)
    result = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20 * PATIENCE,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert result.returncode == 1 and result.stderr.endswith(": file too large\n"), result
    assert result.stderr.count("\n") == 1 and cell.status() == "missing"


@pytest.mark.peer
def test_t59_umask(cells, level):
    """P20: 0022 whatever the caller had; a configured one exactly."""
    config = b.spec("report")
    assert cells(config).run(preexec_fn=lambda: os.umask(0o777)).documents()[0]["umask"] == 0o022
    config["process"]["user"]["umask"] = 0o077
    assert cells.inside(config)[0]["umask"] == 0o077


@pytest.mark.peer
def test_t59_the_parents_death_signal_is_not_inherited(cells):
    """R10: the caller's PDEATHSIG must not kill the container when the runtime exits."""
    cell = cells(b.spec("sleep"))
    result = cell.spawn("create", preexec_fn=lambda: linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)).wait()
    assert result.ok
    assert cell.start(preexec_fn=lambda: linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)).ok
    assert cell.status() == "running"


@pytest.mark.peer
@pytest.mark.parametrize("name", ["RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_STACK", "RLIMIT_FSIZE"])
def test_rlimits(cells, level, name):
    """P27, P28: getrlimit MUST match."""
    config = b.spec("report")
    soft, hard = (1, 1) if name == "RLIMIT_CORE" else (1 << 20, 2 << 20) if name in ("RLIMIT_STACK", "RLIMIT_FSIZE") else (256, 512)
    config["process"]["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    assert cells.inside(config)[0]["rlimits"][name] == [soft, hard]


@pytest.mark.parametrize("configured", [None, 0])
@pytest.mark.levels("hardened")
def test_core_dumps(cells, level, configured):
    """Decision 45: 1, because a piped core_pattern ignores 0."""
    config = b.spec("report")
    if configured is not None:
        config["process"]["rlimits"].append({"type": "RLIMIT_CORE", "soft": configured, "hard": configured})
    assert cells.inside(config)[0]["rlimits"]["RLIMIT_CORE"] == [1, 1]


@pytest.mark.levels("hardened")
def test_no_core_dumps_of_a_caller_who_may_have_none(cells, rt, level):
    """Decision 16: limits.conf often gives users a hard limit of 0, and nobody without CAP_SYS_RESOURCE raises it."""
    cell = cells(b.spec("report"))
    limited = ["setpriv", "--bounding-set=-sys_resource", "prlimit", "--core=0:0"]
    result = Process([*limited, *rt.argv("run", "--bundle", cell.bundle.path, "--keep", cell.id)]).wait()
    assert result.ok and result.documents()[0]["rlimits"]["RLIMIT_CORE"] == [0, 0], result
    notes = [n for n in cell.state()["hardening"]["notes"] if n["check"] == "res.core"]
    assert len(notes) == 1 and "CAP_SYS_RESOURCE" in notes[0]["text"], notes


def test_a_limit_that_cannot_be_raised(cells, fail, can):
    """P28: without CAP_SYS_RESOURCE a raise is a failure of create."""
    if can.resource:
        pytest.skip("this caller may raise limits")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    config = b.spec()
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": hard + 1, "hard": hard + 1}]
    cell = cells(config)
    fail(cell.create(), ("RLIMIT_NOFILE", "process.rlimits[0]"), cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("score", [0, 1, 500, 1000])
def test_oom_score(cells, level, score):
    """P26."""
    config = b.spec("report")
    config["process"]["oomScoreAdj"] = score
    assert cells.inside(config)[0]["oom_score_adj"] == f"{score}\n"


def test_an_oom_score_that_cannot_be_lowered(cells, fail, can, level):
    if can.resource:
        pytest.skip("this caller may lower it")
    config = b.spec()
    config["process"]["oomScoreAdj"] = -998
    cell = cells(config)
    fail(cell.create(), "process.oomScoreAdj", cell=cell)


MS = 1000000
RESET_ON_FORK = 1 << 30  # as sched_getscheduler(2) shows it


def _give_real_time(config):
    """P74: on v1 a new cgroup has no share of it, where the kernel has shares at all."""
    if V1 and _has(("cpu", "cpu.rt_runtime_us")):
        b.resources(config, cpu={"realtimeRuntime": 10000, "realtimePeriod": 1000000})


@pytest.mark.parametrize("scheduler, seen", [
    ({"policy": "SCHED_OTHER", "nice": 5}, {"policy": 0, "nice": 5}),
    ({"policy": "SCHED_BATCH", "nice": 3}, {"policy": 3, "nice": 3}),
    ({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, {"policy": 3 | RESET_ON_FORK}),
    ({"policy": "SCHED_OTHER", "nice": -5}, {"policy": 0, "nice": -5}),
    ({"policy": "SCHED_IDLE"}, {"policy": 5}),
    ({"policy": "SCHED_FIFO", "priority": 7}, {"policy": 1, "priority": 7}),
    ({"policy": "SCHED_RR", "priority": 99}, {"policy": 2, "priority": 99}),
    ({"policy": "SCHED_DEADLINE", "runtime": 5 * MS, "deadline": 20 * MS, "period": 50 * MS},
     {"policy": 6, "runtime": 5 * MS, "deadline": 20 * MS, "period": 50 * MS}),
], ids=lambda value: " ".join(map(str, value.values())) if "nonsense" not in value else None)
def test_scheduler(cells, level, scheduler, seen):
    """P31-P34: also what takes rights that nobody in a user namespace has."""
    config = b.spec("report")
    config["process"]["scheduler"] = scheduler
    _give_real_time(config)
    cell = cells.started(config)
    cell.wait_stopped()
    found = cell.documents()[0]["sched"]
    assert {key: found[key] for key in seen} == seen


@pytest.mark.levels("none")
def test_scheduler_and_hooks(cells, level):
    """P31: startContainer hooks run, and poststart ones, whatever the program's policy is."""
    config = b.spec("report")
    config["process"]["scheduler"] = {"policy": "SCHED_FIFO", "priority": 3}
    _give_real_time(config)
    config["hooks"] = {"startContainer": [{"path": "/bin/true", "timeout": 5}],
                       "poststart": [{"path": "/bin/true", "timeout": 5}]}
    result = cells(config, "busybox").run()
    assert result.ok and result.documents()[0]["sched"]["priority"] == 3, result


@pytest.mark.parametrize("process, seen", [
    ({"scheduler": {"policy": "SCHED_RR", "priority": 2}}, ("policy", 2)),
    ({"scheduler": {"policy": "SCHED_OTHER", "nice": -3}}, ("nice", -3)),
    ({"ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 1}}, ("ioprio", 1 << 13 | 1))], ids=["policy", "nice", "io"])
def test_scheduling_of_exec(cells, level, process, seen):
    """P31, P35: of the process that joins, by its own document."""
    config = b.spec("sleep")
    _give_real_time(config)
    cell = cells.started(config)
    path = cell.bundle.path / "process.json"
    path.write_text(json.dumps({**config["process"], "args": ["/prisoner", "report"], **process}))
    result = cell.exec(flags=("--process", path))
    assert result.ok and result.documents()[0]["sched"][seen[0]] == seen[1], result


@pytest.mark.parametrize("scheduler", [
    {"policy": "SCHED_FIFO", "priority": 0}, {"policy": "SCHED_DEADLINE"}, {"policy": "SCHED_FIFO", "priority": 99, "nice": 0,
     "flags": ["SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_RECLAIM"]},
    {"policy": "SCHED_DEADLINE", "runtime": 50 * MS, "deadline": 20 * MS, "period": 10 * MS},
])
def test_a_scheduler_the_kernel_refuses(cells, fail, level, scheduler):
    """P34."""
    config = b.spec()
    config["process"]["scheduler"] = scheduler
    cell = cells(config)
    fail(cell.create(), "process.scheduler", cell=cell)


@pytest.mark.parametrize("priority", [0, 7])
@pytest.mark.parametrize("name, kernels", [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)])
def test_io_priority(cells, level, name, kernels, priority):
    """P35."""
    config = b.spec("report")
    config["process"]["ioPriority"] = {"class": name, "priority": priority}
    found = cells.inside(config)[0]["sched"]["ioprio"]
    assert (found >> 13, found & 7) == (kernels, priority)


@pytest.mark.parametrize("domain, machine", [("LINUX", "x86_64"), ("LINUX32", "i686")])
def test_personality(cells, level, domain, machine):
    """P53."""
    if os.uname().machine != "x86_64":
        pytest.skip("the machine names are x86's")
    config = b.spec("report")
    config["linux"]["personality"] = {"domain": domain}
    assert cells.inside(config)[0]["machine"] == machine


@pytest.mark.parametrize("policy, seen", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
    ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, "prefer (many):0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}, "bind=relative:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
    ({"mode": "MPOL_LOCAL"}, "local"),
    ({"mode": "MPOL_DEFAULT"}, "default"),
])
def test_memory_policy(cells, level, policy, seen):
    """P54: read from the kernel, for memory the program has used after its execve."""
    config = b.spec("read", "/proc/self/numa_maps")
    config["linux"]["memoryPolicy"] = policy
    result = cells(config).run()
    assert result.ok and result.out, result
    assert all(line.split(" ", 1)[1].startswith(seen) for line in result.out.splitlines()), result


def test_a_memory_policy_the_kernel_refuses(cells, fail):
    """P54: a node this machine does not have."""
    config = b.spec()
    config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1023"}
    cell = cells(config)
    fail(cell.create(), "linux.memoryPolicy", cell=cell)


def test_keep_original_groups(cells, level):
    """A2: podman's --group-add keep-groups; above none an annotation does not let the caller's groups in."""
    config = b.spec("report")
    config["annotations"] = {"run.oci.keep_original_groups": "1"}
    b.namespace(config, "user", present=False)
    cell = cells(config)
    assert cell.run(extra_groups=[4242]).ok
    groups = cell.documents()[0]["status"]["Groups"].split()
    assert ("4242" in groups) == (level == "none"), groups


# The keyring


def test_the_session_keyring_is_new_and_anonymous(cells):
    """Decision 42, B25: at level none readable from inside."""
    before = linux.session_keyring()
    keyring = cells.inside(b.spec("report"))[0]["keyring"]
    assert keyring["serial"] > 0 and keyring["serial"] != before
    assert keyring["description"].startswith("keyring;") and keyring["description"].endswith(";_ses")
    again = cells.inside(b.spec("report"))[0]["keyring"]
    assert again["serial"] != keyring["serial"]


@pytest.mark.peer
@pytest.mark.levels("none")
def test_no_new_keyring(cells, level):
    """F28, F18: keeps the caller's."""
    read_end, write_end = os.pipe()

    def preexec():
        os.write(write_end, str(linux.join_session_keyring()).encode())

    result = cells(b.spec("report")).run("--no-new-keyring", preexec_fn=preexec)
    serial = int(os.read(read_end, 64))
    os.close(read_end), os.close(write_end)
    assert result.documents()[0]["keyring"]["serial"] == serial


# Lookups


_NOT_PEERS = pytest.mark.peer(runc="runc 1.1.5 has no default PATH", crun="crun 1.8.1 has no default PATH")


@pytest.mark.peer
@pytest.mark.parametrize("name, env", [
    ("sh", ["PATH=/bin"]),
    ("sh", ["PATH=/nowhere:/bin"]),
    pytest.param("sh", [], marks=_NOT_PEERS),
    ("bin/sh", ["PATH=/nowhere"]),
    ("./bin/sh", ["PATH=/nowhere"]),
    ("/bin/sh", []),
])
def test_program_lookup(cells, level, name, env):
    """P17: execvp's rules; relative names with a slash are relative to cwd."""
    config = b.spec()
    config["process"].update(args=[name, "-c", "exit 7"], env=env)
    result = cells(config, "busybox").run()
    assert result.status == 7, result


@pytest.mark.peer
def test_a_script_runs(cells, level):
    cell = cells(b.spec(), "busybox")
    cell.bundle.config["process"]["args"] = [cell.bundle.script('echo "$0" "$@"'), "one", "two three"]
    cell.bundle.write()
    assert cell.run().out == "/bin/script one two three\n"


def test_no_shell_retry(cells):
    """P17: a text without #! is not handed to a shell."""
    cell = cells(b.spec(), "busybox")
    path = cell.bundle.rootfs / "text"
    path.write_text("echo no\n")
    path.chmod(0o755)
    cell.bundle.config["process"]["args"] = ["/text"]
    cell.bundle.write()
    result = cell.run()
    assert result.status == 1 and "exec format error" in result.err


def test_a_script_whose_interpreter_is_the_runtime(cells, level):
    """/proc/self/exe is the stage at that moment: CVE-2019-5736 began so.  It does nothing, and says so."""
    cell = cells(b.spec())
    path = cell.bundle.rootfs / "script"
    path.write_text("#!/proc/self/exe\n")
    path.chmod(0o755)
    cell.bundle.config["process"]["args"] = ["/script"]
    cell.bundle.write()
    result = cell.run()
    assert result.status == 1 and "donjon-stage" in result.err and "/proc/self/exe" in result.err, result


@pytest.mark.peer
def test_arguments_pass_unchanged(cells, level):
    config = b.spec()
    odd = ["", " ", "a\nb", "\t", "ü", "$(x)", "'\"\\", "-", "x" * 100000]
    config["process"]["args"] = ["/bin/sh", "-c", 'for a in "$@"; do printf "<%s>" "$a"; done', "sh", *odd]
    assert cells(config, "busybox").run().out == "".join(f"<{a}>" for a in odd)


@pytest.mark.peer
def test_a_large_environment(cells, level):
    config = b.spec("report")
    config["process"]["env"] += [f"V{i}=" + "x" * 100 for i in range(1000)]
    assert len(cells.inside(config)[0]["env"]) >= 1002
