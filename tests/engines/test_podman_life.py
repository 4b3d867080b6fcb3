"""What podman does with containers that stay: every command, as root and as a user, at each level."""

import contextlib
import json
import os
import re
import time

import pytest

from harness.runtime import until

from support import call, missing
from support_podman import IMAGE, proc_status, rows

pytestmark = missing("podman", "conmon")

# Ends at SIGTERM, as a service does.
SERVICE = "trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.1; done"


@contextlib.contextmanager
def terminal(podman, *args):
    opened = podman.terminal(*args)
    try:
        yield opened
    finally:
        opened.close()


def confinement(status):
    return {name: status[name] for name in ("CapBnd", "CapEff", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp",
                                            "Seccomp_filters", "Uid", "Gid") if name in status}


def said(podman, name, text, timeout=10):
    until(lambda: text in podman.ok("logs", name), timeout, lambda: f"{text!r} is not in the log: {podman.ok('logs', name)!r}")


# Run, in the foreground


@rows("exit-status")
def test_exit_status(podman):
    for code in (0, 7, 255):
        assert podman.run("", f"exit {code}").status == code


@rows("streams")
def test_streams(podman):
    done = podman.run("--interactive", "cat; echo complaint >&2", input="handed in\n")
    assert (done.status, done.out, done.err) == (0, "handed in\n", "complaint\n"), str(done)


@rows("log-link")
def test_log_that_is_a_link_to_stdout(podman, outcome):
    for user in ("0", "1000"):
        done = podman.run(f"--user={user}", "echo logged >>/var/log/access.log && echo complained >/dev/stderr")
        assert (done.status, done.out, done.err) == (0, "logged\n", "complained\n"), str(done)


@rows("missing-program")
def test_missing_program(podman):
    """E7: podman makes 127 of the runtime's words."""
    for program in ("/bin/no-such-program", "no-such-program"):
        done = podman("run", "--rm", IMAGE, program)
        assert done.status == 127 and "no-such-program" in done.err, str(done)


@rows("not-executable")
def test_program_that_is_none(podman):
    """E6: 126."""
    done = podman("run", "--rm", IMAGE, "/etc/passwd")
    assert done.status == 126 and "/etc/passwd" in done.err, str(done)


# Speaks of its terminal, of each new size and of what it reads.
DIALOGUE = """tty; test -t 0 && test -t 2 && echo all; trap 'stty size' WINCH; echo ready
while ! read -t 0.1 line; do :; done; echo "<$line>"; exit 6"""


def converse(tty):
    tty.wait_for("ready")
    assert re.search(r"/dev/pts/\d+\r\nall\r\n", tty.text), tty.text
    tty.resize(33, 77)
    tty.wait_for("33 77")
    tty.type("hello\n")
    tty.wait_for("<hello>")
    assert tty.wait() == 6


@rows("terminal")
def test_terminal(podman):
    with terminal(podman, "run", "--rm", f"--name={podman.name()}", "-it", IMAGE, "/bin/sh", "-c", DIALOGUE) as tty:
        converse(tty)


@rows("terminal-interrupt")
def test_interrupt_key(podman):
    script = "trap 'exit 130' INT; echo ready; while :; do sleep 0.1; done"
    with terminal(podman, "run", "--rm", f"--name={podman.name()}", "-it", IMAGE, "/bin/sh", "-c", script) as tty:
        tty.wait_for("ready")
        tty.type("\x03")
        assert tty.wait() == 130


# Run, in the background


@rows("detach")
def test_detached(podman, outcome):
    """L1, L4."""
    name = podman.started(script="echo up; sleep 1000")
    said(podman, name, "up")
    assert podman.status(name) == "running"
    assert podman.ok("inspect", "--format={{.OCIRuntime}}", name) == ("donjon" if outcome.level == "hardened" else "donjon-none")
    uid = int(proc_status(podman.pid(name))["Uid"].split()[0])
    assert (uid == 0) == (outcome.level == "none" and not outcome.rootless)


