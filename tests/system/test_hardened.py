"""Level hardened, the default: what it refuses, what it changes, what an override gives back."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from harness import bundle as b
from harness import linux, oracles

from conftest import PRISONER

pytestmark = pytest.mark.levels("hardened")


@pytest.fixture
def hard(runtime):
    return runtime.at("hardened")


# Refusals.  Each row: what a person asked for, the check that refuses it, and the override (None
# where there is none) with which it runs.


def _bind(path, *options, destination="/mnt"):
    return lambda c, w: b.bind(c, str(path).format(work=w), destination, *options)


def _caps(*names):
    return lambda c, w: b.capabilities(c, *names, sets=("bounding", "effective", "permitted"))


def _host(kind, path=False):
    def change(c, w):
        names = {"network": "net"}
        b.namespace(c, kind, f"/proc/self/ns/{names.get(kind, kind)}" if path else None, present=path)
        if kind == "network":
            b.unmount(c, "/sys", "/sys/fs/cgroup")
    return change


def _device(path, major, minor, kind="c"):
    def change(c, w):
        c["linux"]["devices"] = [{"path": path, "type": kind, "major": major, "minor": minor}]
    return change


def _mount(destination, **fields):
    return lambda c, w: c["mounts"].append({"destination": destination, "source": "x", **fields})


def _set(path, value):
    def change(c, w):
        node = c
        *parents, last = path.split(".")
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    return change


def _socket(name, inside="/socket"):
    def change(c, w):
        listener = socket.socket(socket.AF_UNIX)
        (w / "engine").mkdir(exist_ok=True)
        listener.bind(str(w / "engine" / name))
        listener.close()
        b.bind(c, w / "engine" / name, inside)
    return change


def _socket_directory(c, w):
    _socket("docker.sock")(c, w)
    c["mounts"].pop()
    b.bind(c, w / "engine", "/engine")


ALL = ["CAP_" + name for name in oracles.CAPABILITIES]

REFUSALS = {
    "host-pid": (_host("pid"), "ns.pid", "host"),
    "host-net": (_host("network"), "ns.net", "host"),
    "host-ipc": (_host("ipc"), "ns.ipc", None),  # mqueue cannot be mounted then
    "host-pid-by-path": (_host("pid", True), "ns.pid", "host"),
    "host-net-by-path": (_host("network", True), "ns.net", "host"),
    "cap-sys-admin": (_caps("CAP_SYS_ADMIN"), "caps.bounding", "CAP_SYS_ADMIN"),
    "cap-net-admin": (_caps("CAP_NET_ADMIN", "CAP_CHOWN"), "caps.bounding", "CAP_NET_ADMIN"),
    "cap-sys-ptrace": (_caps("CAP_SYS_PTRACE"), "caps.bounding", "CAP_SYS_PTRACE"),
    "privileged": (_caps(*ALL), "caps.privileged", None),
    "seccomp-allow": (lambda c, w: b.seccomp(c, "SCMP_ACT_ALLOW"), "seccomp.default-deny", "allow"),
    "seccomp-log": (lambda c, w: b.seccomp(c, "SCMP_ACT_LOG"), "seccomp.default-deny", "log"),
    "unconfined-apparmor": (_set("process.apparmorProfile", "unconfined"), "lsm.confined", None),
    "unconfined-selinux": (_set("process.selinuxLabel", "system_u:system_r:spc_t:s0"), "lsm.confined", None),
    "path-etc": (_bind("/etc", "ro"), "fs.host-paths", "/etc"),
    "path-root": (_bind("/", "ro"), "fs.host-paths", None),  # and the sockets below it
    "path-roots-home": (_bind("/root"), "fs.host-paths", "/root"),
    "path-var": (_bind("/var", "ro"), "fs.host-paths", None),
    "path-usr": (_bind("/usr", "ro"), "fs.host-paths", "/usr"),
    "path-boot": (_bind("/boot", "ro"), "fs.host-paths", "/boot"),
    "path-proc": (_bind("/proc", "ro", "rbind"), "fs.host-paths", None),
    "path-sys": (_bind("/sys", "ro", "rbind"), "fs.host-paths", None),
    "path-dev": (lambda c, w: b.mount(c, "/dev", type="bind", source="/dev", options=["rbind"]), "fs.host-paths", None),
    "path-shadow": (_bind("/etc/shadow", "ro"), "fs.host-paths", "/etc/shadow"),
    "path-log": (_bind("/var/log", "ro"), "fs.host-paths", "/var/log"),
    "path-lib": (_bind("/lib", "ro"), "fs.host-paths", "/lib"),  # a link to what is not listed
    "path-through-link": (lambda c, w: (os.symlink("/etc", w / "link"), b.bind(c, w / "link", "/mnt", "ro")),
                          "fs.host-paths", "/etc"),
    "engine-socket": (_socket("docker.sock"), "fs.control-sockets", None),
    "engine-socket-directory": (_socket_directory, "fs.control-sockets", None),
    "containerd-socket": (_socket("containerd.sock"), "fs.control-sockets", None),
    "engine-socket-elsewhere": (_socket("d.sock", "/var/run/docker.sock"), "fs.control-sockets", None),
    "shared-mount": (_bind("{work}", "rshared"), "fs.propagation", "/mnt"),
    "shared-root": (_set("linux.rootfsPropagation", "shared"), "fs.propagation", "/"),
    "suid-mount": (_bind("{work}", "suid"), "fs.nosuid-nodev", "/mnt"),
    "dev-mount": (_bind("{work}", "dev"), "fs.nosuid-nodev", "/mnt"),
    "debugfs": (_mount("/mnt", type="debugfs"), "fs.sysfs", None),
    "tracefs": (_mount("/mnt", type="tracefs"), "fs.sysfs", None),
    "second-proc": (_mount("/data", type="proc"), "fs.masked", "/data"),
    "second-sysfs": (_mount("/data", type="sysfs"), "fs.masked", "/data"),
    "fuse-device": (_device("/dev/fuse", 10, 229), "dev.nodes", "/dev/fuse"),
    "block-device": (_device("/dev/disk", 254, 0, "b"), "dev.nodes", "/dev/disk"),
    "device-outside-dev": (_device("/nodes/null", 1, 3), "dev.nodes", None),
    "bound-device": (lambda c, w: (os.mknod(w / "kmsg", 0o20600, os.makedev(1, 11)), b.bind(c, w / "kmsg", "/dev/kmsg")),
                     "dev.nodes", None),
    "device-rule": (lambda c, w: c["linux"]["resources"]["devices"].append(
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}), "dev.cgroup", "c10:229"),
    "device-rule-all": (_set("linux.resources.devices", [{"allow": True, "access": "rwm"}]), "dev.cgroup", None),
    "tmp-exec": (_mount("/tmp", type="tmpfs", options=["exec"]), "fs.tmp", "exec"),
    "sysctl-forward": (_set("linux.sysctl", {"net.ipv4.ip_forward": "1"}), "sysctl.safe", "net.ipv4.ip_forward"),
    "sysctl-msgmax": (_set("linux.sysctl", {"kernel.msgmax": "9000"}), "sysctl.safe", "kernel.msgmax"),
    "loader": (lambda c, w: c["process"]["env"].append("LD_PRELOAD=/tmp/evil.so"), "env.loader", "LD_PRELOAD"),
    "map-of-host-root": (lambda c, w: b.user_namespace(c, 0), "userns.map", None),
    "map-of-host-accounts": (lambda c, w: b.user_namespace(c, 500), "userns.map", "500"),
}


def _rows(with_override):
    for name, (change, check, value) in REFUSALS.items():
        if not with_override or value is not None:
            yield pytest.param(change, check, value, id=name)


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("change, check, value", _rows(False))
def test_refused(cells, hard, fail, work, verb, change, check, value):
    """Before anything exists, in one line that names the check and how to allow it, and that no
    caller takes for something else (decision 40)."""
    config = b.spec()
    change(config, work)
    cell = cells(config, "skeleton", runtime=hard)
    line = fail(cell.spawn(verb).wait(), check, cell=cell, runtime=hard)
    assert oracles.caller_pattern(line) is None, line
    if value is not None:
        assert f"{check}={value}" in line or f"{check}=" in line, line


@pytest.mark.parametrize("change, check, value", _rows(True))
def test_overridden(cells, hard, work, change, check, value):
    """It runs then, and the state says who allowed it and why."""
    config = b.spec("sleep")
    change(config, work)
    rt = hard.override(f"{check}={value}:the_test_needs_it")
    cell = cells(config, "skeleton", runtime=rt)
    result = cell.create()
    if not result.ok and check == "dev.nodes":  # the node and its rule are two questions
        rt = rt.override("dev.cgroup=c10:229,b254:0:the test needs it")
        cell.runtime = rt
        result = cell.create()
    if not result.ok and "userns.private=host" in result.err:
        pytest.skip(f"decision 18, the host's files cannot be id-mapped: {result.err}")
    assert result.ok, result
    overrides = cell.state()["hardening"]["overrides"]
    row = next(o for o in overrides if o["check"] == check)
    assert (row["value"], row["reason"], row["used"]) == (value, "the test needs it", True)
    assert row["source"] == "command line"


# Host paths by another name: judged by what they are (fs.host-paths)


@pytest.fixture
def twice(work, host):
    """Mounts a directory of the host once more.  Read-only: what is below `work` is deleted in the end."""
    points = []

    def mount(source, name="twice", kind=None):
        point = work / name
        if kind or os.path.isdir(source):
            point.mkdir(parents=True)
        else:
            point.touch()
        linux.mount(str(source), point, kind, 0 if kind else linux.MS_BIND)
        points.append(point)
        linux.mount(None, point, None, linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
        host.settle()
        return point

    yield mount
    for point in reversed(points):
        linux.umount(point)
    host.settle()


@pytest.mark.parametrize("options", [("bind",), ("rbind", "ro")], ids=["bind", "rbind"])
@pytest.mark.parametrize("source, below, name", [
    ("/", "", "/"), ("/", "/etc", "/etc"), ("/", "/etc/ssl", "/etc/ssl"), ("/", "/root", "/root"), ("/", "/var/lib", "/var/lib"),
    ("/", "/usr/../etc", "/etc"), ("/etc", "", "/etc"), ("/etc", "/ssl", "/etc/ssl"), ("/etc", "/shadow", "/etc/shadow"),
    ("/usr", "", "/usr"), ("/var", "/log", "/var/log"), ("/home", "", "/home"), ("/sys", "", "/sys"), ("/sys", "/kernel", "/sys/kernel"),
    ("/dev", "", "/dev"), ("/proc", "/sys", "/proc"), ("proc", "", "/proc"), ("sysfs", "", "/sys"), ("devtmpfs", "", "/dev"),
])
def test_a_host_path_by_another_name(cells, hard, fail, twice, options, source, below, name):
    """`mount --bind / /x`: what is bound, something in it, or the same file system mounted again."""
    point = twice(source, kind=None if source.startswith("/") else source)
    if not os.path.exists(f"{point}{below}") or source == "devtmpfs" and not os.path.samefile(point, "/dev"):
        pytest.skip("this machine has no such directory, or another one")
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": "bind", "source": f"{point}{below}", "options": list(options)})
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), f"fs.host-paths: /mounts/7/source exposes {name} of the host", cell=cell, runtime=hard)


@pytest.mark.parametrize("source, name", [("/", "/"), ("/etc", "/etc"), ("/var/log", "/var/log"), ("/sys", "/sys"), ("proc", "/proc")])
def test_a_host_path_mounted_below(cells, hard, fail, work, twice, source, name):
    """It comes along with rbind, and only with that."""
    twice(source, "data/some where/deep", kind=None if source.startswith("/") else source)
    for kind, options in (("bind", ["rbind"]), ("rbind", []), ("none", ["rbind", "ro"])):
        config = b.spec()
        config["mounts"].append({"destination": "/data", "type": kind, "source": str(work / "data"), "options": options})
        cell = cells(config, "skeleton", runtime=hard)
        line = fail(cell.create(), f"fs.host-paths: /mounts/7/source exposes {name} of the host", cell=cell, runtime=hard)
        assert f"mounted below {work}/data" in line, line
    config = b.spec("paths", "/data/some where/deep")
    b.bind(config, work / "data", "/data")
    assert cells.inside(config, kind="skeleton", runtime=hard)[0]["/data/some where/deep"]["entries"] == 0
    config["mounts"][-1]["options"].append("rbind")
    assert cells(config, "skeleton", runtime=hard.override(f"fs.host-paths={name}:the_test")).run().ok


@pytest.mark.parametrize("source, below, name", [
    ("/etc/ssl", "", "/etc/ssl"), ("/etc/ssl", "/certs", "/etc/ssl/certs"), ("/root", "", "/root"), ("/var/log/apt", "", None),
    ("/etc/shadow", "", "/etc/shadow"), ("/usr/share", "", None), ("/sys/kernel", "", "/sys/kernel"),
])
def test_a_part_of_a_host_path_by_another_name(cells, hard, fail, work, twice, source, below, name, kernel):
    """Nothing that is mounted there is a listed directory, nor is anything above it: where it comes from tells."""
    config = b.spec("paths", "/data")
    b.bind(config, f"{twice(source)}{below}", "/data", "ro")
    cell = cells(config, "skeleton", runtime=hard)
    if name is None:
        assert cell.run(preexec_fn=kernel).documents()[0]["/data"]["stat"] == "ok"
    else:
        fail(cell.create(preexec_fn=kernel), f"fs.host-paths: /mounts/7/source exposes {name} of the host", cell=cell, runtime=hard)


@pytest.mark.parametrize("source, name", [("disk", "/home"), ("disk/all", "/home"), ("disk/all/homes", "/home"), ("again", "/home"),
                                          ("disk/all/homes/u/.ssh", "/home/u/.ssh"), ("disk/other", None)])
def test_what_a_listed_directory_was_mounted_from(cells, hard, fail, work, twice, host, source, name, kernel):
    """A disk of which a part is the host's /home: what holds that part shows it, too."""
    (work / "disk").mkdir()
    linux.mount("tests", work / "disk", "tmpfs")
    for made in ("all/homes/u/.ssh", "other"):
        (work / "disk" / made).mkdir(parents=True)
    linux.mount(str(work / "disk/all/homes"), "/home", None, linux.MS_BIND)  # in the tests' own mount namespace
    try:
        twice(work / "disk/all", "again")
        config = b.spec("paths", "/data")
        b.bind(config, work / source, "/data", "ro")
        cell = cells(config, "skeleton", runtime=hard)
        if name is None:
            assert cell.run(preexec_fn=kernel).documents()[0]["/data"]["stat"] == "ok"
        else:
            fail(cell.create(preexec_fn=kernel), f"exposes {name} of the host", cell=cell, runtime=hard)
    finally:
        linux.umount("/home")
        linux.umount(work / "disk")
        host.settle()


