"""A containerd of the session's own, and ctr."""

import contextlib
import itertools
import json
import os
import pathlib

from harness import linux, oracles
from harness.runtime import until

from support import TAG, Daemon, Terminal, call, listens

CONFIG = """
version = 2
root = "{home}/root"
state = "{home}/state"
[grpc]
  address = "{home}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:latest"
  restrict_oom_score_adj = true  # the tests may not lower it
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{home}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "{default}"
{handlers}
"""
HANDLER = """
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
        BinaryName = "{binary}"
        Root = "{root}"
"""
# A bridge that nothing leads out of: pods see each other and the namespace containerd is in.
CNI = {
    "cniVersion": "0.4.0", "name": "cells",
    "plugins": [{"type": "bridge", "bridge": "cells0", "isGateway": True,
                 "ipam": {"type": "host-local", "subnet": "10.77.0.0/24", "dataDir": "{home}/ipam"}}],
}

_serial = itertools.count()


class Containerd:
    """The daemon, in a network namespace of its own; the runtime at each level is a CRI handler."""

    def __init__(self, home, network, runtimes):
        self.home, self.network, self.runtimes = home, network, runtimes
        self.socket = home / "containerd.sock"
        self.state_root = home / "runtimes"  # --root of every call of the runtime
        (home / "cni").mkdir(parents=True)
        (home / "cni/10-cells.conflist").write_text(json.dumps(CNI).replace("{home}", str(home)))
        (home / "config.toml").write_text(CONFIG.format(
            home=home, default=next(iter(runtimes)),
            handlers="".join(HANDLER.format(name=level, binary=binary, root=self.state_root)
                             for level, binary in runtimes.items())))
        # `runc` in its PATH: what the shim calls where ctr forgets the program it was told (--uidmap).
        (home / "bin").mkdir()
        (home / "bin/runc").write_text(f'#!/bin/sh\nexec "$(cat {home}/default)" "$@"\n')
        (home / "bin/runc").chmod(0o755)
        # Sockets and state that go to a fixed place of the host's.
        self._place = pathlib.Path("/run/containerd")
        self._place_is_ours = not self._place.exists()
        self._place.mkdir(exist_ok=True)
        linux.mount("tmpfs", self._place, "tmpfs", 0, "mode=711")
        self._daemon = Daemon(["containerd", "--config", home / "config.toml", "--log-level", "info"],
                              home / "log", network, {"PATH": f"{home}/bin:{os.environ['PATH']}"})
        self._daemon.wait_for(lambda: listens(self.socket))

    def call_by_default(self, program):
        """The runtime where nobody says which."""
        (self.home / "default").write_text(str(program))

    def load(self, archive, namespace=TAG):
        done = call("ctr", "--address", self.socket, "--namespace", namespace, "images", "import", archive)
        assert done.ok, done

    def expect_nothing_left(self, cgroup):
        """After the last container: no state, no process, no cgroup below the engine's own."""
        until(lambda: not self._left(cgroup), 10.0, lambda: f"left behind: {self._left(cgroup)}")

    def _left(self, cgroup):
        roots = (self.state_root, self._place / "runc")
        states = [str(entry) for root in roots for entry in root.glob("*/[!.]*")]  # dot: the store's own
        processes = [linux.describe(pid) for pid in linux.descendants(self._daemon.pid)]
        shims = [text for text in linux.living() if "containerd-shim" in text]
        cgroups = [path for path in oracles.cgroups(f"/{cgroup}/")]
        return states + processes + shims + cgroups

    def stop(self):
        """What the engine's own runtime leaves as well: the cgroup above the containers'."""
        self._daemon.stop()
        linux.umount(self._place)
        if self._place_is_ours:
            self._place.rmdir()
        oracles.remove_cgroups(TAG)

    def said(self):
        return self._daemon.said()


class Ctr:
    """ctr with the runtime at one level."""

    def __init__(self, containerd, level, program=None):
        self.containerd, self._program = containerd, program or containerd.runtimes[level]

    def __call__(self, *args, **options):
        return call(*self.argv(*args), **options)

    def argv(self, *args):
        return ["ctr", "--address", self.containerd.socket, "--namespace", TAG, *args]

    def run_argv(self, *flags_and_more):
        return self.argv("run", "--runc-binary", self._program,
                         "--runc-root", self.containerd.state_root, *flags_and_more)

    def run(self, flags, image, *command, id=None, **options):
        """`ctr run --rm` to its end."""
        return call(*self.run_argv("--rm", *flags, image, id or fresh_id(), *command), **options)

    @contextlib.contextmanager
    def terminal(self, *args):
        terminal = Terminal(self.argv(*args) if args[0] != "run" else self.run_argv(*args[1:]))
        try:
            yield terminal
        finally:
            terminal.close()

    def start(self, flags, image, *command):
        """`ctr run --detach`; the container's name."""
        name = fresh_id()
        done = call(*self.run_argv("--detach", "--null-io", *flags, image, name, *command))
        assert done.ok, done
        return name

    def tasks(self):
        """Status by name."""
        done = self("task", "list")
        assert done.ok, done
        return {line.split()[0]: line.split()[2] for line in done.out.splitlines()[1:]}

    def clear(self):
        for name in self.tasks():
            self("task", "delete", "--force", name)
        for name in self("container", "list", "--quiet").out.split():
            self("container", "delete", name)


def fresh_id():
    return f"cell-{next(_serial)}"
