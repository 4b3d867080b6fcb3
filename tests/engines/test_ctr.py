"""containerd through ctr: every container goes through its runc shim, which calls the runtime by the
contract's L5-L7 and reads its log, its pid file and its texts."""

import json
import os
import re
import signal

import pytest

from harness import linux, oracles
from harness.runtime import until

from support import TAG, Look, filled, gone, limits_of, make_network, missing, row
from support_containerd import Ctr, fresh_id
from support_images import cell

pytestmark = missing("containerd", "ctr")
IMAGE = "localhost/cell:latest"
MAPPED = 300000


@pytest.fixture(scope="module")
def loaded(containerd, images):
    containerd.load(images(IMAGE, cell))


@pytest.fixture
def ctr(containerd, loaded, outcome):
    """ctr at the row's level; whatever a test leaves is taken away, and then nothing may be there."""
    ctr = Ctr(containerd, outcome.level)
    yield ctr
    ctr.clear()
    containerd.expect_nothing_left(TAG)


# ctr run: options, a script that looks from inside, what it says


def of_status(*fields):
    return f"grep -E '^({'|'.join(fields)}):' /proc/self/status"


def bind(source, target, *options):
    return ["--mount", f"type=bind,src={source},dst={target},options={':'.join(['rbind', *options])}"]


NOTHING = "CapEff:\t0{16}"
LOOKS = {
    "run": Look([], "id -u; id -g; pwd", "0\n0\n/"),
    "exit-status": Look([], "exit 7", "", status=7),
    "stdin": Look([], "read line; echo got $line", "got a line", input="a line\n"),
    "stderr": Look([], "echo one; echo two >&2", "one"),
    "env": Look(["--env", "COLOUR=deep blue"], 'echo "$COLOUR"', "deep blue"),
    "cwd": Look(["--cwd", "/home/user"], "pwd", "/home/user"),
    "cwd-made": Look(["--cwd", "/not/there"], "pwd", "/not/there"),
    "read-only": Look(["--read-only"], "touch /file 2>/dev/null || echo read-only", "read-only"),
    "writable": Look([], "touch /file 2>/dev/null && echo written || echo read-only", "written", "read-only"),
    "mount-read-only": Look(bind("{work}", "/data", "ro"), "cat /data/file; touch /data/new 2>/dev/null || echo read-only",
                            "content\nread-only"),
    "mount-read-write": Look(bind("{work}", "/data", "rw"), "echo more >>/data/file; cat /data/file; stat -c %u /data/file",
                             "content\nmore\n0"),
    "mount-tmpfs": Look(["--mount", "type=tmpfs,src=tmpfs,dst=/scratch,options=size=1m:nosuid"],
                        "grep ' /scratch ' /proc/mounts", r"tmpfs /scratch tmpfs .*nosuid.*size=1024k.*"),
    "capability-added": Look(["--cap-add", "CAP_NET_BIND_SERVICE"], of_status("CapEff"), "CapEff:\t0{8}a80425fb", NOTHING),
    "capability-dropped": Look(["--cap-drop", "CAP_CHOWN"], f"{of_status('CapEff')}; chown 1 /home/user 2>/dev/null || echo no",
                               "CapEff:\t.*fa\nno", f"{NOTHING}\nno"),
    "seccomp": Look(["--seccomp"], of_status("Seccomp"), "Seccomp:\t2"),
    "new-privileges": Look(["--allow-new-privs"], of_status("NoNewPrivs"), "NoNewPrivs:\t0", "NoNewPrivs:\t1"),
    "network-namespace": Look(["--with-ns", "network:{pod}"], "readlink /proc/self/ns/net", r"net:\[{pod_net}\]"),
    "cgroup": Look(["--cgroup", f"/{TAG}/other"], "grep -c :/.*/other /proc/self/cgroup || true", "[1-9].*", "0"),
    # What must not run at the default level.
    "privileged": Look(["--privileged"], of_status("CapEff", "Seccomp"), "CapEff:\t000001f.*\nSeccomp:\t0"),
    "host-network": Look(["--net-host"], "readlink /proc/self/ns/net", r"net:\[{engine_net}\]"),
    "host-pid": Look(["--with-ns", f"pid:/proc/{os.getpid()}/ns/pid"], "readlink /proc/self/ns/pid", r"pid:\[{host_pid}\]"),
    "host-ipc": Look(["--with-ns", f"ipc:/proc/{os.getpid()}/ns/ipc"], "readlink /proc/self/ns/ipc", r"ipc:\[{host_ipc}\]"),
    "capability-extra": Look(["--cap-add", "CAP_SYS_ADMIN"], of_status("CapEff"), "CapEff:\t0{8}a82425fb"),
    "device": Look(["--device", "/dev/fuse"], "ls /dev/fuse", "/dev/fuse"),
    "engine-socket": Look(bind("{socket}", "/containerd.sock", "rw"), "ls /containerd.sock", "/containerd.sock"),
    "host-path": Look(bind("/etc", "/host", "ro"), "ls -d /host/passwd", "/host/passwd"),
    "shared-propagation": Look(["--rootfs-propagation", "shared"], "grep -c ' / / .* shared:' /proc/self/mountinfo", "1"),
}


