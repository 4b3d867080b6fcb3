"""--dry-run: what would be done, in text and JSON, without privileges and without doing it."""

import json
import os
import subprocess

import pytest

from harness import bundle as b


def _dry(cell, verb="run", *flags, **popen):
    return cell.runtime.call(verb, "--dry-run", *flags, "--bundle", cell.bundle.path, cell.id, **popen)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_text(cells, host, level, verb):
    """The level, the changes, the rows of the launch; HOST says that nothing was done."""
    cell = cells(b.spec("sleep"))
    result = _dry(cell, verb)
    assert result.ok and result.err == "", result
    assert level in result.out and "launch" in result.out and "clone" in result.out
    assert ("caps.bounding" in result.out) == (level == "hardened")
    assert cell.status() == "missing"
    host.check()


@pytest.mark.parametrize("verb", ["create", "run"])
def test_json(cells, host, level, verb):
    cell = cells(b.spec("sleep"))
    document = _dry(cell, verb, "--format", "json").json()
    assert document["refused"] is False and document["hardening"]["level"] == level
    names = [step["name"] for step in document["launch"]]
    assert len(names) > 10 and len(set(names)) == len(names)
    assert document["plan"]
    checks = {c["check"] for c in document["hardening"]["changes"]}
    assert ("userns.private" in checks) == (level == "hardened")
    host.check()


def test_the_steps_follow_the_document(cells):
    """Options add rows, not branches: `wanted` of the launch table."""
    plain = b.spec("sleep")
    rich = b.spec("sleep")
    b.user_namespace(rich)
    b.seccomp(rich, "SCMP_ACT_ALLOW")

    def steps(config):
        return [s["name"] for s in _dry(cells(config, "skeleton"), "run", "--format", "json").json()["launch"]]

    assert set(steps(plain)) < set(steps(rich))


def test_a_document_writes_no_lines_of_the_report(cells):
    """What a hostile document calls things neither looks like another line nor moves the cursor."""
    config = b.spec()
    config["x\nlaunch\n  all is well\x1b[31m"] = 1
    config["linux"]["devices"] = [{"path": "/dev/a\nlaunch\n  all is well\x1b[31m", "type": "c", "major": 10, "minor": 229}]
    report = _dry(cells(config)).out
    assert "all is well" in report and "\x1b" not in report
    assert not [line for line in report.splitlines() if line.startswith("  all is well")]


def test_ignored_properties_are_listed(cells):
    """P23, decisions 31 and 32: here, by `state`, and in the log at level debug."""
    config = b.spec("sleep")
    config["process"]["frobnicate"] = 1
    config["process"]["capabilities"]["bounding"].append("CAP_NONSENSE")
    ignored = ["process.frobnicate", "process.capabilities: CAP_NONSENSE"]
    cell = cells(config)
    assert all(name in _dry(cell).out for name in ignored)
    assert _dry(cell, "run", "--format", "json").json()["ignored"] == ignored
    assert cell.create().ok and cell.state()["hardening"]["ignored"] == ignored


@pytest.mark.levels("hardened")
def test_what_would_be_refused(cells, host, level):
    """Decision 39: status 3, with every finding and its override."""
    config = b.spec("sleep")
    b.namespace(config, "network", present=False)
    b.capabilities(config, "CAP_SYS_ADMIN")
    cell = cells(config)
    result = _dry(cell)
    assert result.status == 3, result
    assert "ns.net=host:REASON" in result.out and "caps.bounding=CAP_SYS_ADMIN:REASON" in result.out
    document = _dry(cell, "run", "--format", "json").json()
    assert document["refused"] is True
    assert {f["check"] for f in document["hardening"]["findings"]} == {"ns.net", "caps.bounding"}
    host.check()


def test_errors_are_errors(cells, fail):
    """Status 1: the document is wrong, not strict."""
    cell = cells(b.spec())
    cell.bundle.config["process"]["cwd"] = "relative"
    cell.bundle.write()
    fail(_dry(cell), "process.cwd", cell=cell)


def test_without_privileges(cells, work, level):
    """An unprivileged user sees the same."""
    cell = cells(b.spec("sleep"))
    for path in (cell.bundle.path, cell.bundle.path / "config.json", cell.bundle.rootfs):
        os.chmod(path, 0o755)
    argv = cell.runtime.argv("run", "--dry-run", "--format", "json", "--bundle", cell.bundle.path, cell.id)
    argv[argv.index("--root") + 1] = "/nonexistent/state"
    result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv], capture_output=True,
                            text=True, timeout=10)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["hardening"]["level"] == level


def test_the_same_twice(cells, level):
    """Two dry runs print the same: nothing of a run gets into the plan."""
    cell = cells(b.spec("sleep"))
    first, second = (_dry(cell, "create", "--format", "json").json() for _ in range(2))
    for document in (first, second):
        document.pop("plan")  # the id range is a free one, not a reserved one
    assert first["launch"] == second["launch"]


def test_override_is_shown(cells, runtime):
    rt = runtime.at("hardened").override("fs.masked=/proc/interrupts:monitoring")
    cell = cells(b.spec("sleep"), runtime=rt)
    assert "monitoring" in _dry(cell).out
