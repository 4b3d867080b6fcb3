"""The life of a container: contract rows T1-T11, S, C, O, M, N, R and K."""

import datetime
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import bundle as b
from harness import linux, oracles, states
from harness.runtime import until

# State x operation (contract 2.1)


OPERATIONS = {
    "create": lambda cell: cell.create(),
    "start": lambda cell: cell.start(),
    "kill": lambda cell: cell.kill("KILL"),
    "delete": lambda cell: cell.delete(),
    "delete --force": lambda cell: cell.delete("--force"),
    "state": lambda cell: cell.call("state"),
    "list": lambda cell: _listed(cell),
    "pause": lambda cell: cell.call("pause"),
    "resume": lambda cell: cell.call("resume"),
    "update": lambda cell: cell.runtime.call("update", "--pids-limit", "99", cell.id),
    "ps": lambda cell: cell.call("ps"),
    "ps --format json": lambda cell: cell.runtime.call("ps", "--format", "json", cell.id),
    "events --stats": lambda cell: cell.runtime.call("events", "--stats", cell.id),
}


def _listed(cell):
    """Fails as an operation on a missing container would."""
    result = cell.runtime.call("list", "--quiet")
    if result.ok and cell.id not in result.out.split():
        result.status, result.err = 1, "not listed"
    return result


# What follows: "error" leaves the state as it was.
TABLE = {
    "create": {"creating": "error", "created": "error", "running": "error", "paused": "error",
               "stopped": "error", "missing": "created"},
    "start": {"creating": "error", "created": "running", "running": "error", "paused": "error",
              "paused before start": "error", "stopped": "error", "missing": "error"},
    "kill": {"creating": "error", "created": "stopped", "running": "stopped", "paused": "stopped",
             "paused before start": "stopped", "stopped": "error", "missing": "error"},
    "delete": {"creating": "error", "created": "missing", "running": "error", "paused": "error",
               "paused before start": "error", "stopped": "missing", "missing": "error"},
    "delete --force": {"creating": "missing", "created": "missing", "running": "missing", "paused": "missing",
                       "paused before start": "missing", "stopped": "missing", "missing": "missing"},
    "pause": {"creating": "error", "created": "paused", "running": "paused", "paused": "error",
              "paused before start": "error", "stopped": "error", "missing": "error"},
    "resume": {"creating": "error", "created": "error", "running": "error", "paused": "running",
               "paused before start": "created", "stopped": "error", "missing": "error"},
    "update": {"creating": "error", "created": "created", "running": "running", "paused": "paused",
               "stopped": "error", "missing": "error"},
    "events --stats": {"created": "created", "running": "running", "paused": "paused", "stopped": "error",
                       "missing": "error"},
} | {
    operation: {"creating": "creating", "created": "created", "running": "running", "paused": "paused",
                "paused before start": "paused", "stopped": "stopped", "missing": "error"}
    for operation in ("state", "list", "ps", "ps --format json")
}


def _transitions():
    for operation, row in TABLE.items():
        for state, after in row.items():
            marks = []
            if state in ("creating", "paused", "paused before start"):
                marks.append(pytest.mark.peer(
                    runc="runc 1.1.5 refuses to see a container being created, now and then hangs over a frozen one, "
                    "and lists all of them as broken while one is",
                    crun="crun 1.8.1 knows neither what is being created nor who froze what"))
            if operation in ("pause", "resume", "update", "events --stats", "ps", "ps --format json"):
                marks.append(pytest.mark.peer(
                    crun="crun 1.8.1 pauses what does not run, has no events, and its ps crashes over what is stopped"))
            yield pytest.param(operation, state, after, marks=marks, id=f"{operation}-{state}".replace(" ", "_"))


@pytest.mark.peer
@pytest.mark.rows("T11")
@pytest.mark.parametrize("operation, state, after", _transitions())
def test_state_and_operation(cells, rt, level, operation, state, after):
    """S8, S9, S14, T1-T5, T7-T9, T11, and the same for events."""
    with states.cell_in(cells, state) as cell:
        before = cell.status()
        result = OPERATIONS[operation](cell)
        if after == "error":
            assert result.status == 1 and result.err, result
            assert cell.status() == before, "an operation that errs leaves everything as it was"
        else:
            assert result.ok, result
            until(lambda: cell.status() == after, 5, lambda: f"{cell.status()} after {result}")


@pytest.mark.peer
def test_the_program_waits_for_start(cells):
    config = b.spec("write", "/data/started", "yes")
    cell = cells(config)
    data = cell.bundle.path / "data"
    data.mkdir()
    b.bind(config, data, "/data")
    cell.bundle.write()
    assert cell.create().ok
    time.sleep(0.1)
    assert not (data / "started").exists()
    assert cell.start().ok
    until((data / "started").exists)


@pytest.mark.peer
def test_config_is_read_once(cells):
    cell = cells.created(b.spec("echo", "first"))
    cell.bundle.config["process"]["args"] = ["/prisoner", "echo", "second"]
    cell.bundle.write()
    assert cell.start().ok
    cell.wait_for("first")


