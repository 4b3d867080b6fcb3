"""exec into a container that is root inside, holds every capability there, and waits for it: T16-T20,
T58 and their like (B17, B18, B19)."""

import json
import os
import pathlib
import signal
import stat
import time

import pytest

from harness import bundle as b
from harness import linux, oracles, terminals
from harness.runtime import until

from test_exec import NOT_RUN, _comm, _reaper, not_run, process, running, value_of  # noqa: F401 fixtures

EVERY = [f"CAP_{name}" for name in oracles.CAPABILITIES]


# What overrides can give: all but what makes it "privileged", which nothing allows.
MANY = [c for c in EVERY if c not in ("CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_BLOCK_SUSPEND", "CAP_WAKE_ALARM")]
CALLS = """mount umount2 unshare setns clone clone3 fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
pivot_root chroot ptrace process_vm_readv process_vm_writev pidfd_getfd pidfd_open kcmp mknod mknodat""".split()
OVERRIDES = [
    f"caps.bounding={','.join(MANY)}:test", "nnp.set=off:test", "seccomp.on=guard-only:test",
    f"seccomp.forbidden-calls={','.join(CALLS)}:test", "userns.nested=allow:test", "fs.rootfs-ro=rw:test",
    "fs.tmp=exec:test", "fs.proc-visibility=all:test", "fs.nosuid-nodev=/dev:test",
]


def hostile(cells, *args, kind="busybox"):
    """Container root with every capability of its user namespace, no filter and a writable root; at
    hardened as much of it as overrides give."""
    rt = cells._runtime
    hardened = rt.level == "hardened"
    config = b.spec()
    b.user_namespace(config)
    b.capabilities(config, *(MANY if hardened else EVERY))
    rt = rt.override(*OVERRIDES) if hardened else rt
    config["process"].update(args=list(args), noNewPrivileges=False)
    config["root"]["readonly"] = False
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    cell = cells(config, kind, runtime=rt)
    for name in ("prisoner", "payload"):
        source = cell.bundle.rootfs / "prisoner"
        if name != "prisoner":
            os.link(source, cell.bundle.rootfs / name)
    for directory, _, files in os.walk(cell.bundle.rootfs):
        for name in [".", *files]:
            os.chown(os.path.join(directory, name), 100000, 100000, follow_symlinks=False)
    assert cell.create().ok and cell.start().ok
    return cell


def armed(cells, *args, word, **options):
    cell = hostile(cells, "/prisoner", *args, **options)
    cell.wait_for(word)
    return cell


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def _status(pid):
    with open(f"/proc/{pid}/status") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


# T58: nothing of what enters can be looked into before it is the program


@pytest.mark.parametrize("terminal", [False, True])
def test_t58_a_stalker(cells, level, terminal):
    """Container root with CAP_SYS_PTRACE polls /proc: memory, descriptors, links, ptrace, pidfd_getfd.
    Only the user namespace stands between it and the runtime, at either level."""
    cell = armed(cells, "stalk", "payload", word="stalking")
    path = process(cell, "/payload", "exit", "0", terminal=terminal)
    for _ in range(4):
        opened = [terminals.Terminal() for _ in range(6)] if terminal else []
        waiting = [cell.spawn_exec(flags=("--process", path), **(opened[i].streams() if terminal else {}))
                   for i in range(6)]
        assert [w.wait().status for w in waiting] == [0] * 6, [w.err() for w in waiting]
        for one in opened:
            one.close()
    assert cell.kill("TERM").ok
    cell.wait_stopped()
    *reached, tally = cell.documents()
    assert tally["seen"] >= 10, f"it saw too little to prove anything: {tally}"
    assert reached == [], reached[:10]


