"""Bundles: a root filesystem and the document `runc spec` writes, kept here as a Python value."""

import copy
import json
import os
import shutil

_SPEC = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/prisoner", "report"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {
            "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "ambient": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "cell",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
    ],
    "linux": {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        "maskedPaths": [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
}

APPLETS = """cat chmod chown cp dd df echo env false find grep head hostname id ifconfig ip kill ln ls mkdir
mknod mount mv nc ping ps pwd readlink rm rmdir sed seq sh sleep stat sync tail tar test touch tr true tty umount
uname vi wc wget which whoami yes""".split()


def spec(*args):
    """A fresh copy, running the prisoner with `args` if any are given."""
    document = copy.deepcopy(_SPEC)
    if args:
        document["process"]["args"] = ["/prisoner", *map(str, args)]
    return document


def mount(config, destination, **fields):
    """The mount listed at `destination`, added if there is none; fields replace its own."""
    for entry in config["mounts"]:
        if entry["destination"] == destination:
            break
    else:
        entry = {"destination": destination}
        config["mounts"].append(entry)
    entry.update(fields)
    return entry


def unmount(config, *destinations):
    config["mounts"] = [m for m in config["mounts"] if m["destination"] not in destinations]


def bind(config, source, destination, *options):
    config["mounts"].append(
        {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", *options]})


def namespace(config, kind, path=None, present=True):
    """Adds, joins or drops a namespace."""
    rest = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
    if present:
        rest.append({"type": kind, **({"path": str(path)} if path else {})})
    config["linux"]["namespaces"] = rest


def user_namespace(config, host_id=100000, size=65536):
    namespace(config, "user")
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": host_id, "size": size}]


def capabilities(config, *names, sets=("bounding", "effective", "permitted")):
    config["process"]["capabilities"] = {name: list(names) for name in sets}


def resources(config, **fields):
    config["linux"]["resources"].update(fields)


def seccomp(config, default="SCMP_ACT_ERRNO", *rules, **fields):
    config["linux"]["seccomp"] = {"defaultAction": default, "syscalls": list(rules), **fields}


def rule(*names, action="SCMP_ACT_ALLOW", **fields):
    return {"names": list(names), "action": action, **fields}


class Bundle:
    """A directory with `config.json` and `rootfs`."""

    def __init__(self, path, config, prisoner, kind="prisoner"):
        self.path, self.config = path, config
        self.rootfs = path / "rootfs"
        os.makedirs(path, 0o711)
        getattr(self, f"_make_{kind}")(prisoner)
        self.write()

    def _make_empty(self, prisoner):
        os.mkdir(self.rootfs, 0o755)
        (self.rootfs / ".cell").touch()

    def _make_prisoner(self, prisoner):
        self._make_empty(prisoner)
        shutil.copy(prisoner, self.rootfs / "prisoner")

    def _make_skeleton(self, prisoner):
        """With the usual mount points, which a mapped root could not make in a tree of the host's."""
        self._make_prisoner(prisoner)
        for name in ("dev", "proc", "sys", "tmp"):
            os.mkdir(self.rootfs / name, 0o755)
        os.chmod(self.rootfs / "tmp", 0o1777)

    def _make_busybox(self, prisoner):
        self._make_prisoner(prisoner)
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var", "var/log", "home"):
            os.mkdir(self.rootfs / name, 0o755)
        os.chmod(self.rootfs / "tmp", 0o1777)
        shutil.copy(shutil.which("busybox"), self.rootfs / "bin/busybox")
        for applet in APPLETS:
            os.symlink("busybox", self.rootfs / "bin" / applet)
        (self.rootfs / "etc/passwd").write_text(
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")
        (self.rootfs / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")

    def write(self, text=None):
        """Writes the document, or any bytes in its place."""
        data = json.dumps(self.config) if text is None else text
        mode = "wb" if isinstance(data, bytes) else "w"
        with open(self.path / "config.json", mode) as file:
            file.write(data)
        return self

    def script(self, text, path="bin/script"):
        """A shell script of the image."""
        target = self.rootfs / path
        target.write_text("#!/bin/sh\n" + text)
        target.chmod(0o755)
        return "/" + path

    def remove(self):
        shutil.rmtree(self.path)