def test_delete_without_the_bundle(cells, clean):
    """S15: cleanup works when bundle and rootfs are gone; hooks come from the saved config."""
    config = b.spec("sleep")
    cell = cells(config)
    trace = cell.bundle.path.parent / "trace"
    config["hooks"] = {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo done >{trace}"]}]}
    cell.bundle.write()
    assert cell.create().ok
    cell.bundle.remove()
    assert cell.delete("--force").ok
    assert trace.read_text() == "done\n"
    clean(cell)


@pytest.mark.peer
def test_an_id_is_free_after_delete(cells):
    """S11."""
    cell = cells.created(b.spec("sleep"))
    for _ in range(3):
        assert cell.delete("--force").ok
        assert cell.create().ok and cell.status() == "created"


def test_the_caller_may_move(cells, tmp_path):
    """R14: only --root and the id find a container."""
    cell = cells.created(b.spec("sleep"), )
    result = cell.call("state", cwd="/", env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert result.ok and result.json()["status"] == "created"


# Exit statuses


@pytest.mark.peer
@pytest.mark.parametrize("status", [0, 1, 42, 125, 126, 127, 200, 255])
def test_run_returns_the_programs_status(cells, level, status):
    """C3, F21."""
    result = cells(b.spec("report", "+", "exit", status)).run()
    assert result.status == status and result.documents(), result


@pytest.mark.peer
def test_run_returns_128_and_the_signal(cells, level):
    """C3."""
    result = cells(b.spec("crash")).run()
    assert result.status == 128 + signal.SIGSEGV, result


@pytest.mark.peer
def test_run_returns_128_and_the_signal_that_kill_sent(cells):
    """C3."""
    cell = cells(b.spec("sleep"))
    process = cell.spawn("run")
    until(lambda: cell.status() == "running")
    assert cell.kill("KILL").ok
    assert process.wait().status == 128 + signal.SIGKILL


@pytest.mark.peer
@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["state"], ["create"], ["create", "--nonsense", "x"], ["kill"], ["delete", "--nonsense", "x"],
    ["list", "--format", "yaml"], ["start", "a", "b"], ["--nonsense", "list"],
], ids=" ".join)
def test_usage_errors(rt, arguments, fail):
    """R4, C2, C7, O8: an unknown command or flag is an error of one line, and never 126 or 127."""
    fail(rt.call(*arguments))


def test_usage_error_without_a_command(rt, fail):
    fail(rt.call(), "no command given")


@pytest.mark.peer
def test_delete_of_a_missing_container(cells):
    """C5."""
    cell = cells(b.spec())
    result = cell.delete()
    assert result.status == 1 and "does not exist" in result.err


@pytest.mark.peer
def test_forced_delete_of_a_missing_container_is_silent(cells):
    """C5, F47."""
    cell = cells(b.spec())
    result = cell.delete("--force")
    assert result.ok and result.out == "" and result.err == ""
    assert cell.status() == "missing"


# Error texts


@pytest.mark.parametrize("verb", ["state", "start", "kill", "delete", "ps", "pause", "resume", "update", "events"])
def test_text_of_a_missing_container(cells, fail, verb):
    """M1."""
    cell = cells(b.spec())
    line = fail(cell.call(verb))
    assert f"container does not exist: {cell.id}" in line


@pytest.mark.peer
def test_text_of_an_id_in_use(cells):
    """M2, S11."""
    cell = cells.created(b.spec("sleep"))
    result = cell.create()
    assert result.status == 1 and "container with given ID already exists" in result.err


def test_text_of_kill_of_a_stopped_container(cells):
    """S2, Z6, M3, E1, E4: with another wording a pod stays terminating."""
    result = states.MAKE["stopped"](cells, b.spec("sleep")).kill("KILL")
    assert result.status == 1 and "container not running: no such process" in result.err


@pytest.mark.peer
def test_kill_with_signal_0(cells, level):
    """S1: nothing is sent; the answer says whether the container runs."""
    for state, running in (("created", True), ("running", True), ("stopped", False)):
        cell = states.MAKE[state](cells, b.spec("sleep"))
        for flags in ((), ("--all",)):
            result = cell.runtime.call("kill", *flags, cell.id, "0")
            assert result.ok == running or flags, (state, result)
        assert cell.status() == state


@pytest.mark.peer
@pytest.mark.parametrize("state, text", [
    ("running", "cannot start an already running container"),
    ("stopped", "cannot start a container that has stopped"),
])
def test_text_of_start(cells, state, text):
    """M4."""
    result = states.MAKE[state](cells, b.spec("sleep")).start()
    assert result.status == 1 and text in result.err


@pytest.mark.peer
def test_text_of_delete_of_a_running_container(cells):
    """M6, S9."""
    cell = cells.started(b.spec("sleep"))
    result = cell.delete()
    assert result.status == 1 and f"cannot delete container {cell.id} that is not stopped: running" in result.err
    assert cell.status() == "running"