def test_t58_the_stalker_works(cells, level):
    """What it does succeeds against a process of the container itself: the test above is no empty one."""
    cell = armed(cells, "stalk", "payload", word="stalking")
    assert cell.exec("/bin/sh", "-c", "cd /bin; exec sleep 60 7</prisoner", flags=("-d",)).ok
    found = value_of(lambda: {d["reached"] for d in cell.documents()} or None)
    until(lambda: {"mem", "fd", "exe", "cwd", "environ", "maps", "pidfd_getfd", "ptrace"} <=
          {d.get("reached") for d in cell.documents()}, 5, lambda: str(found))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_stage_that_is_killed_from_inside(cells, host, level, number):
    """An ordinary, reported error: 255 with one line, or the program's own death."""
    cell = armed(cells, "shoot", "payload", str(int(number)), word="armed")
    statuses = set()
    for _ in range(12):
        result = cell.exec("/payload", "exit", "0")
        statuses.add(result.status)
        assert result.status in (0, 128 + number, NOT_RUN), result
        if result.status == NOT_RUN:
            assert result.err.count("\n") == 1 and result.seconds < 5, result
    assert NOT_RUN in statuses or 128 + number in statuses, statuses
    assert cell.status() == "running"


def _stopped(pids):
    """Names of those that a signal has stopped."""
    found = set()
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text.rpartition(")")[2].split()[0] == "T":
            found.add(text[text.index("(") + 1:text.rindex(")")])
    return found


def test_a_stage_that_is_stopped_from_inside(cells, level):
    """Container root can always do that.  It is continued, some times: the caller is not kept for ever.
    A signal that comes a moment late stops the program, which is the container's own affair."""
    before = linux.descendants()
    cell = armed(cells, "shoot", "payload", str(int(signal.SIGSTOP)), word="armed")
    for _ in range(3):
        waiting = cell.spawn_exec("/payload", "exit", "0")
        until(lambda: not waiting.running() or _stopped(linux.descendants() - before) == {"payload"}, 15,
              lambda: str([linux.describe(p) for p in linux.descendants() - before]))
        if waiting.running():
            waiting.signal(signal.SIGKILL)
            waiting.wait()
            continue
        result = waiting.wait()
        assert result.status in (0, NOT_RUN), result
        if result.status == NOT_RUN:
            assert "is stopped from inside, again and again" in result.err and result.err.count("\n") == 1, result
    assert cell.status() == "running"
    assert cell.kill("KILL").ok
    until(lambda: _reap() or not linux.descendants() - before, 5,
          lambda: str([linux.describe(p) for p in linux.descendants() - before]))


def test_start_of_one_that_is_stopped(cells, level):
    """A created container of a pod with one pid namespace is in reach of its neighbours, too."""
    cell = cells.created(b.spec("exit", "5"))
    os.kill(cell.pid, signal.SIGSTOP)
    result = cell.start()
    assert result.ok and result.seconds < 5, result
    cell.wait_stopped()


# T17: a /proc of the container's own making

FAKE_PROC = """
mount -t tmpfs tmpfs /proc || exit 9
for d in self thread-self 1 sys/kernel; do
  mkdir -p /proc/$d/attr/apparmor /proc/$d/fd /proc/$d/ns
  for f in attr/exec attr/current attr/apparmor/exec uid_map gid_map setgroups oom_score_adj status cgroup; do
    echo fake >/proc/$d/$f
  done
done
echo ready; exec sleep 1000
"""
OVERMOUNTED = """
for f in /proc/self/attr/exec /proc/self/attr/current /proc/thread-self/attr/exec /proc/self/oom_score_adj; do
  echo fake >/tmp/fake; mount -o bind /tmp/fake $f 2>/dev/null
done
mount -t tmpfs tmpfs /proc/self/fd 2>/dev/null
mount -t tmpfs tmpfs /proc/sys
echo ready; exec sleep 1000
"""
GONE = "umount -l /proc; echo ready; exec sleep 1000"


@pytest.mark.parametrize("script", [FAKE_PROC, OVERMOUNTED, GONE], ids=["tmpfs", "over-mounted", "none"])
def test_t17_a_false_proc(cells, level, script):
    """CVE-2025-52881: nothing is written there, nothing is believed of it."""
    cell = hostile(cells, "/bin/sh", "-c", script)
    cell.wait_for("ready")
    fakes = {p: oracles.tree(f"/proc/{cell.pid}/root/proc") for p in ("proc",)} if script is FAKE_PROC else None
    pid_file = cell.bundle.path / "pid"
    flags = ("--process", process(cell, "/payload", "sleep", oomScoreAdj=77), "-d", "--pid-file", pid_file)
    result = cell.exec(flags=flags)
    assert result.ok, result
    pid = int(pid_file.read_text())
    own, new = _status(cell.pid), _status(pid)
    for key in ("Uid", "Gid", "CapBnd", "CapPrm", "CapEff", "CapInh", "NoNewPrivs", "Seccomp", "Seccomp_filters"):
        assert new[key] == own[key], key
    assert linux.namespaces(pid) == linux.namespaces(cell.pid)
    assert pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text() == "77\n"
    if fakes:
        assert oracles.tree(f"/proc/{cell.pid}/root/proc") == fakes["proc"]


