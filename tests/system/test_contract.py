"""What callers make of our words (contract 1.11), the command lines they send (1.4), and rows that need no
file of their own."""

import json
import os
import re
import subprocess

import pytest

from harness import bundle as b
from harness import linux, oracles, states, terminals
from harness.runtime import until

from test_resources import V1, _has

# The callers' own matching: E1-E16, each with what it concludes.


def _has_one(text, *parts):
    return any(part in text for part in parts)


def shim_after_kill(text):
    """E1-E3."""
    if _has_one(text, "os: process already finished", "container not running") or "no such process" in text.lower():
        return "gone"
    return "missing" if "does not exist" in text else "unknown error after kill"


def cri_o_after_kill(text):
    """E4."""
    return "gone" if _has_one(text, "no such process", "container not running", "invalid process") else "error"


def podman_after_state(text):
    """E5."""
    return "removed" if _has_one(text, "does not exist", "No such file") else "error"


def podman_after_create(text):
    """E6 before E7."""
    if re.search(r"(?i)permission denied|operation not permitted", text):
        return "permission"
    return "not found" if re.search(r"(?i)executable file not found in|no such file or directory|open executable",
                                    text) else "error"


def podman_attribute(text):
    """E8: lab/test_selinux.py makes one."""
    return bool(re.search("`/proc/[a-z0-9-].+/attr.*`", text))


def podman_exec_status(text):
    """E9."""
    return 127 if _has_one(text, "not found", "executable path is empty", "no such file") else 126


def dockerd_status(text):
    """E10-E14."""
    text = text.lower()
    if _has_one(text, "executable file not found", "no such file or directory",
                "system cannot find the file specified", "failed to run runc create/exec call"):
        return 127
    if _has_one(text, "permission denied", "is a directory"):
        return 126
    return 127 if "not a directory" in text else 128


def docker_client_status(text):
    """E15."""
    if _has_one(text, "executable file not found", "no such file or directory"):
        return 127
    return 126 if _has_one(text, "permission denied", "is a directory") else 125


def _judgements(text):
    return podman_after_create(text), podman_exec_status(text), dockerd_status(text), docker_client_status(text)


NOT_FOUND = ("not found", 127, 127, 127)
NOT_PERMITTED = ("permission", 126, 126, 126)


@pytest.mark.parametrize("program, wanted", [
    ("missing", NOT_FOUND), ("/missing", NOT_FOUND), ("bin/missing", NOT_FOUND), ("", NOT_FOUND),
    ("/etc", NOT_PERMITTED), ("/etc/passwd", NOT_PERMITTED),
])
def test_callers_tell_what_is_wrong_with_a_program(cells, fail, level, program, wanted):
    """E6, E7, E9, E10, E13, E15, Z4: from create, run and exec; 126 and 127 are made of these words."""
    config = b.spec()
    config["process"]["args"] = [program]
    cell = cells(config, "busybox")
    for command in (cell.create, cell.run):
        assert _judgements(fail(command(), cell=cell)) == wanted
    other = cells.started(b.spec("sleep"), "busybox")
    result = other.exec(program)
    assert result.status == 255 and _judgements(result.err) == wanted, result


def test_callers_tell_a_missing_interpreter(cells, level):
    """E7, E9, E13, E15, Z4: said by start."""
    config = b.spec()
    config["process"]["args"] = ["/script"]
    cell = cells(config, "busybox")
    cell.bundle.script("", "script")
    (cell.bundle.rootfs / "script").write_text("#!/missing\n")
    assert cell.create().ok
    assert _judgements(cell.start().err) == NOT_FOUND