@rows("create-start")
def test_create_and_start(podman):
    """L1, L4."""
    name = podman.name()
    podman.ok("create", f"--name={name}", IMAGE, "/bin/sh", "-c", "echo ran; exit 3")
    assert podman.status(name) == "created"
    assert podman("start", "--attach", name).status == 3
    assert podman.ok("wait", name) == "3"
    assert podman.ok("logs", name) == "ran"
    assert podman("start", "--attach", name).status == 3


@rows("init-start")
def test_initialised_and_started(podman):
    """The state `created` of the runtime, seen by podman."""
    name = podman.name()
    podman.ok("create", f"--name={name}", IMAGE, "/bin/sleep", "1000")
    podman.ok("init", name)
    assert podman.status(name) == "initialized"
    podman.ok("start", name)
    assert podman.status(name) == "running"


@rows("logs")
def test_logs(podman):
    name = podman.started(script="echo one; echo two >&2; echo three")
    podman.ok("wait", name)
    said(podman, name, "three")
    done = podman("logs", name)
    assert (done.out, done.err) == ("one\nthree\n", "two\n"), str(done)
    assert podman.ok("logs", "--since=1h", name) == "one\nthree"


@rows("attach")
def test_attach(podman):
    name = podman.started("--interactive --tty", "echo waiting; read line; echo \"<$line>\"; exit 4")
    said(podman, name, "waiting")
    with terminal(podman, "attach", name) as tty:
        tty.type("hello\n")
        tty.wait_for("<hello>")
        tty.wait()
    assert podman.ok("wait", name) == "4"


@rows("attach-detach")
def test_detach_from_a_container(podman):
    """The keys leave it running, to be attached to again."""
    name = podman.started("--interactive --tty", "while read line; do echo \"<$line>\"; done")
    for word in ("one", "two"):
        with terminal(podman, "attach", name) as tty:
            tty.type(f"{word}\n")
            tty.wait_for(f"<{word}>")
            tty.type("\x10")
            time.sleep(0.3)
            tty.type("\x11")
            tty.wait()
    assert podman.status(name) == "running"


@rows("logs-follow")
def test_logs_as_they_come(podman):
    name = podman.started(script="for i in 1 2 3; do echo $i; sleep 0.2; done")
    done = podman("logs", "--follow", name)
    assert (done.status, done.out) == (0, "1\n2\n3\n"), str(done)


@rows("stop")
def test_stop(podman):
    name = podman.started(script=SERVICE)
    said(podman, name, "up")
    podman.ok("stop", name)
    assert podman.ok("inspect", "--format={{.State.ExitCode}}", name) == "5"
    assert podman.ok("logs", name) == "up\nasked"


@rows("stop-late")
def test_stop_of_one_that_does_not(podman):
    """After the time it is killed, and there is nothing left to wait for."""
    name = podman.started()
    done = podman("stop", "--time=1", name)
    assert done.ok and done.seconds < 5, str(done)
    assert podman.ok("inspect", "--format={{.State.ExitCode}}", name) == "137"


@rows("kill")
def test_kill(podman):
    name = podman.started(script="trap 'echo caught' USR1; echo up; while :; do sleep 0.1; done")
    said(podman, name, "up")
    podman.ok("kill", "--signal=USR1", name)
    said(podman, name, "caught")
    podman.ok("kill", name)
    assert podman.ok("wait", name) == "137"
    done = podman("kill", name)
    assert not done.ok and "can only kill running containers" in done.err, str(done)


@rows("restart")
def test_restart(podman):
    name = podman.started(script="echo up; sleep 1000")
    podman.ok("restart", "--time=0", name)
    assert podman.status(name) == "running"
    said(podman, name, "up\nup")


@rows("restart-policy")
def test_restart_policy(podman):
    name = podman.started("--restart=on-failure:2", "echo up; exit 1")
    until(lambda: podman.ok("inspect", "--format={{.RestartCount}}", name) == "2", 10)
    said(podman, name, "up\nup\nup")


