"""The systemd of a user as the manager of cgroups (contract G3, V2)."""

import os
import signal
import subprocess

import pytest

from harness import bundle as b
from harness import users
from harness.runtime import until
from units import Account, cgroup_of, limit, limits, listed, show, systemctl

from conftest import RUNTIME, Cells, runtime_kind

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "systemd", reason="systemd is not process 1 here")

MANAGER = f"/user.slice/user-{users.GRANTED}.slice/user@{users.GRANTED}.service"


@pytest.fixture(scope="module")
def account(session_dir):
    """The lab's user, as it comes from outside; its systemd is there since the machine is."""
    home = session_dir / "home"
    home.mkdir()
    os.chown(home, users.GRANTED, users.GRANTED)
    return Account(users.GRANTED, home)


@pytest.fixture(scope="module")
def callers(account):
    """By how they are there: in a session; below the manager, as podman goes there; and as the root of a
    namespace that an engine made, below it, too."""
    run = [*account.prefix(), "systemd-run", "--user", "--quiet", "--unit=lab-place", "sleep", "infinity"]
    subprocess.run(run, check=True, env=account.environment())
    place = show("lab-place.service", account)["ControlGroup"]
    below = Account(users.GRANTED, account.home, place)
    root = users.MappedRoot(below)
    yield {"session": account, "below": below,
           "mapped": Account(users.GRANTED, account.home, place, entry=root.caller._entry)}
    root.close()
    systemctl("stop", "lab-place.service", caller=account)


@pytest.fixture(params=["session", "below", "mapped"])
def caller(request, callers):
    return callers[request.param]


@pytest.fixture
def rt(caller, request):
    return users.CallerRuntime(caller, str(RUNTIME), runtime_kind(), caller.home / "state",
                               request.getfixturevalue("level"), ("--cgroup-manager", "systemd"))


@pytest.fixture
def cells(rt, work, host):
    class OwnCells(Cells):
        def bundle(self, config=None, kind="skeleton"):
            made = super().bundle(config, kind)
            rt.caller.own(made.path)
            return made

    cells = OwnCells(rt, work)
    yield cells
    cells.clear()
    assert listed("donjon-*", rt.caller) == [] and listed("lab-own*", rt.caller) == []


class Joined:
    """A process that joined the container, as the host sees it."""

    def __init__(self, cell):
        self._cell = cell

    def __enter__(self):
        self._exec = self._cell.spawn_exec("/prisoner", "sleep", "60")
        procs = lambda: limit(cgroup_of(self._cell.pid), "cgroup.procs").split()
        until(lambda: len(procs()) > 1, 5, lambda: f"it never came: {self._exec.err()}")
        self.pid = max(map(int, procs()))
        return self.pid

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        assert self._exec.wait().status == 137


def document(caller, **resources):
    config = b.spec("sleep", 60)
    config["linux"]["resources"].update(resources)
    if not caller.is_mapped_root:
        b.namespace(config, "user")
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key] = [dict(zip(("containerID", "hostID", "size"), line)) for line in caller.maps()]
    return config


RESOURCES = {"memory": {"limit": 128 << 20}, "cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 55}}
UPDATED = {"memory.max": str(96 << 20), "cpu.max": "20000 100000", "pids.max": "44"}


def test_a_scope_of_the_users(cells, rt, caller, level):
    """G3, F6, F7, P59, T9: made, limited, entered, paused and removed by the user's own systemd."""
    config = document(caller, **RESOURCES)
    config["linux"]["cgroupsPath"] = ":lab:own"
    cell = cells.started(config, kind="skeleton")
    unit = show("lab-own.scope", caller)
    assert unit["ControlGroup"] == f"{MANAGER}/user.slice/lab-own.scope" == cgroup_of(cell.pid)
    assert (unit["MemoryMax"], unit["TasksMax"], unit["Delegate"]) == (str(128 << 20), "55", "yes")
    assert limit(unit["ControlGroup"], "cgroup.procs").split() == [str(cell.pid)]
    rt.extra = ()  # known from the state
    assert rt.call("update", "--memory=96m", "--cpu-quota=20000", "--pids-limit=44", cell.id).ok
    for _ in range(2):
        assert limits(unit["ControlGroup"], UPDATED) == UPDATED
        systemctl("daemon-reload", caller=caller)
    unit = show("lab-own.scope", caller)
    assert (unit["MemoryMax"], unit["CPUQuotaPerSecUSec"], unit["TasksMax"]) == (str(96 << 20), "200ms", "44")
    with Joined(cell) as pid:
        assert cgroup_of(pid) == unit["ControlGroup"]
    assert cell.call("pause").ok and cell.status() == "paused"
    assert cell.call("resume").ok and cell.status() == "running"
    assert cell.delete("--force").ok
    assert listed("lab-own*", caller) == []


@pytest.mark.levels("none")
def test_without_limits_it_is_still_a_scope(cells, rt, caller, level):
    """G3: the default place, in what the user's manager manages."""
    cell = cells.created(document(caller), kind="skeleton")
    assert cgroup_of(cell.pid) == f"{MANAGER}/user.slice/donjon-{cell.id}.scope"


@pytest.mark.levels("none")
def test_the_bus_is_found_by_its_address(cells, rt, caller, level):
    """V2: DBUS_SESSION_BUS_ADDRESS counts more than XDG_RUNTIME_DIR."""
    env = caller.environment(XDG_RUNTIME_DIR=str(caller.home / "run"),
                             DBUS_SESSION_BUS_ADDRESS=f"unix:path=/run/user/{caller.uid}/bus")
    cell = cells(document(caller), kind="skeleton")
    assert cell.create(env=env).ok
    assert cgroup_of(cell.pid) == f"{MANAGER}/user.slice/donjon-{cell.id}.scope"
    assert cell.delete("--force", env=env).ok


@pytest.mark.parametrize("env, reason", [({"XDG_RUNTIME_DIR": None}, "XDG_RUNTIME_DIR"),
                                         ({"XDG_RUNTIME_DIR": "/nonexistent"}, "D-Bus")], ids=["none", "gone"])
def test_without_a_bus(cells, rt, caller, fail, level, env, reason):
    """G3: never on the system's bus instead, never without a cgroup."""
    cell = cells(document(caller), kind="skeleton")
    fail(cell.create(env=caller.environment(**env)), "the user's systemd", reason, cell=cell, within=20)