@pytest.mark.parametrize("below", ["", "/key"], ids=["directory", "file"])
def test_a_part_of_an_overlay_of_the_host(cells, hard, fail, work, twice, host, below, kernel):
    """Its files name the device of their layer, its directories that of the overlay."""
    layers = work / "layers"
    layers.mkdir()
    linux.mount("tests", layers, "tmpfs")
    (layers / "lower/u").mkdir(parents=True)
    (layers / "lower/u/key").touch(0o600)
    for made in ("upper", "work"):
        (work / made).mkdir()
    linux.mount("overlay", "/home", "overlay", data=f"lowerdir={layers}/lower,upperdir={work}/upper,workdir={work}/work")
    try:
        config = b.spec("paths", "/data")
        b.bind(config, twice(f"/home/u{below}"), "/data", "ro")
        fail(cells(config, "skeleton", runtime=hard).create(preexec_fn=kernel), f"exposes /home/u{below} of the host", runtime=hard)
    finally:
        linux.umount("/home")
        linux.umount(layers)
        host.settle()


@pytest.mark.parametrize("option", ["src-nofollow", "copy-symlink"])
def test_a_link_that_is_no_name(cells, hard, fail, twice, option):
    """It would be mounted itself, and leads where it leads: to the host's root for whoever is the same user."""
    with subprocess.Popen(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sleep", "60"]) as other:
        try:
            for procfs in ("/proc", twice("/proc")):
                config = b.spec()
                config["process"]["user"] = {"uid": 1000, "gid": 1000}
                b.bind(config, f"{procfs}/{other.pid}/root", "/data", "ro", option)
                cell = cells(config, "skeleton", runtime=hard.override("userns.private=host:the test"))
                fail(cell.create(), "fs.host-paths: /mounts/7/source exposes", cell=cell, runtime=hard)
        finally:
            other.kill()


@pytest.mark.parametrize("path", ["/proc/kallsyms", "/proc/1/cmdline", "/proc/version"])
def test_a_file_of_the_hosts_proc(cells, hard, fail, path):
    """Of the mode of its file nothing follows: it is masked in the container's own."""
    config = b.spec()
    b.bind(config, path, "/data", "ro")
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), f"exposes {path} of the host", cell=cell, runtime=hard)