@rows("rm-force")
def test_forced_removal(podman):
    """L4."""
    name = podman.started()
    pid = podman.pid(name)
    podman.ok("rm", "--force", "--time=0", name)
    assert not os.path.exists(f"/proc/{pid}/root/.")
    assert podman("inspect", name).status == 125


@rows("time-limit")
def test_time_limit(podman):
    done = podman.run("--timeout=1", "echo begun; sleep 1000")
    assert done.status != 0 and done.out == "begun\n", done


@rows("pause")
def test_pause(podman, outcome):
    """L4."""
    name = podman.started(script="i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done")
    said(podman, name, "1\n")
    if not outcome.judge(podman("pause", name)):
        return
    assert podman.status(name) == "paused"
    before = podman.ok("logs", name)
    time.sleep(0.3)
    assert podman.ok("logs", name) == before
    podman.ok("unpause", name)
    until(lambda: podman.ok("logs", name) != before, 5)
    assert podman.status(name) == "running"


@rows("top")
def test_top(podman):
    name = podman.started()
    lines = podman.ok("top", name, "pid", "args").splitlines()
    assert [line.split() for line in lines] == [["PID", "COMMAND"], ["1", "sleep", "1000"]]


@rows("top-ps")
def test_top_by_ps(podman):
    """With options of ps(1) podman has ps run inside."""
    name = podman.started()
    assert "sleep 1000" in podman.ok("top", name, "-o", "pid,args")


@rows("stats")
def test_stats(podman, outcome):
    name = podman.started("--memory=64m", script="head -c 8388608 /dev/zero >/tmp/x; sleep 1000")
    done = podman("stats", "--no-stream", "--format={{.MemUsageBytes}} {{.PIDs}}", name)
    if outcome.judge(done):
        assert re.fullmatch(r".* / 64MiB [12]", done.out.strip()), str(done)


@rows("update")
def test_update(podman, outcome):
    name = podman.started("--memory=64m --memory-swap=64m")
    done = podman("update", "--memory=80m", "--memory-swap=80m", "--cpus=0.5", name)
    if outcome.judge(done):
        files = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
        assert podman("exec", name, "/bin/sh", "-c", files).out.strip() == str(80 << 20)


@rows("wait")
def test_wait(podman):
    name = podman.started(script="sleep 0.2; exit 9")
    assert podman.ok("wait", name) == "9"


# Exec


@rows("exec")
def test_exec(podman, outcome):
    """In the container's confinement: what the kernel says of it is what it says of the first process."""
    name = podman.started()
    done = podman("exec", name, "/bin/cat", "/proc/self/status", "/proc/1/status", "/proc/self/uid_map")
    assert done.ok and not done.err, str(done)
    own, first = done.out.split("Name:\t")[1:]
    parse = [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line) for text in (own, first)]
    assert confinement(parse[0]) == confinement(parse[1])
    if outcome.level == "hardened":
        assert (parse[0]["CapBnd"], parse[0]["NoNewPrivs"], parse[0]["Seccomp"]) == ("0" * 16, "1", "2")


@rows("exec-status")
def test_exec_status(podman):
    name = podman.started()
    done = podman("exec", name, "/bin/sh", "-c", "echo out; echo err >&2; exit 8")
    assert (done.status, done.out, done.err) == (8, "out\n", "err\n"), str(done)
    assert podman("exec", name, "/bin/sh", "-c", "kill -9 $$").status == 137


@rows("exec-missing")
def test_exec_of_a_missing_program(podman):
    """E9: 127, and 126 for what is no program."""
    name = podman.started()
    assert podman("exec", name, "/bin/no-such-program").status == 127
    assert podman("exec", name, "no-such-program").status == 127
    assert podman("exec", name, "/etc/passwd").status == 126


@rows("exec-input")
def test_exec_input(podman):
    name = podman.started()
    assert podman.ok("exec", "--interactive", name, "/bin/cat", input="handed in\n") == "handed in"


