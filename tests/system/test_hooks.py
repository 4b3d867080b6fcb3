"""Hooks: when, where and with what they run (contract H and J rows, decision 47)."""

import json
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import bundle as b
from harness.runtime import until

HOST_HOOKS = ["prestart", "createRuntime", "poststart", "poststop"]


def _trace(config, work, *kinds, script="", **fields):
    """Every hook appends its name, its input and what `script` prints to a file of its own."""
    config["hooks"] = {kind: [{"path": "/bin/sh", **fields, "args": [
        "sh", "-c", f"{{ echo {kind}; cat; echo; {script or ':'}; }} >>{work}/{kind}; echo {kind} >>{work}/order"]}]
        for kind in kinds}


def _input(work, kind):
    return json.loads((work / kind).read_text().splitlines()[1])


def test_order_and_state(cells, work, level):
    """P37, S7, H1-H6, J1, J2: the state document, then end-of-file."""
    config = b.spec("sleep")
    config["annotations"] = {"key": "a/b"}
    _trace(config, work, *HOST_HOOKS, script="readlink /proc/$PPID/exe >/dev/null")
    cell = cells(config)
    assert cell.create().ok
    assert (work / "order").read_text().split() == ["prestart", "createRuntime"]
    pid = cell.pid
    assert cell.start().ok
    assert cell.delete("--force").ok
    assert (work / "order").read_text().split() == HOST_HOOKS
    for kind, status in (("prestart", "creating"), ("createRuntime", "creating"), ("poststart", "running"),
                         ("poststop", "stopped")):
        state = _input(work, kind)
        assert state["id"] == cell.id and state["bundle"] == str(cell.bundle.path)
        assert state["status"] in (status, "created" if kind == "createRuntime" else status), kind
        assert state["pid"] == (0 if kind == "poststop" else pid) or (kind == "poststop" and "pid" not in state)
        assert state["annotations"] == {"key": "a/b"} and state["ociVersion"].startswith("1.")
        assert "\\/" not in (work / kind).read_text()


@pytest.mark.peer
def test_create_container_hooks_run_inside(cells, work, level):
    """H3: the path is the host's, the namespaces are the container's, before pivot."""
    work.chmod(0o777)  # with a user namespace the hook is nobody outside
    config = b.spec("sleep")
    _trace(config, work, "createContainer", script="readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts")
    cell = cells(config)
    assert cell.create().ok, cell.command.err()
    lines = (work / "createContainer").read_text().split()
    assert lines[0] == "createContainer"
    assert f"mnt:[{os.stat(f'/proc/{cell.pid}/ns/mnt').st_ino}]" in lines
    assert f"uts:[{os.stat(f'/proc/{cell.pid}/ns/uts').st_ino}]" in lines


def test_create_container_hooks_of_an_engines_bundle(cells, work, level):
    """J9: only root may enter it, and a hook in a user namespace is nobody outside; it runs all the same."""
    work.chmod(0o777)
    config = b.spec("sleep")
    _trace(config, work, "createContainer")
    cell = cells(config)
    cell.bundle.path.chmod(0o700)
    assert cell.create().ok, cell.command.err()
    assert (work / "createContainer").read_text().startswith("createContainer")