def test_a_bundle_that_is_a_home(cells, hard, fail, host):
    """What lies in a bundle was made for the container; what lies in a home was not."""
    linux.mount("tests", "/home", "tmpfs")
    host.settle()
    try:
        config = b.spec("paths", "/data")
        b.bind(config, "/home/u/.ssh", "/data", "ro")
        bundle = b.Bundle(pathlib.Path("/home/u"), config, PRISONER, "skeleton")
        (bundle.path / ".ssh").mkdir()
        fail(cells(bundle=bundle, runtime=hard).create(), "exposes /home/u/.ssh of the host", runtime=hard)
        (bundle.path / "bundle").mkdir()
        for name in ("rootfs", "config.json", ".ssh"):
            (bundle.path / name).rename(bundle.path / "bundle" / name)
        config["mounts"][-1]["source"] = ".ssh"
        bundle.path = bundle.path / "bundle"
        assert cells(bundle=bundle.write(), runtime=hard).run().ok
    finally:
        linux.umount("/home")
        host.settle()


@pytest.mark.parametrize("moved", ["link", "mount"])
@pytest.mark.parametrize("source, name", [("data/docker", "/var/lib/docker"), ("data/docker/overlay2", "/var/lib/docker/overlay2"),
                                          ("data", "/var/lib/docker"), ("", "/var/lib/docker"), ("other", None)])
def test_what_a_listed_directory_was_moved_to(cells, hard, fail, work, host, moved, source, name):
    """Administrators move an engine's store and leave a link, or a chain of them, or mount it where it was."""
    linux.mount("tests", "/var/lib", "tmpfs")  # in the tests' own mount namespace
    host.settle()
    try:
        for made in ("data/docker/overlay2", "other"):
            (work / made).mkdir(parents=True)
        if moved == "link":
            os.symlink(work / "data/docker", work / "link")
            os.symlink(work / "link", "/var/lib/docker")
        else:
            os.mkdir("/var/lib/docker")
            linux.mount(str(work / "data/docker"), "/var/lib/docker", None, linux.MS_BIND)
            host.settle()
        config = b.spec("paths", "/data")
        b.bind(config, work / source, "/data", "bind")
        cell = cells(config, "skeleton", runtime=hard)
        if name is None:
            assert cell.run().documents()[0]["/data"]["stat"] == "ok"
        else:
            fail(cell.create(), f"exposes {name} of the host", cell=cell, runtime=hard)
    finally:
        linux.umount("/var/lib")
        host.settle()


