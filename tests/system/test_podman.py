"""Proof of use: podman and conmon, unchanged, start containers with this runtime."""

import contextlib
import os
import shutil
import subprocess

import pytest

from harness import linux
from harness.bundle import APPLETS
from harness.runtime import until

from conftest import RUNTIME, runtime_kind

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not shutil.which("podman") or not shutil.which("conmon"), reason="podman or conmon is missing"),
]

# What podman needs on a host without systemd, and where it may not raise limits.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
"""
IMAGE = "localhost/cell:latest"


class Podman:
    """Podman with storage and state of its own."""

    def __init__(self, home):
        self.home = home
        (home / "containers.conf").write_text(CONTAINERS_CONF)
        self._env = {**os.environ, "CONTAINERS_CONF": str(home / "containers.conf")}

    def __call__(self, *args, flags=(), timeout=120, **run):
        places = [f"--{name}={self.home / name}" for name in ("root", "runroot", "tmpdir")]
        argv = ["podman", *places, f"--runtime={RUNTIME}", *flags, *map(str, args)]
        return subprocess.run(argv, capture_output=True, text=True, env=self._env, timeout=timeout, **run)

    def level(self, level):
        """This podman, whose runtime works at another level: (`--policy none`)."""
        flags = (f"--runtime-flag=policy={level}",) if runtime_kind() == "donjon" else ()
        return lambda *args, **run: self(*args, flags=flags, **run)

    def import_image(self, tree):
        tar = subprocess.run(["tar", "-C", str(tree), "-c", "."], check=True, capture_output=True).stdout
        done = subprocess.run(
            ["podman", *[f"--{n}={self.home / n}" for n in ("root", "runroot", "tmpdir")], "import", "-q", "-", IMAGE],
            input=tar, capture_output=True, env=self._env)
        assert done.returncode == 0, done.stderr.decode()


def make_image(tree):
    """busybox, and a log that is a link to /dev/stdout as in the images of nginx and httpd."""
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "var/log"):
        (tree / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    for applet in APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "var/log/access.log").symlink_to("/dev/stdout")


@pytest.fixture(scope="module")
def podman(session_dir):
    home = session_dir / "podman"
    home.mkdir()
    podman = Podman(home)
    make_image(home / "image")
    podman.import_image(home / "image")
    yield podman
    podman("rm", "--all", "--force", "--time=0")


@pytest.fixture(autouse=True)
def habits(host, podman):
    """What podman leaves behind with any runtime, taken away before HOST looks: monitors that end a
    moment after it did, as our children, and its storage mounted on itself."""
    yield
    until(_no_children, 5.0, lambda: "a monitor stays behind")
    with contextlib.suppress(OSError):
        linux.umount(podman.home / "root/overlay")


def _no_children():
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
        return False
    except ChildProcessError:
        return True


@pytest.fixture
def run(podman, level):
    """`podman run --rm` of a shell command in the image."""
    at_level = podman.level(level)

    def run(command, *options):
        return at_level("run", "--rm", "--network=none", *options, IMAGE, "/bin/sh", "-c", command)

    return run


def test_output_and_status_of_a_root_image(run, level):
    done = run("id -u; exit 7")
    assert (done.returncode, done.stdout) == (7, "0\n"), done


def test_output_and_status_of_another_user(run, level):
    done = run("id -u; id -g; exit 9", "--user=1000")
    assert (done.returncode, done.stdout) == (9, "1000\n0\n"), done


@pytest.mark.parametrize("user", ["0", "1000"])
def test_log_that_is_a_link_to_stdout(run, level, user):
    done = run("echo logged >>/var/log/access.log && echo complained >/dev/stderr", f"--user={user}")
    assert (done.returncode, done.stdout) == (0, "logged\n") and "complained" in done.stderr, done


def test_standard_input_reaches_the_program(podman, level):
    done = podman.level(level)("run", "--rm", "--interactive", "--network=none", IMAGE, "/bin/cat", input="handed in\n")
    assert (done.returncode, done.stdout) == (0, "handed in\n"), done


def test_detached_life(podman, level):
    """create, start, state, kill and delete as conmon and podman call them."""
    at_level = podman.level(level)
    done = at_level("run", "--detach", "--network=none", IMAGE, "/bin/sh", "-c", "echo up; sleep 1000")
    assert done.returncode == 0, done
    name = done.stdout.strip()
    assert at_level("ps", "--quiet", "--no-trunc").stdout.split() == [name]
    assert at_level("logs", name).stdout == "up\n"
    done = at_level("rm", "--force", "--time=0", name)
    assert done.returncode == 0, done
    assert at_level("ps", "--all", "--quiet").stdout == ""


def test_a_missing_program_is_reported_as_podman_reports_it(podman, level):
    """E rows: podman turns the runtime's words into 127."""
    done = podman.level(level)("run", "--rm", "--network=none", IMAGE, "/bin/no-such-program")
    assert done.returncode == 127, done


@pytest.mark.levels("hardened")
def test_the_default_level_is_in_force(run, level):
    done = run("grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/self/uid_map; "
               "touch /written || echo read-only")
    assert done.returncode == 0, done
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["CapBnd:", "0000000000000000"] in lines and ["NoNewPrivs:", "1"] in lines, done
    assert ["Seccomp:", "2"] in lines and ["read-only"] in lines, done
    assert any(line[0] == "0" and len(line) == 3 and line[1] != "0" for line in lines), done


@pytest.mark.levels("hardened")
def test_without_a_flag_the_level_is_hardened(podman, level):
    done = podman("run", "--rm", "--network=none", IMAGE, "/bin/sh", "-c", "grep CapBnd /proc/self/status")
    assert done.stdout.split() == ["CapBnd:", "0000000000000000"], done
