"""A container's life under dockerd: what its client, its restart policies and its health checks call."""

import json
import os
import re
import signal
import time

import pytest

from harness import linux
from harness.runtime import until

from support import gone, http, inside_network, limits_of, missing, need_all_capabilities, row
from support_docker import FAILED, IMAGE, NOT_EXECUTABLE, NOT_FOUND

pytestmark = missing("dockerd", "containerd", "/usr/bin/docker")
SLEEP = ("sleep", "1000")


def shell(script):
    return "/bin/sh", "-c", script


# Errors, as the client's user sees them


@row("docker", "missing-command")
def test_a_missing_command(docker, outcome):
    for name in ("no-such-program", "/bin/no-such-program"):
        done = docker.run(IMAGE, name)
        assert done.status == NOT_FOUND and name in done.err, done


@row("docker", "not-executable")
def test_a_command_that_is_none(docker, outcome):
    for path in ("/etc/passwd", "/etc"):
        done = docker.run(IMAGE, path)
        assert done.status == NOT_EXECUTABLE and path in done.err, done


@row("docker", "missing-command-restart")
def test_no_restart_loop_for_a_missing_command(docker, outcome):
    """E13: 127 means never again, whatever the policy."""
    name = docker.fresh("cell")
    done = docker("run", "--detach", "--runtime", docker.level, "--name", name, "--network=none", "--restart=always", IMAGE, "/no")
    assert done.status == NOT_FOUND and 'exec: "/no": stat /no: no such file' in done.err, done
    assert docker.inspect(name, ".RestartCount") == 0 and docker.inspect(name, ".State.Status") == "created"


@row("docker", "refused-leaves-nothing")
def test_a_refusal_is_kept_where_people_look(docker, dockerd, outcome):
    """`docker inspect` shows the text of a detached container; no cgroup and no process was made."""
    name = docker.fresh("cell")
    done = docker("run", "--detach", "--runtime", docker.level, "--name", name, "--network=none", "--restart=always",
                  "--cap-add=SYS_ADMIN", IMAGE, *SLEEP)
    if not outcome.refuses(done, FAILED):
        assert docker.inspect(name, ".State.Status") == "running", done
        return
    assert "refused by policy level hardened: caps.bounding" in docker.inspect(name, ".State.Error")
    assert docker.inspect(name, ".State.Status") == "created"
    docker.ok("rm", name)
    dockerd.expect_nothing_left()


@row("docker", "control-characters")
def test_text_of_a_hostile_path(docker, outcome, work):
    """T78: a name with ESC and line feeds stays one line of text on the user's terminal, whole enough
    for the shim to decode the log."""
    source = work / "we\x1b[31mi\nrd\u202e" / "docker.sock"
    source.parent.mkdir()
    source.touch()
    done = docker.run(f"--volume={source}:/run/socket", IMAGE, "echo", "ran")
    if outcome.refuses(done, FAILED):
        assert "\x1b" not in done.err and len(done.err.strip().splitlines()) == 1, done
        return
    assert done.out == "ran\n", done


# Terminals


@row("docker", "terminal")
def test_a_terminal(docker, outcome):
    script = ("tty; test -c /dev/console && echo console; until stty size | grep -q '40 111'; do sleep 0.05; done;"
              "echo resized; read line; echo got $line; exit 5")
    with docker.terminal("run", "--rm", "-it", "--runtime", docker.level, "--network=none", IMAGE, *shell(script)) as terminal:
        terminal.wait_for("console\r")
        terminal.resize(40, 111)
        terminal.signal(signal.SIGWINCH)
        terminal.wait_for("resized\r")
        terminal.type("a line\n")
        status = terminal.wait()
    assert "/dev/pts/0" in terminal.text and "got a line\r" in terminal.text and status == 5, terminal.text