@pytest.mark.parametrize("args, texts", [
    (["missing"], ['exec: "missing"', "executable file not found in $PATH"]),
    (["/missing"], ['exec: "/missing"', "no such file or directory"]),
    (["/etc"], ['exec: "/etc"', ("permission denied", "is a directory")]),
    (["/plain"], ['exec: "/plain"', "permission denied"]),
    ([""], [("executable file not found in $PATH", "executable path is empty")]),
    (["dir/missing"], ["dir/missing", "no such file or directory"]),
], ids=lambda value: str(value[:1]) if isinstance(value, list) else None)
def test_text_of_a_missing_program(cells, fail, level, args, texts):
    """C7, M9-M11: found out at create, inside the container, so that the caller's 126 and 127 are right."""
    config = b.spec()
    config["process"]["args"] = args
    cell = cells(config, kind="busybox")
    (cell.bundle.rootfs / "plain").write_text("no program\n")
    fail(cell.create(), *texts, cell=cell)


@pytest.mark.parametrize("content, text", [
    ("#!/missing/interpreter\n", "no such file or directory"),
    ("neither ELF nor script\n", "exec format error"),
], ids=["interpreter", "format"])
def test_text_of_a_program_the_kernel_refuses(cells, fail, level, content, text):
    """M12: known only at start, whatever the filter allows; nothing is left but a stopped container."""
    config = b.spec()
    config["process"]["args"] = ["/script"]
    cell = cells(config, kind="busybox")
    script = cell.bundle.rootfs / "script"
    script.write_text(content)
    script.chmod(0o755)
    assert cell.create().ok
    result = cell.start()
    assert result.status == 1 and text in result.err and "/script" in result.err, result
    assert cell.status() in ("stopped", "missing")


def test_run_of_a_missing_program_leaves_nothing(cells, fail, level):
    config = b.spec()
    config["process"]["args"] = ["/missing"]
    cell = cells(config)
    fail(cell.run(), "/missing", cell=cell)


# Streams and the log


@pytest.mark.peer
def test_success_is_silent(cells):
    """C1, O5: stderr of create and start is the container's."""
    cell = cells(b.spec("sleep"))
    for result in (cell.create(), cell.start(), cell.kill("KILL")):
        assert result.ok and (result.out, result.err) == ("", ""), result
    cell.wait_stopped()
    result = cell.delete()
    assert result.ok and (result.out, result.err) == ("", "")


def _record(path):
    lines = path.read_text().splitlines()
    assert len(lines) == 1, lines
    record = json.loads(lines[0])
    datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%SZ")
    return record


def test_one_failure_is_one_record(cells, rt, fail, tmp_path):
    """F3, Z1, Z2, O1-O4: the same text on stderr and in the log, as the only record of a fresh file."""
    log = tmp_path / "log.json"
    cell = cells(b.spec(), runtime=rt.at(rt.level, "--log", str(log), "--log-format", "json"))
    line = fail(cell.call("start"), "does not exist")
    record = _record(log)
    assert record["level"] == "error"
    assert record["msg"] in line.strip()
    assert record.get("code") == "not found" or "code" in record


def test_the_log_is_appended_to(cells, rt, tmp_path):
    log = tmp_path / "log.json"
    log.write_text('{"level":"info","msg":"before","time":"2026-01-02T15:04:05Z"}\n')
    cell = cells(b.spec(), runtime=rt.at(rt.level, "--log", str(log), "--log-format=json"))
    cell.call("start")
    cell.call("start")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [r["msg"] for r in records][0] == "before" and len(records) == 3


def test_a_success_writes_no_record(cells, rt, tmp_path):
    """O4: a second line makes podman lose the error."""
    log = tmp_path / "log.json"
    cell = cells(b.spec("exit", "0"), runtime=rt.at(rt.level, "--log", str(log), "--log-format", "json"))
    assert cell.run().ok
    assert log.exists() and log.read_text() == ""


def test_the_log_is_opened_before_anything_fails(rt, tmp_path):
    """Z3, F2: even a usage error finds its log file."""
    log = tmp_path / "log.json"
    result = rt.at(rt.level, "--log", str(log), "--log-format", "json").call("create", "--nonsense", "x")
    assert result.status == 1
    assert _record(log)["level"] == "error"


@pytest.mark.parametrize("text", ["new\nline", "esc\033[31m", "quote\"\\", "bidi\u202e", "\udcff"],
                         ids=["newline", "escape", "quote", "bidi", "not-utf8"])
def test_records_are_escaped(rt, tmp_path, text):
    """B33: one line and valid JSON whatever the caller said."""
    log = tmp_path / "log.json"
    result = rt.at(rt.level, "--log", str(log), "--log-format", "json").call("state", text)
    assert result.status == 1
    assert len(result.err.splitlines()) == 1 and "\033" not in result.err
    _record(log)


def test_log_format_is_checked(rt, fail):
    """F3."""
    fail(rt.at(rt.level, "--log-format", "xml").call("list"), "xml")


@pytest.mark.parametrize("option", ["error", "warning", "info", "debug"])
def test_log_level(cells, rt, fail, tmp_path, option):
    """F4: what fails is written at every level, what was done at debug only."""
    log = tmp_path / "log"
    runtime = rt.at(rt.level, "--log-level", option, "--log", str(log))
    config = b.spec("echo", "x")
    config["frobnicate"] = 1
    assert cells(config, runtime=runtime).run().ok
    assert ("debug: container" in log.read_text() and "ignored: frobnicate" in log.read_text()) == (option == "debug")
    log.write_text("")
    fail(runtime.call("state", "nobody"), "nobody")
    assert "does not exist: nobody" in log.read_text()