@pytest.mark.parametrize("source, destination, daemon", [("dir", "/etc/passwd", 127), ("file", "/home", 126)])
def test_callers_tell_a_mount_of_the_wrong_kind(cells, fail, work, level, source, destination, daemon):
    """E11, E12, Z4: dockerd then explains what -v was given."""
    (work / "dir").mkdir()
    (work / "file").touch()
    config = b.spec()
    b.bind(config, work / source, destination, "ro")
    cell = cells(config, "busybox")
    line = fail(cell.create(), destination, cell=cell)
    assert dockerd_status(line) == daemon and podman_after_create(line) == "error"


OTHER_ERRORS = {
    "sysctl": lambda c: c["linux"].update(sysctl={"kernel.hostname": "x"}),
    "namespace": lambda c: c["linux"]["namespaces"].append({"type": "pid"}),
    "rlimit": lambda c: c["process"]["rlimits"][0].update(type="RLIMIT_NONSENSE"),
    "mount option": lambda c: b.mount(c, "/mnt", type="tmpfs", source="tmpfs", options=["nonsense"]),
    "resources": lambda c: b.resources(c, cpu={"idle": 2}),
    "seccomp": lambda c: b.seccomp(c, "SCMP_ACT_NONSENSE"),
    "version": lambda c: c.update(ociVersion="2.0.0"),
    "intelRdt": lambda c: c["linux"].update(intelRdt={"closID": "x"}),
}


@pytest.mark.parametrize("what", OTHER_ERRORS)
def test_other_errors_are_mistaken_for_nothing(cells, fail, level, what):
    """E14, Z5: no words of another row stand in them, whatever the errno was."""
    config = b.spec()
    OTHER_ERRORS[what](config)
    cell = cells(config)
    line = fail(cell.create(), cell=cell)
    assert _judgements(line) == ("error", 126, 128, 125) and oracles.caller_pattern(line) is None


@pytest.mark.parametrize("state, shim, cri_o", [("stopped", "gone", "gone"), ("missing", "missing", "error")])
def test_callers_tell_that_a_container_is_gone(cells, level, state, shim, cri_o):
    """E1-E4, Z4, Z6: else a pod stays terminating."""
    with states.cell_in(cells, state) as cell:
        result = cell.kill("9")
        assert (shim_after_kill(result.err), cri_o_after_kill(result.err)) == (shim, cri_o), result
        if state == "missing":
            assert shim_after_kill(cell.delete().err) == "missing"


def test_callers_tell_that_a_container_was_removed(cells):
    """E5, Z4."""
    result = cells(b.spec()).call("state")
    assert result.status == 1 and podman_after_state(result.err) == "removed", result


def test_podman_is_not_told_of_an_option_of_restore(runtime):
    """E16: the words of its probe would say that there is one."""
    result = subprocess.run([runtime.path, "restore", "--lsm-mount-context"], capture_output=True, text=True)
    assert result.returncode != 0 and result.stderr
    assert not _has_one(result.stdout + result.stderr, "flag needs an argument", "requires an argument")


# The texts themselves: M1-M13, each with what every caller makes of it.  A text that says nothing of a program, a
# path or an end must be read as nothing of the kind: "error", 126, 128, 125 are what callers conclude from any error.

NOTHING = ("error", 126, 128, 125)
GONE = {"stopped": ("gone", "gone"), "missing": ("missing", "error")}


def _bad_program(*args):
    def make(cells):
        config = b.spec()
        config["process"]["args"] = list(args)
        cell = cells(config, "busybox")
        (cell.bundle.rootfs / "script").write_text("#!/missing\n")
        (cell.bundle.rootfs / "data").write_text("no program\n")
        for name in ("script", "data"):
            (cell.bundle.rootfs / name).chmod(0o755)
        result = cell.create()
        return cell.start() if result.ok else result

    return make


def _in_state(state, *verb):
    def make(cells):
        with states.cell_in(cells, state) as cell:
            return cell.exec(*verb[1:]) if verb[0] == "exec" else cell.call(*verb)

    return make


def _create_again(cells):
    with states.cell_in(cells, "created") as cell:
        return cell.create()