@pytest.fixture
def facts(containerd, work):
    """What tests fill into options and patterns."""
    (work / "file").write_text("content\n")
    pod = make_network(work / "network")
    host = linux.namespaces()
    yield {"work": work, "socket": containerd.socket, "pod": pod, "pod_net": os.stat(pod).st_ino,
           "engine_net": os.stat(containerd.network).st_ino, "host_pid": host["pid"], "host_ipc": host["ipc"]}
    linux.umount(pod)


@row("ctr", *LOOKS)
def test_run(ctr, outcome, facts):
    """L5."""
    look = LOOKS[outcome.row]
    done = ctr.run(filled(look.asked, facts), IMAGE, "/bin/sh", "-c", look.script, input=look.input)
    if outcome.refuses(done):
        return
    assert done.status == look.status, done
    assert re.fullmatch(look.expects(outcome, facts), done.out.strip()), done


@row("ctr", "uidmap")
def test_uidmap(ctr, containerd, outcome):
    """The user namespace is ctr's, and so are the owners of its snapshot.  With this option ctr 1.6 loses
    the other ones, the runtime's program among them."""
    containerd.call_by_default(containerd.runtimes[outcome.level])
    done = ctr.run(["--uidmap", f"0:{MAPPED}:65536", "--gidmap", f"0:{MAPPED}:65536"], IMAGE, "/bin/sh", "-c",
                   f"cat /proc/self/uid_map; stat -c %u /; {of_status('Seccomp')}; touch /file 2>/dev/null && echo written")
    seccomp, status, written = ("0", 0, "written\n") if outcome.level == "none" else ("2", 1, "")
    assert done.status == status, done
    assert re.fullmatch(rf" *0 +{MAPPED} +65536\n0\nSeccomp:\t{seccomp}\n{written}", done.out), done


# A detached life


SLEEP = ("/bin/sleep", "1000")
# Ends on TERM by itself, and has a child that does not.
OBEDIENT = ("/bin/sh", "-c", "trap 'exit 3' TERM; sleep 1000 & wait")


def pid_of(ctr, name):
    return next(int(line.split()[1]) for line in ctr("task", "list").out.splitlines() if line.split()[0] == name)


def start_obedient(ctr):
    """Running, with its trap set: its child comes after that."""
    name = ctr.start([], IMAGE, *OBEDIENT)
    until(lambda: linux.descendants(pid_of(ctr, name)))
    return name


def wait_for(ctr, name, status):
    until(lambda: ctr.tasks().get(name) == status, 5.0, lambda: f"{name} is {ctr.tasks()}")


@row("ctr", "task-ps")
def test_ps(ctr, outcome):
    name = start_obedient(ctr)
    expected = {pid_of(ctr, name)} | linux.descendants(pid_of(ctr, name))
    done = ctr("task", "ps", name)
    assert done.ok, done
    assert {int(line.split()[0]) for line in done.out.splitlines()[1:]} == expected and len(expected) == 2, done