def test_log_levels_are_checked(rt, fail):
    """F4."""
    fail(rt.at(rt.level, "--log-level", "verbose").call("list"), "--log-level", "verbose")


def test_a_log_that_cannot_be_opened_is_an_error(rt, fail):
    fail(rt.at(rt.level, "--log", "/nonexistent/log").call("list"), "/nonexistent/log")


def test_debug_never_reaches_stdout(cells, rt, tmp_path):
    """F5, O6."""
    log = tmp_path / "log"
    config = b.spec("echo", "only this")
    config["frobnicate"] = 1
    cell = cells(config, runtime=rt.at(rt.level, "--debug", "--log", str(log)))
    result = cell.run()
    assert result.ok and result.out == "only this\n" and result.err == ""
    assert "ignored: frobnicate" in log.read_text()


# Output formats


@pytest.mark.peer(crun="crun 1.8.1 tells root.path as the document has it")
def test_state_document(cells):
    """P6, Z18, N1, N2."""
    config = b.spec("sleep")
    config["annotations"] = {"org.example.key": "value"}
    cell = cells.created(config)
    state = cell.state()
    assert state["id"] == cell.id and state["status"] == "created"
    assert state["bundle"] == str(cell.bundle.path) and state["rootfs"] == str(cell.bundle.rootfs)
    assert state["ociVersion"].startswith("1.")
    assert state["annotations"]["org.example.key"] == "value"
    assert state["owner"] in ("", "root", "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", state["created"])
    assert os.path.isdir(f"/proc/{state['pid']}")


@pytest.mark.peer
def test_state_of_a_stopped_container(cells):
    """S12: pid 0, and no error."""
    state = states.MAKE["stopped"](cells, b.spec("sleep")).state()
    assert state["status"] == "stopped" and state["pid"] == 0


@pytest.mark.peer
def test_list_formats(cells, rt):
    """F48, F49, N3-N5."""
    cell = cells.created(b.spec("sleep"))
    header, *rows = rt.call("list").out.splitlines()
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    row = next(r.split() for r in rows if r.startswith(cell.id))
    assert row[2] == "created" and row[3] == str(cell.bundle.path)
    documents = rt.call("list", "--format", "json").json()
    assert [d["status"] for d in documents if d["id"] == cell.id] == ["created"]
    assert cell.id in rt.call("list", "--quiet").out.splitlines()


def test_empty_list(rt, tmp_path):
    """F48, F49."""
    rt.root = tmp_path / "fresh"
    assert rt.call("list", "--format", "json").json() == []
    assert rt.call("list", "-q").out == ""


def test_list_skips_what_it_cannot_read(cells, rt, state_root):
    cell = cells.created(b.spec("sleep"))
    broken = state_root / f"{cell.id}-broken"
    broken.mkdir(mode=0o700)
    try:
        result = rt.call("list", "-q")
        assert result.ok and cell.id in result.out.split()
    finally:
        broken.rmdir()


def test_version(rt):
    """F10, Z16, O7: three lines, "version" only on the first; works without anything else."""
    result = rt.call("--version", env={})
    lines = result.out.splitlines()
    assert result.ok and result.err == "" and len(lines) == 3
    assert re.fullmatch(r"donjon version \d+\.\d+\.\d+\S*", lines[0])
    assert re.fullmatch(r"commit: \S+", lines[1]) and re.fullmatch(r"spec: 1\.\d+\.\d+\S*", lines[2])
    for flag in ("-v", "-V"):
        assert subprocess.run([rt.path, flag], capture_output=True, text=True).stdout == result.out


@pytest.mark.peer
@pytest.mark.parametrize("verb", ["create", "start", "run", "state", "kill", "delete", "list", "ps", "pause", "resume",
                                  "update", "events", "spec", "features"])
def test_help(rt, verb):
    """R5, F11."""
    if verb == "features" and not rt.is_donjon:
        pytest.skip("runc 1.1 lists features as hidden")
    result = subprocess.run([rt.path, verb, "--help"], capture_output=True, text=True)
    assert result.returncode == 0 and verb in result.stdout and result.stderr == ""


@pytest.mark.parametrize("verb", ["checkpoint", "restore"])
def test_checkpoint_is_not_there(rt, verb):
    """R5: callers trust the status of --help; checkpoint/restore are a second way in (B39)."""
    result = subprocess.run([rt.path, verb, "--help"], capture_output=True, text=True)
    assert result.returncode != 0 and result.stderr


CHECKPOINT_LINES = [
    # as podman, containerd's shim and conmon send them (L3, F67-F80)
    ("checkpoint", "--image-path", "{work}", "--work-path", "{work}", "--leave-running", "{id}"),
    ("checkpoint", "--image-path", "{work}", "--pre-dump", "--parent-path", "../x", "--tcp-established", "{id}"),
    ("checkpoint", "--manage-cgroups-mode", "soft", "--empty-ns", "network", "{id}"),
    ("restore", "--bundle", "{bundle}", "--image-path", "{work}", "--work-path", "{work}", "--detach", "--pid-file",
     "{work}/pid", "{id}-new"),
    ("restore", "--lsm-profile", "apparmor:unconfined", "--lsm-mount-context", "x", "--bundle", "{bundle}", "{id}-new"),
    ("checkpoint",), ("restore",),
]


