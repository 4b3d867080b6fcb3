"""exec: a further process is confined as the container's own (B39, exec parity), by every way of asking
for it (contract F30-F44), and never says anything but the contract's words when it cannot be had."""

import contextlib
import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import bundle as b
from harness import linux, oracles, states, terminals
from harness.runtime import until

from test_process import CHANGE_AND_WRITE, SMALL, _leaks, _null_of_the_host, _odd_caller, _own_cpus

NOT_RUN = 255


@pytest.fixture(autouse=True)
def _reaper(cells):
    """A process that exec has left to its caller is a zombie until that one looks, and the container's
    pid namespace does not end before: conmon and the shim look, and so must we."""
    yield
    for pid in linux.descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


@pytest.fixture
def not_run(rt, host):
    """FAIL for exec: 255, one line on stderr, nothing on stdout, and the container as it was."""

    def check(result, *texts, cell=None, within=5.0):
        assert result.status == NOT_RUN, result
        assert result.out == "", result
        problems = oracles.refusal_problems(result, *texts, within=within, statuses=(NOT_RUN,))
        assert not problems, f"{'; '.join(problems)}: {result}"
        if cell is not None:
            assert cell.status() in ("created", "running", "paused"), result
        return result.err

    return check


def running(cells, config=None, kind="prisoner", **options):
    """A container whose own process has reported what it sees, and waits."""
    config = config if config is not None else b.spec()
    config["process"]["args"] = ["/prisoner", "report", "+", "sleep"]
    cell = cells.started(config, kind, **options)
    assert cell.status() == "running"
    until(lambda: cell.documents(), 5, lambda: f"never reported: {cell.out()} {cell.command.err()}")
    cell.own = cell.documents()[0]
    return cell


def busybox(cells, config=None, **options):
    config = config if config is not None else b.spec()
    config["process"]["args"] = ["/bin/sleep", "1000"]
    return cells.started(config, "busybox", **options)


def value_of(look, complaint=None):
    """The first true value of `look`."""
    found = []
    until(lambda: found.append(look()) or found[-1], 5, complaint)
    return found[-1]


def process(cell, *args, **fields):
    """A process file as engines write it: the container's own process, with changes."""
    document = {**cell.bundle.config["process"], **fields}
    if args:
        document["args"] = list(args)
    path = cell.bundle.path / f"process-{time.monotonic_ns()}.json"
    path.write_text(json.dumps(document))
    return path


# T6: state x exec


@pytest.mark.parametrize("state, texts", [
    ("creating", ("cannot exec in a container that is being created",)),
    ("paused", ("cannot exec in a paused container (use --ignore-paused to override)",)),
    ("paused before start", ("cannot exec in a paused container",)),
    ("stopped", ("cannot exec in a stopped container",)),
    ("missing", ("container does not exist: ",)),
])
def test_states_that_allow_no_exec(cells, not_run, state, texts):
    """T6, M1, M5; nothing of the container changes."""
    with states.cell_in(cells, state) as cell:
        before = cell.status()
        not_run(cell.exec("/prisoner", "exit", "0"), *texts)
        assert cell.status() == before


@pytest.mark.peer
@pytest.mark.parametrize("state", ["created", "running"])
def test_states_that_allow_exec(cells, level, state):
    """T6."""
    with states.cell_in(cells, state) as cell:
        result = cell.exec("/prisoner", "exit", "4")
        assert (result.status, result.err) == (4, ""), result
        assert cell.status() == state


def test_exec_in_a_created_container_is_confined_like_it(cells, level):
    """Its own process is still the stage: the namespaces are there, and so is all that confines."""
    cell = cells.created(b.spec("report"))
    report = cell.exec_report()
    assert cell.start().ok
    until(lambda: cell.documents())
    assert_parity(cell.documents()[0], report)


@pytest.mark.peer
def test_ignore_paused(cells, level):
    """F44: the process waits in the frozen cgroup and runs once the container does."""
    with states.cell_in(cells, "paused") as cell:
        waiting = cell.spawn_exec("/prisoner", "exit", "6", flags=("--ignore-paused",))
        time.sleep(0.3)
        assert waiting.running()
        cell.finish()
        assert waiting.wait().status == 6


# Parity: what the container's own process has, this one has


def assert_parity(own, new, *ignore):
    problems = oracles.parity_problems(own, new, ignore)
    assert not problems, "\n".join(problems)


def _plain(config):
    pass


def _user_namespace(config):
    b.user_namespace(config)


def _unprivileged(config):
    config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 1000]}


def _filtered(config):
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*_calls()))


def _without_nnp(config):
    config["process"]["noNewPrivileges"] = False


def _filtered_without_nnp(config):
    """The filter needs CAP_SYS_ADMIN to load then, and it must be gone afterwards."""
    _filtered(config)
    _without_nnp(config)


def _all_namespaces(config):
    for kind in ("cgroup", "time"):
        b.namespace(config, kind)
    config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000}}


def _settings(config):
    config["process"].update(
        oomScoreAdj=300, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                                  {"type": "RLIMIT_CPU", "soft": 50, "hard": 500}],
        scheduler={"policy": "SCHED_BATCH", "nice": 4},
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6})
    config["process"]["user"]["umask"] = 0o027


def _limits(config):
    b.resources(config, memory={"limit": 64 << 20}, pids={"limit": 30})


def _calls():
    """What a prisoner needs to report, and to sleep afterwards."""
    return [*SMALL, "pause", "nanosleep", "clock_nanosleep"]


CONFIGS = [_plain, _user_namespace, _unprivileged, _filtered, _without_nnp, _filtered_without_nnp, _all_namespaces,
           _settings, _limits]


@pytest.mark.parametrize("change", CONFIGS, ids=lambda f: f.__name__.strip("_"))
def test_parity(cells, level, change):
    """The kernel's own words about both processes; the options way and the file way (B39, T50, T53, T55, T56)."""
    config = b.spec()
    change(config)
    cell = running(cells, config, "skeleton")
    assert_parity(cell.own, cell.exec_report())
    by_file = cell.exec(flags=("--process", process(cell, "/prisoner", "report")))
    assert by_file.ok, by_file
    assert_parity(cell.own, by_file.documents()[0])
    assert_same_cgroups(cell)


def test_memory_policy(cells, level):
    """P54: memory is where the container's is."""
    config = b.spec()
    config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    result = running(cells, config).exec("/prisoner", "read", "/proc/self/numa_maps")
    assert result.ok and result.out, result
    assert all(line.split(" ", 1)[1].startswith("bind:0") for line in result.out.splitlines()), result


def assert_same_cgroups(cell):
    """As the host sees it: every hierarchy, hybrid ones included."""
    waiting = cell.spawn_exec("/prisoner", "sleep")
    pids = value_of(lambda: [p for p in linux.descendants(waiting.pid) if _comm(p) == "prisoner"])
    try:
        with open(f"/proc/{pids[0]}/cgroup") as new, open(f"/proc/{cell.pid}/cgroup") as own:
            assert new.read() == own.read()
    finally:
        os.kill(pids[0], signal.SIGKILL)
        assert waiting.wait().status == 128 + signal.SIGKILL