@row("ctr", "metrics")
def test_metrics(ctr, outcome):
    """Read from the cgroup by the shim: the final one, when create returns (R12)."""
    name = ctr.start(["--memory-limit", "67108864"], IMAGE, *SLEEP)
    done = ctr("task", "metrics", name)
    assert done.ok, done
    numbers = dict(line.split(None, 1) for line in done.out.splitlines()[3:] if line.strip())
    limits = {numbers.get("memory.limit_in_bytes", "").strip(), numbers.get("memory.usage_limit", "").strip()}
    assert "67108864" in limits and numbers["pids.current"].strip() == "1", done


@row("ctr", "limits")
def test_limits(ctr, outcome):
    name = ctr.start(["--memory-limit", "67108864", "--cpus", "0.5", "--cpu-shares", "333"], IMAGE, *SLEEP)
    found = limits_of(pid_of(ctr, name))
    assert (found["memory"], found["cpu"]) == (67108864, 50000) and found["shares"] in (333, 13), found


@row("ctr", "pause-resume")
def test_pause_and_resume(ctr, outcome):
    name = ctr.start([], IMAGE, *SLEEP)
    done = ctr("task", "pause", name)
    assert done.ok, done
    assert ctr.tasks()[name] == "PAUSED"
    done = ctr("task", "resume", name)
    assert done.ok, done
    assert ctr.tasks()[name] == "RUNNING"


@row("ctr", "kill-paused")
def test_kill_of_a_paused_task(ctr, outcome):
    """S5: SIGKILL thaws, or it never dies."""
    name = ctr.start([], IMAGE, *SLEEP)
    assert ctr("task", "pause", name).ok
    assert ctr("task", "kill", "--signal", "KILL", name).ok
    wait_for(ctr, name, "STOPPED")


@row("ctr", "kill")
def test_kill(ctr, outcome):
    name = start_obedient(ctr)
    done = ctr("task", "kill", name)
    assert done.ok, done
    wait_for(ctr, name, "STOPPED")
    done = ctr("task", "delete", name)
    assert done.ok and "exit code 3" in done.err, done


@row("ctr", "kill-stopped")
def test_kill_of_a_stopped_task(ctr, outcome):
    """Z6, E1, E3: containerd understands that it is gone; to it that is "not found"."""
    name = ctr.start([], IMAGE, "/bin/true")
    wait_for(ctr, name, "STOPPED")
    done = ctr("task", "kill", name)
    assert done.status == 1 and "process already finished: not found" in done.err, done


@row("ctr", "kill-all")
def test_kill_all(ctr, outcome):
    """S3: also those in the cgroup of a pid namespace that is shared, whose init has gone."""
    name = ctr.start([], IMAGE, "/bin/sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000 & wait")
    everyone = {pid_of(ctr, name)} | linux.descendants(pid_of(ctr, name))
    done = ctr("task", "kill", "--all", "--signal", "KILL", name)
    assert done.ok, done
    wait_for(ctr, name, "STOPPED")
    until(lambda: all(map(gone, everyone)), 5.0, lambda: f"{everyone} live on")


@row("ctr", "kill-all-after-init")
def test_those_that_outlive_their_init(ctr, outcome, work):
    """S3: in a pid namespace that is shared the kernel ends nobody; the shim does, by `kill --all` of a
    container whose init has gone."""
    other = ctr.start([], IMAGE, *SLEEP)
    name = ctr.start(["--with-ns", f"pid:/proc/{pid_of(ctr, other)}/ns/pid", *bind(work, "/data", "ro")], IMAGE, "/bin/sh", "-c",
                     "sleep 1001 & until [ -e /data/end ]; do sleep 0.1; done")
    init = pid_of(ctr, name)
    until(lambda: [pid for pid in linux.descendants(init) if "sleep 1001" in linux.describe(pid)], 5.0)
    orphans = {pid for pid in linux.descendants(init) if "sleep 1001" in linux.describe(pid)}
    (work / "end").touch()
    wait_for(ctr, name, "STOPPED")
    until(lambda: all(map(gone, orphans)), 5.0, lambda: f"{orphans} live on")
    assert ctr.tasks()[other] == "RUNNING"