def test_a_volume_that_is_a_host_path(cells, hard, fail, work, twice):
    """Docker's local driver binds what it is told to (`-o o=bind -o device=/etc`): the shape excuses no more."""
    point = twice("/etc", "volumes/mine/_data")
    config = b.spec()
    b.bind(config, point, "/data", "rbind")
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), "exposes /etc of the host", cell=cell, runtime=hard)


@pytest.mark.parametrize("kind, shown", [("devtmpfs", "/dev"), ("cpuset", "/sys/fs/cgroup/cpuset"), ("resctrl", "/sys/fs/resctrl")])
def test_a_filesystem_of_which_the_host_has_one(cells, hard, fail, kind, shown):
    """Its source is a word, and what it shows is the host's: of devtmpfs even to be written."""
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": kind, "source": "any", "options": ["nosuid", "nodev"]})
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), f"/mounts/7/type exposes {shown} of the host", cell=cell, runtime=hard)


def test_a_source_with_dots_behind_a_link(cells, hard, fail, work):
    """The kernel's "..", not that of the name: the same file is judged and mounted."""
    for name in ("there/deep", "there/other", "here"):
        (work / name).mkdir(parents=True)
    (work / "there/other/file").write_text("x")
    (work / "here/link").symlink_to(work / "there/deep")
    (work / "here/host").symlink_to("/etc/ssl")
    config = b.spec()
    b.bind(config, work / "here/link/../other", "/data", "ro")
    config["process"]["args"] = ["/bin/ls", "/data"]
    result = cells(config, "busybox", runtime=hard).run()
    assert result.ok and result.out == "file\n", result
    b.bind(config, work / "here/host/..", "/other", "ro")
    cell = cells(config, "busybox", runtime=hard)
    fail(cell.create(), "exposes /etc of the host", cell=cell, runtime=hard)


@pytest.mark.parametrize("options", [["lowerdir={work}/own:{host}", "ro"], ["lowerdir={host}", "upperdir={work}/up", "workdir={work}/wk"],
                                     ["lowerdir+={work}/own", "lowerdir+={host}", "ro"]])
@pytest.mark.parametrize("link", [False, True])
def test_a_layer_that_is_a_host_path(cells, hard, fail, work, twice, options, link):
    for name in ("own", "up", "wk"):
        (work / name).mkdir()
    os.symlink("/etc", work / "link")
    host_path = work / "link" if link else twice("/etc")
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay",
                             "options": [o.format(work=work, host=host_path) for o in options]})
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), "exposes /etc of the host", cell=cell, runtime=hard)


@pytest.mark.parametrize("layer", ["missing", "dangling", "file", "loop"])
def test_a_layer_that_cannot_be_looked_at(cells, hard, fail, work, layer):
    """It is judged as written, since the kernel, which looks it up by the same name, cannot mount it either."""
    (work / "own").mkdir()
    (work / "file").touch()
    (work / "dangling").symlink_to("/etc/nothing/there")
    (work / "loop").symlink_to("loop")
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay",
                             "options": [f"lowerdir={work}/own:{work}/{layer}", "ro"]})
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), "mounts[7]", cell=cell, runtime=hard)


def test_layers_that_the_kernel_refuses(cells, hard, fail, work):
    """What the line shows is what the config says, and not what the layers were opened as."""
    (work / "own").mkdir()
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay",
                             "options": [f"lowerdir={work}/own:{work}/own:", "ro"]})
    cell = cells(config, "skeleton", runtime=hard)
    fail(cell.create(), "mounts[7]", f"lowerdir={work}"[:40], cell=cell, runtime=hard)


def test_harmless_directories_by_another_name(cells, hard, work, twice, host):
    """A directory bound elsewhere, what is open below a listed one, mounts below that are nobody's, a bundle
    that is mounted a second time."""
    for name in ("real", "top/tmpfs"):
        (work / name).mkdir(parents=True)
    (work / "real/file").write_text("x")
    linux.mount("own", work / "top/tmpfs", "tmpfs")
    linux.mount(str(work / "real"), work / "top", None, linux.MS_BIND)
    linux.umount(work / "top")
    host.settle()
    config = b.spec("paths", "/again/file", "/usr/share", "/top/tmpfs", "/own/file")
    b.bind(config, twice(work / "real", "again"), "/again", "rbind", "ro")
    b.bind(config, f"{twice('/usr', 'usr')}/share", "/usr/share", "ro")
    b.bind(config, work / "top", "/top", "rbind", "ro")
    b.bind(config, "data", "/own", "rbind", "ro")
    cell = cells(config, "skeleton", runtime=hard)
    data = cell.bundle.path / "data"
    data.mkdir()
    linux.mount(str(work / "real"), data, None, linux.MS_BIND)
    host.settle()
    result = cell.run()
    linux.umount(data)
    linux.umount(work / "top/tmpfs")
    host.settle()
    assert result.ok, result
    found = result.documents()[0]
    assert found["/again/file"]["size"] == found["/own/file"]["size"] == 1
    assert found["/usr/share"]["entries"] > 0 and found["/top/tmpfs"]["mount"]["type"] == "tmpfs"


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("path", ["/etc", "/usr", "/home", "/var", "/var/lib", "/root", "/run", "/boot", "/tmp", "/var/tmp",
                                  "/usr/../etc", "/proc", "/sys", "/dev"])
def test_a_directory_of_the_host_as_root(cells, hard, fail, verb, path):
    """What is refused as a volume is no root filesystem either: mount points would be made in it."""
    points = {"proc", "sys", "dev", "run", "tmp"}
    before = points & set(os.listdir(path))
    config = b.spec()
    config["root"]["path"] = path
    cell = cells(config, runtime=hard)
    fail(cell.spawn(verb).wait(), "fs.host-paths: /root/path exposes", os.path.normpath(path), cell=cell, runtime=hard)
    assert points & set(os.listdir(path)) == before