@pytest.mark.peer
def test_start_container_hooks_run_in_the_root(cells, work, level):
    """H4: just before the program, from the image."""
    config = b.spec("echo", "program")
    cell = cells(config, "busybox")
    data = work / "data"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    b.bind(config, data, "/data")
    config["hooks"] = {"startContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "cat /proc/self/mountinfo >/data/mounts; pwd >/data/pwd"]}]}
    cell.bundle.write()
    assert cell.create().ok
    assert os.listdir(data) == []
    result = cell.start()
    assert result.ok, result
    assert work.name in (data / "mounts").read_text()  # its own bind, seen from inside
    cell.wait_for("program")


@pytest.mark.peer
def test_arguments_environment_and_directory(cells, work):
    """J3-J5, J9, P38."""
    config = b.spec("exit", "0")
    config["hooks"] = {"createRuntime": [{
        "path": "/bin/sh", "args": ["any name", "-c", f'echo "$0|$1|$KEY|$(pwd)" >{work}/out', "zero", "one two"],
        "env": ["KEY=va lue"]}]}
    cell = cells(config)
    assert cell.run().ok
    assert (work / "out").read_text() == f"zero|one two|va lue|{cell.bundle.path}\n"


def test_without_arguments_argv0_is_the_path(cells, work):
    config = b.spec("exit", "0")
    hook = work / "hook"
    hook.write_text(f'#!/bin/sh\necho "$#" >{work}/out\n')
    hook.chmod(0o755)
    config["hooks"] = {"prestart": [{"path": str(hook)}]}
    assert cells(config).run().ok
    assert (work / "out").read_text() == "0\n"


@pytest.mark.peer
def test_several_hooks_run_as_listed_until_one_fails(cells, work):
    """J7; and a failed create runs poststop."""
    config = b.spec()
    config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"echo {i} >>{work}/out; exit {1 if i == 2 else 0}"]} for i in range(4)]}
    cell = cells(config)
    assert cell.create().status == 1
    assert (work / "out").read_text().split() == ["0", "1", "2"]
    assert cell.status() == "missing"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failed_create_runs_poststop(cells, work, kind):
    config = b.spec()
    config["hooks"] = {kind: [{"path": "/bin/false"}],
                       "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo poststop >>{work}/out"]}]}
    assert cells(config).create().status == 1
    assert (work / "out").read_text() == "poststop\n"


@pytest.mark.parametrize("version", ["1.0.2", "1.2.0"])
def test_a_failed_poststart_is_fatal(cells, work, fail, version):
    """Decision 47: kill, destroy, poststop, error from start."""
    config = b.spec("sleep")
    config["ociVersion"] = version
    config["hooks"] = {"poststart": [{"path": "/bin/false"}],
                       "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo poststop >>{work}/out"]}]}
    cell = cells.created(config)
    fail(cell.start(), "poststart", cell=cell)
    assert (work / "out").read_text() == "poststop\n"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
@pytest.mark.parametrize("text, mode, why", [
    ("#!/bin/sh\n", 0o644, "execute it: permission denied"), ("no program\n", 0o755, "execute it: exec format error"),
    ("#!/missing\n", 0o755, "execute it: no such file or directory")])
def test_why_a_hook_cannot_be_executed(cells, fail, private, kind, text, mode, why):
    """The status alone, 127, may be the hook's own."""
    hook = private / "hook"
    hook.write_text(text)
    hook.chmod(mode)
    config = b.spec()
    config["hooks"] = {kind: [{"path": str(hook)}]}
    cell = cells(config)
    fail(cell.create(), kind, str(hook), why, cell=cell)


def test_why_a_hook_cannot_be_where_it_is_to_be(cells, fail, private):
    """Its bundle went with an earlier one."""
    cell = cells(b.spec())
    away = private / "away"
    cell.bundle.config["hooks"] = {"createRuntime": [
        {"path": "/bin/mv", "args": ["mv", str(cell.bundle.path), str(away)]}, {"path": "/bin/true"}]}
    cell.bundle.write()
    try:
        fail(cell.create(), f"/bin/true exited with status 127: change to directory {cell.bundle.path}: no such file",
             cell=cell)
    finally:
        shutil.move(away, cell.bundle.path)


def test_a_failed_poststop_does_not_matter(cells, work):
    """H6: warned about, and the rest runs."""
    config = b.spec("sleep")
    config["hooks"] = {"poststop": [{"path": "/bin/false"},
                                    {"path": "/bin/sh", "args": ["sh", "-c", f"echo second >>{work}/out"]}]}
    cell = cells.created(config)
    assert cell.delete("--force").ok
    assert (work / "out").read_text() == "second\n" and cell.status() == "missing"


def test_a_failed_start_container_hook(cells, fail, level):
    """H4: start returns the error and the program never runs."""
    config = b.spec("echo", "program")
    config["hooks"] = {"startContainer": [{"path": "/bin/false"}]}
    cell = cells(config, "busybox")
    assert cell.create().ok
    result = cell.start()
    assert result.status == 1 and "startContainer" in result.err, result
    until(lambda: cell.status() in ("stopped", "missing"))
    assert "program" not in cell.out()


