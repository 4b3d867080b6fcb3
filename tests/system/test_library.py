"""libdonjon as a program of somebody else's uses it: the examples, built as their heads say."""

import json
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT
from harness import bundle as b

apart = pytest.mark.apart("programs that libdonjon is linked into")
EXAMPLES = ["exec", "features", "lifecycle", "operate", "run", "sandbox"]


@pytest.fixture(scope="module")
def build(session_dir):
    """Compiles an example against what `meson install` installs, as pkg-config tells it."""
    for tool in ("cc", "pkg-config", "meson"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    place = session_dir / "installed"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", place], check=True,
                   capture_output=True)
    page = next(place.rglob("donjon.pc"))
    prefix = place / page.read_text().split("prefix=")[1].split("\n")[0].lstrip("/")
    flags = subprocess.run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", page], check=True,
                           text=True, capture_output=True).stdout.split()
    library = next(place.rglob("libdonjon.so.0")).parent

    def compile(name):
        program = session_dir / f"example-{name}"
        if not program.exists():
            subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                            ROOT / f"examples/embed/{name}.c", *flags, f"-Wl,-rpath,{library}", "-o", program],
                           check=True)
        return program

    yield compile
    shutil.rmtree("/run/donjon-examples", ignore_errors=True)


def _run(program, *args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=20)


@apart
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_compile(build, name):
    assert build(name).exists()


@apart
def test_every_public_call_is_in_an_example():
    texts = "".join((ROOT / f"examples/embed/{name}.c").read_text() for name in EXAMPLES)
    exported = subprocess.run(["nm", "-D", "--defined-only", BUILD / "src/engine/libdonjon.so"], check=True, text=True,
                              capture_output=True).stdout
    names = {line.split()[-1].split("@")[0] for line in exported.splitlines()}
    calls = {name for name in names if not name.startswith("DONJON_")}
    assert calls and all(name.startswith("donjon_") for name in calls), "the version script"
    assert not [name for name in calls if f"{name}(" not in texts]


@apart
def test_features(build):
    for document in ("features", "spec", "hardened-spec"):
        result = _run(build("features"), document)
        assert result.returncode == 0 and result.stdout.startswith("{"), result


@apart
def test_sandbox(build):
    result = _run(build("sandbox"), "/bin/sh", "-c", "echo $GREETING; exit 4")
    assert (result.returncode, result.stdout) == (4, "hello\n"), result
    result = _run(build("sandbox"), "--explain", "/bin/true")
    assert result.returncode == 0 and '"launch"' in result.stdout
    result = _run(build("sandbox"), "/nonexistent")
    assert result.returncode == 125 and "(exec)" in result.stderr


@apart
def test_run(build, cells):
    bundle = cells.bundle(b.spec("exit", "6"))
    assert _run(build("run"), bundle.path).returncode == 6
    result = _run(build("run"), "--explain", bundle.path)
    assert result.returncode == 0 and "caps.bounding" in result.stdout


@apart
def test_lifecycle(build, cells):
    result = _run(build("lifecycle"), cells.bundle(b.spec("sleep")).path)
    assert result.returncode == 0 and '"status": "created"' in result.stdout, result
    assert '"status": "running"' in result.stdout


@apart
def test_operate(build, cells):
    result = _run(build("operate"), cells.bundle(b.spec("sleep")).path)
    assert result.returncode == 0, result
    assert result.stdout.count('event: {"type":"stats","id":"example-operate"') == 3
    assert '"pids":{"current":1,"limit":50}' in result.stdout


def test_exec(build, cells, rt, state_root):
    cell = cells.started(b.spec("sleep"))
    result = _run(build("exec"), state_root, cell.id, "/prisoner", "report", "+", "exit", "5")
    assert (result.returncode, result.stderr) == (5, "") and json.loads(result.stdout), result
    result = _run(build("exec"), state_root, "missing", "/prisoner", "exit", "0")
    assert result.returncode == 1 and "container does not exist" in result.stderr
    assert cell.status() == "running"