@rows("exec-detach")
def test_exec_detached(podman):
    """L2."""
    name = podman.started()
    podman.ok("exec", "--detach", name, "/bin/sh", "-c", "echo done >/tmp/mark")
    until(lambda: podman("exec", name, "/bin/cat", "/tmp/mark").out == "done\n", 5)


@rows("exec-user")
def test_exec_as_another_user(podman):
    name = podman.started("--env=COLOUR=blue")
    done = podman("exec", "--user=1000", "--workdir=/tmp", "--env=SHAPE=round", name, "/bin/sh", "-c",
                  "id -u; pwd; echo $COLOUR $SHAPE")
    assert (done.status, done.out) == (0, "1000\n/tmp\nblue round\n"), str(done)


@rows("exec-terminal")
def test_exec_with_a_terminal(podman):
    name = podman.started()
    with terminal(podman, "exec", "-it", name, "/bin/sh", "-c", DIALOGUE) as tty:
        converse(tty)


@rows("exec-privileged")
def test_privileged_exec(podman, outcome):
    """Decision 4: more than the container was given at create is refused."""
    name = podman.started()
    done = podman("exec", "--privileged", name, "/bin/sh", "-c", "awk '/^CapEff/ { print $2 }' /proc/self/status")
    if outcome.judge(done, status=255):
        assert re.fullmatch("000001[ef]{10}\n", done.out), str(done)
    assert podman("exec", name, "/bin/true").ok, "the container is as it was"


@rows("health")
def test_healthcheck(podman, outcome):
    """Run by hand: its timers are systemd's."""
    name = podman.started("--health-cmd='test -e /tmp/healthy' --health-interval=disable --health-retries=1",
                          "touch /tmp/healthy; sleep 1000")
    until(lambda: podman("healthcheck", "run", name).ok, 5)
    assert podman.ok("inspect", "--format={{.State.Health.Status}}", name) == "healthy"
    podman.ok("exec", name, "/bin/rm", "/tmp/healthy")
    assert podman("healthcheck", "run", name).status == 1
    assert podman.ok("inspect", "--format={{.State.Health.Status}}", name) == "unhealthy"


# Files


@pytest.fixture
def file(machine, work):
    path = work / "file"
    path.write_text("brought\n")
    work.chmod(0o777)
    return path


@rows("cp-out")
def test_copy_out(podman, file):
    name = podman.started(script="echo made >/tmp/made; sleep 1000")
    until(lambda: podman("cp", f"{name}:/tmp/made", file.parent / "out").ok, 5)
    assert (file.parent / "out").read_text() == "made\n"
    podman.ok("cp", f"{name}:/etc/passwd", file.parent / "passwd")
    assert "root:" in (file.parent / "passwd").read_text()


@rows("cp-volume")
def test_copy_into_a_volume(podman, outcome, file):
    """While the container does not run: then podman writes the volume and not the container's mount."""
    volume = f"{outcome.row}-{outcome.level}"
    name = podman.started(f"-v {volume}:/data", "cat /data/file; sleep 1000")
    podman.ok("stop", "--time=0", name)
    podman.ok("cp", file, f"{name}:/data/file")
    podman.ok("start", name)
    said(podman, name, "brought")
    podman.clear()
    podman.ok("volume", "rm", volume)


TARGETS = {"cp-tmp": "/tmp/file", "cp-root": "/etc/file", "cp-volume-running": "/data/file"}


@rows(*TARGETS)
def test_copy_in(podman, outcome, file, work):
    """Decision 11: what belongs to the container's user namespace alone, podman on the host cannot write."""
    (work / "data").mkdir()
    (work / "data").chmod(0o777)
    name = podman.started(f"-v {work}/data:/data")
    target = TARGETS[outcome.row]
    if outcome.judge(podman("cp", file, f"{name}:{target}")):
        assert podman.ok("exec", name, "/bin/cat", target) == "brought"


