"""Fixtures of the system tests: the runtime under test, cells, and the oracles around each test."""

import os
import pathlib
import shutil
import signal
import stat
import tempfile
import types

import pytest

from harness import bundle as bundles
from harness import against, lab, linux, oracles
from harness import runtime as processes
from harness.against import IS_PEER
from harness.runtime import Cell, Runtime, fresh_id, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DONJON_BUILD", ROOT / "build"))
RUNTIME = pathlib.Path(os.environ.get("DONJON_RUNTIME", BUILD / "donjon"))
PRISONER = pathlib.Path(os.environ.get("DONJON_PRISONER", BUILD / "tests/system/prisoner"))
LEVELS = ("none", "hardened")

# Nobody else uses the machine: then HOST compares all cgroups, not only those of this session.
ALONE = os.environ.get("DONJON_TESTS_ALONE") == "1"
TAG = f"dt{os.getpid()}"


def runtime_kind():
    return RUNTIME.name if against.IS_PEER or against.IS_FAKE else "donjon"


def pytest_configure(config):
    config.pluginmanager.register(against)
    config.pluginmanager.register(lab)
    missing = [p for p in (RUNTIME, PRISONER) if not p.exists()]
    if missing:
        raise pytest.UsageError(f"{missing[0]} is missing: build first, or set DONJON_BUILD, DONJON_RUNTIME, "
                                "DONJON_PRISONER")
    if os.geteuid() != 0:
        raise pytest.UsageError("the system tests need root")
    processes.PROBE = str(PRISONER)
    # What a container leaves behind becomes a child of this process, where HOST sees it.
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    # The tests mount things, and hostile mounts must not reach the machine.
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    os.umask(0o022)
    if runtime_kind() == "crun":
        _suit_crun()