@pytest.mark.parametrize("source, below, name", [("/etc", "", "/etc"), ("/", "/etc", "/etc"), ("/", "/var/lib", "/var/lib")])
@pytest.mark.parametrize("link", [False, True])
def test_a_directory_of_the_host_as_root_by_another_name(cells, hard, fail, work, twice, source, below, name, link):
    config = b.spec()
    if link:
        os.symlink("/", work / "link")
        config["root"]["path"] = f"{work}/link{name}"
    else:
        config["root"]["path"] = f"{twice(source)}{below}"
    cell = cells(config, runtime=hard)
    fail(cell.create(), f"fs.host-paths: /root/path exposes {name} of the host", cell=cell, runtime=hard)


def test_a_source_whose_name_is_not_told(cells, hard, can, work):
    """Its written name is none of the list; where the kernel does not tell the real one, it may be any."""
    if not can.strace:
        pytest.skip("needs strace")
    config = b.spec()
    (work / "innocent").symlink_to("/etc")
    b.bind(config, work / "innocent", "/data", "bind", "ro")
    cell = cells(config, runtime=hard)
    argv = hard.argv("create", "--bundle", cell.bundle.path, cell.id)
    trace = ["strace", "-qq", "-o", work / "trace", "-e", "trace=readlink"]
    subprocess.run([*trace, *argv], stderr=subprocess.DEVNULL)
    asked = [i for i, line in enumerate((work / "trace").read_text().splitlines(), 1) if '"/proc/self/fd/' in line]
    assert asked
    for number in asked:
        with open(work / "error", "w+") as error:  # no pipe: a container would keep it open
            done = subprocess.run([*trace, "-e", f"inject=readlink:error=EACCES:when={number}", *argv],
                                  stdout=subprocess.DEVNULL, stderr=error)
            error.seek(0)
            assert done.returncode == 1 and "fs.host-paths: " in error.read(), number
    assert cell.status() == "missing"


@pytest.mark.parametrize("place", ["/home/u/b", "/root/b", "/var/tmp/b", "/srv/b", "/run/b", "/var/lib/containers/storage/b"])
def test_bundles_below_listed_directories(cells, hard, place, host):
    """Only the directory itself is refused, not what lies below."""
    parent = os.path.dirname(place)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    linux.mount("tests", parent, "tmpfs")  # in the tests' own mount namespace
    host.settle()
    try:
        config = b.spec("paths", "/data")
        b.bind(config, "data", "/data", "rbind", "ro")
        bundle = cells.bundle(config, "skeleton")
        os.makedirs(place)
        shutil.copytree(bundle.path, place, dirs_exist_ok=True)
        os.mkdir(f"{place}/data")
        bundle.path = pathlib.Path(place)
        result = cells(bundle=bundle, runtime=hard).run()
    finally:
        linux.umount(parent)
        host.settle()
    assert result.ok and result.documents(), result


def test_all_findings_at_once(cells, hard, fail, work):
    config = b.spec()
    wanted = []
    for name in ("host-net", "cap-sys-admin", "path-etc", "fuse-device", "sysctl-msgmax", "loader", "shared-root"):
        change, check, _ = REFUSALS[name]
        change(config, work)
        wanted.append(check)
    cell = cells(config, runtime=hard)
    fail(cell.create(), *wanted, cell=cell, runtime=hard)


def test_many_findings_of_one_check_are_folded(cells, hard, fail):
    """Decision 40: conmon reads at most 8,191 bytes."""
    config = b.spec()
    config["linux"]["devices"] = [
        {"path": f"/dev/engine{i}", "type": "c", "major": 240, "minor": i} for i in range(102)]
    cell = cells(config, runtime=hard)
    line = fail(cell.create(), "dev.nodes: 102", cell=cell, runtime=hard)
    assert len(line) <= 2048


def test_privileged_is_one_finding(cells, hard, fail):
    """Decision 20: engines' --privileged brings 40 capabilities and 102 devices."""
    config = b.spec()
    b.capabilities(config, *ALL)
    config["linux"]["devices"] = [
        {"path": f"/dev/engine{i}", "type": "c", "major": 240, "minor": i} for i in range(102)]
    cell = cells(config, runtime=hard)
    line = fail(cell.create(), "caps.privileged", ("level none", "another runtime"), cell=cell, runtime=hard)
    assert "dev.nodes" not in line


@pytest.mark.parametrize("hostile", ["permission denied", "no such file or directory", "is a directory", "new\nline", "\033[1m"])
def test_names_of_the_document_do_not_fool_callers(cells, hard, fail, hostile):
    config = b.spec()
    config["linux"]["sysctl"] = {f"kernel.{hostile}": "1"}
    b.bind(config, f"/etc/{hostile}", "/mnt")
    cell = cells(config, runtime=hard)
    line = fail(cell.create(), cell=cell, runtime=hard)
    assert oracles.caller_pattern(line) is None or "/etc/" not in line, line


def test_a_refusal_has_its_code_in_the_log(cells, hard, fail, work):
    """Decision 39: exit status 1 like any failure, told apart by the record."""
    log = work / "log"
    rt = hard.at("hardened", "--log", str(log), "--log-format", "json")
    config = b.spec()
    b.namespace(config, "pid", present=False)
    cell = cells(config, runtime=rt)
    fail(cell.create(), "ns.pid", cell=cell, runtime=hard)
    record = json.loads(log.read_text())
    assert record["code"] == "refused" and "ns.pid" in record["msg"]


def test_preserved_descriptors_are_refused(cells, hard, fail):
    cell = cells(b.spec(), runtime=hard)
    result = cell.create("--preserve-fds", "1", close_fds=False, preexec_fn=lambda: os.dup2(0, 3))
    fail(result, "proc.fds", cell=cell, runtime=hard)


@pytest.mark.parametrize("override, name", [
    ("nonsense=1:why", "nonsense"), ("ns.mnt=host:why", "ns.mnt"), ("caps.privileged=x:why", "caps.privileged"),
    ("ns.net=host", "ns.net"), ("ns.net=host:", "ns.net"), ("ns.net=host: ", "ns.net"), ("ns.net=:why", "ns.net"),
    ("ns.net=own:why", "ns.net"), ("ns.net", "ns.net"), ("caps.bounding=ALL:why", "caps.bounding"),
    ("caps.bounding=*:why", "caps.bounding"), ("caps.bounding=CAP_CHOWN,:why", "caps.bounding"),
    ("fs.host-paths=etc:why", "fs.host-paths"), ("fs.host-paths=/etc/../x:why", "fs.host-paths"),
    ("res.pids=-1:why", "res.pids"), ("", "override"), ("=x:y", "override"),
])
def test_bad_overrides(cells, hard, fail, override, name):
    """No wildcard, no "all"; the reason is mandatory; unknown ids are errors."""
    rt = hard.override(override)
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), name, cell=cell, runtime=hard)


