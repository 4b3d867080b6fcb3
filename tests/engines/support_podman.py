"""podman of a machine of its own: as root and as a user, each container at a level."""

import contextlib
import itertools
import os
import pathlib
import re
import resource
import shlex
import signal

import pytest

from harness import linux
from harness.runtime import until

import table
from support import CLAIMED, LEVELS, RUNTIME, Outcome, Terminal, call, is_donjon, levels_of
from support_images import busybox, cell
from support_machine import Machine, mounts

# What an administrator installs (contract Z15), and what podman needs where there is no systemd and no
# right to raise limits.
CONF = """
[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "donjon"
runtime_supports_json = ["donjon", "donjon-none"]
runtime_supports_nocgroup = ["donjon", "donjon-none"]
[engine.runtimes]
donjon = ["{hardened}"]
donjon-none = ["{none}"]
"""
LIMITS = {name: min(16384, hard) if (hard := resource.getrlimit(kind)[1]) >= 0 else 16384
          for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))}
# Rootless podman would copy whole images without a word of this.
STORAGE_CONF = """
[storage]
driver = "overlay"
"""
NAMES = {"none": "donjon-none", "hardened": "donjon"}
USERS = {"podman": False, "podman-rootless": True}
IMAGE = "localhost/cell:latest"
APPLETS = """[ addgroup adduser ash awk basename cat chgrp chmod chown clear cp cut date dd df dirname du echo env
expr false find free grep head hostname httpd id ifconfig ip ipcs kill killall ln ls md5sum mkdir mkfifo mknod mktemp
mount mv nc netstat nice nohup ping ps pwd readlink realpath rm rmdir route sed seq setsid sh sleep sort stat stty sync
sysctl tail tar tee test time timeout top touch tr true tty udhcpc umount uname uniq uptime vi wc wget which whoami
xargs yes""".split()


def podman_cell(tree):
    config = cell(tree)
    for name in set(APPLETS):
        link = tree / "bin" / name
        if not link.is_symlink():
            link.symlink_to("busybox")
    return config


def rows(*names):
    """Marks a test of these rows: it runs for each, rootful and rootless where the table has it, at each level."""
    cases = []
    for engine in USERS:
        for name in names:
            if name not in table.TABLE[engine]:
                continue
            CLAIMED.add((engine, name))
            for level in levels_of(engine, name):
                outcome = PodmanOutcome(engine, name, level)
                marks = []
                if isinstance(table.TABLE[engine][name], table.Declined):
                    marks.append(pytest.mark.apart("podman itself says no"))
                cases.append(pytest.param(outcome, id=f"{name}-{'rootless' if outcome.rootless else 'rootful'}-{level}",
                                          marks=marks))
    assert cases, f"not in table.py: {names}"
    return pytest.mark.parametrize("outcome", cases)


class PodmanOutcome(Outcome):
    def __init__(self, engine, name, level):
        super().__init__(engine, name, level)
        self.rootless = USERS[engine]
        self._meant = table.TABLE[engine][name]

    def judge(self, done, status=126):
        """True if the row must run: the rest is the test's.  Otherwise that it did not is judged here;
        `status` is what podman makes of a refusal (contract E9)."""
        meant = self._meant
        if isinstance(meant, table.Declined):
            if not done.ok and meant in done.err:
                return False
            meant = meant.otherwise
        if self.level == "none" or not meant:
            assert done.ok, str(done)
            return True
        if isinstance(meant, table.Fails):
            assert not done.ok and meant in done.err, str(done)
        else:
            self._refused(done, meant, status)
        return False

    def _refused(self, done, checks, status):
        """The checks and the ways out on the user's terminal, and not a word from inside."""
        assert done.status == status, f"not refused as it must be: {done}"
        assert "refused by policy level hardened: " in done.err, str(done)
        for check in checks:
            name, _, value = check.partition("=")
            assert f"{name}: " in done.err, f"{name} is not named: {done}"
            hint = f"(override {check}" if value else "(no override; "
            assert hint in done.err, f"{hint} is not offered: {done}"
        assert not done.out, f"something ran: {done}"


@pytest.fixture(scope="session")
def machine(surroundings, session_dir, images):
    """With podman set up, the image loaded, and one container run by each user."""
    machine = Machine(session_dir / "machine")
    try:
        machine.path("/etc/containers/containers.conf").write_text(CONF.format(**_wrappers(machine.dir), **LIMITS))
        (machine.dir / "storage.conf").write_text(STORAGE_CONF)
        done = call(*machine.argv("install", "-D", machine.dir / "storage.conf", machine.home / ".config/containers/storage.conf",
                                  rootless=True))
        assert done.ok, str(done)
        (machine.dir / "scratch").mkdir()
        (machine.dir / "scratch").chmod(0o1777)
        archive = images(IMAGE, podman_cell)
        for rootless in USERS.values():
            podman = Podman(machine, rootless, "none")
            podman.ok("load", "--quiet", f"--input={archive}")
            podman("run", "--rm", "--net=none", IMAGE, "true")  # what stays mounted from now on
        yield machine
    finally:
        for rootless in USERS.values():
            Podman(machine, rootless, "none").clear_all()
        pause = Leftovers(machine).pause_process()
        if pause:
            os.kill(pause, signal.SIGKILL)
        machine.end()
        for root in linux.cgroup_roots().values():
            with contextlib.suppress(OSError):  # another podman's, or none
                os.rmdir(f"{root}/libpod_parent")


