"""sd_notify: the program's READY=1 reaches the service manager, and nothing else of it does (V3)."""

import os
import pathlib
import signal
import stat
import time

import pytest

from harness import bundle as b
from harness.manager import manager as managing
from harness.runtime import PATIENCE, until

from conftest import RUNTIME

INSIDE = "/run/notify/notify.sock"


@pytest.fixture
def manager(work):
    with managing(work / "manager") as made:
        yield made


def told(messages):
    """What the manager was told, line by line."""
    return [line for text, _ in messages for line in text.splitlines() if line]


def waits(process):
    """It is still there after a while."""
    time.sleep(0.3)
    return process.running()


def waiting(cells, work, *messages, last=None):
    """A container that says all that when the returned function is called, and the last at the next call."""
    path = work / "calls"
    path.mkdir()
    path.chmod(0o755)
    config = b.spec()
    script = "until test -e /calls/1; do sleep 0.02; done; /prisoner notify \"$@\"; "
    if last:
        script += "until test -e /calls/2; do sleep 0.02; done; /prisoner notify \"$LAST\"; "
        config["process"]["env"].append(f"LAST={last}")
    config["process"]["args"] = ["/bin/sh", "-c", script + "exec sleep 1000", "sh", *messages]
    b.bind(config, path, "/calls", "ro")
    names = iter("12")
    return cells(config, "busybox"), lambda: (path / next(names)).touch()


# What is told


@pytest.mark.peer
def test_start_tells_that_it_is_ready(cells, work, manager, level):
    """V3: `start` waits, then tells that it is ready, and which process is the service's from now on."""
    cell, report = waiting(cells, work, "READY=1")
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: cell.status() == "running")
    assert waits(starting) and manager.hears(0) == []
    report()
    messages = [manager.take(), *manager.hears()]
    assert starting.wait().ok
    assert manager.senders == {starting.pid}
    assert [line for line in told(messages) if line != "BARRIER=1"] == ["READY=1", f"MAINPID={cell.pid}"]


def test_one_message_tells_it(cells, work, manager, level):
    """V3: that it is ready, and its process, at once."""
    cell, report = waiting(cells, work, "READY=1")
    assert cell.create(env=manager.env).ok
    report()
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    assert manager.take() == (f"READY=1\nMAINPID={cell.pid}\n", 0)
    assert manager.take() == ("BARRIER=1", 1)
    assert starting.wait().ok and cell.status() == "running"


def test_start_leaves_when_the_manager_has_read(cells, manager, level):
    """V3: a manager knows a sender by its process, so that must not be gone."""
    cell = cells(b.spec("notify", "READY=1", "+", "sleep"))
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: '"sent":["ok"]' in cell.out())
    assert waits(starting)
    assert len(manager.hears()) == 2
    assert starting.wait().ok


@pytest.mark.peer
def test_run_detached(cells, work, manager, level):
    """V3: the same, and the pid file is there before (K8)."""
    cell, report = waiting(cells, work, "READY=1")
    running = cell.spawn("run", "--detach", "--pid-file", work / "pid", env=manager.env)
    until(lambda: (work / "pid").exists() and cell.status() == "running")
    assert waits(running) and manager.hears(0) == []
    report()
    messages = [manager.take(), *manager.hears()]
    assert running.wait().ok
    assert [line for line in told(messages) if line != "BARRIER=1"] == ["READY=1", f"MAINPID={cell.pid}"]
    assert int((work / "pid").read_text()) == cell.pid
    assert cell.status() == "running"


def test_run_in_the_foreground(cells, work, manager, level):
    """V3: the manager goes on following `run`, which has the program's status; and it is asked nothing."""
    config = b.spec("notify", "READY=1", "+", "signals")
    cell = cells(config)
    running = cell.spawn("run", env=manager.env)
    cell.wait_for("ready")
    assert manager.take() == ("READY=1\n", 0)
    assert manager.senders == {running.pid}
    running.signal(signal.SIGUSR1)
    cell.wait_for(f"got {signal.SIGUSR1:d}")
    running.signal(signal.SIGTERM)
    assert running.wait().status == 0
    assert manager.hears(0) == []


def test_run_with_a_terminal(cells, work, manager, level):
    """V3: beside the relay."""
    config = b.spec("notify", "READY=1", "+", "exit", "5")
    config["process"]["terminal"] = True
    assert cells(config).run(env=manager.env).status == 5
    assert manager.hears() == [("READY=1\n", 0)]


