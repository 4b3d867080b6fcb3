"""A machine of its own for an engine that installs itself in /etc, /run and /var/lib, changes the
network and needs users with subordinate ids.  It is made of namespaces and of layers over the
host's directories, held by one process, and goes when that ends."""

import os
import pathlib
import subprocess

USER, UID = "inmate", 4711
SUBORDINATE = (300000, 65536)
AUTO = (400000, 1 << 20)  # where podman as root takes the ranges of --userns=auto from

SETUP = """
set -eu
mkdir -p "$dir"
chmod 711 "$dir"
# Private first: nothing reaches the host.  Shared then, as systemd has it; rootless podman wants that.
mount --make-rprivate / && mount --make-rshared /
for path in etc var/lib; do
	mkdir -p "$dir/upper/$path" "$dir/work/$path"
	mount -t overlay -o "lowerdir=/$path,upperdir=$dir/upper/$path,workdir=$dir/work/$path" overlay "/$path"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /var/lib/containers "$dir/storage"
mount --bind "$dir/storage" /var/lib/containers
ip link set lo up
echo "$user:x:$uid:$uid::$dir/home:/bin/sh" >>/etc/passwd
echo "$user:x:$uid:" >>/etc/group
printf '%s\n' "$ranges" | tee /etc/subuid >/etc/subgid
mkdir -p "$dir/home" "/run/user/$uid"
chmod 700 "/run/user/$uid"
chown "$uid:$uid" "$dir/home" "/run/user/$uid"
echo ready
exec cat  # until whoever made the machine has gone
"""


class Machine:
    """Files below `dir` are the same inside and outside."""

    def __init__(self, dir):
        self.dir = dir
        self.home = dir / "home"
        self.run = pathlib.Path("/run/user", str(UID))
        ranges = "\n".join(f"{name}:{first}:{count}" for name, (first, count) in
                           ((USER, SUBORDINATE), ("containers", AUTO)))
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", SETUP], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "dir": str(dir), "user": USER, "uid": str(UID), "ranges": ranges})
        assert self._holder.stdout.readline() == b"ready\n", "the machine cannot be made"
        self.pid = self._holder.pid

    def argv(self, *command, rootless=False, **env):
        """The command line that runs this in there, as root or as the user."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net"]
        if rootless:
            enter += ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups"]
            env = {"HOME": self.home, "USER": USER, "XDG_RUNTIME_DIR": self.run, **env}
        return [*enter, "env", *[f"{name}={value}" for name, value in env.items()], *map(str, command)]

    def path(self, path):
        """A file of the machine as seen from outside."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}")

    @property
    def network(self):
        return f"/proc/{self.pid}/ns/net"

    def end(self):
        self._holder.stdin.close()
        self._holder.wait(10)


def mounts(pid):
    """Mounts of a process' namespace without their ids, which change with every remount."""
    with open(f"/proc/{pid}/mountinfo") as lines:
        return {" ".join(line.split()[2:]) for line in lines}