def _terminal_without_socket(cells):
    config = b.spec()
    config["process"]["terminal"] = True
    return cells(config).create()


def _too_little_memory(cells):
    if not _has(("memory", "memory.limit_in_bytes" if V1 else "memory.max")):
        pytest.skip("no memory controller")
    config = b.spec("sleep")
    b.resources(config, memory={"limit": 4096})
    cell = cells(config)
    result = cell.create()
    if result.ok and not V1 and cell.status() == "created":
        pytest.skip("cgroup v2 charges a waiting process less")
    return result


# Row and situation; how to get there; the text; what podman, dockerd and its client make of it.
TEXTS = {
    "M1 state": (_in_state("missing", "state"), r"container does not exist: \S+", NOTHING),
    "M1 start": (_in_state("missing", "start"), r"container does not exist: \S+", NOTHING),
    "M1 kill": (_in_state("missing", "kill", "9"), r"container does not exist: \S+", NOTHING),
    "M1 delete": (_in_state("missing", "delete"), r"container does not exist: \S+", NOTHING),
    "M2": (_create_again, "container with given ID already exists", NOTHING),
    "M3": (_in_state("stopped", "kill", "9"), "container not running: no such process", NOTHING),
    "M4 running": (_in_state("running", "start"), "cannot start an already running container", NOTHING),
    "M4 stopped": (_in_state("stopped", "start"), "cannot start a container that has stopped", NOTHING),
    "M5 stopped": (_in_state("stopped", "exec", "/prisoner"), "cannot exec in a stopped container", NOTHING),
    "M5 paused": (_in_state("paused", "exec", "/prisoner"),
                  r"cannot exec in a paused container \(use --ignore-paused to override\)", NOTHING),
    "M6 running": (_in_state("running", "delete"), r"cannot delete container \S+ that is not stopped: running", NOTHING),
    "M6 paused": (_in_state("paused", "delete"), r"cannot delete container \S+ that is not stopped: paused", NOTHING),
    "M7 pause": (_in_state("stopped", "pause"), "container not running", NOTHING),
    "M7 resume": (_in_state("running", "resume"), "container not paused", NOTHING),
    "M8": (_terminal_without_socket, "cannot allocate tty if the runtime will detach without setting console socket", NOTHING),
    "M9": (_bad_program("foo"), r'exec: "foo": executable file not found in \$PATH', NOT_FOUND),
    "M10": (_bad_program("/foo"), 'exec: "/foo": stat /foo: no such file or directory', NOT_FOUND),
    "M11 directory": (_bad_program("/etc"), 'exec: "/etc": (permission denied|is a directory)', NOT_PERMITTED),
    "M11 file": (_bad_program("/etc/passwd"), 'exec: "/etc/passwd": permission denied', NOT_PERMITTED),
    "M12 interpreter": (_bad_program("/script"), "exec /script: no such file or directory", NOT_FOUND),
    "M12 format": (_bad_program("/data"), "exec /data: exec format error", NOTHING),
    "M13": (_too_little_memory, r"memory limit too low\?", NOTHING),
}


@pytest.mark.parametrize("row", TEXTS)
def test_texts_and_what_callers_make_of_them(cells, level, row):
    """M1-M13, E1-E7, E9-E15, Z4-Z6: on stderr, one line, in lower case but for names."""
    make, text, judgements = TEXTS[row]
    result = make(cells)
    assert result.status not in (0, 126, 127) and result.err.count("\n") == 1, result
    assert re.search(text, result.err), result
    assert _judgements(result.err) == judgements and not podman_attribute(result.err), result
    missing, ended = row.startswith("M1 "), row in ("M3", "M7 pause")
    assert podman_after_state(result.err) == ("removed" if missing else "error"), result
    expected = GONE["missing"] if missing else GONE["stopped"] if ended else ("unknown error after kill", "error")
    assert (shim_after_kill(result.err), cri_o_after_kill(result.err)) == expected, result