@row("docker", "exec-terminal")
def test_exec_with_a_terminal(docker, outcome):
    name = docker.start(IMAGE, *SLEEP)
    with docker.terminal("exec", "-it", name, "/bin/sh") as terminal:
        terminal.type("tty; id -u; exit 6\n")
        status = terminal.wait()
    assert "/dev/pts/0" in terminal.text and status == 6, terminal.text


@row("docker", "attach")
def test_attach(docker, outcome):
    name = docker.start(IMAGE, *shell("until [ -e /tmp/go ]; do echo tick; sleep 0.1; done; echo done >&2; exit 4"))
    with docker.running("attach", name) as attached:
        assert attached.stdout.readline() == "tick\n"
        docker.ok("exec", name, "touch", "/tmp/go")
        _, err = attached.communicate(timeout=10)
    assert (err, attached.returncode) == ("done\n", 4)


@row("docker", "start-interactive")
def test_start_with_its_input(docker, outcome):
    name = docker.fresh("cell")
    docker.ok("create", "--interactive", "--runtime", docker.level, "--name", name, "--network=none", IMAGE, "cat")
    done = docker("start", "--attach", "--interactive", name, input="one\ntwo\n")
    assert done.ok and done.out == "one\ntwo\n", done


# exec


@row("docker", "exec")
def test_exec(docker, outcome):
    name = docker.start("--env=COLOUR=blue", IMAGE, *SLEEP)
    done = docker("exec", "-i", "--env=SHAPE=round", "--workdir=/home/user", name,
                  *shell("id -u; pwd; echo $COLOUR $SHAPE; echo aside >&2; cat; exit 9"), input="in\n")
    assert (done.status, done.out, done.err) == (9, "0\n/home/user\nblue round\nin\n", "aside\n"), done


@row("docker", "exec-user")
def test_exec_as_a_user(docker, outcome):
    name = docker.start(IMAGE, *SLEEP)
    assert docker.ok("exec", "--user=1000", name, *shell("id -u; id -g; touch /tmp/file && echo written")).split() == [
        "1000", "1000", "written"]


@row("docker", "exec-confined")
def test_exec_is_confined_as_the_container_is(docker, outcome):
    """Decision 4: engines send the config's original sets; what comes out is what pid 1 has."""
    name = docker.start("--cap-add=NET_BIND_SERVICE", IMAGE, *SLEEP)
    look = ("grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/%s/status; cat /proc/%s/uid_map /proc/%s/limits;"
            "for n in user pid net mnt ipc uts cgroup; do readlink /proc/%s/ns/$n; done")
    own, of_init = (docker.ok("exec", name, *shell(look % ((who,) * 4))) for who in ("self", "1"))
    assert own == of_init and own.count("\n") > 25, (own, of_init)


@row("docker", "exec-privileged")
def test_a_privileged_exec(docker, outcome):
    """More than the container's config asked for."""
    name = docker.start(IMAGE, *SLEEP)
    need_all_capabilities()
    done = docker("exec", "--privileged", name, *shell("grep CapEff /proc/self/status"))
    if outcome.refuses(done, NOT_EXECUTABLE, 1):
        assert docker.ok("exec", name, "echo", "alive") == "alive"
        return
    assert done.ok and re.search(r"0+[13]f", done.out), done


@row("docker", "exec-missing-command")
def test_exec_of_a_missing_command(docker, outcome):
    name = docker.start(IMAGE, *SLEEP)
    done = docker("exec", name, "no-such-program")
    assert done.status in (NOT_EXECUTABLE, NOT_FOUND) and "executable file not found in $PATH" in done.out + done.err, done
    assert docker.ok("exec", name, "echo", "alive") == "alive"


@row("docker", "exec-paused")
def test_exec_in_a_paused_container(docker, outcome):
    name = docker.start(IMAGE, *SLEEP)
    docker.ok("pause", name)
    done = docker("exec", name, "true")
    assert not done.ok and "paused" in done.err, done
    docker.ok("unpause", name)
    docker.ok("exec", name, "true")


# What is going on in there