def _wrappers(dir):
    """The runtime under both names: how an administrator gives an engine a level (decision 38)."""
    if not is_donjon():
        return dict.fromkeys(LEVELS, RUNTIME)
    wrapper = dir / NAMES["none"]
    wrapper.write_text(f'#!/bin/sh\nexec {RUNTIME} --policy none "$@"\n')
    wrapper.chmod(0o755)
    return {"none": wrapper, "hardened": RUNTIME}


@pytest.fixture(scope="session")
def leftovers(machine):
    return Leftovers(machine)


@pytest.fixture
def podman(machine, leftovers, outcome):
    """At the row's level, of the row's user."""
    podman = Podman(machine, outcome.rootless, outcome.level)
    yield podman
    try:
        podman.clear()
        leftovers.check()
    except AssertionError:
        podman.clear_all()
        leftovers.clear()
        raise


_serial = itertools.count()


class Podman:
    """podman of one user, at one level."""

    def __init__(self, machine, rootless, level):
        self._machine, self.rootless, self.level = machine, rootless, level
        self._env = {"TMPDIR": machine.dir / "scratch"}
        self._made = []

    def environment(self, **env):
        """More of it, for what follows."""
        self._env.update(env)

    def argv(self, *args):
        return self._machine.argv("podman", f"--runtime={NAMES[self.level]}", *args, rootless=self.rootless, **self._env)

    def __call__(self, *args, **options):
        return call(*self.argv(*args), **options)

    def buildah(self, *args, **options):
        return call(*self._machine.argv("buildah", *args, rootless=self.rootless, **self._env,
                                        BUILDAH_RUNTIME=_wrappers(self._machine.dir)[self.level]), **options)

    def ok(self, *args, **options):
        """What it prints, if it succeeds."""
        done = self(*args, **options)
        assert done.ok, str(done)
        return done.out.strip()

    def run(self, options, script, image=IMAGE, **call):
        """`podman run --rm` of a shell script."""
        return self("run", "--rm", *words(options), image, "/bin/sh", "-c", script, **call)

    def detached(self, options="", script="sleep 1000", image=IMAGE):
        """`podman run --detach`, to its end."""
        name = self.name()
        return self("run", "--detach", f"--name={name}", *words(options), image, "/bin/sh", "-c", script)

    def started(self, *args, **options):
        """The name of a container that runs."""
        done = self.detached(*args, **options)
        assert done.ok, str(done)
        return self._made[-1]

    def name(self):
        """For a container, which is removed after the test."""
        self._made.append(f"c{next(_serial)}")
        return self._made[-1]

    def terminal(self, *args):
        return Terminal(self.argv(*args))

    def pid(self, name):
        """Of its first process, outside."""
        return int(self.ok("inspect", "--format={{.State.Pid}}", name))

    def status(self, name):
        return self.ok("inspect", "--format={{.State.Status}}", name)

    def clear(self):
        """Removes the test's containers, those in others' namespaces with them."""
        made, self._made = self._made, []
        if made:
            self.ok("rm", "--force", "--ignore", "--depend", "--time=0", *made)

    def clear_all(self):
        """Whatever there is, after a failure."""
        self("pod", "rm", "--all", "--force", "--time=0")
        self("rm", "--all", "--force", "--time=0")


def words(options):
    """Split as a shell does.  Without a network where they speak of none: CNI takes its time."""
    found = shlex.split(options)
    networked = any(word.startswith(("--net", "--pod", "--publish", "--dns", "--add-host")) for word in found)
    return found if networked else ["--net=none", *found]


def proc_status(pid):
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


# Mount points that podman makes for itself and keeps.
KEPT = re.compile(r"/(storage/overlay|netns)$")


class Leftovers:
    """CLEAN for every test: processes, mounts, cgroups, network interfaces and the runtime's records."""

    def __init__(self, machine):
        self._machine = machine
        self._before = self._look()

    def pause_process(self):
        """Rootless podman keeps one as long as the machine runs: it holds the user's namespaces."""
        try:
            return int(self._machine.path(self._machine.run / "libpod/tmp/pause.pid").read_text())
        except FileNotFoundError:
            return None

    def _look(self):
        pause = self.pause_process()
        return {
            "processes": linux.descendants() - {pause},
            "mounts": {mount for pid in (self._machine.pid, pause) if pid for mount in mounts(pid)
                       if not KEPT.search(mount.split()[2])},
            "cgroups": self._cgroups(),
            "records": self._records(),
        }

    def _cgroups(self):
        """Of every container that podman's events speak of."""
        ids = set()
        for path in ("/run/libpod", self._machine.run / "libpod/tmp"):
            log = self._machine.path(path / pathlib.Path("events/events.log"))
            if log.exists():
                ids |= set(re.findall("[0-9a-f]{64}", log.read_text()))
        return {os.path.join(directory, name) for root in linux.cgroup_roots().values()
                for directory, names, _ in os.walk(f"{root}/libpod_parent") for name in names if name[-64:] in ids}

    def _records(self):
        found = set()
        for path in ("/run/donjon", self._machine.run / "donjon"):
            root = self._machine.path(path)
            found |= {str(p) for p in root.glob("*") if p.is_dir() and re.fullmatch("[0-9a-f]{64}", p.name)}
        return found

    def came(self):
        now = self._look()
        came = {part: now[part] - was for part, was in self._before.items()}
        came["processes"] = {linux.describe(pid)[:150] for pid in came["processes"]}
        return {part: sorted(what) for part, what in came.items() if what}

    def clear(self):
        """Processes of the test, by their pids."""
        for pid in linux.descendants() - self._before["processes"] - {self.pause_process()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()

    def check(self):
        until(lambda: _reap() or not self.came(), 5.0, lambda: f"left behind: {self.came()}")


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
