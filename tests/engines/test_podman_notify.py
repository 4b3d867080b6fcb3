"""podman --sdnotify: podman and conmon speak with the service manager; the runtime is not asked to (V3)."""

import pytest

from harness.manager import manager as managing
from harness.runtime import until

from support import BUILD, missing
from support_podman import rows

pytestmark = missing("podman", "conmon")

PRISONER = f"--volume={BUILD / 'tests/system/prisoner'}:/prisoner:ro"
SCRIPT = "env | grep NOTIFY_SOCKET; /prisoner notify STATUS=up READY=1; sleep 1000"


@pytest.fixture
def manager(podman, work):
    """Of podman alone, as of the unit it is started by."""
    work.chmod(0o777)
    with managing(work / "manager") as made:
        podman.environment(NOTIFY_SOCKET=work / "manager")
        yield made


def told(podman, manager, work, mode):
    """What the manager is told of a container, and what the container says it could say."""
    name = podman.started(f"--sdnotify={mode} --conmon-pidfile={work}/conmon --pidfile={work}/pid {PRISONER}", SCRIPT)
    until(lambda: '"sent"' in podman.ok("logs", name), 10)
    lines = [line for text, _ in manager.hears(1) for line in text.splitlines()]
    assert int((work / "pid").read_text()) == podman.pid(name)
    assert podman.status(name) == "running"
    return lines, podman.ok("logs", name).splitlines(), int((work / "conmon").read_text())


@rows("sdnotify-container")
def test_the_container_reports(podman, manager, work):
    """V3: by podman's own mount, through conmon, which is the main process."""
    lines, said, conmon = told(podman, manager, work, "container")
    assert sorted(lines) == sorted([f"MAINPID={conmon}", "READY=1"])
    assert said == ["NOTIFY_SOCKET=/run/notify/notify.sock", '{"socket":"ok","sent":["ok","ok"]}']


@rows("sdnotify-conmon")
def test_conmon_reports(podman, manager, work):
    """V3: once it has started the container, which knows nothing of it."""
    lines, said, conmon = told(podman, manager, work, "conmon")
    assert sorted(lines) == sorted([f"MAINPID={conmon}", "READY=1"])
    assert said == ['{"socket":"ENODATA","sent":[]}']


@rows("sdnotify-ignore")
def test_nobody_reports(podman, manager, work):
    """V3."""
    lines, said, _ = told(podman, manager, work, "ignore")
    assert (lines, said) == ([], ['{"socket":"ENODATA","sent":[]}'])