def _comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_parity_in_joined_namespaces(cells, level):
    """A pod: the app container joins the infra container's network, IPC and UTS, and its owner."""
    infra = running(cells, kind="skeleton")
    config = b.spec()
    for kind, name in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
        b.namespace(config, kind, f"/proc/{infra.pid}/ns/{name}")
    config.pop("hostname")
    b.unmount(config, "/sys/fs/cgroup")
    cell = running(cells, config, "skeleton")
    assert_parity(cell.own, cell.exec_report())
    assert cell.own["ns"]["net"] == infra.own["ns"]["net"] == cell.exec_report()["ns"]["net"]


def test_parity_in_a_joined_pid_namespace(cells, level):
    """The number the caller reads is its own one, also for processes whose init is another container's."""
    infra = running(cells, kind="skeleton")
    config = b.spec()
    b.namespace(config, "pid", f"/proc/{infra.pid}/ns/pid")
    cell = running(cells, config, "skeleton")
    assert_parity(cell.own, cell.exec_report())
    result = cell.exec("/prisoner", "sleep", flags=("--detach", "--pid-file", cell.bundle.path / "pid"))
    assert result.ok, result
    pid = int((cell.bundle.path / "pid").read_text())
    assert linux.namespaces(pid)["mnt"] == linux.namespaces(cell.pid)["mnt"]
    os.kill(pid, signal.SIGKILL)


@pytest.mark.levels("none")
@pytest.mark.parametrize("shared", ["pid", "network", "ipc", "uts"])
def test_parity_with_a_namespace_of_the_host(cells, level, shared):
    config = b.spec()
    b.namespace(config, shared, present=False)
    if shared == "uts":
        config.pop("hostname")
    if shared == "network":
        b.unmount(config, "/sys")
        b.bind(config, "/sys", "/sys", "rbind", "ro")
        b.unmount(config, "/sys/fs/cgroup")
    cell = running(cells, config, "skeleton")
    assert_parity(cell.own, cell.exec_report())


@pytest.mark.levels("hardened")
def test_what_overrides_allowed_holds_for_exec_too(cells, rt, level):
    """R13: decided at create, kept with the container, whatever the exec's caller says."""
    allowed = rt.override("caps.bounding=CAP_CHOWN,CAP_KILL:test", "nnp.set=off:test", "seccomp.flags=spec-allow:test")
    config = b.spec()
    b.capabilities(config, "CAP_CHOWN", "CAP_KILL", "CAP_AUDIT_WRITE")
    config["process"]["noNewPrivileges"] = False
    cell = running(cells, config, "skeleton", runtime=allowed)
    assert int(cell.own["status"]["CapBnd"], 16) == oracles.mask(["CHOWN", "KILL"])
    cell.runtime = rt
    assert_parity(cell.own, cell.exec_report())


@pytest.mark.levels("hardened")
def test_the_callers_level_has_no_effect(cells, rt, runtime, level):
    """R13: neither looser nor stricter than the container."""
    cell = running(cells)
    cell.runtime = rt.at("none", "--override", "caps.bounding=CAP_KILL:test")
    assert_parity(cell.own, cell.exec_report())
    loose = running(cells, runtime=runtime.at("none"))
    loose.runtime = rt
    assert_parity(loose.own, loose.exec_report())


def test_a_profile_given_at_create(cells, work, level):
    """--seccomp FILE is no part of the configuration, and is still the container's."""
    profile = work / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": [c for c in _calls() if c != "sysinfo"], "action": "SCMP_ACT_ALLOW"}]}))
    cell = cells(b.spec("sleep"))
    assert cell.create("--seccomp", profile).ok and cell.start().ok
    profile.unlink()
    report = cell.exec_report()["status"]
    assert (report["Seccomp"], report["Seccomp_filters"]) == ("2", "2" if level == "hardened" else "1")
    tried = cell.exec("/prisoner", "try", "mkdir=/dev/shm/x", "unshare=user", "sysfs").documents()[0]
    assert set(tried.values()) == {"EPERM"}, tried


def test_the_bundle_may_be_changed_or_gone(cells, level):
    """S15: the configuration is the one of create, never the bundle's."""
    cell = running(cells)
    changed = json.loads(json.dumps(cell.bundle.config))
    changed["process"]["noNewPrivileges"] = False
    changed["process"]["env"] = ["CHANGED=1"]
    b.capabilities(changed, "CAP_SYS_ADMIN")
    cell.bundle.write(json.dumps(changed))
    assert_parity(cell.own, cell.exec_report())
    (cell.bundle.path / "config.json").unlink()
    assert_parity(cell.own, cell.exec_report())


@pytest.mark.levels("hardened")
def test_the_checks_answer_the_same(cells, level):
    """Every runtime check by its id: none is weaker in an exec'd process."""
    config = b.spec("checks", "+", "sleep")
    cell = cells.started(config, "skeleton")
    until(lambda: cell.documents())
    own, new = cell.documents()[0], cell.exec("/prisoner", "checks").documents()[0]
    assert {k: (own[k], new.get(k)) for k in own if own[k] != new.get(k)} == {}


# F35-F41: the options


@pytest.mark.peer
@pytest.mark.parametrize("flags, seen", [
    ((), ("0", "0", "")),
    (("--user", "0"), ("0", "0", "")),
    (("--user", "1000"), ("1000", "0", "")),
    (("-u", "1000:100"), ("1000", "100", "")),
    (("--user=65533:65533",), ("65533", "65533", "")),
    (("--user", "1:2", "--user", "3:4"), ("3", "4", "")),
])
def test_user(cells, level, flags, seen):
    """F35, CVE-2026-30892: the last one wins; without a group the container's stays."""
    report = busybox(cells).exec("/prisoner", "report", flags=flags).documents()[0]["status"]
    assert (report["Uid"].split()[0], report["Gid"].split()[0], report["Groups"].strip()) == seen
    assert len(set(report["Uid"].split())) == 1 and len(set(report["Gid"].split())) == 1


@pytest.mark.parametrize("flags, groups", [
    (("-g", "5"), [5, 7]), (("--additional-gids", "5", "--additional-gids=6"), [5, 6, 7]), (("-g", "7"), [7]),
])
def test_additional_gids(cells, level, flags, groups):
    """F36: on top of the container's."""
    config = b.spec()
    config["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": [7]}
    status = running(cells, config).exec("/prisoner", "report", flags=flags).documents()[0]["status"]
    assert sorted(set(map(int, status["Groups"].split()))) == groups


@pytest.mark.parametrize("user", ["", " 1", "+1", "-1", "1:", ":1", "1:2:3", "root", "0x1", "4294967295", "4294967296",
                                  "18446744073709551616", "1:4294967295", "1 ", "٣"])
def test_t49_users(cells, not_run, level, user):
    """T49: decimal digits, nothing else."""
    cell = running(cells)
    not_run(cell.exec("/prisoner", "exit", "0", flags=(f"--user={user}",)), "user", cell=cell)
    not_run(cell.exec("/prisoner", "exit", "0", flags=(f"--additional-gids={user}x",)), "additional gid", cell=cell)