@row("ctr", "policy-file")
def test_a_policy_file(ctr, outcome, work, containerd):
    """Decision 38: containerd passes no options of ours, a wrapper names the administrator's file."""
    policy, wrapper = work / "policy.json", work / "excused"
    policy.write_text(json.dumps({"overrides": ["dev.nodes=/dev/fuse:it mounts archives",
                                                "dev.cgroup=c10:229:it mounts archives"]}))
    level = ["--policy-file", policy] if outcome.level == "hardened" else []
    wrapper.write_text(f'#!/bin/sh\nexec {containerd.runtimes[outcome.level]} {" ".join(map(str, level))} "$@"\n')
    wrapper.chmod(0o755)
    excused = Ctr(containerd, outcome.level, wrapper)
    done = excused.run(["--device", "/dev/fuse"], IMAGE, "/bin/ls", "/dev/fuse")
    assert done.ok and done.out == "/dev/fuse\n", done


@row("ctr", "delete")
def test_delete_of_a_running_task(ctr, outcome):
    name = ctr.start([], IMAGE, *SLEEP)
    pid = pid_of(ctr, name)
    done = ctr("task", "delete", name)
    assert not done.ok and ctr.tasks()[name] == "RUNNING", done
    done = ctr("task", "delete", "--force", name)
    assert done.ok and name not in ctr.tasks(), done
    until(lambda: gone(pid))


@row("ctr", "missing-command")
def test_a_missing_command(ctr, outcome):
    done = ctr.run([], IMAGE, "/bin/no-such-program")
    assert done.status == 1 and 'exec: "/bin/no-such-program": stat /bin/no-such-program: no such file' in done.err, done
    done = ctr.run([], IMAGE, "no-such-program")
    assert done.status == 1 and 'exec: "no-such-program": executable file not found in $PATH' in done.err, done


@row("ctr", "rootfs-directory")
def test_a_directory_as_rootfs(ctr, outcome, work):
    """Not an overlay: the id map is on it, and at the default level nothing is written to it."""
    tree = work / "rootfs"
    tree.mkdir()
    cell(tree)
    done = ctr.run(["--rootfs"], str(tree), "/bin/sh", "-c", "stat -c %u /etc/passwd; touch /file 2>/dev/null || echo read-only")
    assert done.ok, done
    assert done.out.split() == (["0"] if outcome.level == "none" else ["0", "read-only"]), done
    assert (tree / "file").exists() == (outcome.level == "none")


@row("ctr", "tty")
def test_a_terminal(ctr, outcome):
    with ctr.terminal("run", "--rm", "--tty", IMAGE, fresh_id(), "/bin/sh") as terminal:
        terminal.resize(33, 99)
        terminal.type("tty; test -c /dev/console && echo console; exit 5\n")
        status = terminal.wait()
    assert "/dev/pts/0" in terminal.text and "\nconsole\r" in terminal.text and status == 5, terminal.text


@row("ctr", "leftovers")
def test_a_shim_that_was_killed(ctr, outcome):
    """L7: containerd cleans up by `delete --force` from another process, without the shim's files."""
    name = ctr.start([], IMAGE, *OBEDIENT)
    pids = {pid_of(ctr, name)} | linux.descendants(pid_of(ctr, name))
    shims = [pid for pid in linux.descendants() if f"-id {name} " in linux.describe(pid) and "shim" in linux.describe(pid)]
    assert len(shims) == 1, shims
    os.kill(shims[0], signal.SIGKILL)
    until(lambda: all(map(gone, pids)), 10.0, lambda: f"{pids} live on")
    until(lambda: name not in ctr.tasks(), 5.0, lambda: f"{ctr.tasks()}")


@row("ctr", "refused-leaves-nothing")
def test_a_refusal_leaves_nothing(ctr, outcome, containerd):
    """The same name is free at once, and no cgroup was ever made."""
    name = fresh_id()
    for _ in range(2):
        done = ctr.run(["--privileged"], IMAGE, "/bin/true", id=name)
        if not outcome.refuses(done):
            assert done.ok, done
        containerd.expect_nothing_left(TAG)