# K5, B26: a /dev/pts of the container's own making


@pytest.mark.parametrize("script, works", [
    ("mount -t tmpfs tmpfs /dev/pts", False),
    ("mount -t tmpfs tmpfs /dev/pts; echo >/dev/pts/ptmx", False),
    ("mount -t tmpfs tmpfs /dev/pts; mkfifo /dev/pts/ptmx", False),
    ("mount -t tmpfs tmpfs /dev/pts; ln -s /dev/null /dev/pts/ptmx", False),
    ("mount -t tmpfs tmpfs /dev/pts; mkdir /dev/pts/ptmx", False),
    ("mount -t tmpfs tmpfs /dev/pts; echo >/dev/pts/ptmx; mount -o bind /dev/null /dev/pts/ptmx", False),
    ("mount -t tmpfs tmpfs /dev/pts; echo >/dev/pts/ptmx; mount -o bind /dev/tty /dev/pts/ptmx", False),
    ("umount /dev/pts", False),
    ("mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts", True),
    ("mkdir /tmp/p; mount -t devpts -o newinstance,ptmxmode=0666 d /tmp/p; mount -o bind /tmp/p /dev/pts", True),
])
def test_k5_a_false_devpts(cells, host, level, script, works):
    """A real pty of a real devpts, or none; what lies there otherwise is not even opened."""
    cell = hostile(cells, "/bin/sh", "-c", f"{script}; echo ready; exec sleep 1000")
    cell.wait_for("ready")
    with terminals.terminal() as outer:
        waiting = cell.spawn_exec("sh", "-c", "tty; exit 3", flags=("--tty",), stdin=outer.slave)
        result = waiting.wait()
        assert outer.is_restored()
    if works:
        assert result.status == 3 and "/dev/pts/0" in result.out, result
    else:
        assert result.status == NOT_RUN and "process.terminal" in result.err and result.out == "", result
        assert result.seconds < 5
    host.check("processes", "cgroups", "state root")


# T16, T18, T19: names that do not hold still


def test_t16_the_working_directory_is_swapped(cells, host, level, canary):
    """Into the root of the container at worst, never out of it."""
    cell = hostile(cells, "/bin/sh", "-c",
                   "mkdir -p /tmp/a/x /tmp/t/x; ln -s ../../../../../.. /tmp/b; /prisoner swap /tmp/a /tmp/b & "
                   "echo ready; exec sleep 1000")
    cell.wait_for("ready")
    inside = 0
    for _ in range(40):
        result = cell.exec("/bin/sh", "-c", "pwd -P; ls -d ./.cell 2>/dev/null", flags=("--cwd", "/tmp/a/x"))
        assert result.status in (0, 1, NOT_RUN), result
        if result.status != NOT_RUN:
            inside += 1
            assert result.out.splitlines()[0] in ("/tmp/a/x", "/tmp/b/x", "/x"), result
    assert inside, "the race was never won by the directory"
    host.check("processes", "cgroups", "state root")


def test_t18_the_program_is_swapped(cells, level):
    """Looked up and executed by name inside: either of the two (or the shell, made to read the other)."""
    cell = hostile(cells, "/bin/sh", "-c",
                   "cp /bin/busybox /tmp/one; printf '#!/bin/sh\\nexit 7\\n' >/tmp/two; chmod 755 /tmp/one /tmp/two; "
                   "/prisoner swap /tmp/one /tmp/two & echo ready; exec sleep 1000")
    cell.wait_for("ready")
    statuses = {cell.exec("/tmp/one", "true").status for _ in range(20)}
    assert statuses <= {0, 2, 7, 127, NOT_RUN}, statuses