@row("docker", "logs")
def test_logs(docker, outcome):
    name = docker.start(IMAGE, *shell("echo out; echo err >&2"))
    docker.wait_for(name, "exited")
    done = docker("logs", name)
    assert (done.out, done.err) == ("out\n", "err\n"), done


@row("docker", "top")
def test_top(docker, outcome):
    """`ps` of the runtime, then the host's ps."""
    name = docker.start(IMAGE, *shell("sleep 1001 & sleep 1002 & wait"))
    until(lambda: "sleep 1002" in docker("top", name).out, 5.0)
    lines = docker.ok("top", name, "-eo", "pid,args").splitlines()
    expected = {docker.pid(name)} | linux.descendants(docker.pid(name))
    assert {int(line.split()[0]) for line in lines[1:]} == expected and len(expected) == 3, lines


@row("docker", "stats")
def test_stats(docker, outcome):
    name = docker.start("--memory=64m", IMAGE, *SLEEP)
    stats = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", name))
    assert stats["MemUsage"].endswith("/ 64MiB") and stats["PIDs"] == "1", stats


@row("docker", "out-of-memory")
def test_out_of_memory_is_seen(docker, outcome):
    """The shim watches the cgroup the container is in when create returns (R12), from when start returns
    on.  Not init is killed: its exit may overtake the news in dockerd."""
    name = docker.start("--memory=16m", "--memory-swap=16m", IMAGE,
                        *shell("until [ -e /tmp/go ]; do sleep 0.1; done; (x=a; while :; do x=$x$x; done); sleep 1; exit 5"))
    docker.ok("exec", name, "touch", "/tmp/go")
    docker.wait_for(name, "exited", 30)
    state = docker.inspect(name, ".State")
    assert state["ExitCode"] == 5 and state["OOMKilled"], state


@row("docker", "pause")
def test_pause(docker, outcome):
    name = docker.start(IMAGE, *shell("while :; do :; done"))
    docker.ok("pause", name)
    assert docker.inspect(name, ".State.Status") == "paused"
    before = used(docker.pid(name))
    time.sleep(0.3)  # some ticks, were it running
    assert used(docker.pid(name)) == before
    docker.ok("unpause", name)
    until(lambda: used(docker.pid(name)) > before, 5.0)