@pytest.mark.parametrize("flags, texts", [
    (("--user", "70000"), ("process.user.uid", "is not mapped")),
    (("--user", "0:70000"), ("process.user.gid", "is not mapped")),
    (("-g", "70000"), ("process.user.additionalGids[0]", "is not mapped")),
])
def test_unmapped_ids(cells, not_run, level, flags, texts):
    """P19: named before anything runs."""
    config = b.spec()
    b.user_namespace(config)
    cell = running(cells, config, "skeleton")
    not_run(cell.exec("/prisoner", "exit", "0", flags=flags), *texts, cell=cell)


@pytest.mark.peer
def test_env(cells, level):
    """F38: after the container's own, the later entry wins."""
    cell = busybox(cells)
    report = cell.exec("/prisoner", "report", flags=("--env", "TERM=vt100", "--env=A=1", "--env", "A=2=3")).documents()[0]
    assert sorted(e for e in report["env"] if e[:2] in ("A=", "TE")) == ["A=2=3", "TERM=vt100"]
    assert [e for e in report["env"] if e.startswith("PATH=")] == cell.bundle.config["process"]["env"][:1]


def test_nothing_of_the_callers_environment(cells, level):
    """V7."""
    report = running(cells).exec_report(env={**os.environ, "LD_PRELOAD": "/x.so", "SECRET": "1", "LISTEN_FDS": "1"})
    assert not [e for e in report["env"] if e.split("=")[0] in ("LD_PRELOAD", "SECRET", "LISTEN_FDS")]


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home"), (4711, "/")])
def test_home(cells, level, uid, home):
    """P16: of the user it runs as."""
    result = busybox(cells).exec("sh", "-c", "echo $HOME", flags=("--user", uid))
    assert result.out == home + "\n", result


@pytest.mark.peer
def test_cwd(cells, level):
    """F37."""
    cell = busybox(cells)
    assert cell.exec("pwd").out == "/\n"
    assert cell.exec("pwd", flags=("--cwd", "/usr")).out == "/usr\n"


@pytest.mark.parametrize("cwd, text", [
    ("relative", "process.cwd"), ("/missing", "process.cwd"), ("/bin/busybox", "process.cwd"),
    ("/out", "process.cwd"), ("/loop", "process.cwd"), ("/" + "x" * 5000, "process.cwd"),
    ("/proc/self/fd/3", "process.cwd"), ("/proc/self/fd/7", "process.cwd"), ("/proc/1/root", "process.cwd"),
    ("/proc/self/exe", "process.cwd"),
])
def test_t09_bad_working_directories(cells, not_run, level, cwd, text):
    """CVE-2024-21626: magic links to what the runtime holds open lead nowhere."""
    cell = cells(b.spec(), "busybox")
    os.symlink("/proc/1/root/..", cell.bundle.rootfs / "out")
    os.symlink("loop", cell.bundle.rootfs / "loop")
    cell.bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    cell.bundle.write()
    assert cell.create().ok and cell.start().ok
    not_run(cell.exec("pwd", flags=("--cwd", cwd)), text, cell=cell)


def test_t09_a_link_stays_inside(cells, level):
    cell = cells(b.spec(), "busybox")
    os.symlink("/../../../../../etc", cell.bundle.rootfs / "up")
    cell.bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    cell.bundle.write()
    assert cell.create().ok and cell.start().ok
    result = cell.exec("sh", "-c", "pwd; ls", flags=("--cwd", "/up"))
    assert result.out.split() == ["/etc", "group", "passwd"], result


# T50: capabilities


@pytest.mark.levels("none")
def test_t50_cap_at_none(cells, level):
    """F39: as runc has it; nothing is added to the inheritable set (CVE-2022-29162)."""
    report = running(cells).exec_report("--cap", "CAP_SYS_CHROOT", "-c", "CAP_CHOWN")["status"]
    want = oracles.mask(["AUDIT_WRITE", "KILL", "NET_BIND_SERVICE", "SYS_CHROOT", "CHOWN"])
    assert [int(report[k], 16) for k in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb")] == [want] * 3 + [0, 0]


@pytest.mark.parametrize("uid", [0, 1000])
def test_t50_inheritable_is_never_added_to(cells, level, uid):
    """Decision 52, CVE-2022-27650, CVE-2025-27612: also where engines of the day send it."""
    cell = running(cells)
    full = ["CAP_KILL", "CAP_AUDIT_WRITE"]
    path = process(cell, "/prisoner", "report", user={"uid": uid, "gid": uid},
                   capabilities=dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), full))
    report = cell.exec(flags=("--process", path)).documents()[0]["status"]
    assert int(report["CapInh"], 16) == int(report["CapAmb"], 16) == 0


@pytest.mark.levels("none")
def test_t50_inheritable_as_configured(cells, level):
    """none applies what the config lists."""
    config = b.spec()
    b.capabilities(config, "CAP_KILL", sets=("bounding", "effective", "permitted", "inheritable", "ambient"))
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    cell = running(cells, config)
    report = cell.exec_report()
    assert int(report["status"]["CapAmb"], 16) == oracles.mask(["KILL"])
    assert_parity(cell.own, report, "CapInh")


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("caps", [["CAP_SYS_ADMIN"], ["CAP_CHOWN"], ["CAP_NET_RAW", "CAP_SYS_PTRACE"]])
def test_t50_more_than_the_configuration_is_refused(cells, not_run, level, caps):
    """Decision 4: named, each, and in words no caller takes for something else (decision 40)."""
    cell = running(cells)
    flags = [part for cap in caps for part in ("--cap", cap)]
    message = not_run(cell.exec("/prisoner", "report", flags=flags), "exec.parity", *caps, cell=cell)
    assert oracles.caller_pattern(message) is None
    path = process(cell, "/prisoner", "report", capabilities={"bounding": caps})
    not_run(cell.exec(flags=("--process", path)), "exec.parity", *caps, cell=cell)


@pytest.mark.levels("hardened")
def test_t50_privileged_is_one_finding(cells, not_run, level):
    """Decision 20."""
    cell = running(cells)
    every = [f"CAP_{name}" for name in oracles.CAPABILITIES]
    path = process(cell, "/prisoner", "report", capabilities=dict.fromkeys(("bounding", "effective", "permitted"), every))
    message = not_run(cell.exec(flags=("--process", path)), "caps.privileged", cell=cell)
    assert "exec.parity" not in message


