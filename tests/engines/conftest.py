"""Fixtures of the engine tests: places, the runtime at each level, and that nothing stays behind."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from harness import against, linux, oracles
from harness.runtime import until

from support_containerd import Containerd
from support_docker import IMAGE, Docker, Dockerd
from support import RUNTIME, TAG, Outcome, is_donjon, levels_of, make_network
from support_images import Images, cell

pytest_plugins = ["support_podman", "support_cri"]


_ended = {}  # whether the tests of a row passed, by level


def pytest_configure(config):
    config.pluginmanager.register(against)
    if not RUNTIME.exists():
        raise pytest.UsageError(f"{RUNTIME} is missing: build first, or set DONJON_BUILD or DONJON_RUNTIME")
    if os.geteuid() != 0:
        raise pytest.UsageError("the engine tests need root")
    # What engines leave behind becomes a child of this process, and their mounts stay in its namespace.
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    os.umask(0o022)


def pytest_generate_tests(metafunc):
    marker = metafunc.definition.get_closest_marker("row")
    if marker is None:
        return
    engine, *names = marker.args
    cases = [pytest.param(Outcome(engine, name, level), id=f"{level}-{name}")
             for name in names for level in levels_of(engine, name)]
    metafunc.parametrize("outcome", cases)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name == "test_table.py")  # judges the others: last
    for item in items if against.IS_PEER else []:
        item.add_marker(pytest.mark.peer)  # at level none every row runs


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    outcome = getattr(item, "callspec", None) and item.callspec.params.get("outcome")
    if outcome:
        report.row = (outcome.engine, outcome.row, outcome.level)


def pytest_runtest_logreport(report):
    """Whichever of xdist's workers ran it, this is the session's own process."""
    if hasattr(report, "row"):
        engine, name, level = report.row
        ended = _ended.setdefault((engine, name), {})
        ended[level] = ended.get(level, True) and report.passed


def _green_at_none_only():
    """Skipped at the default level is not passed."""
    return [row for row, passed in _ended.items() if passed.get("none") and not passed.get("hardened", True)]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if session.exitstatus == pytest.ExitCode.OK and _green_at_none_only():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for engine, name in _green_at_none_only():
        terminalreporter.write_line(f"FAILED {engine} {name}: green at level none only")


@pytest.fixture(scope="session")
def session_dir():
    """On a real file system, traversable by mapped ids, with a path short enough for sockets."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"{TAG}-", dir=os.environ["TMPDIR"] if "DONJON_LAB" in os.environ else "/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def work(session_dir):
    path = pathlib.Path(tempfile.mkdtemp(dir=session_dir))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def runtimes(session_dir):
    """The runtime's program at each level: where an engine passes no option, a wrapper names the
    level, as an administrator's `donjon-none` would (decision 38)."""
    if not is_donjon():
        return {"none": RUNTIME}
    wrapper = session_dir / "donjon-none"
    wrapper.write_text(f'#!/bin/sh\nexec {RUNTIME} --policy none "$@"\n')
    wrapper.chmod(0o755)
    return {"none": wrapper, "hardened": RUNTIME}


@pytest.fixture(scope="session")
def images():
    return Images()


@pytest.fixture(scope="session")
def containerd(surroundings, session_dir, runtimes):
    """One for ctr, CRI and dockerd, in a network namespace of its own."""
    network = make_network(session_dir / "network")
    containerd = Containerd(session_dir / "containerd", network, runtimes)
    yield containerd
    containerd.stop()
    linux.umount(network)


@pytest.fixture(scope="session")
def dockerd(containerd, session_dir, images):
    daemon = Dockerd(session_dir / "docker", containerd, "moby", "--default-runtime=none")
    daemon.load(images(IMAGE, cell))
    yield daemon
    daemon.stop()


@pytest.fixture
def docker(dockerd, outcome):
    """The client at the row's level; whatever a test leaves is taken away, and then nothing may be there."""
    docker = Docker(dockerd, outcome.level)
    yield docker
    if not against.IS_FAKE:  # it removes nothing; with the session goes what is left
        docker.clear()
        dockerd.expect_nothing_left()


# Nothing stays behind


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


class Surroundings:
    """Processes, mounts and cgroups of this session."""

    def __init__(self):
        self._before = self._look()

    @staticmethod
    def _look():
        return {"processes": linux.descendants(), "mounts": set(linux.mountinfo()), "cgroups": oracles.cgroups(TAG)}

    def came(self):
        now = self._look()
        came = {part: now[part] - was for part, was in self._before.items()}
        came["processes"] = {linux.describe(pid) for pid in came["processes"]}
        return {part: sorted(what) for part, what in came.items() if what}

    def clear(self):
        """After a failure: this session's processes by their pids, its mounts, its cgroups."""
        for pid in linux.descendants() - self._before["processes"]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for line in sorted(set(linux.mountinfo()) - self._before["mounts"], reverse=True):
            try:
                linux.umount(line.split()[2])
            except OSError:
                pass
        oracles.remove_cgroups(TAG)
        reap()


@pytest.fixture(scope="session", autouse=True)
def surroundings(session_dir):
    """CLEAN for whole sessions: when every daemon has ended, no process, mount or cgroup of theirs
    is there any more.  Whatever starts one depends on this, or it would end after it."""
    before = Surroundings()
    yield before
    reap()
    try:
        until(lambda: reap() or not before.came(), 5.0, lambda: f"left behind: {before.came()}")
    finally:
        before.clear()
