"""sd_notify for callers without rights on the host (V3)."""

import pytest

from harness.manager import manager as managing
from harness.runtime import until
from harness.users import SUB_FIRST

from test_rootless import (EVERY, by, caller, callers, cells, document, known_users, rt,  # noqa: F401
                           set_maps)


@pytest.fixture
def manager(work):
    with managing(work / "manager") as made:
        yield made


def notifying(caller, *args):
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "notify", "READY=1", *args]
    return config


def told(manager, caller):
    return caller.environment(NOTIFY_SOCKET=manager.env["NOTIFY_SOCKET"])


@by(*EVERY)
def test_create_and_start(caller, cells, manager, level):
    """V3."""
    cell = cells(notifying(caller, "+", "sleep"))
    assert cell.create(env=told(manager, caller)).ok
    starting = cell.runtime.spawn("start", cell.id, env=told(manager, caller))
    assert manager.take() == (f"READY=1\nMAINPID={cell.pid}\n", 0)
    assert manager.take() == ("BARRIER=1", 1)
    assert starting.wait().ok and cell.status() == "running"
    until(cell.documents)
    assert cell.documents() == [{"socket": "ok", "sent": ["ok"]}]
    assert cell.delete("--force").ok
    assert not (cell.runtime.root / cell.id).exists()


@by(*EVERY)
def test_run(caller, cells, manager, level):
    """V3."""
    assert cells(notifying(caller, "+", "exit", "3")).run(env=told(manager, caller)).status == 3
    assert manager.hears() == [("READY=1\n", 0)]
    running = cells(notifying(caller, "+", "sleep")).spawn("run", "--detach", env=told(manager, caller))
    assert manager.take()[0].startswith("READY=1\nMAINPID=")
    manager.hears()
    assert running.wait().ok


@by("granted")
def test_as_a_user_of_its_own(caller, cells, manager, level):
    """V3: with a sub-id."""
    config = notifying(caller, "+", "exit", "0")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    assert cells(config).run(env=told(manager, caller)).ok
    assert manager.hears() == [("READY=1\n", 0)]


@by("granted")
def test_ids_that_leave_out_the_caller(caller, cells, manager, level):
    """V3: nobody but the caller gets to its state directory; no reason not to run."""
    config = notifying(caller, "+", "exit", "3")
    set_maps(config, (0, SUB_FIRST, 1000))
    cell = cells(config)
    assert cell.run(env=told(manager, caller)).status == 3
    assert cell.documents() == [{"socket": "ENODATA", "sent": []}] and manager.hears(0) == []