@pytest.mark.parametrize("line", CHECKPOINT_LINES, ids=lambda line: " ".join(line[:3]))
def test_t68_no_second_way_in(cells, rt, fail, work, host, level, line):
    """B39, T10: one line that says so; the container goes on as it was, and none is made of an image."""
    cell = cells.started(b.spec("sleep"))
    before = cell.state()
    values = {"work": work, "bundle": cell.bundle.path, "id": cell.id}
    result = rt.call(*[part.format(**values) for part in line])
    assert result.status not in (0, 126, 127) and result.err.count("\n") == 1 and result.out == "", result
    assert "not supported" in result.err and oracles.caller_pattern(result.err) is None, result
    assert cell.state() == before and not (work / "pid").exists()
    assert rt.ids() == [cell.id]


CHECKPOINTED = {
    "org.criu.config": "/canary", "io.podman.annotations.checkpoint.name": "x", "io.kubernetes.cri-o.annotations.checkpoint.name": "x",
    "org.opencontainers.image.checkpoint": "true", "io.podman.annotations.checkpoint.rootfsImageName": "docker.io/x",
    "io.containerd.checkpoint": "x", "run.oci.checkpoint": "/x", "io.kubernetes.cri.checkpoint-image": "x",
}


def test_t68_an_image_with_checkpoint_annotations(cells, base, level):
    """BASE is that of the request: what an image says of an earlier life has no effect."""
    config = b.spec()
    config["annotations"] = dict(CHECKPOINTED)
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    cell = cells(config)
    assert cell.create().ok
    assert cell.state()["annotations"] == CHECKPOINTED
    assert cell.start().ok
    cell.wait_stopped()
    base(cell.documents(), config)


# Command-line rules


@pytest.mark.peer
@pytest.mark.parametrize("flags", [
    ["--bundle={}"], ["--bundle", "{}"], ["-b", "{}"], ["-bundle", "{}"], ["--bundle", "/nonexistent", "--bundle", "{}"],
    ["--bundle", "{}", "--no-new-keyring=true"], ["--bundle", "{}", "--no-new-keyring=false"],
], ids=" ".join)
def test_flag_forms(cells, rt, flags):
    """F12, R1, R2."""
    cell = cells(b.spec("sleep"))
    result = rt.call("create", *[f.format(cell.bundle.path) for f in flags], cell.id)
    assert result.ok and cell.status() == "created", result


@pytest.mark.peer(runc="runc 1.1.5 takes flags before the id only, except delete's")
def test_flags_after_the_id(cells, rt):
    """R3."""
    cell = cells(b.spec("sleep"))
    assert rt.call("create", cell.id, "--bundle", str(cell.bundle.path)).ok and cell.status() == "created"
    assert rt.call("delete", cell.id, "--force").ok and cell.status() == "missing"


@pytest.mark.peer
def test_the_bundle_is_the_current_directory(cells, rt):
    """R6: and is stored as an absolute path."""
    cell = cells(b.spec("sleep"))
    assert rt.call("create", cell.id, cwd=cell.bundle.path).ok
    assert cell.state()["bundle"] == str(cell.bundle.path)


@pytest.mark.peer
def test_the_current_directory_is_gone(cells, level, work):
    """It matters to relative paths alone."""
    def call(verb, *args):
        gone = work / "gone"
        gone.mkdir()
        return cell.runtime.call(verb, *args, cwd=gone, preexec_fn=gone.rmdir)

    cell = cells(b.spec("sleep"))
    assert call("create", "--bundle", cell.bundle.path, cell.id).ok
    assert call("start", cell.id).ok
    assert call("exec", cell.id, "/prisoner", "exit", "3").status == 3
    assert call("delete", "--force", cell.id).ok
    cell = cells(b.spec("exit", "3"))
    assert call("run", "--bundle", cell.bundle.path, cell.id).status == 3


def test_the_bundle_is_a_current_directory_that_is_gone(cells, fail, work):
    gone = work / "gone"
    gone.mkdir()
    cell = cells(b.spec())
    fail(cell.runtime.call("create", cell.id, cwd=gone, preexec_fn=gone.rmdir), "working directory", cell=cell)


@pytest.mark.levels("hardened")
def test_the_id_range_of_a_container_without_a_record(cells, rt, level, can, work):
    """Killed between the two: who takes away the one takes away the other (T71)."""
    if not can.strace:
        pytest.skip("needs strace")
    cell = cells(b.spec("sleep"))
    subprocess.run(["strace", "-qq", "-o", work / "trace", "-e", "inject=renameat,renameat2:signal=SIGKILL:when=1",
                    *rt.argv("create", "--bundle", cell.bundle.path, cell.id)], stdin=subprocess.DEVNULL, timeout=60)
    ranges = rt.root / ".ranges"
    assert cell.id in [os.readlink(ranges / slot) for slot in os.listdir(ranges)]
    assert cell.delete("--force").ok and cell.status() == "missing"
    assert cell.id not in [os.readlink(ranges / slot) for slot in os.listdir(ranges)]