@pytest.mark.peer
def test_output_never_reaches_the_callers_stdout(cells):
    """J8."""
    config = b.spec("echo", "program")
    config["hooks"] = {"prestart": [{"path": "/bin/echo", "args": ["echo", "hook"]}]}
    result = cells(config).run()
    assert result.out == "program\n"


def test_a_hook_may_ask_the_runtime(cells, work, rt):
    """J11: the state is written before prestart."""
    config = b.spec("exit", "0")
    cell = cells(config)
    command = " ".join(rt.argv("state", cell.id))
    config["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"{command} >{work}/state"]}]}
    cell.bundle.write()
    result = cell.run()
    assert result.ok, result
    assert json.loads((work / "state").read_text())["status"] == "creating"


@pytest.mark.peer
def test_a_network_hook_finds_the_namespace(cells, work, level):
    """Z19, J10: as Docker's prestart hook opens it."""
    config = b.spec("sleep")
    _trace(config, work, "prestart", script="true")
    config["hooks"]["prestart"][0]["args"][2] = (
        f'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); readlink /proc/$pid/ns/net >{work}/net')
    cell = cells(config)
    assert cell.create().ok, cell.command.err()
    assert (work / "net").read_text() == f"net:[{os.stat(f'/proc/{cell.pid}/ns/net').st_ino}]\n"


def test_a_hook_through_a_magic_link(cells, work, level):
    """Decision 22: /proc/<dockerd>/exe is the path Docker gives."""
    config = b.spec("exit", "0")
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", "read x"], {}, file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, "/dev/zero", os.O_RDONLY, 0)])
    try:
        config["hooks"] = {"prestart": [{"path": f"/proc/{shell}/exe", "args": ["sh", "-c", f"echo ran >{work}/out"]}]}
        result = cells(config).run()
    finally:
        os.kill(shell, 9)
        os.waitpid(shell, 0)
    assert result.ok, result
    assert (work / "out").read_text() == "ran\n"


@pytest.fixture
def private():
    """A directory that only root may change, with all above it: the tests' own lie below /tmp."""
    with tempfile.TemporaryDirectory(dir="/run", prefix="donjon-tests-") as path:
        os.chmod(path, 0o755)  # createContainer hooks are nobody outside
        yield pathlib.Path(path)


def _hook(directory, mode=0o755):
    hook = directory / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(mode)
    return hook


def _open_parent(directory):
    (directory / "open").mkdir()
    hook = _hook(directory / "open")
    hook.parent.chmod(0o775)
    return hook


def _foreign(hook):
    os.chown(hook, 1000, 1000)
    return hook


UNTRUSTED = {
    "writable": lambda private, work: _hook(private, 0o757),
    "writable-by-group": lambda private, work: _hook(private, 0o775),
    "of-somebody-else": lambda private, work: _foreign(_hook(private)),
    "in-a-writable-directory": lambda private, work: _open_parent(private),
    "in-a-sticky-directory": lambda private, work: _hook(work),
    "still-to-come": lambda private, work: work / "missing",
}


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("kind", ["prestart", "poststop"])
@pytest.mark.parametrize("case", UNTRUSTED)
def test_hooks_that_others_may_change(cells, fail, work, private, level, kind, case):
    """hooks.trusted: never overridable."""
    config = b.spec()
    config["hooks"] = {kind: [{"path": "/bin/true"}, {"path": str(UNTRUSTED[case](private, work))}]}
    cell = cells(config)
    fail(cell.create(), ("hooks.trusted", f"hooks.{kind}", f"/hooks/{kind}/1"), cell=cell)


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
def test_hooks_that_only_root_may_change(cells, private, level, kind):
    config = b.spec("exit", "7")
    config["hooks"] = {kind: [{"path": str(_hook(private))}]}
    result = cells(config).run()
    assert result.status == 7, result


def test_start_container_hooks_are_the_images(cells, level):
    """They are looked up inside, where the host's owners and modes say nothing."""
    config = b.spec("exit", "7")
    config["hooks"] = {"startContainer": [{"path": "/tmp/../bin/true"}]}
    result = cells(config, "busybox").run()
    assert result.status == 7, result
