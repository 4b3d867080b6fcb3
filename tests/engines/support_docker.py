"""A dockerd of the session's own on the session's containerd, and its client."""

import contextlib
import itertools
import json
import subprocess

from harness import against, linux, oracles
from harness.runtime import until

from support import TAG, Daemon, Terminal, call, listens

IMAGE = "localhost/cell:latest"
# docker run's own failure, and what it makes of "permission denied" and "no such file" (contract E10-E15)
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
DOCKER = "/usr/bin/docker"  # Debian's, whatever else is in PATH
_serial = itertools.count()


class Dockerd:
    """In containerd's network namespace: its networks, proxies and settings stay there.  The runtime
    at each level is a runtime by that name, known to the daemon by --add-runtime, or with `settings`
    by its daemon.json, where runtimes can have arguments."""

    def __init__(self, home, containerd, name, *options, settings=None):
        self.home, self.containerd = home, containerd
        self.socket = home / "docker.sock"
        self.exec_root = home / "exec"
        self.cgroup = f"{TAG}-{name}"
        home.mkdir()
        runtimes = [flag for level, program in containerd.runtimes.items()
                    for flag in ("--add-runtime", f"{level}={program}")]
        if settings:
            (home / "daemon.json").write_text(json.dumps(settings))
            runtimes = ["--config-file", home / "daemon.json"]
        self._daemon = Daemon(
            ["dockerd", "--data-root", home / "data", "--exec-root", self.exec_root, "--pidfile", home / "pid",
             "--host", f"unix://{self.socket}", "--containerd", containerd.socket,
             "--containerd-namespace", name, "--containerd-plugins-namespace", f"{name}-plugins",
             "--iptables=false", "--ip6tables=false", "--bridge=none", "--cgroup-parent", self.cgroup,
             "--exec-opt", "native.cgroupdriver=cgroupfs", *runtimes, *options],
            home / "log", containerd.network, env={"DOCKER_TMPDIR": str(home)})
        self._daemon.wait_for(self._answers)

    def _answers(self):
        """It listens before it has read its settings and /etc/subuid; it answers when that is done."""
        return listens(self.socket) and call(DOCKER, "--host", f"unix://{self.socket}", "version").ok

    def load(self, *archives):
        for archive in archives:
            done = call(DOCKER, "--host", f"unix://{self.socket}", "load", "--quiet", "--input", archive)
            assert done.ok, done

    def said(self):
        return self._daemon.said()

    def _left(self):
        root = self.exec_root / "runtime-runc"
        states = [str(entry) for entry in root.glob("*/[!.]*")]
        return states + [path for path in oracles.cgroups(f"{self.cgroup}/")]

    def expect_nothing_left(self):
        until(lambda: not self._left(), 10.0, lambda: f"left behind: {self._left()}")

    def stop(self):
        """And what it leaves with any runtime: its own network namespace, the cgroup above the containers'."""
        self._daemon.stop()
        for path in (self.exec_root / "netns").glob("*"):
            linux.umount(path)
        oracles.remove_cgroups(self.cgroup)


class Docker:
    """The client; containers it starts run at one level."""

    def __init__(self, daemon, level):
        self.daemon, self.level = daemon, level
        self._networks, self._volumes = [], []

    def argv(self, *args):
        return [DOCKER, "--host", f"unix://{self.daemon.socket}", *args]

    def __call__(self, *args, timeout=60, **options):
        """With a program that is no runtime dockerd waits for ever for what was executed, and for its end."""
        timeout = min(timeout, 3) if against.IS_FAKE else timeout
        return call(*self.argv(*args), env={"DOCKER_CONFIG": str(self.daemon.home)}, timeout=timeout, **options)

    def ok(self, *args, **options):
        """The output of a command that must succeed."""
        done = self(*args, **options)
        assert done.ok, done
        return done.out.strip()

    def run(self, *args, **options):
        """`docker run --rm`, without a network unless told otherwise."""
        network = () if any(str(a).startswith(("--network", "--net", "-p")) for a in args) else ("--network=none",)
        return self("run", "--rm", "--runtime", self.level, *network, *args, **options)

    def start(self, *args):
        """`docker run --detach`; the container's name."""
        network = () if any(str(a).startswith(("--network", "--net", "-p")) for a in args) else ("--network=none",)
        name = self.fresh("cell")
        self.ok("run", "--detach", "--runtime", self.level, "--name", name, *network, *args)
        return name

    def fresh(self, kind):
        return f"{kind}-{next(_serial)}"

    def network(self, *options):
        self._networks.append(self.fresh("net"))
        self.ok("network", "create", *options, self._networks[-1])
        return self._networks[-1]

    def volume(self):
        self._volumes.append(self.ok("volume", "create", self.fresh("volume")))
        return self._volumes[-1]

    def address(self, name, network):
        return self.inspect(name, ".NetworkSettings.Networks")[network]["IPAddress"]

    def inspect(self, name, form):
        """A part of `docker inspect`, as Python has it."""
        return json.loads(self.ok("inspect", "--format", "{{json " + form + "}}", name))

    def pid(self, name):
        return self.inspect(name, ".State.Pid")

    def wait_for(self, name, status, timeout=15.0):
        until(lambda: self.inspect(name, ".State.Status") == status, timeout,
              lambda: f"{name}: {self.inspect(name, '.State')} {self('logs', name)}")

    def logs(self, name):
        return self("logs", name)

    @contextlib.contextmanager
    def terminal(self, *args):
        terminal = Terminal(self.argv(*args), env={"DOCKER_CONFIG": str(self.daemon.home)})
        try:
            yield terminal
        finally:
            terminal.close()

    @contextlib.contextmanager
    def running(self, *args):
        """The client, while the test goes on."""
        with subprocess.Popen(self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as client:
            try:
                yield client
            finally:
                if client.poll() is None:
                    client.kill()

    def clear(self):
        everyone = self.ok("ps", "--all", "--quiet", "--no-trunc").split()
        if everyone:
            self.ok("rm", "--force", "--volumes", *everyone)
        for network in self._networks:
            self.ok("network", "rm", network)
        for volume in self._volumes:
            self.ok("volume", "rm", volume)