def test_an_override_does_not_cover_more_than_its_value(cells, hard, fail, work):
    config = b.spec()
    _caps("CAP_NET_ADMIN", "CAP_SYS_ADMIN")(config, work)
    rt = hard.override("caps.bounding=CAP_NET_ADMIN:why")
    cell = cells(config, runtime=rt)
    fail(cell.create(), "CAP_SYS_ADMIN", cell=cell, runtime=hard)


# What engines mount without being asked (decision 3)


@pytest.mark.parametrize("store, name, kind, options", [
    ("overlay-containers/" + "a" * 64 + "/userdata", "hosts", "file", []),
    ("containers/" + "b" * 64, "resolv.conf", "file", []),
    ("sandboxes/" + "c" * 64, "shm", "directory", []),
    ("volumes/data/_data", "", "directory", []),
    ("pods/01234567-89ab-cdef-0123-456789abcdef/volumes/x", "token", "file", []),
    ("libexec", "catatonit", "file", ["ro"]),
    ("source", "", "directory", []),
])
def test_engines_own_mounts_are_no_findings(cells, hard, work, store, name, kind, options):
    path = work / "var/lib" / store
    path.mkdir(parents=True)
    if name:
        path = path / name
        path.touch() if kind == "file" else path.mkdir()
    config = b.spec("paths", "/mnt")
    b.bind(config, path, "/mnt", *options)
    found = cells.inside(config, runtime=hard)[0]["/mnt"]
    assert "mount" in found and {"nosuid", "nodev"} <= set(found["flags"])


@pytest.mark.parametrize("path", ["/usr/bin/busybox", "/etc/hostname"])
def test_a_read_only_world_readable_file_is_no_finding(cells, hard, path):
    """--init binds its helper from /usr; hosts and hostname come from /etc."""
    if not os.path.isfile(path):
        pytest.skip(f"no {path} here")
    config = b.spec("paths", "/mnt")
    b.bind(config, path, "/mnt", "ro")
    assert cells.inside(config, runtime=hard)[0]["/mnt"]["stat"] == "ok"


# Forced changes, seen from inside


def test_the_default_level_is_hardened(cells, runtime):
    rt = runtime.at(None)
    cell = cells(b.spec("report"), runtime=rt)
    status = cell.run().documents()[0]["status"]
    assert (status["Seccomp"], status["NoNewPrivs"], int(status["CapBnd"], 16)) == ("2", "1", 0)


def test_the_user_namespace(cells, hard):
    """Ladder (b): a range of its own, files keep their owners."""
    report, paths = cells.inside(b.spec(), "report", "+", "paths", "/prisoner", "/proc/sys/user/max_user_namespaces",
                                 runtime=hard)
    inside, outside, size = map(int, report["uid_map"].split())
    assert inside == 0 and outside >= 0x70000000 and outside % 65536 == 0 and size == 65536
    assert report["uid_map"] == report["gid_map"]
    assert (paths["/prisoner"]["uid"], paths["/prisoner"]["gid"]) == (0, 0)
    assert paths["/proc/sys/user/max_user_namespaces"]["data"] == "0\n"


def test_outside_the_ids_are_unprivileged(cells, hard):
    cell = cells.started(b.spec("sleep"), runtime=hard)
    with open(f"/proc/{cell.pid}/status") as status:
        uids = next(line.split()[1:] for line in status if line.startswith("Uid"))
    assert all(int(uid) >= 0x70000000 for uid in uids)


def test_scratch_places(cells, hard):
    """Decision 7: when donjon made the rootfs read-only; decision 24."""
    config = b.spec()
    config["root"]["readonly"] = False
    found, tried = cells.inside(config, "paths", "/tmp", "/run", "/var/tmp", "/", "+", "try", "exec-copy=/tmp",
                                "create=/run/x", "create=/var/tmp/x", runtime=hard)
    for path in ("/tmp", "/run", "/var/tmp"):
        assert found[path]["mount"]["type"] == "tmpfs" and found[path]["create"] == "ok"
        assert {"nosuid", "nodev", "noexec"} <= set(found[path]["flags"])
        assert "size=" in found[path]["mount"]["super"]
    assert found["/tmp"]["mode"] == 0o1777 and found["/var/tmp"]["mode"] == 0o1777 and found["/run"]["mode"] == 0o755
    assert "ro" in found["/"]["flags"] and found["/"]["create"] == "EROFS"
    assert tried["exec-copy=/tmp"] == "EACCES"


def test_scratch_places_of_a_read_only_document(cells, hard):
    """Only /tmp then: the document knew that it is read-only."""
    report = cells.inside(b.spec("report"), runtime=hard)[0]
    points = {m["point"] for m in report["mounts"]}
    assert "/tmp" in points and not {"/run", "/var/tmp"} & points


def test_a_mount_of_the_document_at_run_stays(cells, hard, work):
    (work / "data").mkdir()
    config = b.spec("paths", "/run/data", "/run")
    config["root"]["readonly"] = False
    b.bind(config, work / "data", "/run/data")
    found = cells.inside(config, runtime=hard)[0]
    assert "mount" in found["/run/data"] and found["/run"]["mount"]["type"] == "tmpfs"


def test_a_configured_tmp_stays(cells, hard):
    config = b.spec("paths", "/tmp")
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "mine", "options": ["size=1m"]})
    found = cells.inside(config, runtime=hard)[0]["/tmp"]
    assert found["mount"]["source"] == "mine" and "size=1024k" in found["mount"]["super"]
    assert {"nosuid", "nodev", "noexec"} <= set(found["flags"])


def test_flags_of_mounts(cells, hard, work):
    """nosuid,nodev on every bind and tmpfs and on the rootfs."""
    config = b.spec("report")
    b.bind(config, work, "/mnt", "rw")
    config["mounts"].append({"destination": "/scratch", "type": "tmpfs", "source": "tmpfs"})
    for line in cells.inside(config, runtime=hard)[0]["mounts"]:
        options = line["options"].split(",")
        assert "nosuid" in options or line["type"] in ("proc",), line
        if not line["point"].startswith("/dev") and line["root"] != "/null":  # masks are a null device
            assert "nodev" in options or line["type"] in ("proc", "sysfs", "cgroup", "cgroup2"), line