def _open_files(pid):
    return {os.readlink(link) for link in os.scandir(f"/proc/{pid}/fd")}


@pytest.mark.levels("hardened")
def test_a_late_delete_leaves_the_next_of_that_name(cells, rt, level):
    """T23: it waited for the lock of one that is gone; the name, and the id range, are another's by now."""
    cell = cells.created(b.spec("sleep"))
    directory, ranges = rt.root / cell.id, rt.root / ".ranges"
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    late = cell.runtime.spawn("delete", "--force", cell.id)
    until(lambda: str(directory) in _open_files(late.pid))
    first = cell.pid
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED)
    shutil.rmtree(directory)
    assert cell.create().ok
    os.close(lock)
    assert late.wait().ok
    assert cell.status() == "created"
    assert cell.id in [os.readlink(ranges / slot) for slot in os.listdir(ranges)]


def test_a_late_create_leaves_the_next_of_that_name(cells, rt, level, can, work):
    """T23: between a directory's making and its opening it was deleted by force, and made by somebody else."""
    if not can.strace:
        pytest.skip("needs strace")
    cell = cells(b.spec("sleep"))
    create = rt.argv("create", "--bundle", cell.bundle.path, cell.id)
    with subprocess.Popen(["strace", "-qq", "-o", work / "trace", "-e", "inject=mkdirat:delay_exit=2000000", *create],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as late:
        until(lambda: (rt.root / cell.id).exists())
        assert cell.delete("--force").ok and cell.create().ok
        error = late.communicate(timeout=60)[1]
    assert late.returncode == 1 and error == "donjon: container with given ID already exists\n"
    assert cell.status() == "created"


@pytest.mark.parametrize("command", ["list", "features"])
def test_output_that_has_no_place(rt, command):
    with open("/dev/full", "w+") as full:
        result = rt.call(command, stdout=full.fileno())
    assert result.status == 1 and result.err.endswith("write to standard output: no space left on device\n"), result


@pytest.mark.peer
def test_global_flags_repeated(cells, rt):
    cell = cells(b.spec("sleep"), runtime=rt.at(rt.level, "--root", str(rt.root), f"--root={rt.root}"))
    assert cell.create().ok
    assert rt.state(cell.id).json()["id"] == cell.id


@pytest.mark.parametrize("flags", [["--systemd-cgroup"], ["--cgroup-manager", "disabled"], ["--cgroup-manager=systemd"],
                                   ["--cgroup-manager", "systemd", "--cgroup-manager", "cgroupfs"]], ids=" ".join)
def test_the_cgroup_manager_is_kept(cells, rt, level, flags):
    """R13, Z26: what is said after create changes nothing, and systemd is asked for only where it is needed."""
    cell = cells.created(b.spec("sleep"))
    later = rt.at(rt.level, *flags)
    assert later.call("state", cell.id).json()["status"] == "created"
    assert later.call("start", cell.id).ok
    assert later.call("update", "--pids-limit", "50", cell.id).ok
    assert later.call("ps", "--format", "json", cell.id).json() == [cell.pid]
    assert later.call("events", "--stats", cell.id).json()["data"]["pids"].get("limit") in (50, None)
    assert later.call("pause", cell.id).ok and later.call("resume", cell.id).ok
    assert cell.id in later.call("list", "--quiet").out.split()
    assert later.call("kill", "--all", cell.id, "KILL").ok
    assert later.call("delete", "--force", cell.id).ok


def test_a_container_without_cgroups_is_kept_so(cells, rt, clean):
    """F7, R13: created with --cgroup-manager disabled, used without; also with a mount of cgroups in the document."""
    config = b.spec("sleep")
    del config["linux"]["resources"]
    cell = cells(config, runtime=rt.at(rt.level, "--cgroup-manager", "disabled"))
    assert cell.create().ok and rt.call("start", cell.id).ok
    assert rt.state(cell.id).json()["status"] == "running"
    with open(f"/proc/{cell.pid}/cgroup") as lines, open("/proc/self/cgroup") as own:
        assert lines.read() == own.read()
    assert rt.call("kill", "--all", cell.id, "KILL").ok
    cell.wait_stopped()
    assert rt.call("delete", cell.id).ok


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"], ["-f", "{}"]], ids=" ".join)
def test_a_config_outside_the_bundle(cells, rt, tmp_path, verb, form):
    """F13: the bundle's own document is not even there."""
    cell = cells(b.spec("exit", "7"))
    (cell.bundle.path / "config.json").rename(tmp_path / "other.json")
    result = cell.spawn(verb, *[word.format(tmp_path / "other.json") for word in form]).wait()
    assert result.status == (7 if verb == "run" else 0), result
    assert cell.status() == ("missing" if verb == "run" else "created")


def test_ignored_flags_are_accepted(cells, rt):
    """F8, F9, F20, F26: accepted and without effect."""
    cell = cells(b.spec("exit", "3"), runtime=rt.at(rt.level, "--rootless=true", "--criu", "/usr/sbin/criu"))
    assert cell.run("--no-subreaper").status == 3
    assert cell.create("--no-subreaper").ok


def test_the_root_directory_is_made(cells, rt, tmp_path):
    """Z10, F1: the whole path, mode 0700."""
    rt.root = tmp_path / "a/b/c"
    cell = cells(b.spec("sleep"), runtime=rt)
    assert cell.create().ok
    assert (tmp_path / "a/b/c").stat().st_mode & 0o7777 in (0o700, 0o1700)
    assert (tmp_path / "a/b/c" / cell.id).stat().st_mode & 0o777 == 0o700


def test_an_empty_xdg_runtime_dir_is_unset(rt):
    """V1, Z9."""
    result = subprocess.run([rt.path, "list", "--format=json"], env={"XDG_RUNTIME_DIR": ""}, capture_output=True, text=True)
    assert result.returncode == 0 and isinstance(json.loads(result.stdout), (list, type(None))), result


@pytest.mark.peer
def test_nobody_keeps_the_callers_streams(cells, rt):
    """Z11, R8: callers read these pipes to their end."""
    cell = cells(b.spec("sleep"))
    assert rt.spawn("create", "--bundle", cell.bundle.path, cell.id).wait().ok
    read_end, write_end = os.pipe()
    process = rt.spawn("start", cell.id, stdout=write_end, stderr=write_end)
    os.close(write_end)
    process.wait()
    with os.fdopen(read_end) as stream:
        assert stream.read() == ""  # hangs if anything holds the other end
    assert cell.status() == "running"


@pytest.mark.peer
def test_init_belongs_to_the_subreaper(cells):
    """R11: when create returns, every intermediate process is gone."""
    cell = cells.created(b.spec("sleep"))
    with open(f"/proc/{cell.pid}/stat") as stat:
        parent = int(stat.read().rsplit(")", 1)[1].split()[1])
    assert parent == os.getpid()
    assert linux.descendants() == {cell.pid}


@pytest.mark.peer
def test_init_is_in_its_cgroup_at_create(cells):
    """R12."""
    cell = cells.created(b.spec("sleep"))
    with open(f"/proc/{cell.pid}/cgroup") as lines:
        paths = dict(line.strip().split(":", 2)[1:] for line in lines)
    at_create = dict(paths)
    assert cell.start().ok
    with open(f"/proc/{cell.pid}/cgroup") as lines:
        assert dict(line.strip().split(":", 2)[1:] for line in lines) == at_create
    controllers = [c for c in ("memory", "pids", "devices") if c in paths] or [""]
    assert all(cell.id in paths[c] for c in controllers), paths


# Pid file


@pytest.mark.peer
@pytest.mark.parametrize("verb", ["create", "run"])
def test_pid_file(cells, tmp_path, verb):
    """F16, F23, Z13, K7, K8: decimal, no newline, renamed into place, before create returns."""
    cell = cells(b.spec("sleep"))
    path = tmp_path / "pid"
    path.write_text("old content that is longer")
    process = cell.spawn(verb, "--pid-file", path)
    if verb == "create":
        assert process.wait().ok and path.read_text().isdigit()
    until(lambda: path.read_text().isdigit())
    assert path.read_text() == str(cell.pid)
    assert os.listdir(tmp_path) == ["pid"]
    cell.kill("KILL")
    process.wait()


def test_no_pid_file_after_an_error(cells, tmp_path):
    """Z13, K8: a missing file is how conmon knows."""
    config = b.spec()
    config["process"]["args"] = ["/missing"]
    result = cells(config).create("--pid-file", tmp_path / "pid")
    assert result.status == 1 and result.err
    assert os.listdir(tmp_path) == []


# kill


@pytest.mark.peer
@pytest.mark.parametrize("name, number", [
    (None, 15), ("15", 15), ("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("term", 15), ("HUP", 1), ("10", 10),
    ("SIGUSR2", 12), ("WINCH", 28),
])
def test_signal_names(cells, name, number):
    """S1."""
    cell = cells.started(b.spec("signals"))
    cell.wait_for("ready")
    assert cell.kill(*([name] if name else [])).ok
    cell.wait_for(f"got {number}\n")


@pytest.mark.parametrize("name, number", [("SIGRTMIN", 34), ("RTMIN+3", 37), ("SIGRTMIN+1", 35)])
def test_real_time_signal_names(cells, name, number):
    cell = cells.started(b.spec("signals"))
    cell.wait_for("ready")
    assert cell.kill(name).ok
    # musl keeps 32-34 for itself: a handler for 34 cannot be installed through its sigaction.
    cell.wait_for(f"got {number}\n") if number > 34 else None


@pytest.mark.peer
@pytest.mark.parametrize("name", ["SIGNONSENSE", "65", "1x", "TERM "])
def test_bad_signals(cells, name):
    cell = cells.started(b.spec("sleep"))
    result = cell.kill(name)
    assert result.status == 1 and result.err
    assert cell.status() == "running"


@pytest.mark.peer
def test_kill_all_after_init_died(cells):
    """F45, S4, S3, Z7: in a shared pid namespace the rest outlives init."""
    config = b.spec("orphan")
    b.namespace(config, "pid", present=False)
    cell = cells.started(config)
    cell.wait_for("left")
    cell.wait_stopped()
    assert len(linux.descendants()) >= 1
    assert cell.kill("--all", "KILL").ok
    until(lambda: not linux.living())


@pytest.mark.peer(runc="runc 1.1.5 calls it an error")
def test_kill_all_without_processes_succeeds(cells):
    """C6."""
    result = states.MAKE["stopped"](cells, b.spec("sleep")).kill("--all", "KILL")
    assert result.ok, result


@pytest.mark.peer
def test_delete_takes_the_rest_of_a_shared_pid_namespace(cells, clean):
    """S4."""
    config = b.spec("orphan")
    b.namespace(config, "pid", present=False)
    cell = cells.started(config)
    cell.wait_for("left")
    if not cell.runtime.is_donjon:
        assert cell.kill("--all", "KILL").ok
    clean(cell)


def test_kill_never_hits_a_reused_pid(cells, rt, state_root):
    """S6, T21: state that does not match a live process is "stopped" and is never signalled."""
    cell = cells.started(b.spec("sleep"))
    time.sleep(0.05)  # start times are clock ticks: the two must differ
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        path = state_root / cell.id / "state.json"
        state = json.loads(path.read_text())
        old, state["pid"] = state["pid"], bystander.pid
        path.write_text(json.dumps(state))
        assert cell.status() == "stopped"
        assert cell.kill("KILL").status == 1
        cell.delete("--force")
        assert bystander.poll() is None
        assert not os.path.exists(f"/proc/{old}") or "(Z)" in linux.describe(old)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_process_whose_first_thread_ended(cells, level, clean):
    """/proc shows a zombie, and for a moment every killed program with threads looks so: it still is
    the container's process, to be seen, signalled and deleted."""
    cell = cells.created(b.spec("headless"))
    pid = cell.pid
    assert cell.start().ok
    cell.wait_for("headless")
    until(lambda: "(Z)" in linux.describe(pid))
    assert cell.status() == "running"
    clean(cell)


# Foreground run


@pytest.mark.peer
def test_run_deletes_the_container(cells):
    cell = cells(b.spec("exit", "0"))
    assert cell.run().ok
    assert cell.status() == "missing"


def test_run_keep(cells):
    """S7, F25."""
    cell = cells(b.spec("exit", "7"))
    assert cell.run("--keep").status == 7
    assert cell.status() == "stopped"
    assert cell.delete().ok


@pytest.mark.peer
def test_run_detach(cells, level):
    """F24: returns once the program runs."""
    cell = cells(b.spec("sleep"))
    assert cell.run("--detach").ok
    assert cell.status() == "running"


@pytest.mark.peer
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGCONT])
def test_run_forwards_signals(cells, number):
    cell = cells(b.spec("signals"))
    process = cell.spawn("run")
    process.wait_for("ready")
    process.signal(number)
    process.wait_for(f"got {int(number)}\n")
    process.signal(signal.SIGTERM)
    assert process.wait().status == 0
    assert "got 15\n" in process.out()