def used(pid):
    """Processor time, in ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@row("docker", "update")
def test_update(docker, outcome):
    name = docker.start("--memory=64m", "--memory-swap=64m", IMAGE, *SLEEP)
    docker.ok("update", "--memory=96m", "--memory-swap=96m", "--cpus=0.3", "--pids-limit=77", name)
    found = limits_of(docker.pid(name))
    assert (found["memory"], found["cpu"], found["pids"]) == (96 << 20, 30000, 77), found


# Ends


@row("docker", "kill")
def test_kill(docker, outcome):
    name = docker.start(IMAGE, *shell("trap 'echo caught; exit 3' USR1; echo up; while :; do sleep 0.1; done"))
    until(lambda: "up" in docker.logs(name).out)
    docker.ok("kill", "--signal=USR1", name)
    docker.wait_for(name, "exited")
    assert docker.inspect(name, ".State.ExitCode") == 3 and "caught" in docker.logs(name).out
    done = docker("kill", name)
    assert done.status == 1 and "is not running" in done.err, done


@row("docker", "kill-paused")
def test_kill_of_a_paused_container(docker, outcome):
    name = docker.start(IMAGE, *SLEEP)
    docker.ok("pause", name)
    docker.ok("kill", name)
    docker.wait_for(name, "exited")
    assert docker.inspect(name, ".State.ExitCode") == 137


@row("docker", "stop")
def test_stop(docker, outcome):
    """TERM, then KILL; and once more, when there is nothing to stop."""
    obedient = docker.start(IMAGE, *shell("trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"))
    deaf = docker.start(IMAGE, *shell("trap '' TERM; echo up; while :; do sleep 0.1; done"))
    for name, status in ((obedient, 3), (deaf, 137)):
        until(lambda: "up" in docker.logs(name).out)
        docker.ok("stop", "--time=1", name)
        assert docker.inspect(name, ".State.ExitCode") == status
        docker.ok("stop", name)


@row("docker", "wait")
def test_wait(docker, outcome):
    assert docker.ok("wait", docker.start(IMAGE, *shell("sleep 0.2; exit 4"))) == "4"


@row("docker", "remove-running")
def test_remove_of_a_running_container(docker, outcome):
    name = docker.start(IMAGE, *shell("sleep 1000 & sleep 1000 & wait"))
    pids = {docker.pid(name)} | linux.descendants(docker.pid(name))
    done = docker("rm", name)
    assert done.status == 1 and "cannot remove a running container" in done.err, done
    docker.ok("rm", "--force", name)
    until(lambda: all(map(gone, pids)), 5.0, lambda: f"{pids} live on")


@row("docker", "restart")
def test_restart(docker, outcome):
    """The same id again, at once."""
    name = docker.start(IMAGE, *shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"))
    until(lambda: "up" in docker.logs(name).out)
    first = docker.pid(name)
    docker.ok("restart", "--time=5", name)
    assert docker.pid(name) not in (0, first)
    until(lambda: docker.logs(name).out == "up\nup\n")


@row("docker", "restart-policy")
def test_restart_policy(docker, outcome):
    name = docker.start("--restart=on-failure:2", IMAGE, *shell("echo run; exit 6"))
    until(lambda: docker.inspect(name, ".RestartCount") == 2 and docker.inspect(name, ".State.Status") == "exited", 20.0)
    assert docker.inspect(name, ".State.ExitCode") == 6 and docker.logs(name).out == "run\n" * 3


@row("docker", "init-reaps")
def test_init_reaps(docker, outcome):
    name = docker.start("--init", IMAGE, *shell("for i in 1 2 3; do (sleep 0.01 &); done; sleep 0.2; ps | grep -c '\\[sleep\\]'; sleep 1000"))
    until(lambda: docker.logs(name).out, 5.0)
    assert docker.logs(name).out == "0\n"


@row("docker", "healthcheck")
def test_healthcheck(docker, outcome):
    """Run by exec, again and again; it sees the container's own /tmp."""
    name = docker.start("--health-cmd=test -e /tmp/well", "--health-interval=200ms", "--health-retries=1", IMAGE,
                        *shell("touch /tmp/well; sleep 1000"))
    health = ".State.Health.Status"
    until(lambda: docker.inspect(name, health) == "healthy", 10.0, lambda: docker.inspect(name, ".State.Health"))
    docker.ok("exec", name, "rm", "/tmp/well")
    until(lambda: docker.inspect(name, health) == "unhealthy", 10.0, lambda: docker.inspect(name, ".State.Health"))


@row("docker", "killed-shim")
def test_a_shim_that_was_killed(docker, dockerd, outcome):
    """L7: the container is cleaned up by `delete --force` from another process."""
    name = docker.start(IMAGE, *SLEEP)
    pid, id = docker.pid(name), docker.inspect(name, ".Id")
    shims = [shim for shim in linux.descendants() if f"-id {id} " in linux.describe(shim)]
    assert len(shims) == 1, shims
    os.kill(shims[0], signal.SIGKILL)
    until(lambda: gone(pid), 10.0, lambda: f"{linux.describe(pid)} lives on")
    docker.wait_for(name, "exited")


# Files in and out (decisions 8 and 11)


@row("docker", "copy-out")
def test_copy_out(docker, outcome, work):
    name = docker.start(IMAGE, *SLEEP)
    docker.ok("cp", f"{name}:/etc/passwd", work / "passwd")
    assert "user:x:1000" in (work / "passwd").read_text()