def test_proc_hides_other_users(cells, hard):
    report = cells.inside(b.spec("report"), runtime=hard)[0]
    proc = next(m for m in report["mounts"] if m["point"] == "/proc")
    assert "hidepid=ptraceable" in proc["super"]


def test_limits(cells, hard, can):
    """Decision 15: only where the document is silent."""
    config = b.spec()
    names = {"memory": "memory/memory.limit_in_bytes", "pids": "pids/pids.max", "cpu": "cpu/cpu.shares"} if can.v1 else \
        {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.weight"}
    paths = {key: "/sys/fs/cgroup/" + name for key, name in names.items()}
    found = cells.inside(config, "paths", *paths.values(), runtime=hard)[0]
    values = {key: int(found[path]["data"]) for key, path in paths.items()}
    with open("/proc/meminfo") as meminfo:
        half = int(meminfo.readline().split()[1]) * 1024 // 2
    assert abs(values["memory"] - half) <= 1 << 20 and values["pids"] == 1024
    assert values["cpu"] < (1024 if can.v1 else 100)


def test_configured_limits_stay(cells, hard, can):
    config = b.spec()
    b.resources(config, pids={"limit": 4000}, memory={"limit": 300 << 20})
    names = ["memory/memory.limit_in_bytes", "pids/pids.max"] if can.v1 else ["memory.max", "pids.max"]
    paths = ["/sys/fs/cgroup/" + name for name in names]
    found = cells.inside(config, "paths", *paths, runtime=hard)[0]
    assert [int(found[p]["data"]) for p in paths] == [300 << 20, 4000]


@pytest.mark.parametrize("caps, start", [(["CAP_NET_BIND_SERVICE"], "0\n"), ([], "1024\n")])
def test_low_ports(cells, hard, caps, start):
    """Decision 13: for those who could bind them, and nobody else."""
    config = b.spec("read", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
    b.capabilities(config, *caps)
    cell = cells(config, runtime=hard)
    assert cell.run().out == start


def test_every_change_is_recorded(cells, hard):
    hardening = cells.created(b.spec("sleep"), runtime=hard).state()["hardening"]
    checks = {change["check"] for change in hardening["changes"]}
    assert {"userns.private", "caps.bounding", "seccomp.on", "ns.cgroup", "fs.tmp", "fs.masked",
            "res.memory", "res.pids", "res.core"} <= checks
    assert all(change.get("pointer", "/").startswith("/") for change in hardening["changes"])


def test_nothing_is_forced_on_the_hardened_document(cells, hard, work):
    """Decision 43: `spec --policy hardened` is a document that the level changes nothing in."""
    result = hard.call("spec", "--bundle", work)
    assert result.ok, result
    config = json.loads((work / "config.json").read_text())
    config["process"]["args"] = ["/prisoner", "report"]
    config["process"]["terminal"] = False
    (work / "config.json").unlink()
    cell = cells(config, "skeleton", runtime=hard)
    result = cell.create()
    assert result.ok, result
    # What config.json has no place for is forced on every document.
    forced = [c for c in cell.state()["hardening"]["changes"]
              if "pointer" in c and not c["check"].startswith(("userns", "res.", "keyring", "seccomp"))]
    assert forced == []


def test_the_waiting_process_is_confined_already(cells, hard):
    """Decision 26: before `created` everything but the filter is in force."""
    cell = cells.created(b.spec("sleep"), runtime=hard)
    with open(f"/proc/{cell.pid}/status") as status:
        values = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    assert {int(values[k], 16) for k in ("CapBnd", "CapInh", "CapAmb")} == {0}
    assert values["NoNewPrivs"] == "1"


# What overrides give back


def test_override_nnp(cells, hard):
    config = b.spec("report")
    config["process"]["noNewPrivileges"] = False
    status = cells.inside(config, runtime=hard.override("nnp.set=off:why"))[0]["status"]
    assert status["NoNewPrivs"] == "0" and status["Seccomp"] == "2" and int(status["CapEff"], 16) == 0


def test_override_capabilities(cells, hard):
    """Decision 6: in the private user namespace, for images that change ids themselves."""
    config = b.spec("report", "+", "try", "setuid=1000", "chown=/tmp")
    b.capabilities(config, "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL")
    rt = hard.override("caps.bounding=CAP_SETUID,CAP_SETGID,CAP_CHOWN:nginx master")
    report, tried = cells.inside(config, runtime=rt)
    assert int(report["status"]["CapBnd"], 16) == oracles.mask(["SETUID", "SETGID", "CHOWN"])
    assert report["uid_map"].split()[1] != "0" and set(tried.values()) == {"ok"}


def test_without_the_override_ids_cannot_change(cells, hard):
    config = b.spec("try", "setuid=1000", "setgid=1000", "setgroups=1", "chown=/tmp")
    b.capabilities(config, "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN")
    assert set(cells.inside(config, runtime=hard)[0].values()) == {"EPERM"}


@pytest.mark.parametrize("value, on_disk", [("volatile", False), ("rw", True)])
def test_override_of_the_read_only_rootfs(cells, hard, value, on_disk):
    """Decision 7: `volatile` writes are lost and the image stays untouched."""
    config = b.spec("try", "put=x:/file", "+", "write", "/new", "x", "+", "paths", "/new", "/file")
    config["root"]["readonly"] = False
    cell = cells(config, runtime=hard.override(f"fs.rootfs-ro={value}:why"))
    (cell.bundle.rootfs / "file").write_text("image")
    result = cell.run()
    assert result.ok, result
    tried, paths = result.documents()
    assert tried["put=x:/file"] == "ok" and paths["/new"]["stat"] == "ok"
    assert (cell.bundle.rootfs / "new").exists() == on_disk
    assert (cell.bundle.rootfs / "file").read_text() == ("xmage" if on_disk else "image")


def test_override_of_the_user_namespace(cells, hard):
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    report = cells.inside(config, runtime=hard.override("userns.private=host:why"))[0]
    assert report["ns"]["user"] == linux.namespaces()["user"]
    assert int(report["status"]["CapBnd"], 16) == 0 and report["status"]["Seccomp"] == "2"


@pytest.mark.parametrize("user, check", [({"uid": 0, "gid": 0}, "user.nonroot"), ({"uid": 1000, "gid": 0}, "user.groups")])
def test_host_root_needs_an_override_of_its_own(cells, hard, fail, user, check):
    """Design 3, amendment 1: uid 0 only with a private user namespace."""
    config = b.spec()
    config["process"]["user"] = user
    rt = hard.override("userns.private=host:why")
    cell = cells(config, runtime=rt)
    fail(cell.create(), check, cell=cell, runtime=hard)


def test_override_of_masks(cells, hard):
    found = cells.inside(b.spec("paths", "/proc/interrupts", "/proc/kallsyms"),
                         runtime=hard.override("fs.masked=/proc/interrupts:why"))[0]
    assert not oracles.is_masked(found["/proc/interrupts"]) and oracles.is_masked(found["/proc/kallsyms"])


def test_override_of_one_forbidden_call(cells, hard):
    """The guard filter lets this one through; the others stay refused."""
    config = b.spec("try", "sysfs", "ustat", "vhangup")
    rt = hard.override("seccomp.forbidden-calls=sysfs:why")
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*PRISONERS_CALLS, "sysfs", "ustat", "vhangup"))
    tried = cells.inside(config, runtime=rt)[0]
    assert tried["sysfs"] == "ok" and tried["ustat"] == "EPERM"