# Command lines as sent


def _piped(text):
    """A pipe that holds it."""
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    return os.fdopen(read_end)


def _process(cell, *args, **fields):
    path = cell.bundle.path / "process.json"
    path.write_text(json.dumps({**cell.bundle.config["process"], "args": list(args), **fields}))
    return path


@pytest.mark.parametrize("flags", [[], ["--no-pivot"], ["--keep"], ["--no-pivot", "--keep"]], ids=" ".join)
def test_lines_of_buildkit(cells, rt, work, level, flags):
    """L12, F27."""
    cell = cells(b.spec("sleep"), "busybox", runtime=rt.at(level, "--log", work / "log", "--log-format", "json"))
    running = cell.spawn("run", *flags)
    until(lambda: '"running"' in rt.state(cell.id).out)
    state = cell.state()
    assert state["bundle"] == str(cell.bundle.path) and state["rootfs"] == str(cell.bundle.rootfs)
    assert cell.exec(flags=("--process", _process(cell, "false"), "--pid-file", work / "pid")).status == 1
    assert (work / "pid").read_text().isdigit()
    assert cell.kill("9").ok
    assert running.wait().status == 137
    assert "--keep" not in flags or cell.delete().ok
    assert not rt.state(cell.id).ok
    assert (work / "log").read_text() == ""


@pytest.mark.peer
def test_lines_of_the_shim(cells, rt, work, level):
    """L6."""
    log = ("--log", work / "log.json", "--log-format", "json")
    cell = cells(b.spec("sleep"), "busybox", runtime=rt.at(level, *log))
    assert cell.create("--pid-file", work / "init.pid").ok
    assert rt.call(*log, "start", cell.id).ok
    with terminals.console_socket(work / "console") as listener:
        done = rt.call(*log, "exec", "--process", _process(cell, "sleep", "100", terminal=True), "--console-socket",
                       work / "console", "--detach", "--pid-file", work / "exec.pid", cell.id)
        assert done.ok and done.out + done.err == "", done
        master = terminals.receive(listener)
    second = int((work / "exec.pid").read_text())
    assert sorted(json.loads(rt.call(*log, "ps", "--format", "json", cell.id).out)) == sorted([cell.pid, second])
    assert rt.call(*log, "pause", cell.id).ok and cell.state()["status"] == "paused"
    assert rt.call(*log, "resume", cell.id).ok and cell.state()["status"] == "running"
    with _piped(json.dumps({"pids": {"limit": 77}})) as limit:
        assert rt.call(*log, "update", "--resources=-", cell.id, stdin=limit).ok
    assert states.read(cell.pid, "pids", "pids.max", "pids.max") == "77"
    assert rt.call(*log, "state", cell.id).json()["pid"] == cell.pid
    assert rt.call(*log, "kill", "--all", cell.id, "9").ok
    assert os.waitpid(second, 0) == (second, 9)  # as the shim: the namespace ends when its last member is reaped
    until(lambda: cell.status() == "stopped")
    os.close(master)  # while it is open nothing hangs up
    assert rt.call(*log, "delete", cell.id).ok and not rt.state(cell.id).ok
    assert (work / "log.json").read_text() == ""


@pytest.mark.peer
def test_lines_of_crio(cells, rt, work, level):
    """L10: kubectl exec streams over pipes here; over a terminal, test_exec_terminal::test_relay."""
    cell = cells.started(b.spec("sleep"), "busybox")
    with _piped("it\n") as stdin:
        process = _process(cell, "sh", "-c", "read x; echo got $x; echo err >&2; exit 6")
        done = rt.call("exec", "--process", process, cell.id, stdin=stdin)
    assert (done.status, done.out, done.err) == (6, "got it\n", "err\n"), done
    assert rt.call("pause", cell.id).ok and rt.call("state", cell.id).json()["status"] == "paused"
    assert rt.call("resume", cell.id).ok
    with _piped(json.dumps({"pids": {"limit": 78}})) as limit:
        assert rt.call("update", "--resources", "-", cell.id, stdin=limit).ok
    assert states.read(cell.pid, "pids", "pids.max", "pids.max") == "78"
    assert rt.call("kill", cell.id, "CONT").ok and rt.call("kill", "-a", cell.id, "9").ok
    until(lambda: cell.status() == "stopped")
    assert rt.call("delete", "--force", cell.id).ok and not rt.state(cell.id).ok