# exec


def exec_argv(name, *more):
    return ["task", "exec", "--exec-id", fresh_id(), *more[:-1], name, "/bin/sh", "-c", more[-1]]


@row("ctr", "exec")
def test_exec(ctr, outcome):
    name = ctr.start(["--env", "COLOUR=blue"], IMAGE, *SLEEP)
    done = ctr(*exec_argv(name, "--cwd", "/home/user", "id -u; pwd; echo $COLOUR; echo aside >&2; cat; exit 9"), input="in\n")
    assert (done.status, done.out.split()) == (9, ["0", "/home/user", "blue", "in"]) and "aside" in done.err, done


@row("ctr", "exec-user")
def test_exec_as_a_user(ctr, outcome):
    name = ctr.start([], IMAGE, *SLEEP)
    done = ctr(*exec_argv(name, "--user", "1000", "id -u; id -g"))
    assert done.ok and done.out.split() == ["1000", "1000"], done


@row("ctr", "exec-confined")
def test_exec_is_confined_as_the_container_is(ctr, outcome):
    """The same sets, filter, no_new_privs, maps and namespaces as pid 1 has."""
    look = ("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/%s/status; cat /proc/%s/uid_map /proc/%s/cgroup;"
            "for n in user pid net mnt ipc uts cgroup; do readlink /proc/%s/ns/$n; done")
    name = ctr.start(["--seccomp"], IMAGE, *SLEEP)
    of_init = ctr(*exec_argv(name, (look % (("1",) * 4))))
    own = ctr(*exec_argv(name, (look % (("self",) * 4))))
    assert of_init.ok and own.ok and own.out == of_init.out and own.out.count("\n") > 15, (own, of_init)


@row("ctr", "exec-tty")
def test_exec_with_a_terminal(ctr, outcome):
    name = ctr.start([], IMAGE, *SLEEP)
    with ctr.terminal("task", "exec", "--tty", "--exec-id", fresh_id(), name, "/bin/sh") as terminal:
        terminal.type("tty; stty size; exit 6\n")
        status = terminal.wait()
    assert "/dev/pts/0" in terminal.text and status == 6, terminal.text


@row("ctr", "exec-missing-command")
def test_exec_of_a_missing_command(ctr, outcome):
    name = ctr.start([], IMAGE, *SLEEP)
    done = ctr("task", "exec", "--exec-id", fresh_id(), name, "/bin/no-such-program")
    assert done.status == 1 and 'exec: "/bin/no-such-program": stat /bin/no-such-program: no such file' in done.err, done
    assert ctr.tasks()[name] == "RUNNING"


@row("ctr", "exec-stopped")
def test_exec_in_a_stopped_task(ctr, outcome):
    name = ctr.start([], IMAGE, "/bin/true")
    wait_for(ctr, name, "STOPPED")
    done = ctr(*exec_argv(name, "true"))
    assert not done.ok and ("stopped" in done.err or "not running" in done.err), done


@row("ctr", "exec-kill")
def test_kill_of_an_exec(ctr, outcome):
    """The container goes on."""
    name, exec_id = ctr.start([], IMAGE, *SLEEP), fresh_id()
    done = ctr("task", "exec", "--detach", "--exec-id", exec_id, "--log-uri", "file:///dev/null", name, "/bin/sleep", "999")
    assert done.ok, done
    pids = linux.descendants(pid_of(ctr, name)) | set(_pids(ctr, name)) - {pid_of(ctr, name)}
    assert len(pids) == 1
    done = ctr("task", "kill", "--exec-id", exec_id, "--signal", "KILL", name)
    assert done.ok, done
    until(lambda: all(map(gone, pids)), 5.0, lambda: f"{pids} live on")
    assert ctr.tasks()[name] == "RUNNING"


def _pids(ctr, name):
    return [int(line.split()[0]) for line in ctr("task", "ps", name).out.splitlines()[1:]]
