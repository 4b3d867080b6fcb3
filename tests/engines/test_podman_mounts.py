"""Volumes and mounts of `podman run`, every option of -v."""

import dataclasses
import os
import re
import socket

import pytest

from support import missing
from support_machine import SUBORDINATE, UID
from support_podman import IMAGE, rows

pytestmark = missing("podman", "conmon")


@dataclasses.dataclass
class Mount:
    """Options (with the directory DIR on the host), a script, what it says, and the owner and mode that
    a file /data/new then has on the host."""

    options: str
    script: str
    says: str
    owner: int | None = None


WRITE = "echo new >/data/new && cat /data/new /data/old"
FLAGS = "awk '$2 == \"/data\" { print $4 }' /proc/mounts | tail -n 1"
PROPAGATION = "grep ' /data ' /proc/self/mountinfo | grep -o -E 'shared|master' || echo private"
UNBINDABLE = "grep ' /data ' /proc/self/mountinfo | grep -o unbindable"

MOUNTS = {
    "volume": Mount("-v DIR:/data", WRITE, "new\nold", owner=0),
    "volume-user": Mount("-v DIR:/data:U --user=2000", WRITE, "new\nold", owner=2000),
    "volume-read-only": Mount("-v DIR:/data:ro", "cat /data/old; touch /data/new 2>/dev/null || echo no", "old\nno"),
    "volume-overlay": Mount("-v DIR:/data:O", WRITE, "new\nold"),
    "volume-label": Mount("-v DIR:/data:z", WRITE, "new\nold"),
    "volume-label-private": Mount("-v DIR:/data:Z", WRITE, "new\nold"),
    "volume-read-write": Mount("-v DIR:/data:rw", WRITE, "new\nold", owner=0),
    "volume-overlay-upper": Mount("-v DIR:/data:O,upperdir=DIR/../upper,workdir=DIR/../work", WRITE, "new\nold"),
    "volume-noexec": Mount("-v DIR:/data:noexec,nosuid,nodev", FLAGS, ".*nosuid,nodev,noexec.*"),
    "volume-exec": Mount("-v DIR:/data:exec", "cp /bin/busybox /data/echo && /data/echo executed", "executed"),
    "volume-suid": Mount("-v DIR:/data:suid", FLAGS, "(?!.*nosuid).*"),
    "volume-dev": Mount("-v DIR:/data:dev", FLAGS, "(?!.*nodev).*"),
    "volume-bind": Mount("-v DIR:/data:bind", WRITE, "new\nold"),
    "volume-rbind": Mount("-v DIR:/data:rbind", WRITE, "new\nold"),
    "volume-private": Mount("-v DIR:/data:private", PROPAGATION, "private"),
    "volume-rprivate": Mount("-v DIR:/data:rprivate", PROPAGATION, "private"),
    "volume-slave": Mount("-v DIR:/data:slave", PROPAGATION, "master"),
    "volume-rslave": Mount("-v DIR:/data:rslave", PROPAGATION, "master"),
    "volume-shared": Mount("-v DIR:/data:shared", PROPAGATION, "shared(\nmaster)?"),
    "volume-rshared": Mount("-v DIR:/data:rshared", PROPAGATION, "shared(\nmaster)?"),
    "volume-unbindable": Mount("-v DIR:/data:unbindable", UNBINDABLE, "unbindable"),
    "volume-runbindable": Mount("-v DIR:/data:runbindable", UNBINDABLE, "unbindable"),
    "volume-anonymous": Mount("-v /data", "echo new >/data/new && cat /data/new; grep -c ' /data ' /proc/mounts", "new\n1"),
    "volume-several": Mount("-v DIR:/data -v DIR/old:/etc/old:ro", "cat /etc/old", "old"),
    "volume-idmap": Mount("--userns=auto -v DIR:/data:idmap", WRITE, "new\nold", owner=0),
    "volume-etc": Mount("-v /etc:/data:ro", "test -e /data/passwd && echo exposed", "exposed"),
    "volume-shadow": Mount("-v /etc/shadow:/data:ro", "echo exposed", "exposed"),
    "volume-root": Mount("-v /:/data", "test -e /data/etc && echo exposed", "exposed"),
    "volume-proc": Mount("-v /proc/sys:/data", "test -e /data/kernel && echo exposed", "exposed"),
    "volume-devices": Mount("-v /dev:/data", "test -e /data/null && echo exposed", "exposed"),
    "mount-bind": Mount("--mount=type=bind,source=DIR,destination=/data", WRITE, "new\nold", owner=0),
    "mount-bind-read-only": Mount("--mount=type=bind,source=DIR,destination=/data,readonly",
                                  "cat /data/old; touch /data/new 2>/dev/null || echo no", "old\nno"),
    "mount-image": Mount(f"--mount=type=image,source={IMAGE},destination=/data", "test -x /data/bin/sh && echo there",
                         "there"),
    "mount-devpts": Mount("--mount=type=devpts,destination=/data", "test -c /data/ptmx && echo there", "there"),
}