def test_an_abstract_socket(cells, level):
    """V3: "@" stands for the zero byte."""
    with managing(f"@donjon-{os.getpid()}") as manager:
        cell = cells(b.spec("notify", "READY=1", "+", "exit", "0"))
        assert cell.run(env=manager.env).ok
        assert manager.hears() == [("READY=1\n", 0)]


def test_a_long_path(cells, work, level):
    """K3: longer than an address can be."""
    deep = work / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    here = os.open(deep, os.O_PATH)
    with managing(f"/proc/self/fd/{here}/sock") as manager:
        cell = cells(b.spec("notify", "READY=1", "+", "exit", "0"))
        assert cell.run(env={**os.environ, "NOTIFY_SOCKET": str(deep / "sock")}).ok
        assert manager.hears() == [("READY=1\n", 0)]
    os.close(here)


def test_hooks_come_first(cells, work, manager, level):
    """V3, H6: what poststart hooks prepare is there before anybody is told."""
    log = work / "log"
    config = b.spec("notify", "READY=1", "+", "sleep")
    config["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", f"sleep 0.3; echo >{log}"]}]}
    for flags in ((), ("--detach",)):
        running = cells(config).spawn("run", *flags, env=manager.env)
        assert manager.take()[0].startswith("READY=1\n") and log.exists()
        log.unlink()
        manager.hears()
        running.signal(signal.SIGKILL)
        running.wait()


# Who reports


def test_any_user_inside_may(cells, manager, level):
    """V3: as the image's user, with the user namespace of the config."""
    for users in (False, True):
        config = b.spec("notify", "READY=1", "+", "exit", "0")
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        if users:
            b.user_namespace(config)
        result = cells(config, "skeleton").run(env=manager.env)
        assert result.ok and result.documents()[0] == {"socket": "ok", "sent": ["ok"]}, result
        assert manager.hears() == [("READY=1\n", 0)]


def test_more_lines_than_one(cells, manager, level):
    """V3: as sd_notifyf(3) shows it."""
    config = b.spec("notify", "STATUS=starting", "STATUS=up\nREADY=1\nMAINPID=7", "+", "exit", "0")
    assert cells(config).run(env=manager.env).ok
    assert manager.hears() == [("READY=1\n", 0)]


def test_barriers_pass(cells, work, manager, level):
    """What `systemd-notify --ready` waits for: that all it has said was read."""
    config = b.spec("notify", "barrier", "READY=1", "+", "exit", "0")
    result = cells(config).run(env=manager.env)
    assert result.documents() == [{"socket": "ok", "sent": ["ok", "ok"]}], result
    assert manager.hears() == [("READY=1\n", 0)]


def test_ready_and_gone(cells, manager, level):
    """V3: said before the end is said; and a process that is gone is nobody's main one."""
    path = cells.bundle().path
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "until test -e /calls/go; do sleep 0.02; done; exec /prisoner notify READY=1"]
    b.bind(config, path, "/calls", "ro")
    cell = cells(config, "busybox")
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: cell.status() == "running")
    assert waits(starting)
    starting.signal(signal.SIGSTOP)
    (path / "go").touch()
    cell.wait_stopped()
    starting.signal(signal.SIGCONT)
    assert manager.take() == ("READY=1\n", 0)
    assert manager.hears() == [("BARRIER=1", 1)]
    assert starting.wait().ok


# Who does not


def test_a_program_that_ends_before(cells, manager, level):
    """V3: nobody waits for what cannot come, and nothing is made up."""
    cell = cells(b.spec("exit", "3"))
    assert cell.create(env=manager.env).ok
    assert cell.start(env=manager.env).ok
    assert cells(b.spec("exit", "3")).run(env=manager.env).status == 3
    assert cells(b.spec("exit", "3")).run("--detach", env=manager.env).ok
    assert manager.hears(0) == []


def test_a_program_that_cannot_run(cells, manager, level):
    config = b.spec()
    config["process"]["args"] = ["/nowhere"]
    for flags in ((), ("--detach",)):
        result = cells(config).run(*flags, env=manager.env)
        assert result.status == 1 and "/nowhere" in result.err, result
    assert manager.hears(0) == []


def test_start_may_be_ended(cells, manager, host, level):
    """V3: while it waits nobody else does: the container is as every other one."""
    cell = cells(b.spec("signals"))
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    cell.wait_for("ready")
    until(lambda: cell.status() == "running")
    assert waits(starting)
    assert cell.exec("/prisoner", "exit", "4").status == 4
    assert cell.kill("USR1").ok
    cell.wait_for(f"got {signal.SIGUSR1:d}")
    starting.signal(signal.SIGTERM)
    assert starting.wait().status == -signal.SIGTERM
    assert cell.status() == "running" and manager.hears(0) == []
    assert cell.delete("--force").ok