def test_lines_of_conmon_rs(cells, rt, work, level):
    """L13: its two --root, and the forms with an equals sign; lab/test_systemd.py has --systemd-cgroup."""
    cell = cells(b.spec("sleep"), "busybox", runtime=rt.at(level, f"--root={rt.root}"))
    assert cell.create("--pid-file", work / "init").ok and cell.start().ok
    assert (work / "init").read_text() == str(cell.pid)
    with terminals.console_socket(work / "console") as listener:
        flags = ("-d", f"--console-socket={work / 'console'}", "--tty", f"--pid-file={work / 'pid'}")
        assert cell.exec("sh", "-c", "tty; sleep 100", flags=flags).ok
        master = terminals.receive(listener)
        assert b"/dev/pts/" in terminals.read_until(master, b"\n")
        os.close(master)
    pid = int((work / "pid").read_text())
    assert pid in linux.descendants()
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert cell.exec("true", flags=("-d", f"--pid-file={work / 'again'}")).ok
    os.waitpid(int((work / "again").read_text()), 0)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_no_pivot(cells, level, verb, base):
    """F17, F27: as confined as with a pivot, and the state says what is missing."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config), "+", "sleep"]
    cell = cells(config)
    if verb == "create":
        assert cell.create("--no-pivot").ok and cell.start().ok
    else:
        assert cell.run("--no-pivot", "--detach").ok
    until(lambda: len(cell.documents()) == 2)
    base(cell.documents(), config)
    assert level == "none" or "--no-pivot" in json.dumps(cell.state()["hardening"]["notes"])


def test_run_detached_with_a_console_socket(cells, work, level):
    """F22."""
    config = b.spec("report")
    config["process"]["terminal"] = True
    with terminals.console_socket(work / "console") as listener:
        assert cells(config).run("--detach", "--console-socket", work / "console").ok
        master = terminals.receive(listener)
        report = json.loads(terminals.read_until(master, b"\n"))
        os.close(master)
    assert report["tty"] == "ok" and all(f["tty"] for f in report["fds"])


def test_conmons_own_pipes_are_left_alone(cells, level):
    """V5: neither written nor handed on, though named and open."""
    names = ("_OCI_STARTPIPE", "_OCI_SYNCPIPE", "_OCI_ATTACHPIPE")
    read_end, write_end = os.pipe()
    cell = cells(b.spec("report"))
    result = cell.run(env={**os.environ, **dict.fromkeys(names, str(write_end))}, pass_fds=[write_end])
    os.close(write_end)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    report = result.documents()[0]
    assert not [e for e in report["env"] if e.startswith("_OCI_")] and [f["fd"] for f in report["fds"]] == [0, 1, 2]


# Properties


def _has_resctrl():
    with open("/proc/self/mountinfo") as mounts:
        return any(" - resctrl " in line for line in mounts)


@pytest.mark.skipif(_has_resctrl(), reason="a resctrl file system is mounted")
@pytest.mark.parametrize("rdt", [
    {}, {"closID": "guaranteed"}, {"closID": "/"}, {"l3CacheSchema": "L3:0=7f0;1=1f", "memBwSchema": "MB:0=20;1=70"},
    {"schemata": ["L3:0=f"], "enableMonitoring": True}, {"enableCMT": True, "enableMBM": True}], ids=str)
def test_intel_rdt_without_resctrl(cells, fail, level, rdt):
    """P55: what cannot be applied is not dropped in silence, wherever else the directory of its name may be."""
    config = b.spec()
    config["linux"]["intelRdt"] = rdt
    cell = cells(config)
    line = fail(cell.create(), "linux.intelRdt", "no resctrl file system is mounted", "leave it out", cell=cell)
    assert oracles.caller_pattern(line) is None


def test_other_platforms_are_ignored(cells, base, level):
    """P18, P22, P58."""
    config = b.spec()
    for name in ("solaris", "windows", "vm", "zos", "freebsd"):
        config[name] = {"anything": ["x"]}
    config["process"]["commandLine"] = "cmd /c exit"
    config["process"]["user"]["username"] = "ContainerAdministrator"
    base(cells.inside(config, *oracles.baseline_args(config)), config)


def test_a_read_only_dev_has_its_devices(inside, level):
    """B5: `ro` comes after they are made."""
    config = b.spec()
    b.mount(config, "/dev", options=["nosuid", "mode=755", "ro"])
    paths, report = inside(config, "paths", "/dev", "+", "report")
    assert paths["/dev"]["create"] == "EROFS"
    assert set(oracles.DEFAULT_DEVICES) <= set(report["dev"])


def _block_device():
    for name in sorted(os.listdir("/sys/block")):
        with open(f"/sys/block/{name}/dev") as number:
            return number.read().strip()
    return None


@pytest.mark.peer
def test_throttled_devices(cells, level):
    """P80."""
    number = _block_device()
    if number is None or not _has(("blkio" if V1 else "io", "blkio.throttle.read_bps_device")):
        pytest.skip("no block device or no controller of them")
    device = dict(zip(("major", "minor"), map(int, number.split(":"))))
    config = b.spec("sleep")
    b.resources(config, blockIO={
        "throttleReadBpsDevice": [{**device, "rate": 1 << 20}], "throttleWriteBpsDevice": [{**device, "rate": 2 << 20}],
        "throttleReadIOPSDevice": [{**device, "rate": 100}], "throttleWriteIOPSDevice": [{**device, "rate": 200}]})
    pid = cells.created(config).pid
    if V1:
        found = [states.read(pid, "blkio", f"blkio.throttle.{name}_device", None)
                 for name in ("read_bps", "write_bps", "read_iops", "write_iops")]
        assert found == [f"{number} {rate}" for rate in (1 << 20, 2 << 20, 100, 200)]
    else:
        assert states.read(pid, "io", None, "io.max") == f"{number} rbps=1048576 wbps=2097152 riops=100 wiops=200"


def test_a_limit_without_a_file_is_an_error(cells, fail, level):
    """P78: of cgroup v1 with a scheduler that is gone; never dropped in silence."""
    if V1 and _has(("blkio", "blkio.leaf_weight")):
        pytest.skip("this kernel has it")
    config = b.spec()
    b.resources(config, blockIO={"leafWeight": 200})
    cell = cells(config)
    fail(cell.create(), "linux.resources.blockIO.leafWeight", cell=cell)


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("option", ["rw", "ro"])
@pytest.mark.levels("none")
def test_the_cgroup_is_the_process_users(cells, level, uid, option):
    """G1: on v2, with a cgroup namespace and a mount of it that is not read-only; and no file that is a limit."""
    if V1:
        pytest.skip("of cgroup v2")
    config = b.spec("sleep")
    b.namespace(config, "cgroup")
    b.user_namespace(config)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    b.mount(config, "/sys/fs/cgroup", options=["nosuid", "noexec", "nodev", option])
    pid = cells.created(config, "skeleton").pid
    place, _ = states.directory(pid, "")
    owner = 100000 + uid if option == "rw" else 0
    assert [os.stat(os.path.join(place, name)).st_uid for name in
            ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")] == [owner] * 4
    assert os.stat(os.path.join(place, "memory.max")).st_uid == 0