@row("docker", "copy-into-volume")
def test_copy_into_a_volume(docker, outcome, work):
    (work / "file").write_text("copied\n")
    name = docker.start(f"-v{docker.volume()}:/data", IMAGE, *SLEEP)
    docker.ok("cp", work / "file", f"{name}:/data/file")
    assert docker.ok("exec", name, "cat", "/data/file") == "copied"


@row("docker", "copy-from-created")
def test_copy_into_a_created_container(docker, outcome, work):
    """As CI systems hand files to a container: nothing of ours is there yet."""
    (work / "file").write_text("copied\n")
    name = docker.fresh("cell")
    docker.ok("create", "--runtime", docker.level, "--name", name, "--network=none", IMAGE, "cat", "/etc/copied")
    docker.ok("cp", work / "file", f"{name}:/etc/copied")
    assert docker.ok("start", "--attach", name) == "copied"


@row("docker", "commit")
def test_commit(docker, outcome):
    """What the container could write is in it: at the default level that is nothing (decision 8)."""
    name = docker.start(IMAGE, *shell("touch /written; sleep 1000"))
    image = docker.ok("commit", name, f"localhost/{name}")
    try:
        done = docker.run(image, *shell("test -e /written && echo written || echo as it was"))
        assert done.out == ("written\n" if outcome.level == "none" else "as it was\n"), done
    finally:
        docker.ok("image", "rm", image)


# Networks: everything in containerd's own network namespace


@row("docker", "network-bridge", "network-internal")
def test_a_network(docker, outcome):
    """Two containers on a bridge; `internal` is the compose file's network without a way out."""
    network = docker.network(*(["--internal"] if outcome.row == "network-internal" else []))
    server = docker.start(f"--network={network}", IMAGE, *shell("echo hello | nc -l -p 7000"))
    address = docker.inspect(server, ".NetworkSettings.Networks")[network]["IPAddress"]
    done = docker.run(f"--network={network}", IMAGE,
                      *shell(f"until echo | nc {address} 7000 2>/dev/null; do sleep 0.05; done; cat /sys/class/net/eth0/operstate"))
    assert done.ok and done.out == "hello\nup\n", done


@row("docker", "publish")
def test_a_published_port(docker, dockerd, outcome):
    name = docker.start(f"--network={docker.network()}", "--publish=127.0.0.1:18080:80", IMAGE,
                        *shell("while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -l -p 80 >/dev/null; done"))
    answers = []
    until(lambda: answers.append(_ask(dockerd.containerd.network, 18080)) or answers[-1] == (200, "hello"), 10.0,
          lambda: f"{answers[-3:]} {docker.logs(name)}")


def _ask(network, port, path="/"):
    try:
        return inside_network(network, http, "127.0.0.1", port, path)
    except (OSError, IndexError, ValueError) as error:  # nobody there yet
        return repr(error)


@row("docker", "network-container")
def test_the_network_of_another_container(docker, outcome):
    server = docker.start(IMAGE, *shell("echo hello | nc -l -p 7000 127.0.0.1; sleep 1000"))
    done = docker.run(f"--network=container:{server}", IMAGE, *shell("until echo | nc 127.0.0.1 7000 2>/dev/null; do sleep 0.05; done"))
    assert done.ok and done.out == "hello\n", done


@row("docker", "pid-container")
def test_the_pid_namespace_of_another_container(docker, outcome):
    target = docker.start(IMAGE, *SLEEP)
    done = docker.run(f"--pid=container:{target}", IMAGE, *shell("cat /proc/1/comm; kill -9 1 && echo killed"))
    assert done.ok and done.out.startswith("sleep\n"), done


@row("docker", "ipc-container")
def test_the_ipc_namespace_of_another_container(docker, outcome):
    first = docker.start("--ipc=shareable", IMAGE, *shell("echo shared >/dev/shm/file; sleep 1000"))
    done = docker.run(f"--ipc=container:{first}", IMAGE, *shell("until [ -s /dev/shm/file ]; do sleep 0.05; done; cat /dev/shm/file"))
    assert done.ok and done.out == "shared\n", done