def test_deleted_while_start_waits(cells, manager, clean, level):
    cell = cells(b.spec("sleep"))
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: cell.status() == "running")
    assert waits(starting)
    result = cell.delete("--force")
    assert result.ok and result.seconds < 3 * PATIENCE, result
    assert starting.wait().ok and manager.hears(0) == []
    clean(cell)


def test_deleted_while_run_waits(cells, manager, clean, level):
    cell = cells(b.spec("sleep"))
    running = cell.spawn("run", "--detach", env=manager.env)
    until(lambda: cell.status() == "running")
    assert waits(running)
    result = cell.delete("--force")
    assert result.ok and result.seconds < 3 * PATIENCE, result
    assert running.wait().ok and manager.hears(0) == []
    clean(cell)


# Hostile ones


HOSTILE = ["MAINPID=1", "MAINPID=1\nREADY=2", "READY=1x", "xREADY=1", " READY=1", "READY=1\r", "READY=", "ready=1", "",
           "\n", "STOPPING=1", "WATCHDOG=trigger", "WATCHDOG_USEC=1", "ERRNO=2", "BUSERROR=x", "RELOADING=1",
           "EXTEND_TIMEOUT_USEC=999999999", "FDSTORE=1", "fd:FDSTORE=1\nFDNAME=x", "fd:BARRIER=1", "NOTIFYACCESS=all",
           "X" * 4096 + "\nREADY=1", "READY=1\n" + "X" * 100000, "%s%n%p", "READY=1" * 500]


def test_nothing_else_is_passed_on(cells, work, manager, level):
    """V3: not a byte and not a descriptor of the container's; nothing that grows."""
    cell, report = waiting(cells, work, *HOSTILE, last="fd:STATUS=\x1b[2J\nREADY=1\nMAINPID=1")
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: cell.status() == "running")
    report()
    until(cell.documents)
    assert cell.documents() == [{"socket": "ok", "sent": ["ok"] * len(HOSTILE)}]
    assert waits(starting) and manager.hears(0) == []
    before = os.listdir(f"/proc/{starting.pid}/fd")
    report()
    assert manager.take() == (f"READY=1\nMAINPID={cell.pid}\n", 0)
    assert len(set(os.listdir(f"/proc/{starting.pid}/fd")) - set(before)) <= 1, "the barrier's own end"
    assert manager.hears() == [("BARRIER=1", 1)]
    assert starting.wait().ok