@pytest.mark.peer
@pytest.mark.parametrize("runs", [1, 20])
def test_runs_in_a_row(cells, runs, level):
    for _ in range(runs):
        assert cells(b.spec("exit", "5")).run().status == 5


def test_run_passes_input_and_output(cells, level):
    """V8: the caller's streams are the program's."""
    config = b.spec()
    config["process"]["args"] = ["/bin/cat"]
    cell = cells(config, kind="busybox")
    read_end, write_end = os.pipe()
    os.write(write_end, b"through and through\n")
    os.close(write_end)
    result = cell.run(stdin=read_end)
    os.close(read_end)
    assert result.out == "through and through\n"


# Created containers that never start


@pytest.mark.peer
def test_a_created_container_dies_with_its_gate(cells, clean):
    cell = cells.created(b.spec("sleep"))
    assert cell.kill("TERM").ok
    cell.wait_stopped()
    clean(cell)


@pytest.mark.peer
def test_force_deletes_in_every_state(cells, clean):
    """F47."""
    for make in ("created", "running", "stopped"):
        clean(states.MAKE[make](cells, b.spec("sleep")))


def test_two_starts_at_once(cells, rt):
    """One wins, the other says that it is running."""
    for _ in range(5):
        cell = cells.created(b.spec("sleep"))
        starts = [rt.spawn("start", cell.id) for _ in range(4)]
        results = [s.wait() for s in starts]
        assert sorted(r.status for r in results) == [0, 1, 1, 1], [str(r) for r in results]
        assert cell.status() == "running"
        cell.delete("--force")


@pytest.mark.levels("none", "hardened")
def test_state_carries_the_hardening(cells, rt, level):
    """Every change is in the state."""
    state = cells.created(b.spec("sleep")).state()
    hardening = state["hardening"]
    assert hardening["level"] == level if "level" in hardening else hardening["in_force"] == level
    if level == "hardened":
        assert {"userns.private", "caps.bounding", "seccomp.on"} <= {c["check"] for c in hardening["changes"]}