@pytest.mark.levels("hardened")
def test_engines_send_what_was_trimmed(cells, level):
    """Decision 4: the original capabilities, uid 0 and no no_new_privs: silently the container's."""
    config = b.spec()
    b.capabilities(config, "CAP_CHOWN", "CAP_SETUID", "CAP_NET_RAW")
    config["process"]["noNewPrivileges"] = False
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    cell = running(cells, config, "skeleton")
    path = process(cell, "/prisoner", "report", user={"uid": 0, "gid": 0})
    result = cell.exec(flags=("--process", path))
    assert result.ok and result.err == "", result
    report = result.documents()[0]
    assert report["status"]["Uid"].split()[0] == "0" and report["status"]["NoNewPrivs"] == "1"
    assert {int(report["status"][k], 16) for k in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    assert_parity(cell.own, report, "Uid", "Gid", "env")
    noted = cell.runtime.at("hardened", "--debug").call("exec", "--process", path, cell.id)
    assert "caps.bounding" in noted.err and "CAP_NET_RAW" in noted.err


@pytest.mark.parametrize("cap", ["CAP_NOPE", "", "all"])
def test_unknown_capabilities(cells, not_run, cap):
    cell = running(cells)
    not_run(cell.exec("/prisoner", "exit", "0", flags=(f"--cap={cap}",)), "unknown capability", cell=cell)


@pytest.mark.parametrize("variable", ["", "A", "=b"])
def test_an_environment_that_is_none(cells, not_run, level, variable):
    cell = running(cells)
    not_run(cell.exec("/prisoner", "exit", "0", flags=(f"--env={variable}",)), f'environment "{variable}": want K=V', cell=cell)


@pytest.mark.peer
def test_empty_values_are_none_given(cells, level):
    """As in runc: a variable of the caller's script that is not set."""
    cell = running(cells)
    flags = [f"--{name}=" for name in ("cwd", "process", "pid-file", "console-socket", "apparmor", "process-label")]
    done = cell.exec("/prisoner", "exit", "3", flags=flags)
    assert done.status == 3, done


@pytest.mark.levels("none")
def test_no_new_privs_is_only_switched_on(cells, level):
    """F40: the container's own setting is the floor."""
    config = b.spec()
    config["process"]["noNewPrivileges"] = False
    cell = running(cells, config)
    assert cell.exec_report()["status"]["NoNewPrivs"] == "0"
    assert cell.exec_report("--no-new-privs")["status"]["NoNewPrivs"] == "1"
    path = process(cell, "/prisoner", "report")
    assert cell.exec(flags=("--no-new-privs", "--process", path)).documents()[0]["status"]["NoNewPrivs"] == "1"
    fixed = running(cells)
    path = process(fixed, "/prisoner", "report", noNewPrivileges=False)
    assert fixed.exec(flags=("--process", path)).documents()[0]["status"]["NoNewPrivs"] == "1"


def test_t50_a_setuid_program_gains_nothing(cells, level):
    """T11, T50: as user 1000, a copy of the prisoner owned by root with the bit set."""
    cell = cells(b.spec("sleep"), "skeleton")
    shutil.copy(cell.bundle.rootfs / "prisoner", cell.bundle.rootfs / "suid")
    os.chmod(cell.bundle.rootfs / "suid", 0o4755)
    assert cell.create().ok and cell.start().ok
    status = cell.exec("/suid", "report", flags=("--user", "1000:1000")).documents()[0]["status"]
    assert status["Uid"].split() == ["1000"] * 4
    assert int(status["CapEff"], 16) == 0


# T55: the filter and no_new_privs


@pytest.mark.levels("hardened")
def test_t55_verdicts(cells, level):
    cell = running(cells)
    names = ("unknown-call", "clone3=10000000", "io-uring", "unshare=user", "x32=39", "int80=20", "socket=38:5",
             "add-key", "bpf", "open-tree", "mount-setattr", "setns=net", "personality=400000", "ptrace")
    own = cells.inside(b.spec(), "try", *names)[0]
    assert cell.exec("/prisoner", "try", *names).documents()[0] == own
    assert own["unshare=user"] == "EPERM" and own["unknown-call"] == "ENOSYS"


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("flags, names", [
    (("--apparmor", "unconfined"), ("lsm.confined", "unconfined")),
    (("--process-label", "system_u:system_r:spc_t:s0"), ("lsm.confined", "spc_t")),
    (("--apparmor", "other"), ("exec.parity", "other")),
    (("--process-label", "system_u:system_r:other_t:s0"), ("exec.parity", "other_t")),
])
def test_t53_other_labels_are_refused(cells, not_run, level, flags, names):
    """F41."""
    cell = running(cells)
    not_run(cell.exec("/prisoner", "exit", "0", flags=flags), *names, cell=cell)


@pytest.mark.levels("none")
def test_t53_a_label_that_cannot_be_had(cells, not_run, can, level):
    """P29, P30: an error, never silence."""
    cell = running(cells)
    if not can.apparmor:
        not_run(cell.exec("/prisoner", "exit", "0", flags=("--apparmor", "x")), "process.apparmorProfile", cell=cell)
    if not can.selinux:
        not_run(cell.exec("/prisoner", "exit", "0", flags=("--process-label", "x")), "process.selinuxLabel", cell=cell)


# F30: the process file


@pytest.mark.peer
@pytest.mark.parametrize("flag", ["--process", "-p"])
def test_process_file(cells, level, flag):
    """F30."""
    cell = busybox(cells)
    path = process(cell, "sh", "-c", "echo $A; id -u; pwd; exit 5", env=["PATH=/bin", "A=b"], cwd="/usr",
                   user={"uid": 12, "gid": 34})
    result = cell.exec(flags=(flag, path))
    assert (result.status, result.out) == (5, "b\n12\n/usr\n"), result


@pytest.mark.peer
def test_other_options_are_not_looked_at_with_a_process_file(cells, level):
    """F30."""
    cell = busybox(cells)
    path = process(cell, "sh", "-c", "id -u; pwd; echo $A")
    flags = ("--process", path, "--user", "1000", "--cwd", "/usr", "--env", "A=b")
    assert cell.exec("false", flags=flags).out == "0\n/\n\n"


def test_what_a_process_file_leaves_out_is_the_containers(cells, level):
    """Limits, umask, score and scheduling of the container, not of whoever calls."""
    config = b.spec()
    _settings(config)
    cell = running(cells, config)
    path = cell.bundle.path / "small.json"
    path.write_text(json.dumps({"args": ["/prisoner", "report"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                                "env": cell.bundle.config["process"]["env"],
                                "capabilities": cell.bundle.config["process"]["capabilities"]}))
    result = cell.exec(flags=("--process", path))
    assert result.ok, result
    assert_parity(cell.own, result.documents()[0])


@pytest.mark.peer
@pytest.mark.levels("none")
def test_capabilities_that_a_process_file_leaves_out(cells, level):
    """They are the container's, as of both peers; an empty object is none at all."""
    cell = busybox(cells)
    path = process(cell, "grep", "Cap", "/proc/self/status")
    seen = []
    for change in (lambda p: p.pop("capabilities", None), lambda p: p.update(capabilities={})):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        seen.append(dict(line.split() for line in cell.exec(flags=("--process", path)).out.splitlines()))
    own = dict(line.split() for line in cell.exec("grep", "Cap", "/proc/self/status").out.splitlines())
    assert int(own["CapBnd:"], 16) and seen[0] == own, seen
    assert not any(int(value, 16) for value in seen[1].values()), seen


@pytest.mark.levels("hardened")
def test_limits_are_not_raised(cells, level):
    config = b.spec()
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    cell = running(cells, config)
    more = [{"type": "RLIMIT_NOFILE", "soft": 500, "hard": 1000}]
    limits = cell.exec(flags=("--process", process(cell, "/prisoner", "report", rlimits=more))).documents()[0]["rlimits"]
    assert limits["RLIMIT_NOFILE"] == [200, 200] and limits["RLIMIT_CORE"] == [1, 1]


@pytest.mark.parametrize("fields, text", [
    ({"args": []}, "process.args"), ({"args": ["x", 1]}, "process.args[1]"), ({"cwd": "tmp"}, "process.cwd"),
    ({"cwd": None}, "process.cwd"), ({"user": {"uid": -1, "gid": 0}}, "process.user.uid"),
    ({"user": {"uid": 1 << 32, "gid": 0}}, "process.user.uid"), ({"user": {"gid": 0}}, "process.user.uid"),
    ({"env": ["X"]}, "process.env[0]"), ({"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}, "process.rlimits[0]"),
    ({"rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]}, "process.rlimits[0]"),
    ({"capabilities": []}, "process.capabilities"), ({"terminal": "yes"}, "process.terminal"),
    ({"execCPUAffinity": {"initial": "x"}}, "process.execCPUAffinity.initial"),
    ({"execCPUAffinity": {"final": "3-1"}}, "process.execCPUAffinity.final"),
    ({"oomScoreAdj": 5000}, "process.oomScoreAdj"), ({"scheduler": {"policy": "SCHED_X"}}, "process.scheduler"),
    ({"noNewPrivileges": 1}, "process.noNewPrivileges"), ({"User": {"uid": 0, "gid": 0}}, "User"),
], ids=str)
def test_bad_process_files(cells, not_run, level, fields, text):
    """F30: validated like config.json."""
    cell = running(cells)
    path = process(cell, **{"args": ["/prisoner"], **fields})
    not_run(cell.exec(flags=("--process", path)), text, cell=cell)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"args":["/prisoner"]} x', b"\xff\xfe", b"[" * 100000])
def test_process_files_that_are_none(cells, not_run, content):
    cell = running(cells)
    path = cell.bundle.path / "p"
    path.write_bytes(content)
    not_run(cell.exec(flags=("--process", path)), ("process", "line"), cell=cell)


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "device", "huge"])
def test_process_files_of_the_wrong_kind(cells, not_run, kind):
    """T30: neither followed for ever nor waited for."""
    cell = running(cells)
    path = cell.bundle.path / "p"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = pathlib.Path("/dev/zero")
    elif kind == "huge":
        with open(path, "wb") as file:
            file.truncate(4 << 30)
    not_run(cell.exec(flags=("--process", path)), str(path), cell=cell)


@pytest.mark.parametrize("argv, text", [
    (["exec"], "exec"), (["exec", "ID"], "command"), (["exec", "--nope", "ID", "x"], "unknown option: --nope"),
    (["exec", "--preserve-fds", "x", "ID", "/prisoner"], "preserve-fds"),
    (["exec", "--preserve-fds", "9", "ID", "/prisoner"], "preserve-fds"),
    (["exec", "--console-socket", "/x", "ID", "/prisoner"], "console socket"),
    (["exec", "--tty", "--console-socket", "/x", "ID", "/prisoner"], "console socket"),
    (["exec", "--tty", "--detach", "ID", "/prisoner"],
     "cannot allocate tty if the runtime will detach without setting console socket"),
    (["exec", "--detach", "--console-socket", "/x", "ID", "/prisoner"], "console socket"),
    (["exec", "a/b", "/prisoner"], "invalid container ID format"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_command_lines_that_make_no_sense(cells, rt, not_run, argv, text):
    """R7, R4, M8, F15."""
    cell = running(cells)
    not_run(rt.call(*[cell.id if a == "ID" else a for a in argv]), text, cell=cell)


@pytest.mark.peer
def test_what_follows_the_id_is_the_commands(cells, level):
    """R3."""
    result = busybox(cells).exec("echo", "--user", "-d", "--help", "--")
    assert result.out == "--user -d --help --\n", result


@pytest.mark.peer
def test_both_forms_of_options(cells, level):
    """F34, R1, R2."""
    cell = busybox(cells)
    result = cell.exec("sh", "-c", "id -u; pwd", flags=("-user=7", "-cwd", "/usr", "--tty=false"))
    assert result.out == "7\n/usr\n", result
    result = cell.exec("sh", "-c", "id -u; echo $A; test -t 0", flags=("-u=7", "-e=A=b=c", "-t=true", "-t=false", "-d=false"))
    assert (result.status, result.out) == (1, "7\nb=c\n"), result


# C3, C4, E rows: statuses and texts


@pytest.mark.peer
@pytest.mark.parametrize("code", [0, 1, 7, 125, 126, 127, 255])
def test_exit_status(cells, level, code):
    """C3."""
    result = running(cells).exec("/prisoner", "exit", str(code))
    assert (result.status, result.out, result.err) == (code, "", ""), result


@pytest.mark.peer
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_death_by_a_signal(cells, level, number):
    """C3."""
    assert running(cells).exec("/prisoner", "kill", str(int(number))).status == 128 + number


LOOKUPS = [
    (["foo"], 'exec: "foo": executable file not found in $PATH'),
    ([""], 'exec: "": executable file not found in $PATH'),
    (["/foo"], 'exec: "/foo": stat /foo: no such file or directory'),
    (["/etc"], 'exec: "/etc": permission denied'),
    (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
    (["/bin/noint"], "exec /bin/noint: no such file or directory"),
    (["/bin/text"], "exec /bin/text: exec format error"),
]


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("args, text", LOOKUPS, ids=lambda v: v[0] if isinstance(v, list) else "")
def test_lookup_errors(cells, not_run, level, args, text, detach):
    """C4, C7, M9-M12: by these words callers tell 126 from 127; no pid file says that it ran (K8)."""
    cell = cells(b.spec(), "busybox")
    for name, content in (("noint", "#!/nowhere/sh\n"), ("text", "just text\n")):
        (cell.bundle.rootfs / "bin" / name).write_text(content)
        (cell.bundle.rootfs / "bin" / name).chmod(0o755)
    cell.bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    cell.bundle.write()
    assert cell.create().ok and cell.start().ok
    pid_file = cell.bundle.path / "pid"
    flags = ("--pid-file", pid_file, *(["--detach"] if detach else []))
    message = not_run(cell.exec(*args, flags=flags), text, cell=cell)
    assert message.strip() == f"donjon: {text}"
    assert not pid_file.exists()


@pytest.mark.peer
@pytest.mark.parametrize("name, env", [
    ("sh", ["PATH=/bin"]), ("sh", ["PATH=/nowhere:/bin"]), ("bin/sh", ["PATH=/nowhere"]),
    ("./bin/sh", ["PATH=/nowhere"]), ("/bin/sh", []),
])
def test_program_lookup(cells, level, name, env):
    """P17, as the user it will run as."""
    cell = busybox(cells)
    result = cell.exec(flags=("--process", process(cell, name, "-c", "exit 7", env=env)))
    assert result.status == 7, result


def test_lookup_as_the_user(cells, not_run, level):
    cell = cells(b.spec(), "busybox")
    os.mkdir(cell.bundle.rootfs / "priv", 0o700)
    shutil.copy(cell.bundle.rootfs / "prisoner", cell.bundle.rootfs / "priv/x")
    cell.bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    cell.bundle.write()
    assert cell.create().ok and cell.start().ok
    not_run(cell.exec("/priv/x", flags=("-u", "1000")), 'exec: "/priv/x": permission denied', cell=cell)


def test_the_log_record(cells, rt, work, level):
    """O1, O4: one record in the file and one line on stderr; none on success."""
    cell = running(cells)
    log = work / "log.json"
    logged = rt.at(level, "--log", log, "--log-format", "json")
    assert logged.call("exec", cell.id, "/prisoner", "exit", "0").ok
    assert log.read_text() == ""
    result = logged.call("exec", cell.id, "/nope")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) == 1 and records[0]["level"] == "error"
    assert records[0]["msg"] == result.err.strip().removeprefix("donjon: ")


# F31, F32, R8, R11, K7, K8: detached


@pytest.mark.peer
def test_detach(cells, level):
    """F31, L2, L6: the order in which conmon and the shim send it."""
    cell = busybox(cells)
    pid_file = cell.bundle.path / "pid"
    path = process(cell, "sh", "-c", "echo ran >/dev/shm/ran; exec sleep 1000")
    result = cell.exec(flags=("--process", path, "--detach", "--pid-file", pid_file))
    assert (result.status, result.out, result.err) == (0, "", ""), result
    text = pid_file.read_text()
    assert text.isdigit(), "decimal, no newline (K7)"
    pid = int(text)
    assert os.readlink(f"/proc/{pid}/exe").endswith("/busybox"), "returned when the program had been executed"
    with open(f"/proc/{pid}/stat") as line:
        assert int(line.read().rsplit(")", 1)[1].split()[1]) == os.getpid(), "R11: the subreaper's child"
    until(lambda: cell.exec("cat", "/dev/shm/ran").out == "ran\n")
    mode = pid_file.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o644
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_detach_leaves_the_program_alone_behind(cells, level):
    """R11: no process in between is left."""
    cell = busybox(cells)
    before = linux.descendants()
    assert cell.exec("sleep", "1000", flags=("-d",)).ok
    assert len(linux.descendants() - before) == 1


@pytest.mark.peer
def test_r8_nothing_holds_the_callers_streams(cells, level):
    """What the shim reads until end-of-file; the program has streams of its own here."""
    cell = busybox(cells)
    with terminals.console_socket(cell.bundle.path / "console") as listener:
        read_end, write_end = os.pipe()
        path = process(cell, "sleep", "1000", terminal=True)
        done = cell.spawn_exec(
            flags=("--process", path, "--detach", "--console-socket", cell.bundle.path / "console"),
            stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end).wait()
        assert done.ok
        os.close(write_end)
        os.set_blocking(read_end, False)
        assert os.read(read_end, 1) == b"", "somebody still holds it"
        os.close(read_end)
        os.close(terminals.receive(listener))


@pytest.mark.peer
def test_pid_file_in_the_foreground(cells, level):
    """F32: BuildKit waits for it while the program runs."""
    cell = busybox(cells)
    pid_file = cell.bundle.path / "pid"
    waiting = cell.spawn_exec("sleep", "1000", flags=("--pid-file", pid_file))
    until(lambda: pid_file.exists() and pid_file.read_text())
    until(lambda: _comm(int(pid_file.read_text())) == "sleep")
    assert waiting.running()
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    assert waiting.wait().status == 128 + signal.SIGTERM


def test_an_existing_pid_file_is_replaced(cells, level):
    cell = busybox(cells)
    pid_file = cell.bundle.path / "pid"
    pid_file.write_text("1")
    assert cell.exec("true", flags=("--pid-file", pid_file)).ok
    assert pid_file.read_text() != "1"


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "no parent"])
def test_bad_pid_files(cells, not_run, level, kind):
    """T47: refused before the program runs."""
    cell = busybox(cells)
    path = cell.bundle.path / "pid"
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path = path / "deeper"
    for flags in ((), ("--detach",)):
        not_run(cell.exec("touch", "/dev/shm/ran", flags=("--pid-file", path, *flags)), "pid file", cell=cell)
    assert cell.exec("cat", "/dev/shm/ran").status == 1


def test_pidfd_socket(cells, level):
    """K6, F14."""
    cell = busybox(cells)
    with terminals.console_socket(cell.bundle.path / "pidfd") as listener:
        waiting = cell.spawn_exec("sleep", "1000", flags=("--pidfd-socket", cell.bundle.path / "pidfd"))
        pidfd = terminals.receive(listener)
        with open(f"/proc/self/fdinfo/{pidfd}") as info:
            pid = int(next(line.split()[1] for line in info if line.startswith("Pid:")))
        until(lambda: _comm(pid) == "sleep")
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert waiting.wait().status == 137
        os.close(pidfd)


def test_a_socket_nobody_listens_at(cells, not_run, level):
    """The program does not run then, and nothing of it stays."""
    cell = busybox(cells)
    before = linux.descendants()
    flags = ("--detach", "--pidfd-socket", cell.bundle.path / "none", "--pid-file", cell.bundle.path / "pid")
    not_run(cell.exec("touch", "/dev/shm/ran", flags=flags), "pidfd socket", cell=cell)
    assert not (cell.bundle.path / "pid").exists()
    assert cell.exec("cat", "/dev/shm/ran").status == 1
    assert linux.descendants() == before


# T48, F42: descriptors


def test_t48_leaked_descriptors(cells, level):
    """B7, R9: exactly 0, 1 and 2, whatever the caller leaks."""
    cell = running(cells)
    fds, kept = _leaks()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    fds.append(fcntl.fcntl(0, fcntl.F_DUPFD, min(hard, 60000) - 1))
    report = cell.exec_report(pass_fds=fds)
    assert [f["fd"] for f in report["fds"]] == [0, 1, 2]
    for fd in [*fds[:-3], fds[-1]]:
        os.close(fd)
    del kept


def _preserve(cell, flags=()):
    read_end, write_end = os.pipe()

    def preexec():
        for target in (3, 4):
            os.dup2(fcntl.fcntl(read_end, fcntl.F_DUPFD, 100), target)

    result = cell.exec("/prisoner", "report", flags=("--preserve-fds", "2", *flags), close_fds=False, preexec_fn=preexec)
    os.close(read_end), os.close(write_end)
    return result


@pytest.mark.peer
@pytest.mark.levels("none")
def test_preserved_descriptors(cells, level):
    """F42."""
    result = _preserve(running(cells))
    fds = result.documents()[0]["fds"]
    assert [f["fd"] for f in fds] == [0, 1, 2, 3, 4] and {f["type"] for f in fds[3:]} == {"fifo"}


@pytest.mark.levels("hardened")
def test_preserved_descriptors_need_the_override_of_create(cells, rt, not_run, level):
    not_run(_preserve(running(cells)), "proc.fds")
    cell = running(cells, runtime=rt.override("proc.fds=preserve:test"))
    cell.runtime = rt
    assert [f["fd"] for f in _preserve(cell).documents()[0]["fds"]] == [0, 1, 2, 3, 4]


# T52: streams


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("kind", ["file", "fifo", "socket", "null"])
def test_t52_streams_keep_their_owner(cells, work, level, kind, uid):
    """Decision 1: only an anonymous pipe changes its owner."""
    cell = running(cells)
    pair = None
    if kind == "file":
        fd = os.open(work / "out", os.O_RDWR | os.O_CREAT, 0o600)
    elif kind == "fifo":
        os.mkfifo(work / "fifo")
        fd = os.open(work / "fifo", os.O_RDWR)
    elif kind == "socket":
        pair = socket.socketpair()
        fd = pair[0].fileno()
    else:
        fd = os.open("/dev/null", os.O_RDWR)
    before = os.fstat(fd)
    assert cell.spawn_exec("/prisoner", "exit", "0", flags=("-u", uid), stdin=fd, stdout=fd, stderr=fd).wait().ok
    after = os.fstat(fd)
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)
    if pair is None:
        os.close(fd)


def test_t52_a_null_device_of_the_host_becomes_the_containers(cells, work, level):
    """V8: the host's node is out of reach, and what was opened for reading alone can be written."""
    cell = busybox(cells)
    with _null_of_the_host(work / "null") as fd:
        done = cell.spawn_exec("sh", "-c", CHANGE_AND_WRITE, stdin=fd, stdout=fd, stderr=fd).wait()
        assert done.status == 7, done


@pytest.mark.parametrize("uid", [0, 1000])
def test_t52_a_pipe_can_be_reopened(cells, level, uid):
    """Decision 1: images that log through a link to /dev/stdout."""
    cell = busybox(cells)
    read_end, write_end = os.pipe()
    done = cell.spawn_exec("sh", "-c", "echo again >/dev/stdout", flags=("-u", uid), stdout=write_end).wait()
    os.close(write_end)
    assert done.ok and os.read(read_end, 100) == b"again\n", done
    os.close(read_end)


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_t52_closed_streams_become_null(cells, level, closed):
    cell = busybox(cells)
    script = "/prisoner report >/dev/shm/report"
    process_ = cell.spawn_exec("sh", "-c", script, preexec_fn=lambda: [os.close(fd) for fd in closed])
    assert process_.wait().ok
    report = json.loads(cell.exec("cat", "/dev/shm/report").out)
    fds = {f["fd"]: f for f in report["fds"]}
    assert set(fds) == {0, 1, 2}
    for fd in set(closed) - {1}:
        assert fds[fd]["rdev"] == "1:3", fds[fd]


# T56, F43: cgroups


def _sub_cgroup(cell, name, *controllers):
    """Makes a cgroup below the container's in every hierarchy; the directories."""
    made = []
    for line in pathlib.Path(f"/proc/{cell.pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        root = linux.cgroup_roots().get(names)
        if root is None or (controllers and not set(names.split(",")) & set(controllers)):
            continue
        directory = pathlib.Path(root + path) / name
        directory.mkdir()
        for file in ("cpuset.cpus", "cpuset.mems"):
            if names and (directory / file).exists():
                (directory / file).write_text((directory.parent / file).read_text())
        made.append(directory)
    return made


def _cgroup_of_exec(cell, *flags):
    waiting = cell.spawn_exec("/prisoner", "sleep", flags=flags)
    pids = value_of(lambda: [p for p in linux.descendants(waiting.pid) if _comm(p) == "prisoner"], waiting.err)
    text = pathlib.Path(f"/proc/{pids[0]}/cgroup").read_text()
    os.kill(pids[0], signal.SIGKILL)
    waiting.wait()
    return {line.split(":", 2)[1]: line.split(":", 2)[2] for line in text.splitlines()}


def test_cgroup_below(cells, level):
    """F43: in every hierarchy, and nowhere else."""
    cell = running(cells)
    _sub_cgroup(cell, "sub")
    roots = linux.cgroup_roots()
    for flag in ("sub", "/sub", "./sub/"):
        found = _cgroup_of_exec(cell, "--cgroup", flag)
        assert all(path.endswith(f"{cell.id}/sub") for names, path in found.items() if names in roots), found


def test_cgroup_of_one_controller(cells, can, level):
    if not can.v1:
        pytest.skip("the prefix is cgroup v1's")
    cell = running(cells)
    _sub_cgroup(cell, "sub", "pids")
    found = _cgroup_of_exec(cell, "--cgroup", "pids:sub")
    assert found["pids"].endswith(f"{cell.id}/sub") and found["memory"].endswith(cell.id)


@pytest.mark.parametrize("path", ["missing", "..", "../x", "sub/../..", "sub/../../other", "nope:sub", "/../x"])
def test_t56_cgroups_that_are_not_below(cells, not_run, level, path):
    """runc 1.5.2: a sibling whose name starts with ours; `..` in any place."""
    cell = running(cells)
    _sub_cgroup(cell, "sub")
    sibling = cells(b.spec("sleep"), id=cell.id + "x")
    assert sibling.create().ok
    not_run(cell.exec("/prisoner", "exit", "0", flags=("--cgroup", path)), "cgroup", cell=cell)
    not_run(cell.exec("/prisoner", "exit", "0", flags=("--cgroup", f"../{sibling.id}")), "cgroup", cell=cell)


@pytest.mark.peer
def test_a_container_that_manages_sub_cgroups(cells, level):
    """What systemd in a container does: its own cgroup hands out controllers and so can hold no process
    any more.  exec goes where the container's own process went."""
    root = linux.cgroup_roots().get("")
    if root is None or "pids" not in pathlib.Path(root, "cgroup.controllers").read_text().split():
        pytest.skip("needs cgroup v2 with controllers")
    cell = running(cells)
    init = next(d for d in _sub_cgroup(cell, "init.scope") if str(d).startswith(root))
    (init / "cgroup.procs").write_text(str(cell.pid))
    (init.parent / "cgroup.subtree_control").write_text("+pids")
    assert _cgroup_of_exec(cell)[""].endswith(f"{cell.id}/init.scope")
    result = cell.exec("/prisoner", "exit", "4")
    assert (result.status, result.err) == (4, ""), result


def test_limits_hold_for_the_new_process(cells, level):
    """pids.max of the container counts it."""
    config = b.spec()
    b.resources(config, pids={"limit": 4})
    cell = busybox(cells, config)
    result = cell.exec("sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1000 & done; wait")
    assert result.status != 0, result
    assert "fork" in result.err


def test_a_full_container(cells, not_run, level):
    """T75: no room for one more process: said so, and nothing is left."""
    config = b.spec()
    b.resources(config, pids={"limit": 1})
    cell = running(cells, config)
    not_run(cell.exec("/prisoner", "exit", "0"), ("clone", "resource temporarily unavailable"), cell=cell)


# P36: affinity


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two CPUs")
@pytest.mark.parametrize("affinity, seen", [({"final": "1"}, "1"), ({"initial": "0", "final": "0"}, "0"),
                                            ({"initial": "1"}, None), ({"initial": "0-1", "final": "0,1"}, None)])
def test_cpu_affinity(cells, level, affinity, seen):
    """P36: initial until it is in the cgroup, final from then on; nothing of it stays with the caller."""
    cell = running(cells)
    path = process(cell, "/prisoner", "report", execCPUAffinity=affinity)
    report = cell.exec(flags=("--process", path)).documents()[0]
    assert report["status"]["Cpus_allowed_list"] == (seen or _own_cpus())


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_cpu_affinity_comes_in_order(cells, rt, work):
    """P36."""
    cell = running(cells)
    path = process(cell, "/prisoner", "exit", "0", execCPUAffinity={"initial": "0", "final": "0-1"})
    trace = work / "trace"
    subprocess.run(["strace", "-qq", "-o", trace, "-e", "trace=sched_setaffinity,clone3",
                    *rt.argv("exec", "--process", path, cell.id)], check=True)
    lines = [line for line in trace.read_text().splitlines() if "sched_setaffinity" in line or "clone3" in line]
    calls = ["clone" if "clone3" in line else line.split("[")[1].split("]")[0] for line in lines]
    assert calls[0] == "0" and calls[1] == "clone" and calls[-1] == "0 1", lines


@pytest.mark.parametrize("which", ["initial", "final"])
def test_a_cpu_that_is_not_there(cells, not_run, which):
    """P36."""
    cell = running(cells)
    path = process(cell, "/prisoner", "exit", "0", execCPUAffinity={which: "7777"})
    not_run(cell.exec(flags=("--process", path)), f"process.execCPUAffinity.{which}", cell=cell)


# T59: an odd caller


def test_t59_an_odd_caller(cells, level):
    """B24: nothing of the caller's reaches the program."""
    cell = running(cells)
    report = cell.exec_report(preexec_fn=_odd_caller,
                              env={**os.environ, "LD_LIBRARY_PATH": "/nowhere", "NOTIFY_SOCKET": "/x"})
    assert_parity(cell.own, report)
    assert report["status"]["Cpus_allowed_list"] == _own_cpus()


@pytest.mark.peer
def test_t59_the_parents_death_signal(cells, level):
    """R10."""
    cell = busybox(cells)
    flags = ("-d", "--pid-file", cell.bundle.path / "pid")
    die = lambda: linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    assert cell.exec("sleep", "1000", flags=flags, preexec_fn=die).ok
    until(lambda: _comm(int((cell.bundle.path / "pid").read_text())) == "sleep")


# T61: keys


@pytest.mark.levels("none")
def test_t61_an_own_session_keyring(cells, level):
    """Neither the caller's nor the container's: an anonymous one that nobody can join."""
    cell = running(cells)
    first, second = cell.exec_report()["keyring"], cell.exec_report()["keyring"]
    serials = {cell.own["keyring"]["serial"], first["serial"], second["serial"], linux.session_keyring()}
    assert len(serials) == 4 and first["description"].endswith(";_ses")


@pytest.mark.levels("none")
def test_t61_keyring_of_a_container_that_keeps_its_callers(cells, level):
    """F18 is kept with the container (R13)."""
    cell = cells(b.spec("sleep"))
    assert cell.create("--no-new-keyring").ok and cell.start().ok
    read_end, write_end = os.pipe()
    report = cell.exec_report(preexec_fn=lambda: os.write(write_end, str(linux.join_session_keyring()).encode()))
    assert report["keyring"]["serial"] == int(os.read(read_end, 64))
    os.close(read_end), os.close(write_end)


# T10, T13: hostile images


@pytest.mark.parametrize("make, status", [
    (lambda root: os.symlink("/proc/self/exe", root / "entry"), None),
    (lambda root: (root / "entry").write_text("#!/proc/self/exe\n"), None),
    (lambda root: (root / "entry").mkdir(), NOT_RUN),
    (lambda root: os.mkfifo(root / "entry"), NOT_RUN),
    (lambda root: os.mknod(root / "entry", stat.S_IFCHR | 0o755, os.makedev(1, 3)), NOT_RUN),
    (lambda root: os.symlink("entry", root / "entry"), NOT_RUN),
], ids=["exe", "script", "directory", "fifo", "device", "loop"])
def test_t10_entry_points(cells, host, level, make, status):
    """B9, CVE-2019-5736: whatever is executed, the installed runtime is neither run nor written."""
    cell = cells(b.spec("sleep"))
    make(cell.bundle.rootfs)
    if (cell.bundle.rootfs / "entry").is_file():
        os.chmod(cell.bundle.rootfs / "entry", 0o755)
    assert cell.create().ok and cell.start().ok
    result = cell.exec("/entry")
    assert result.status == status if status else result.status not in (0,), result
    host.check("processes", "cgroups", "state root")
    assert cell.status() == "running"


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "sparse", "long line", "nul"])
def test_t13_passwd(cells, bound, level, kind):
    """No hang and nothing foreign in HOME."""
    config = b.spec()
    config["process"]["env"] = ["PATH=/bin"]
    cell = cells(config, "busybox")
    passwd = cell.bundle.rootfs / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "link":
        passwd.symlink_to("/proc/self/environ")
    elif kind == "sparse":
        with open(passwd, "wb") as file:
            file.truncate(1 << 40)
    elif kind == "long line":
        passwd.write_text("root:x:0:0:" + "x" * 900000 + ":/evil:/bin/sh\n")
    else:
        passwd.write_bytes(b"root:x:0:0\0:root:/evil:/bin/sh\n")
    cell.bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    cell.bundle.write()
    assert cell.create().ok and cell.start().ok
    result = cell.exec("sh", "-c", "echo $HOME", measure=True)
    assert result.out == "/\n", result
    bound(result)


# Signals, many at once


@pytest.mark.peer
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_are_forwarded(cells, level, number):
    """To the new process and nobody else."""
    cell = busybox(cells)
    name = signal.Signals(number).name.removeprefix("SIG")
    waiting = cell.spawn_exec("sh", "-c", f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done")
    waiting.wait_for("ready")
    waiting.signal(number)
    result = waiting.wait()
    assert (result.status, result.out) == (9, "ready\ngot\n"), result
    assert cell.status() == "running"


def test_the_container_ends_while_something_is_executed(cells, level):
    cell = busybox(cells)
    waiting = cell.spawn_exec("sh", "-c", "echo ready; sleep 1000")
    waiting.wait_for("ready")
    assert cell.kill("KILL").ok
    assert waiting.wait().status == 128 + signal.SIGKILL


def test_many_at_once(cells, level):
    """Nothing is shared between them: 24 in parallel, each with its own answer, and nothing is left."""
    cell = running(cells)
    before = linux.descendants()
    waiting = [cell.spawn_exec("/prisoner", "echo", str(i)) for i in range(24)]
    assert [w.wait().out for w in waiting] == [f"{i}\n" for i in range(24)]
    assert linux.descendants() == before


def test_the_cost_of_memory(cells, bound, level):
    """BOUND, and the 3 MiB of design.md §6."""
    result = running(cells).exec("/prisoner", "exit", "0", measure=True)
    bound(result, rss_mib=5)


def test_a_container_whose_configuration_is_lost(cells, not_run):
    """Nothing can be a pattern for the process then, and nothing is guessed."""
    cell = running(cells)
    config = pathlib.Path(cell.runtime.root) / cell.id / "config.json"
    kept = config.read_text()
    config.unlink()
    try:
        not_run(cell.exec("/prisoner", "exit", "0"), "has no configuration")
    finally:
        config.write_text(kept)