@pytest.fixture
def directory(machine, work, outcome):
    """A directory of the user's on the host with one file in it."""
    path = work / "data"
    beside = work / "upper", work / "work"
    for each in (path, *beside):
        each.mkdir()
    (path / "old").write_text("old\n")
    if outcome.rootless:
        for each in (path, path / "old", *beside):
            os.chown(each, UID, UID)
    return path


def host_id(outcome, id):
    """What the user's container id `id` is on the host's disk."""
    if not outcome.rootless:
        return id
    return UID if id == 0 else SUBORDINATE[0] + id - 1


@rows(*MOUNTS)
def test_mount(podman, outcome, directory):
    mount = MOUNTS[outcome.row]
    done = podman.run(mount.options.replace("DIR", str(directory)), mount.script)
    if not outcome.judge(done):
        assert not (directory / "new").exists()
        return
    assert re.fullmatch(mount.says, done.out.strip()), str(done)
    if mount.owner is not None:
        assert (directory / "new").stat().st_uid == host_id(outcome, mount.owner)


@rows("volume-named")
def test_named_volume(podman, outcome):
    """Written by one container, read by the next; the image's own files are copied into a new one."""
    volume = f"{outcome.row}-{outcome.level}"
    podman.ok("volume", "create", volume)
    options = f"--user=1000 -v {volume}:/home/user"
    assert podman.run(options, "echo kept >/home/user/file && stat -c %u:%g /home/user").out == "1000:1000\n"
    assert podman.run(options, "cat /home/user/file").out == "kept\n"
    podman.ok("volume", "rm", volume)


@rows("volume-copy", "volume-nocopy")
def test_files_of_the_image_in_a_new_volume(podman, outcome):
    volume, option = f"{outcome.row}-{outcome.level}", outcome.row.removeprefix("volume-")
    done = podman.run(f"-v {volume}:/home:{option}", "ls /home; stat -c %u /home")
    podman.ok("volume", "rm", volume)
    assert (done.status, done.out) == (0, "user\n0\n" if option == "copy" else "0\n"), str(done)


@rows("volumes-from")
def test_volumes_of_another_container(podman, directory):
    first = podman.started(f"-v {directory}:/data")
    done = podman.run(f"--volumes-from={first}", WRITE)
    assert (done.status, done.out) == (0, "new\nold\n"), str(done)


@rows("secret")
def test_secret(podman, outcome):
    podman.ok("secret", "create", f"word-{outcome.level}", "-", input="treasure\n")
    done = podman.run(f"--secret=word-{outcome.level},target=word", "cat /run/secrets/word")
    podman.ok("secret", "rm", f"word-{outcome.level}")
    assert (done.status, done.out) == (0, "treasure\n"), str(done)


SOCKETS = {
    "volume-podman-socket": "/run/podman/podman.sock",
    "volume-docker-socket": "/run/docker.sock",
    "volume-containerd-socket": "/run/containerd/containerd.sock",
    "volume-run": "/run",
}


@rows(*SOCKETS)
def test_engine_socket(machine, podman, outcome):
    path = SOCKETS[outcome.row]
    inside = machine.path(path)
    inside.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as engine:
        if not inside.is_dir():
            engine.bind(f"/proc/{machine.pid}/root{path}")
            inside.chmod(0o666)
        done = podman.run(f"-v {path}:/engine", "test -e /engine && echo exposed")
        if not inside.is_dir():
            inside.unlink()
    if outcome.judge(done):
        assert done.out == "exposed\n", str(done)