def test_t19_renames_without_end(cells, level):
    """openat2 answers EAGAIN again and again: no livelock."""
    cell = hostile(cells, "/bin/sh", "-c",
                   "mkdir -p /tmp/a /tmp/b; for i in 1 2 3; do /prisoner swap /tmp/a /tmp/b & done; "
                   "echo ready; exec sleep 1000")
    cell.wait_for("ready")
    for _ in range(10):
        result = cell.exec("/bin/true", flags=("--cwd", "/tmp/../tmp/../usr"))
        assert result.status in (0, NOT_RUN) and result.seconds < 5, result


# T20, T21, B19: who is entered


def test_t20_the_container_ends_meanwhile(cells, not_run, level):
    """Again and again, at any moment: the program ran, or the container had stopped; nothing else."""
    outcomes = set()
    for pause in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20):
        cell = running(cells)
        waiting = cell.spawn_exec("/prisoner", "echo", "ran")
        time.sleep(pause / 1000)
        os.kill(cell.pid, signal.SIGKILL)
        result = waiting.wait()
        assert result.seconds < 5, result
        if result.status == NOT_RUN:
            assert "cannot exec in a stopped container" in not_run(result), result
            outcomes.add("stopped")
        else:
            assert (result.status, result.out) in ((0, "ran\n"), (137, ""), (137, "ran\n")), result
            outcomes.add("ran")
    assert "stopped" in outcomes or "ran" in outcomes


def _record(cell):
    return pathlib.Path(cell.runtime.root) / cell.id / "state.json"


@pytest.mark.parametrize("change", [
    lambda state: state.update(startTime=state["startTime"] + 1),
    lambda state: state.update(bootId="0" * 36),
    lambda state: state.update(pid=os.getpid()),
    lambda state: state.update(pid=1),
    lambda state: state.update(pid=4194303),
], ids=["start time", "boot id", "another process", "the host's init", "nobody"])
def test_t20_a_record_of_somebody_else(cells, not_run, level, change):
    """B19: what the number means now is not the container; no foreign namespace is entered."""
    cell = running(cells)
    record = _record(cell)
    kept = record.read_text()
    state = json.loads(kept)
    change(state)
    record.write_text(json.dumps(state))
    before = linux.descendants()
    try:
        not_run(cell.exec("/prisoner", "exit", "0"), "cannot exec in a stopped container")
        assert linux.descendants() == before
    finally:
        record.write_text(kept)


def test_t20_a_container_whose_first_process_is_a_zombie(cells, rt, not_run, level):
    """Its namespaces are gone though its number is not."""
    cell = cells.created(b.spec("sleep"))
    assert cell.start().ok
    pid = cell.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: "(Z)" in linux.describe(pid))
    not_run(cell.exec("/prisoner", "exit", "0"), "cannot exec in a stopped container")
    os.waitpid(pid, 0)


def test_an_init_that_moved_to_namespaces_of_its_own(cells, level):
    """exec goes where the container's process is: never anywhere else, never half."""
    cell = hostile(cells, "/bin/busybox", "unshare", "-m", "-u", "-i", "/bin/sh", "-c", "echo ready; exec sleep 1000")
    cell.wait_for("ready")
    report = cell.exec("/payload", "report").documents()[0]
    assert report["ns"] == linux.namespaces(cell.pid)


def test_a_nested_user_namespace(cells, level):
    """Capabilities count in the innermost one, and so do ids."""
    cell = hostile(cells, "/bin/busybox", "unshare", "-U", "-r", "-m", "/bin/sh", "-c", "echo ready; exec sleep 1000")
    cell.wait_for("ready")
    result = cell.exec("/payload", "report")
    if result.status == NOT_RUN:
        pytest.fail(str(result))
    report = result.documents()[0]
    assert report["ns"] == linux.namespaces(cell.pid)
    assert report["uid_map"].split() == ["0", "0", "1"]


# T78: what comes from inside is text like any other


def test_t78_error_texts_are_escaped(cells, level):
    cell = hostile(cells, "/bin/sleep", "1000")
    result = cell.exec("/\x1b[31m\nx")
    assert result.status == NOT_RUN and result.err.count("\n") == 1 and "\x1b" not in result.err, result