def readers(process):
    """What reads for it: nothing else of its is open there."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        return [pid for pid in children.read().split() if os.path.exists(f"/proc/{pid}/exe")
                and os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(RUNTIME)]


def test_descriptors_do_not_pile_up(cells, work, manager, level):
    """V3: of a message that is not the awaited one, either."""
    cell, report = waiting(cells, work, *["fd:FDSTORE=1"] * 200)
    running = cell.spawn("run", env=manager.env)
    until(lambda: cell.status() == "running")
    report()
    until(cell.documents)
    assert cell.documents()[0]["sent"] == ["ok"] * 200
    reader, = readers(running)
    until(lambda: sorted(os.listdir(f"/proc/{reader}/fd")) == ["0", "1", "2"])
    assert len(os.listdir(f"/proc/{running.pid}/fd")) < 100
    assert manager.hears(0) == []
    assert cell.kill("KILL").ok
    running.wait()
    assert not os.path.exists(f"/proc/{reader}")


def test_its_reader_ends_with_it(cells, manager, level):
    """However it ends."""
    cell = cells(b.spec("sleep"))
    assert cell.create(env=manager.env).ok
    starting = cell.runtime.spawn("start", cell.id, env=manager.env)
    until(lambda: cell.status() == "running")
    reader, = readers(starting)
    starting.signal(signal.SIGKILL)
    assert starting.wait().status == -signal.SIGKILL
    until(lambda: os.waitpid(int(reader), os.WNOHANG) == (int(reader), signal.SIGKILL))
    assert cell.status() == "running"


def test_descriptors_that_take_long_to_close(cells, manager, level):
    """V3: whoever is the last to close such a socket waits for its peer: not who forwards signals."""
    cell = cells(b.spec("notify", *["linger"] * 8, "READY=1", "+", "signals"))
    running = cell.spawn("run", env=manager.env)
    cell.wait_for("ready", 10)
    assert cell.documents() == [{"socket": "ok", "sent": ["ok"] * 9}], cell.out()
    assert waits(running)
    running.signal(signal.SIGUSR1)
    cell.wait_for(f"got {signal.SIGUSR1:d}")
    running.signal(signal.SIGTERM)
    assert running.wait().status == 0


@pytest.mark.parametrize("verb", ["start", "run"])
def test_a_flood(cells, manager, level, verb):
    """The report gets through, and so do signals and the end."""
    cell = cells(b.spec(*["flood", "+"] * 4, "notify", "READY=1", "+", "signals"))
    if verb == "run":
        process = cell.spawn("run", env=manager.env)
    else:
        assert cell.create(env=manager.env).ok
        process = cell.runtime.spawn("start", cell.id, env=manager.env)
    assert manager.take()[0].splitlines()[0] == "READY=1"
    manager.hears()
    if verb == "start":
        assert process.wait().ok
        return
    cell.wait_for("ready")
    process.signal(signal.SIGTERM)
    assert process.wait().status == 0


def test_a_flood_and_no_report(cells, manager, level):
    """Signals are forwarded all the same."""
    cell = cells(b.spec(*["flood", "+"] * 4, "signals"))
    process = cell.spawn("run", env=manager.env)
    cell.wait_for("ready")
    process.signal(signal.SIGTERM)
    assert process.wait().status == 0 and manager.hears(0) == []


def test_the_socket_cannot_be_replaced(cells, manager, level):
    """V3: the directory is read-only, and without rights of its own; the socket takes messages alone."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "; ".join([
        "cd /run/notify", "ls -a", "touch x; rm -f notify.sock; mv notify.sock y; mkdir z; ln -s /etc/passwd l",
        "mount -o remount,rw,bind /run/notify", "ls -a", "grep ' /run/notify ' /proc/self/mountinfo",
        "echo NOTIFY_SOCKET=$NOTIFY_SOCKET", "exec /prisoner notify READY=1"])]
    b.capabilities(config, "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
    result = cells(config, "busybox").run(env=manager.env)
    lines = result.out.splitlines()
    assert lines[:6] == [".", "..", "notify.sock"] * 2, result
    mount = next(line for line in lines if " /run/notify " in line).split()
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount[5].split(",")), mount
    assert f"NOTIFY_SOCKET={INSIDE}" in lines
    assert manager.hears() == [("READY=1\n", 0)]


def test_what_the_host_keeps(cells, work, manager, level):
    """V3: in the private state directory, and gone with it; nothing of it in the image but a mount point."""
    cell, report = waiting(cells, work, "READY=1")
    assert cell.create(env=manager.env).ok
    directory = pathlib.Path(cell.runtime.root) / cell.id
    assert stat.S_IMODE((directory / "notify").stat().st_mode) == 0o755
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert list((directory / "notify").iterdir()) == []
    starting = cell.runtime.spawn("start", cell.id, env=manager.env, umask=0o077)
    until((directory / "notify/notify.sock").exists)
    assert stat.S_IMODE((directory / "notify/notify.sock").stat().st_mode) == 0o777
    report()
    manager.hears()
    assert starting.wait().ok and cell.delete("--force").ok
    assert not directory.exists()
    assert not list(cell.bundle.rootfs.glob("run/notify/*"))


def test_a_start_that_was_ended_can_be_repeated(cells, manager, level):
    """A socket is left of one that came to its end before the program was let go."""
    cell = cells(b.spec("notify", "READY=1", "+", "sleep"))
    assert cell.create(env=manager.env).ok
    directory = pathlib.Path(cell.runtime.root) / cell.id / "notify"
    with managing(directory / "notify.sock") as former:
        starting = cell.runtime.spawn("start", cell.id, env=manager.env)
        assert manager.take()[0].startswith("READY=1\n")
        manager.hears()
        assert starting.wait().ok and former.hears(0) == []


# Where it comes from, and where it does not go


def test_the_bundles_own_variable(cells, work, manager, level):
    """V3: replaced where there is a manager, and the config's mount covered; else nobody's business."""
    config = b.spec("report")
    config["process"]["env"].append("NOTIFY_SOCKET=/run/other")
    report = cells(config).run(env=manager.env).documents()[0]
    assert [e for e in report["env"] if "NOTIFY" in e] == [f"NOTIFY_SOCKET={INSIDE}"]
    report = cells(config).run().documents()[0]
    assert [e for e in report["env"] if "NOTIFY" in e] == ["NOTIFY_SOCKET=/run/other"]
    (work / "own").mkdir()
    config = b.spec("notify", "READY=1")
    b.bind(config, work / "own", "/run/notify", "ro")
    assert cells(config).run(env=manager.env).documents()[0]["sent"] == ["ok"]
    assert manager.hears() == [("READY=1\n", 0)]


