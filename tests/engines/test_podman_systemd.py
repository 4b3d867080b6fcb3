"""podman on its default cgroup manager, which is systemd where that is process 1: in the lab's machine of that
kind, where podman runs as on any host, as root and as a user with a systemd of its own."""

import os
import pathlib
import signal

import pytest

from harness.runtime import until
from harness.users import GRANTED

from support import RUNTIME, call, missing
from support_podman import IMAGE, STORAGE_CONF, podman_cell

pytestmark = [missing("podman", "conmon", "dbus-daemon"),
              pytest.mark.skipif(os.environ.get("DONJON_LAB") != "systemd", reason="systemd is not process 1 here")]

CONF = """
[engine]
runtime = "donjon"
runtime_supports_json = ["donjon", "donjon-none"]
runtime_supports_nocgroup = ["donjon", "donjon-none"]
[engine.runtimes]
donjon = ["{hardened}"]
donjon-none = ["{none}"]
"""
MIB = 1 << 20


class Podman:
    """As an administrator or a user types it: nothing is said about cgroups."""

    def __init__(self, entry, user, slice):
        self._entry, self._user, self.slice = entry, user, slice
        self._made = []

    def argv(self, *args):
        return [*self._entry, *args]

    def __call__(self, *args, level="hardened", **options):
        runtime = "donjon" if level == "hardened" else "donjon-none"
        return call(*self.argv("podman", f"--runtime={runtime}", *args), timeout=120, **options)

    def ok(self, *args, **options):
        done = self(*args, **options)
        assert done.ok, str(done)
        return done.out.strip()

    def started(self, *options, script="trap 'exit 0' TERM; sleep 1000 & wait", network=("--net=none",), **more):
        """The id of a container that runs."""
        self._made.append(self.ok("run", "--detach", *network, *options, IMAGE, "sh", "-c", script, **more))
        return self._made[-1]

    def removed(self, id):
        self._made.remove(id)
        until(lambda: self.units(f"*{id}*") == [], 10, lambda: f"left behind: {self.units(f'*{id}*')}")

    def clear(self):
        if self._made:
            self("rm", "--force", "--ignore", "--time=0", *self._made)
        self._made.clear()

    def systemctl(self, *args):
        return call(*self.argv("systemctl", *self._user, *args)).out.strip()

    def show(self, unit):
        return dict(line.split("=", 1) for line in self.systemctl("show", unit).splitlines() if "=" in line)

    def units(self, pattern):
        """In any state."""
        return self.systemctl("list-units", "--all", "--full", "--plain", "--no-legend", pattern).splitlines()

    def pid(self, id):
        return int(self.ok("inspect", "--format={{.State.Pid}}", id))