PRISONERS_CALLS = """execve exit exit_group read write writev open openat close fstat stat mmap munmap mprotect brk
rt_sigaction rt_sigprocmask ioctl arch_prctl set_tid_address fork clone wait4 alarm rt_sigreturn gettid getpid
tkill""".split()


def test_an_unused_override_is_recorded_as_such(cells, hard):
    cell = cells.created(b.spec("sleep"), runtime=hard.override("ns.net=host:not needed"))
    row = cell.state()["hardening"]["overrides"][0]
    assert row["check"] == "ns.net" and row["used"] is False
    assert os.stat(f"/proc/{cell.pid}/ns/net").st_ino != linux.namespaces()["net"]


# The policy file


def _policy(work, **content):
    path = work / "policy.json"
    path.write_text(json.dumps(content))
    path.chmod(0o644)
    return path


def test_policy_file_gives_the_level(cells, runtime, work):
    path = _policy(work, level="none")
    report = cells.inside(b.spec("report"), runtime=runtime.at(None, "--policy-file", str(path)))[0]
    assert report["status"]["Seccomp"] == "0"


def test_policy_file_is_a_floor(cells, runtime, work):
    path = _policy(work, level="hardened")
    report = cells.inside(b.spec("report"), runtime=runtime.at("none", "--policy-file", str(path)))[0]
    assert report["status"]["Seccomp"] == "2"


def test_policy_file_gives_overrides(cells, hard, work):
    path = _policy(work, overrides=[{"id": "fs.masked", "value": "/proc/interrupts", "reason": "monitoring: all hosts"}])
    cell = cells.created(b.spec("sleep"), runtime=hard.at("hardened", "--policy-file", str(path)))
    row = cell.state()["hardening"]["overrides"][0]
    assert (row["check"], row["reason"], row["source"]) == ("fs.masked", "monitoring: all hosts", "policy file")


def test_policy_file_says_what_annotations_may_allow(cells, hard, fail, work):
    path = _policy(work, annotations_may_allow=["fs.masked"])
    rt = hard.at("hardened", "--policy-file", str(path))
    config = b.spec("sleep")
    config["annotations"] = {"org.donjon.override.fs.masked": "/proc/interrupts:the pod wants it"}
    cell = cells.created(config, runtime=rt)
    assert cell.state()["hardening"]["overrides"][0]["source"] == "annotation"
    cell.delete("--force")
    config["annotations"] = {"org.donjon.override.ns.net": "host:the pod wants it"}
    other = cells(config, runtime=rt)
    fail(other.create(), "ns.net", "annotations_may_allow", cell=other, runtime=rt)


def test_policy_file_refuses_even_mapped_root(cells, hard, fail, work):
    """Design 3: the Atlas contract's stricter reading."""
    path = _policy(work, overrides=["user.nonroot=always:Atlas 1.1"])
    rt = hard.at("hardened", "--policy-file", str(path))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), "user.nonroot", cell=cell, runtime=rt)


@pytest.mark.parametrize("content, name", [
    ('{"level":"nonsense"}', "level"), ('{"nonsense":1}', "nonsense"), ("[]", "policy"), ("{", "policy"), ("", "policy"),
    ('{"overrides":["ns.net=host"]}', "overrides[0]"), ('{"overrides":[{"id":"ns.net"}]}', "overrides[0]"),
    ('{"annotations_may_allow":["ns.mnt"]}', "annotations_may_allow[0]"), ('{"level":"none","level":"none"}', "level"),
    ('{"level":"paranoid"}', "paranoid"),
])
def test_bad_policy_files(cells, hard, fail, work, content, name):
    path = work / "policy.json"
    path.write_text(content)
    rt = hard.at("hardened", "--policy-file", str(path))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), name, cell=cell, runtime=hard)


@pytest.mark.parametrize("case", ["missing", "world-writable", "group-writable", "foreign-owner", "fifo", "directory"])
def test_policy_files_that_are_not_trusted(cells, hard, fail, work, case):
    path = _policy(work, level="none")
    if case == "missing":
        path.unlink()
    elif case in ("fifo", "directory"):
        path.unlink()
        os.mkfifo(path) if case == "fifo" else path.mkdir()
    elif case == "foreign-owner":
        os.chown(path, 1000, 1000)
    else:
        path.chmod(0o666 if case == "world-writable" else 0o664)
    rt = hard.at("hardened", "--policy-file", str(path))
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), "policy", cell=cell, runtime=hard)


@pytest.mark.parametrize("name", ["nonsense", "", "HARDENED", "baseline", "restricted", "paranoid"])
def test_levels_that_are_not_there(cells, runtime, fail, name):
    """Half of a level would look like protection."""
    rt = runtime.at(None, "--policy", name)
    cell = cells(b.spec(), runtime=rt)
    fail(cell.create(), ("policy", "level"), cell=cell, runtime=runtime)


def test_what_is_mounted_below_the_rootfs(cells, level, host):
    """fs.rootfs-ro, fs.nosuid-nodev: it comes along, and is no hole in either."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "grep ' /below ' /proc/self/mountinfo; echo x >/below/x"]
    cell = cells(config, "busybox")
    below = cell.bundle.rootfs / "below"
    below.mkdir()
    linux.mount("below", below, "tmpfs")
    host.settle()
    try:
        result = cell.run()
        assert result.out.split()[5].startswith("ro,nosuid,nodev") and "Read-only" in result.err, result
        assert os.listdir(below) == []
    finally:
        linux.umount(below)
        host.settle()