def _suit_crun():
    """crun 1.8 refuses hybrid trees, and gives /dev/null to the container's root: it gets one of ours."""
    if os.path.ismount("/sys/fs/cgroup/unified"):
        linux.umount("/sys/fs/cgroup/unified")
    with tempfile.TemporaryDirectory() as place:
        linux.mount("tmpfs", place, "tmpfs")
        os.mknod(f"{place}/null", stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        os.chmod(f"{place}/null", 0o666)
        linux.mount(f"{place}/null", os.devnull, None, linux.MS_BIND)
        linux.umount(place)


def pytest_generate_tests(metafunc):
    if "level" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("levels")
    levels = marker.args if marker else LEVELS
    if IS_PEER:
        levels = [name for name in levels if name == "none"]
    metafunc.parametrize("level", levels)


def pytest_report_header():
    return f"runtime: {RUNTIME} ({runtime_kind()}), prisoner: {PRISONER}"


# Places


@pytest.fixture(scope="session")
def session_dir():
    """On a real file system, traversable by mapped and unprivileged ids."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="donjon-tests-"))
    path.chmod(0o711)
    yield path
    # After failures: nothing of the session may stay on the machine.
    for pid in linux.descendants():
        os.kill(pid, signal.SIGKILL)
    _reap_zombies()
    oracles.remove_cgroups(TAG)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def canary(session_dir):
    """Files outside every bundle, named like those that runtimes create and remove."""
    root = session_dir / "canary"
    for directory in ("pts", "shm", "mqueue", "self/attr", "sys/kernel", "etc", "net"):
        (root / directory).mkdir(parents=True)
    for name in ("ptmx", "null", "zero", "full", "random", "urandom", "tty", "console", "stdin", "stdout", "stderr",
                 "fd", "core", "pts/ptmx", "pts/0", "self/attr/exec", "self/attr/current", "sys/kernel/core_pattern",
                 "etc/passwd", "etc/shadow", "net/kallsyms"):
        (root / name).write_text(f"canary {name}\n")
    (root / "etc/shadow").chmod(0o600)
    return root


@pytest.fixture
def work(session_dir):
    path = pathlib.Path(tempfile.mkdtemp(dir=session_dir))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


# The runtime


@pytest.fixture(scope="session")
def state_root(session_dir):
    return session_dir / "state"


@pytest.fixture
def runtime(state_root):
    """At level none; `runtime.at("hardened")` is the same at another level."""
    return Runtime(str(RUNTIME), runtime_kind(), state_root)


@pytest.fixture
def rt(runtime, request):
    """At the level the test is run at."""
    level = request.getfixturevalue("level") if "level" in request.fixturenames else "none"
    return runtime.at(level)


# HOST and CLEAN surround every test


@pytest.fixture(scope="session", autouse=True)
def _sysctls():
    before = oracles.all_sysctls()
    yield
    volatile = ("/proc/sys/kernel/random/", "/proc/sys/fs/", "/proc/sys/kernel/pty/nr", "/proc/sys/kernel/ns_last_pid",
                "/proc/sys/net/netfilter/", "/proc/sys/kernel/perf_event_max_sample_rate")
    after = oracles.all_sysctls()
    changed = [p for p in before if before[p] != after.get(p) and not p.startswith(volatile)]
    assert not changed, f"kernel settings changed during the session: {changed}"


@pytest.fixture(autouse=True)
def host(canary, state_root):
    """HOST: what surrounds the container is as it was, checked after every test, when everything
    the test started is gone (CLEAN); `host.check()` checks at once."""
    host = oracles.Host(RUNTIME, canary, state_root, None if ALONE else TAG)
    yield host
    _reap_zombies()
    if host.differences():
        try:
            until(lambda: _reap_zombies() or not host.differences(), 2.0,
                  lambda: "the host changed: " + "; ".join(host.differences()))
        finally:
            oracles.restore(host.before, TAG)
            _reap_zombies()


def _reap_zombies():
    """As the subreaper: containers whose runtime left them to us."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


class Cells:
    """Makes containers and takes every one of them away again."""

    def __init__(self, runtime, work):
        self._runtime, self._work, self._cells, self._processes = runtime, work, [], []

    def bundle(self, config=None, kind="prisoner"):
        path = self._work / fresh_id("bundle")
        return bundles.Bundle(path, config if config is not None else bundles.spec(), PRISONER, kind)

    def __call__(self, config=None, kind="prisoner", runtime=None, id=None, bundle=None):
        """A container that is not created yet."""
        cell = Cell(runtime or self._runtime, bundle or self.bundle(config, kind), id or fresh_id(TAG))
        self._cells.append(cell)
        return cell

    def created(self, *args, **kwargs):
        cell = self(*args, **kwargs)
        result = cell.create()
        assert result.ok and cell.status() == "created", result
        return cell

    def started(self, *args, **kwargs):
        cell = self.created(*args, **kwargs)
        result = cell.start()
        assert result.ok, result
        return cell

    def inside(self, config, *commands, kind="prisoner", runtime=None, flags=()):
        """Runs the prisoner with these arguments and returns what it printed."""
        if commands:
            config["process"]["args"] = ["/prisoner", *map(str, commands)]
        cell = self(config, kind, runtime)
        result = cell.run(*flags)
        assert result.ok, result
        return result.documents()

    def clear(self):
        """A delete that fails is a failure; a runtime with options of the test's own may be meant to."""
        results = [(cell, cell.delete("--force")) for cell in self._cells]
        self._cells.clear()
        failed = [str(result) for cell, result in results
                  if not result.ok and cell.runtime is self._runtime]
        assert not failed, failed


@pytest.fixture
def cells(rt, work, host):
    cells = Cells(rt, work)
    yield cells
    cells.clear()


@pytest.fixture
def inside(cells):
    """Runs the prisoner once; its documents."""
    return cells.inside


@pytest.fixture
def fail(rt, host):
    """FAIL: non-zero within five seconds, one line that names what is wrong, no such container,
    the host as it was.  Peers word their errors differently: of them only the refusal counts."""

    def check(result, *names, cell=None, runtime=None, within=5.0):
        peer = (runtime or rt).kind in ("runc", "crun")
        problems = [] if peer and result.status > 0 else oracles.refusal_problems(result, *names, within=within)
        assert not problems, f"{'; '.join(problems)}: {result}"
        if cell is not None:
            assert cell.id not in (runtime or rt).ids(), f"{cell.id} exists after {result}"
        _reap_zombies()
        until(lambda: not host.differences("processes"), 1.0,
              lambda: f"{host.differences()} after {result}")
        return result.err

    return check


@pytest.fixture
def base(rt):
    """BASE: the prisoner's report is what config.json and the level promise."""

    def check(documents, config, level=None):
        problems = oracles.base_problems(documents, config, level or rt.level)
        assert not problems, "; ".join(problems[:8])

    return check


@pytest.fixture
def base_or_fail(base, fail):
    """Any start that succeeds must satisfy BASE, whatever the input; anything else must be FAIL."""

    def check(cell, *names, flags=(), **popen):
        config = cell.bundle.config
        config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
        cell.bundle.write()
        result = cell.run(*flags, **popen)
        if result.ok:
            base(result.documents(), config, cell.runtime.level)
        else:
            fail(result, *names, cell=cell)
        return result

    return check


@pytest.fixture
def clean(host):
    """CLEAN: `delete --force` leaves nothing, and a second delete says so."""

    def check(cell):
        cell.delete("--force")
        again = cell.delete()
        assert again.status == 1 and "does not exist" in again.err, again
        assert cell.id not in cell.runtime.ids()
        _reap_zombies()
        until(lambda: not host.differences(), 2.0, lambda: "; ".join(host.differences()))

    return check


@pytest.fixture
def bound():
    """BOUND: time, memory of the runtime itself, and output stay small.  The command must have been
    run with `measure=True`."""

    def check(result, seconds=5.0, rss_mib=32, output=65536):
        assert result.seconds < seconds * processes.PATIENCE, result
        limit = rss_mib * 1024 * (4 if "ASAN_OPTIONS" in os.environ else 1)  # it keeps what is freed
        assert 0 < result.rss_kib < limit, f"{result.rss_kib} KiB: {result}"
        assert len(result.out) + len(result.err) < output, f"{len(result.out) + len(result.err)} bytes of output"

    return check


# What the host offers


@pytest.fixture(scope="session")
def can():
    """Facts tests skip by."""
    with open("/proc/self/status") as status:
        return types.SimpleNamespace(
            v1=bool(set(linux.cgroup_roots()) - {""}),
            v2_memory=_v2_has("memory"),
            resource=bool(oracles.own_bounding() >> 24 & 1),
            apparmor=os.path.exists("/sys/kernel/security/apparmor"),
            selinux=os.path.exists("/sys/fs/selinux/enforce"),
            strace=shutil.which("strace") is not None,
        )


@pytest.fixture(params=["statmount", "mountinfo"])
def kernel(request):
    """How it tells of mounts, the newer way and the older one; for preexec_fn."""
    if request.param == "mountinfo":
        return linux.no_statmount
    if linux.KERNEL < (6, 8):
        pytest.skip("this kernel has the older way alone")
    return None


def _v2_has(controller):
    point = linux.cgroup_roots().get("")
    if point is None:
        return False
    with open(os.path.join(point, "cgroup.controllers")) as controllers:
        return controller in controllers.read().split()