def group_of(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")


def limits(group, files):
    return {file: pathlib.Path(f"/sys/fs/cgroup{group}/{file}").read_text().strip() for file in files}


@pytest.fixture(scope="session")
def image(surroundings, images, session_dir, runtimes):
    conf = pathlib.Path("/etc/containers/containers.conf")  # the machine's, which goes with it
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(CONF.format(**runtimes))
    return images(IMAGE, podman_cell)


@pytest.fixture(scope="session")
def root(image):
    # In the mounts of process 1, where its timers see the containers, too.
    podman = Podman(["nsenter", "--target=1", "--mount"], [], "machine.slice")
    podman.ok("load", "--quiet", f"--input={image}")
    return podman


@pytest.fixture(scope="session")
def user(image, session_dir):
    podman = Podman(["nsenter", "--target=1", "--mount", "setpriv", f"--reuid={GRANTED}", f"--regid={GRANTED}",
                     "--init-groups", "env", "HOME=/mnt/home", f"XDG_RUNTIME_DIR=/run/user/{GRANTED}"],
                    ["--user"], "user.slice")
    (session_dir / "storage.conf").write_text(STORAGE_CONF)
    done = call(*podman.argv("install", "-D", session_dir / "storage.conf", "/mnt/home/.config/containers/storage.conf"))
    assert done.ok, str(done)
    podman.ok("load", "--quiet", f"--input={image}")
    yield podman
    # It keeps the user's namespaces until the machine ends.
    os.kill(int(pathlib.Path(f"/proc/1/root/run/user/{GRANTED}/libpod/tmp/pause.pid").read_text()), signal.SIGKILL)


@pytest.fixture
def podman(request):
    podman = request.getfixturevalue(request.param)
    yield podman
    podman.clear()


def by(*who):
    return pytest.mark.parametrize("podman", who, indirect=True)


@by("root", "user")
def test_a_life(podman):
    """G2, G3, G4, T9, Z24: run, exec, stats, pause, update, stop, rm; and the limits in both places."""
    assert podman.ok("info", "--format={{.Host.CgroupManager}} {{.Host.CgroupsVersion}}") == "systemd v2"
    id = podman.started("--memory=64m", "--memory-swap=96m", "--cpus=0.5", "--pids-limit=50", "--cpuset-cpus=0")
    pid, name = podman.pid(id), f"libpod-{id}.scope"
    unit = podman.show(name)
    group = unit["ControlGroup"]
    assert group_of(pid).startswith(group) and group.endswith(f"/{podman.slice}/{name}")
    files = {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB), "cpu.max": "50000 100000", "pids.max": "50",
             "cpuset.cpus": "0"}
    properties = {"MemoryMax": str(64 * MIB), "MemorySwapMax": str(32 * MIB), "CPUQuotaPerSecUSec": "500ms",
                  "TasksMax": "50", "AllowedCPUs": "0", "Slice": podman.slice}
    assert limits(group, files) == files and {key: unit[key] for key in properties} == properties

    said = podman.ok("exec", id, "sh", "-c", "cat /proc/self/cgroup /sys/fs/cgroup/memory.max")
    assert said.splitlines()[0].startswith("0::/") and str(64 * MIB) in said
    assert podman.ok("stats", "--no-stream", "--format={{.MemUsage}}", id).endswith("67.11MB")

    podman.ok("pause", id)
    podman.systemctl("daemon-reload")
    assert podman.ok("inspect", "--format={{.State.Status}}", id) == "paused"
    podman.ok("unpause", id)

    podman.ok("update", "--memory=80m", "--memory-swap=100m", "--cpus=0.25", id)
    files |= {"memory.max": str(80 * MIB), "memory.swap.max": str(20 * MIB), "cpu.max": "25000 100000"}
    podman.systemctl("daemon-reload")
    unit = podman.show(name)
    assert limits(group, files) == files
    assert (unit["MemoryMax"], unit["CPUQuotaPerSecUSec"]) == (str(80 * MIB), "250ms")

    podman.ok("stop", "--time=20", id)
    assert podman.ok("inspect", "--format={{.State.ExitCode}}", id) == "0"
    podman.ok("rm", id)
    podman.removed(id)
    assert not pathlib.Path(f"/sys/fs/cgroup{group}").exists()


@by("root", "user")
def test_ends(podman):
    """G4: by itself, by a signal, by force: the unit goes with it."""
    assert podman("run", "--rm", "--net=none", IMAGE, "sh", "-c", "exit 7", level="none").status == 7
    id = podman.started(script="exec sleep 1000", level="none")
    podman.ok("kill", id)
    assert podman.ok("wait", id) == "137"
    podman.ok("rm", id)
    podman.removed(id)
    id = podman.started()
    podman.ok("rm", "--force", "--time=0", id)
    podman.removed(id)


@by("root", "user")
def test_a_pod(podman):
    """P59: its containers are in the pod's slice."""
    pod = podman.ok("pod", "create", "--network=none")
    try:
        id = podman.started(f"--pod={pod}", network=())
        slice = podman.show(f"libpod-{id}.scope")["Slice"]
        assert pod in slice and slice.startswith(podman.slice.removesuffix(".slice"))
        assert f"/{slice}/libpod-{id}.scope" in group_of(podman.pid(id))
        podman.ok("pod", "rm", "--force", "--time=0", pod)
        podman.removed(id)
    finally:
        podman("pod", "rm", "--force", "--ignore", "--time=0", pod)


@by("root")
def test_a_parent_of_ones_own(podman):
    """P59: --cgroup-parent with dashes is a slice in a slice."""
    id = podman.started("--cgroup-parent=lab-podman.slice")
    assert group_of(podman.pid(id)).startswith(f"/lab.slice/lab-podman.slice/libpod-{id}.scope")


@by("root")
def test_a_health_check(podman):
    """The timer that podman has systemd keep runs exec."""
    id = podman.started("--health-cmd=test -e /tmp/well", "--health-interval=2s", "--health-retries=1")
    state = ("inspect", "--format={{.State.Healthcheck.Status}}", id)
    until(lambda: podman(*state).out.strip() == "unhealthy", 20)
    podman.ok("exec", id, "touch", "/tmp/well")
    until(lambda: podman(*state).out.strip() == "healthy", 20)