@rows("commit")
def test_commit(podman, outcome):
    name = podman.started("--env=COLOUR=blue")
    image = f"localhost/committed-{outcome.level}"
    podman.ok("commit", "--quiet", name, image)
    try:
        assert podman.run("", "echo $COLOUR", image=image).out == "blue\n"
    finally:
        podman.ok("rmi", "--force", image)


@rows("commit-pause")
def test_commit_of_a_paused_container(podman, outcome):
    name = podman.started()
    image = f"localhost/paused-{outcome.level}"
    done = podman("commit", "--quiet", "--pause", name, image)
    if outcome.judge(done):
        assert podman.status(name) == "running"
        podman.ok("rmi", "--force", image)


@rows("checkpoint")
def test_checkpoint(podman):
    """Refused at every level, by podman or by us, and the container goes on."""
    name = podman.started()
    done = podman("container", "checkpoint", name)
    assert not done.ok and done.err, str(done)
    assert podman.status(name) == "running" and podman("exec", name, "/bin/true").ok


@rows("diff")
def test_diff(podman, outcome):
    name = podman.started(script="echo new >/etc/new; echo up; sleep 1000")
    said(podman, name, "up")
    lines = podman.ok("diff", name).splitlines()
    assert ("A /etc/new" in lines) == (outcome.level == "none"), lines


# The engine's other ways


@rows("preserve-fds")
def test_preserved_descriptors(podman, outcome, work):
    """The shell's descriptor 3 reaches the program."""
    command = podman.argv("run", "--rm", "--preserve-fds=1", IMAGE, "/bin/sh", "-c", "echo through >&3")
    done = call("/bin/sh", "-c", 'exec "$@" 3>"$0"', work / "out", *command)
    if outcome.judge(done):
        assert (work / "out").read_text() == "through\n"


HOOK = "/etc/engine-hook"


@rows("hooks", "hooks-untrusted")
def test_hooks(machine, podman, outcome, work):
    """--hooks-dir; at the default level only what nobody but root may change."""
    program = machine.path(HOOK) if outcome.row == "hooks" else work / "hook"
    path = HOOK if outcome.row == "hooks" else str(program)
    work.chmod(0o777)
    program.write_text(f"#!/bin/sh\ncat >{work}/state\n")
    program.chmod(0o755)
    hooks = work / "hooks.d"
    hooks.mkdir()
    (hooks / "hook.json").write_text(json.dumps({
        "version": "1.0.0", "hook": {"path": path}, "when": {"always": True}, "stages": ["createRuntime"]}))
    done = podman("--hooks-dir", hooks, "run", "--rm", IMAGE, "/bin/true")
    program.unlink()
    if outcome.judge(done):
        assert json.loads((work / "state").read_text())["id"]


@rows("id-files")
def test_files_with_ids(podman, work):
    work.chmod(0o777)
    name = podman.started(f"--cidfile={work}/id --pidfile={work}/pid")
    assert podman.ok("inspect", "--format={{.Id}}", name) == (work / "id").read_text()
    assert int((work / "pid").read_text()) == podman.pid(name)


@rows("rootfs")
def test_root_directory_instead_of_an_image(podman, machine, outcome):
    """Plain directories can be id-mapped (ladder step b)."""
    tree = machine.home / "rootfs" if outcome.rootless else machine.dir / "rootfs"
    if not tree.exists():
        tar = f"mkdir -p {tree} && podman image save {IMAGE} | tar -xO --wildcards '*.tar' | tar -C {tree} -x"
        done = call(*machine.argv(*(["podman", "unshare"] if outcome.rootless else []), "/bin/sh", "-c", tar,
                                  rootless=outcome.rootless))
        assert done.ok, str(done)
    done = podman("run", "--rm", "--rootfs", tree, "/bin/sh", "-c", "stat -c %u /bin/busybox; id -u")
    assert (done.status, done.out) == (0, "0\n0\n"), str(done)
