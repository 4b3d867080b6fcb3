"""Services of type notify: systemd waits for what the container's program reports (contract V3)."""

import os
import pathlib
import subprocess

import pytest

from harness import bundle as b
from harness.runtime import until
from units import show, systemctl

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "systemd", reason="systemd is not process 1 here")


@pytest.fixture
def service(cells, work, level):
    """A started service of that command, its container, and the function that has the program report."""
    calls = work / "calls"
    calls.mkdir()
    calls.chmod(0o755)
    unit = f"lab-notify-{level}.service"

    def start(*command):
        config = b.spec()
        config["process"]["args"] = ["/bin/sh", "-c", "until test -e /calls/now; do sleep 0.1; done; "
                                                      "exec /prisoner notify READY=1 + signals"]
        b.bind(config, calls, "/calls", "ro")
        cell = cells(config, "busybox")
        argv = cell.runtime.argv(*command, "--bundle", cell.bundle.path, cell.id)
        subprocess.run(["systemd-run", "--quiet", "--no-block", f"--unit={unit}", "--service-type=notify", *argv], check=True)
        until(lambda: cell.status() == "running", 20, lambda: systemctl("status", unit, check=False))
        assert show(unit)["ActiveState"] == "activating", "nothing was reported"
        return unit, cell, (calls / "now").touch

    yield start
    systemctl("kill", "--signal=KILL", unit, check=False)
    systemctl("stop", unit, check=False)
    systemctl("reset-failed", unit, check=False)


def active(unit):
    until(lambda: show(unit)["ActiveState"] == "active", 20, lambda: systemctl("status", unit, check=False))
    return int(show(unit)["MainPID"])


def test_in_the_foreground(service, level):
    """V3: `run` stays the main process: what stops it stops the container."""
    unit, cell, report = service("run")
    report()
    assert cell.id in pathlib.Path(f"/proc/{active(unit)}/cmdline").read_text().split("\0")
    systemctl("stop", unit)
    assert cell.status() == "missing"


def test_detached(service, level):
    """V3: the container's first process becomes the main one."""
    unit, cell, report = service("run", "--detach")
    report()
    assert active(unit) == cell.pid
    assert cell.delete("--force").ok