@pytest.mark.parametrize("options", [["nosuid", "nodev", "mode=755"], ["nosuid", "nodev", "mode=755", "ro"]])
def test_a_tmpfs_on_run(cells, manager, level, options):
    """V3: the mount point is made in it, before it is read-only."""
    config = b.spec("notify", "READY=1")
    b.mount(config, "/run", type="tmpfs", source="tmpfs", options=options)
    assert cells(config).run(env=manager.env).documents()[0]["sent"] == ["ok"]
    assert manager.hears() == [("READY=1\n", 0)]


def test_run_is_a_link(cells, manager, level):
    """T15: what the image's links lead to, inside."""
    cell = cells(b.spec("notify", "READY=1"))
    os.mkdir(cell.bundle.rootfs / "elsewhere")
    os.symlink("/elsewhere", cell.bundle.rootfs / "run")
    assert cell.run(env=manager.env).documents()[0]["sent"] == ["ok"]
    assert manager.hears() == [("READY=1\n", 0)]


def test_exec_has_no_part_in_it(cells, manager, level):
    """V3: only the container's own program speaks for it."""
    cell = cells(b.spec("sleep"))
    running = cell.spawn("run", env=manager.env)
    until(lambda: cell.status() == "running")
    report = cell.exec_report(env=manager.env)
    assert not [e for e in report["env"] if "NOTIFY" in e]
    assert manager.hears(0) == []
    cell.kill("KILL")
    running.wait()


@pytest.mark.peer
def test_without_it_nothing_is_there(cells, level):
    """V3."""
    report = cells(b.spec("report")).run().documents()[0]
    assert not [e for e in report["env"] if "NOTIFY" in e]
    assert not [m for m in report["mounts"] if "notify" in m["point"]]
    cell = cells.created(b.spec())
    assert not (pathlib.Path(cell.runtime.root) / cell.id / "notify").exists()


def test_only_one_of_the_two_knows_of_a_manager(cells, manager, level):
    """V3: `start` by somebody who waits for nothing, or for a container that cannot report."""
    cell = cells(b.spec("notify", "READY=1", "+", "sleep"))
    assert cell.create(env=manager.env).ok and cell.start().ok
    until(cell.documents)
    assert cell.documents() == [{"socket": "ENOENT", "sent": []}]
    cell = cells.created(b.spec("sleep"))
    assert cell.start(env=manager.env).ok
    assert manager.hears(0) == []


@pytest.mark.parametrize("address", ["/nowhere", "relative", "@", "@donjon-nobody", "", "/", "/dev/null", "vsock:2:1",
                                     "/" + "x" * 5000, "@" + "x" * 200])
def test_a_manager_that_is_not_there(cells, address, level):
    """T59: no reason not to run; the variable may be a shell's inheritance."""
    report = cells(b.spec("report")).run(env={**os.environ, "NOTIFY_SOCKET": address}).documents()[0]
    assert not [e for e in report["env"] if "NOTIFY" in e]
    assert not [m for m in report["mounts"] if "notify" in m["point"]]


def test_a_manager_that_went_away(cells, work, level):
    """Nobody is told, the container runs."""
    with managing(work / "manager") as manager:
        cell = cells(b.spec("notify", "READY=1", "+", "sleep"))
        assert cell.create(env=manager.env).ok
    assert cell.start(env=manager.env).ok
    assert cell.status() == "running"


def test_it_is_in_the_record(cells, manager, level):
    """What was mounted that the config does not have: in --dry-run and in the state."""
    result = cells(b.spec()).create("--dry-run", env=manager.env)
    assert result.ok and "/run/notify" in result.out and "NOTIFY_SOCKET" in result.out, result
    assert "/run/notify" not in cells(b.spec()).create("--dry-run").out
    cell = cells(b.spec())
    assert cell.create(env=manager.env).ok
    notes = cell.state()["hardening"]["notes"]
    assert [n for n in notes if n["check"] == "fs.control-sockets" and "READY=1" in n["text"]], notes


def test_nothing_of_ours_stays_open_inside(cells, manager, level):
    """T48: the manager's socket, above all."""
    config = b.spec("report", "+", "notify", "READY=1")
    report = cells(config).run(env=manager.env).documents()[0]
    assert [fd["fd"] for fd in report["fds"]] == [fd["fd"] for fd in cells(b.spec("report")).run().documents()[0]["fds"]]
    assert manager.hears() == [("READY=1\n", 0)]
