"""Root filesystem, mounts, devices, masks: contract P2-P11, P44-P51, B rows."""

import os
import stat

import pytest

from harness import bundle as b
from harness import linux, oracles


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["prisoner", "skeleton", "busybox"])
def test_the_default_document(cells, base, clean, level, kind):
    """BASE for what `runc spec` writes, also on a rootfs holding one static binary and nothing else."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    cell = cells(config, kind)
    result = cell.run()
    assert result.ok, result
    base(result.documents(), config)
    clean(cell)


@pytest.mark.peer(crun="crun 1.8.1 gives the host's /dev/null to the container's root")
def test_a_user_namespace_in_the_document(cells, base, level):
    """P42: ladder (a): the config's own namespace."""
    config = b.spec()
    b.user_namespace(config)
    b.namespace(config, "cgroup")
    documents = cells.inside(config, *oracles.baseline_args(config), kind="skeleton")
    base(documents, config)
    assert documents[0]["uid_map"].split() == ["0", "100000", "65536"]


def test_mount_points_are_made_in_a_foreign_tree(cells, level):
    """A rootfs of the host's with a user namespace: the parent makes what container root could not."""
    config = b.spec()
    b.user_namespace(config)
    found = cells.inside(config, "paths", "/proc", "/sys", "/dev")[0]
    assert [found[p]["mount"]["type"] for p in ("/proc", "/sys", "/dev")] == ["proc", "sysfs", "tmpfs"]


@pytest.mark.parametrize("mode", [0o700, 0o711])
def test_a_bundle_nobody_else_may_enter(cells, base, level, mode):
    """Engines' stores are 0700: the mapped root never walks that path."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    cell = cells(config)
    cell.bundle.path.chmod(mode)
    result = cell.run()
    assert result.ok, result
    base(result.documents(), config)


@pytest.mark.peer
@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.levels("none")
def test_root_readonly(inside, readonly, level):
    """P3."""
    config = b.spec()
    config["root"]["readonly"] = readonly
    entry = inside(config, "paths", "/", kind="skeleton")[0]["/"]
    assert ("ro" in entry["flags"], entry["create"]) == ((True, "EROFS") if readonly else (False, "ok"))


@pytest.mark.peer
@pytest.mark.parametrize("path", ["rootfs", "./rootfs", "rootfs/", "{}/rootfs", "../{name}/rootfs"])
def test_root_path(cells, path):
    """P2: relative to the bundle."""
    cell = cells(b.spec("exit", "7"))
    cell.bundle.config["root"]["path"] = path.format(cell.bundle.path, name=cell.bundle.path.name)
    cell.bundle.write()
    assert cell.run().status == 7


@pytest.mark.peer
def test_mounts_are_made_in_order(inside, work):
    config = b.spec()
    (work / "later").mkdir()
    (work / "later/inner").touch()
    config["mounts"] += [
        {"destination": "/a", "type": "tmpfs", "source": "first", "options": ["size=1m"]},
        {"destination": "/a/b", "type": "tmpfs", "source": "second", "options": ["size=1m"]},
    ]
    b.bind(config, work / "later", "/a/b/c", "ro")
    found = inside(config, "paths", "/a", "/a/b", "/a/b/c", "/a/b/c/inner")[0]
    assert [found[p]["mount"]["source"] for p in ("/a", "/a/b")] == ["first", "second"]
    assert found["/a/b/c/inner"]["stat"] == "ok"


@pytest.mark.peer
def test_a_later_mount_covers_an_earlier_one(inside):
    config = b.spec()
    for source in ("first", "second"):
        config["mounts"].append({"destination": "/a", "type": "tmpfs", "source": source})
    assert inside(config, "paths", "/a")[0]["/a"]["mount"]["source"] == "second"


@pytest.mark.peer
def test_a_relative_destination_is_taken_from_the_root(inside, level):
    """P7."""
    config = b.spec()
    config["mounts"].append({"destination": "a/b", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]})
    assert inside(config, "paths", "/a/b")[0]["/a/b"]["mount"]["type"] == "tmpfs"


@pytest.mark.peer
def test_a_bind_source_relative_to_the_bundle(cells, level):
    """P8."""
    config = b.spec("read", "/mnt/file")
    b.bind(config, "data", "/mnt", "ro")
    cell = cells(config)
    (cell.bundle.path / "data").mkdir()
    (cell.bundle.path / "data/file").write_text("of the bundle\n")
    assert cell.run().out == "of the bundle\n"


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_missing_mount_points(inside, work, level, kind):
    """P7: a directory 0755, or an empty file where the source is a file."""
    source = work / kind
    source.write_text("content\n") if kind == "file" else source.mkdir()
    config = b.spec()
    b.bind(config, source, "/deep/er/target", "ro")
    found = inside(config, "paths", "/deep/er/target", "/deep/er")[0]
    assert found["/deep/er/target"]["type"] == {"file": "reg", "directory": "dir"}[kind]
    assert found["/deep/er"]["mode"] == 0o755


@pytest.mark.peer
def test_bind_is_not_recursive(inside, work):
    top = work / "top"
    (top / "below").mkdir(parents=True)
    linux.mount("tmpfs", top / "below", "tmpfs")
    (top / "below/file").touch()
    try:
        config = b.spec()
        b.bind(config, top, "/flat")
        config["mounts"].append({"destination": "/deep", "type": "bind", "source": str(top), "options": ["rbind"]})
        found = inside(config, "paths", "/flat/below/file", "/deep/below/file")[0]
    finally:
        linux.umount(top / "below")
    assert found["/flat/below/file"]["stat"] == "ENOENT"
    assert found["/deep/below/file"]["stat"] == "ok"


@pytest.mark.peer
@pytest.mark.parametrize("flags", [["ro"], ["rro"]])
def test_writes_to_a_read_only_bind(inside, work, level, flags):
    (work / "data").mkdir()
    (work / "data/file").write_text("as it was\n")
    config = b.spec()
    b.bind(config, work / "data", "/mnt", *flags)
    found, tried = inside(config, "paths", "/mnt/file", "/mnt", "+", "try", "create=/mnt/x", "remount-rw=/mnt",
                          "mount-setattr=/mnt", "umount=/mnt")
    assert (found["/mnt/file"]["write"], found["/mnt"]["create"]) == ("EROFS", "EROFS")
    assert "ok" not in tried.values(), tried
    assert (work / "data/file").read_text() == "as it was\n"


def test_writes_to_a_volume_keep_their_owner(cells, work, level):
    """Ladder (b): id-mapped binds, so that what container root writes is root's on disk."""
    data = work / "data"
    data.mkdir()
    config = b.spec()
    b.bind(config, data, "/mnt", "rw")
    cells.inside(config, "write", "/mnt/new", "hello")
    status = (data / "new").stat()
    assert (status.st_uid, status.st_gid) == (0, 0)
    assert (data / "new").read_text() == "hello"


@pytest.mark.peer
def test_no_trace_of_the_host(inside, level):
    """B4: the old root is gone: nothing but what was asked for is mounted, and `..` of / is /."""
    config = b.spec()
    report, paths = inside(config, "report", "+", "paths", "/..", "/../../etc/passwd", "/proc/self/root/etc/shadow")
    assert all(not line["point"].startswith("/tmp/donjon") for line in report["mounts"])
    assert paths["/../../etc/passwd"]["stat"] == "ENOENT" and paths["/proc/self/root/etc/shadow"]["stat"] == "ENOENT"
    assert report["mounts"][0]["point"] == "/"


# /dev


def test_dev_is_ours_without_a_mount_for_it(cells, base, level):
    """B4, B12: whether or not the document lists one; what the image holds there is never seen."""
    config = b.spec()
    b.unmount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    cell = cells(config, "busybox")
    (cell.bundle.rootfs / "dev/evil").write_text("of the image")
    cell.bundle.config["process"]["args"] = ["/prisoner", "report"]
    cell.bundle.write()
    result = cell.run()
    assert result.ok, result
    report = result.documents()[0]
    assert "evil" not in report["dev"]
    nodes = {n: e["rdev"] for n, e in report["dev"].items() if e["type"] == "chr"}
    assert nodes.items() >= oracles.DEFAULT_DEVICES.items()
    assert not {"shm", "mqueue"} & set(report["dev"])  # only when listed (decision 30)
    assert not report["devpts"]
    assert os.listdir(cell.bundle.rootfs / "dev") == ["evil"]


@pytest.mark.peer
def test_dev_contents(inside, level):
    """B1, B2."""
    report = inside(b.spec(), "report", "+", "paths", "/dev/null", "/dev/zero")[0]
    for name in oracles.DEFAULT_DEVICES:
        assert report["dev"][name]["mode"] == 0o666, name
    assert report["dev"]["ptmx"]["target"] in ("pts/ptmx", "/dev/pts/ptmx")
    assert report["devpts"]["ptmx"]["rdev"] == "5:2"


@pytest.mark.peer
def test_devices_work(inside, level):
    found, tried = inside(b.spec(), "paths", "/dev/zero", "/dev/null", "/dev/urandom", "+", "try", "open-rw=/dev/null",
                          "open-rw=/dev/zero", "open=/dev/full", "open-rw=/dev/ptmx", "open-rw=/dev/tty")
    assert found["/dev/zero"]["data"] == "" and found["/dev/zero"]["bytes"] == 256
    assert found["/dev/null"]["bytes"] == 0
    assert tried["open-rw=/dev/null"] == tried["open-rw=/dev/zero"] == tried["open-rw=/dev/ptmx"] == "ok"
    assert tried["open-rw=/dev/tty"] == "ENXIO"  # no controlling terminal


def test_dev_takes_mode_and_size_from_its_mount(inside, level):
    """Decision 30: a listed tmpfs only contributes these."""
    config = b.spec()
    b.mount(config, "/dev", options=["nosuid", "mode=751", "size=128k"])
    entry = inside(config, "paths", "/dev")[0]["/dev"]
    assert entry["mode"] == 0o751 and "size=128k" in entry["mount"]["super"]


@pytest.mark.levels("none")
def test_a_bound_dev_is_honoured_at_none(cells, work, level):
    """B3, decision 30: and nothing is made in it."""
    device = work / "dev"
    device.mkdir()
    (device / "marker").touch()
    config = b.spec()
    b.mount(config, "/dev", type="bind", source=str(device), options=["rbind"])
    b.unmount(config, "/dev/pts", "/dev/shm", "/dev/mqueue")
    report = cells.inside(config, "report")[0]
    assert set(report["dev"]) == {"marker"} and os.listdir(device) == ["marker"]


def _device(path, kind="c", major=1, minor=3, **fields):
    numbers = {} if kind == "p" else {"major": major, "minor": minor}
    return {"path": path, "type": kind, **numbers, **fields}


def _allow(config, *devices):
    config["linux"]["devices"] = list(devices)
    config["linux"]["resources"]["devices"] += [
        {"allow": True, "type": d["type"].replace("u", "c"), "major": d["major"], "minor": d["minor"], "access": "rwm"}
        for d in devices if d["type"] != "p"]


@pytest.mark.peer
@pytest.mark.parametrize("device", [
    _device("/dev/mem-like", fileMode=0o600, uid=7, gid=8),
    _device("/dev/sub/dir/zero", minor=5),
    _device("/dev/unbuffered", "u", 1, 9),
    _device("/dev/loop-like", "b", 7, 200),
    _device("/dev/pipe", "p"),
    _device("/dev/null"),
], ids=lambda d: d["path"])
@pytest.mark.levels("none")
def test_devices(inside, device, level):
    """P44-P46."""
    config = b.spec()
    _allow(config, device)
    entry = inside(config, "paths", device["path"])[0][device["path"]]
    assert entry["type"] == {"c": "chr", "u": "chr", "b": "blk", "p": "fifo"}[device["type"]]
    if device["type"] != "p":
        assert entry["rdev"] == f"{device['major']}:{device['minor']}"
    assert entry["mode"] == device.get("fileMode", 0o666)
    assert (entry["uid"], entry["gid"]) == (device.get("uid", 0), device.get("gid", 0))


@pytest.mark.levels("hardened")
def test_a_device_that_was_allowed(cells, rt, level):
    """P44-P46: its mode, and its owner through the id map; the rules let it be used."""
    config = b.spec("paths", "/dev/null-like", "+", "try", "open-rw=/dev/null-like")
    _allow(config, _device("/dev/null-like", fileMode=0o640, uid=7, gid=8))
    found, tried = cells.inside(config, runtime=rt.override("dev.nodes=/dev/null-like:a_test"))
    entry = found["/dev/null-like"]
    assert (entry["type"], entry["rdev"], entry["mode"], entry["uid"], entry["gid"]) == ("chr", "1:3", 0o640, 7, 8), entry
    assert tried["open-rw=/dev/null-like"] in ("ok", "EACCES"), tried


@pytest.mark.levels("none")
def test_a_device_outside_dev(cells, level):
    """P44, decision 30: at none in the rootfs."""
    config = b.spec()
    config["root"]["readonly"] = False
    _allow(config, _device("/nodes/null"))
    config["process"]["args"] = ["/prisoner", "paths", "/nodes/null"]
    cell = cells(config)
    result = cell.run()
    assert result.ok, result
    assert result.documents()[0]["/nodes/null"]["rdev"] == "1:3"


@pytest.mark.peer
def test_an_unlisted_device_cannot_be_opened(cells, level, can):
    """T57, dev.cgroup: the node exists, the cgroup says no."""
    config = b.spec()
    config["linux"]["devices"] = [] if level == "hardened" else [_device("/dev/other", major=10, minor=229)]
    b.capabilities(config, "CAP_MKNOD")
    tried = cells.inside(config, "try", "mknod=/dev/shm/k:c:10:229", "mknod=/dev/shm/m:c:1:1",
                         "mknod=/dev/shm/b:b:7:0", "open=/dev/other")[0]
    assert tried.pop("open=/dev/other") == ("ENOENT" if level == "hardened" else "EPERM")
    assert set(tried.values()) <= {"EPERM", "EACCES"}, tried


@pytest.mark.peer
@pytest.mark.levels("none")
def test_device_rules_are_applied_in_order(cells, level):
    """P61, P60: the last matching rule decides."""
    config = b.spec()
    config["linux"]["devices"] = [_device("/dev/one", major=10, minor=229), _device("/dev/two", "b", 7, 200)]
    config["linux"]["resources"]["devices"] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"},
        {"allow": True, "type": "b", "major": 7, "minor": 200, "access": "rw"},
        {"allow": False, "type": "b", "major": 7, "minor": 200, "access": "rw"},
    ]
    tried = cells.inside(config, "try", "open=/dev/one", "write=/dev/one", "open=/dev/two", "open-rw=/dev/null")[0]
    assert tried["open=/dev/one"] != "EPERM" and tried["write=/dev/one"] == "EPERM"
    assert tried["open=/dev/two"] == "EPERM" and tried["open-rw=/dev/null"] == "ok"


# Masks


@pytest.mark.peer
def test_masked_paths(cells, level):
    """P50: directory, file, missing, and one that the mount table brought."""
    config = b.spec()
    config["mounts"].append({"destination": "/late", "type": "tmpfs", "source": "tmpfs"})
    config["linux"]["maskedPaths"] += ["/dir", "/file", "/missing", "/late", "/proc/uptime"]
    config["process"]["args"] = ["/prisoner", "paths", "/dir", "/file", "/missing", "/late", "/proc/uptime"]
    cell = cells(config)
    (cell.bundle.rootfs / "dir/inner").mkdir(parents=True)
    (cell.bundle.rootfs / "file").write_text("secret")
    result = cell.run()
    assert result.ok, result
    found = result.documents()[0]
    assert found["/missing"]["stat"] == "ENOENT"
    for path in ("/dir", "/file", "/late", "/proc/uptime"):
        assert oracles.is_masked(found[path]), (path, found[path])
    assert (cell.bundle.rootfs / "file").read_text() == "secret"


@pytest.mark.peer
def test_readonly_paths(cells, level):
    """P51."""
    config = b.spec()
    config["root"]["readonly"] = False
    config["mounts"].append({"destination": "/scratch", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", "noexec"]})
    config["linux"]["readonlyPaths"] += ["/scratch", "/missing"]
    found = cells.inside(config, "paths", "/scratch", "/proc/sys", "/missing")[0]
    assert found["/scratch"]["create"] == "EROFS"
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(found["/scratch"]["flags"])
    assert found["/missing"]["stat"] == "ENOENT"


@pytest.mark.peer
def test_masks_cannot_be_lifted(inside, level):
    tried = inside(b.spec(), "try", "umount=/proc/keys", "umount=/sys/firmware", "remount-rw=/proc/sys",
                   "mount-setattr=/proc/sys", "umount=/proc/sys", "put=x:/proc/sys/kernel/hostname")[0]
    assert "ok" not in tried.values(), tried


# Only some places below /proc and /sys may be mounted on (P11, B11)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["cpuinfo", "meminfo", "stat", "uptime", "loadavg", "diskstats", "swaps"])
def test_lxcfs_mounts(inside, work, name):
    (work / name).write_text("lxcfs\n")
    config = b.spec()
    b.bind(config, work / name, f"/proc/{name}", "ro")
    assert inside(config, "read", f"/proc/{name}", "+", "paths", f"/proc/{name}")[0][f"/proc/{name}"]["data"] == "lxcfs\n"


@pytest.mark.peer
@pytest.mark.parametrize("destination", [
    "/proc/self/attr", "/proc/sys/kernel", "/proc/self", "/proc/1", "/proc/keys", "/proc/sysrq-trigger",
    "/proc//sys/../sys/kernel",
])
def test_mounts_over_proc_are_refused(cells, fail, work, level, destination):
    """CVE-2019-16884: a volume there swallows security writes."""
    config = b.spec()
    (work / "fake").mkdir()
    b.bind(config, work / "fake", destination)
    cell = cells(config)
    fail(cell.create(), ("mounts[7]", "/proc/"), cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("kind, fields", [
    ("tmpfs", {"type": "tmpfs", "source": "tmpfs"}), ("sysfs", {"type": "sysfs", "source": "sysfs"}),
    ("bind", {"type": "bind", "source": "fake", "options": ["bind"]}),
    ("rbind", {"type": "none", "source": "fake", "options": ["rbind", "ro"]}),
])
@pytest.mark.parametrize("first", [True, False], ids=["alone", "over-proc"])
def test_proc_takes_nothing_but_proc(cells, fail, level, kind, fields, first):
    """Contract 3.1, B11: at /proc, whether or not a procfs is below it."""
    config = b.spec()
    if first:
        b.unmount(config, "/proc")
    config["mounts"].append({"destination": "/proc", **fields})
    cell = cells(config, "skeleton")
    (cell.bundle.path / "fake").mkdir()
    fail(cell.create(), "/proc", cell=cell)


@pytest.mark.peer
def test_procfs_of_the_host_at_proc(inside):
    """A bind is fine if it is one; level none."""
    config = b.spec()
    b.mount(config, "/proc", type="bind", source="/proc", options=["bind"])
    b.namespace(config, "pid", present=False)
    b.unmount(config, "/sys")
    found = inside(config, "paths", "/proc", f"/proc/{os.getpid()}/comm")[0]
    assert found["/proc"]["mount"]["type"] == "proc" and found[f"/proc/{os.getpid()}/comm"]["stat"] == "ok"


@pytest.mark.peer
def test_a_second_procfs(inside):
    """None: as the document says; hardened refuses it, since the masks are of one (test_hardened)."""
    config = b.spec()
    config["mounts"].append({"destination": "/data", "type": "proc", "source": "proc"})
    assert inside(config, "paths", "/data", "/data/keys")[0]["/data"]["mount"]["type"] == "proc"


@pytest.mark.parametrize("destination", [
    *(pytest.param(path, marks=pytest.mark.peer) for path in ("/x", "/x/sys", "/x/self/attr", "/y/sys/kernel", "/x/keys")),
    "/x/cpuinfo",  # runc lets lxcfs's files be reached by a link, too
])
@pytest.mark.parametrize("file", [False, True], ids=["dir", "file"])
def test_links_of_the_image_into_proc(cells, fail, level, destination, file):
    """CVE-2019-16884: where the name leads counts, for names that say nothing of /proc as well."""
    config = b.spec()
    b.bind(config, "fake", destination)
    cell = cells(config, "skeleton")
    (cell.bundle.path / "fake").write_text("") if file else (cell.bundle.path / "fake").mkdir()
    os.symlink("/proc", cell.bundle.rootfs / "x")
    os.symlink("x/../proc", cell.bundle.rootfs / "y")
    fail(cell.create(), (destination, "mounts[7]"), cell=cell)


@pytest.mark.parametrize("destination", ["/data/proc", "/data/proc/sys"])
def test_a_bind_that_shows_another_procfs_may_be_mounted_over(inside, destination, work):
    """It is the host's, below `-v /:/host`, and not what programs take for /proc; as with runc."""
    config = b.spec()
    (work / "fake").mkdir()
    (work / "fake/file").write_text("x\n")
    config["mounts"] += [{"destination": "/data", "type": "bind", "source": "/", "options": ["rbind", "rprivate"]}]
    b.bind(config, work / "fake", destination)
    path = f"{destination}/file"
    assert inside(config, "paths", path)[0][path]["size"] == len("x\n")


# Propagation of the root (P49)


@pytest.mark.peer
@pytest.mark.parametrize("value", ["", "private", "rprivate", "slave", "rslave"])
def test_rootfs_propagation(cells, level, value):
    """P49, Z21."""
    config = b.spec()
    if value:
        config["linux"]["rootfsPropagation"] = value
    report = cells.inside(config, "report")[0]
    assert "shared:" not in report["mounts"][0]["tags"]


@pytest.mark.levels("none")
@pytest.mark.parametrize("value", ["shared", "rshared", "unbindable", "runbindable"])
def test_rootfs_propagation_that_opens_up(cells, level, value):
    """P49, Z21."""
    config = b.spec()
    config["linux"]["rootfsPropagation"] = value
    report = cells.inside(config, "report")[0]
    assert value.removeprefix("r")[:6] in report["mounts"][0]["tags"]


@pytest.mark.peer
def test_unknown_propagation(cells, fail, level):
    """P49."""
    config = b.spec()
    config["linux"]["rootfsPropagation"] = "sharded"
    cell = cells(config)
    fail(cell.create(), "linux.rootfsPropagation", cell=cell)


# File systems below the rootfs


@pytest.fixture
def overlay(work):
    """A rootfs as an engine makes it: overlay of a read-only layer and an upper one."""
    for name in ("lower", "upper", "work", "merged"):
        (work / name).mkdir()

    def build(bundle):
        os.rename(bundle.rootfs, work / "lower/rootfs")
        bundle.rootfs.mkdir()
        linux.mount("overlay", bundle.rootfs, "overlay", 0,
                    f"lowerdir={work}/lower/rootfs,upperdir={work}/upper,workdir={work}/work")
        return bundle

    mounts = []

    def overlay(bundle):
        mounts.append(bundle.rootfs)
        return build(bundle)

    yield overlay
    for path in mounts:
        linux.umount(path)


@pytest.mark.peer
def test_a_rootfs_on_overlay(cells, base, overlay, level):
    """T08; at hardened it cannot be id-mapped: test_overlay.py."""
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    bundle = overlay(cells.bundle(config, "skeleton"))
    result = cells(bundle=bundle).run()
    assert result.ok, result
    base(result.documents(), config)


@pytest.mark.peer
def test_a_rootfs_on_tmpfs(cells, base, work, level):
    config = b.spec()
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    path = work / "tmpfs"
    path.mkdir()
    linux.mount("tmpfs", path, "tmpfs", 0, "mode=711")
    try:
        cells._work = path
        bundle = cells.bundle(config)
        result = cells(bundle=bundle).run()
        cells.clear()
    finally:
        cells._work = work
        linux.umount(path)
    assert result.ok, result
    base(result.documents(), config)


# cgroup mounts


@pytest.mark.peer
@pytest.mark.parametrize("own", [True, False], ids=["own-namespace", "no-namespace"])
def test_cgroup_mount_is_read_only(cells, level, own):
    """CVE-2023-25809, T56: in every combination of namespaces."""
    config = b.spec()
    b.namespace(config, "cgroup", present=own)
    report = cells.inside(config, "report")[0]
    lines = [m for m in report["mounts"] if m["type"] in ("cgroup", "cgroup2")]
    assert lines and all("ro" in m["options"].split(",") for m in lines)


@pytest.mark.peer
def test_cgroup_mount_shows_the_containers_own(cells, can):
    """P9, decision 29: with an own cgroup namespace its root is the container's cgroup."""
    config = b.spec()
    b.namespace(config, "cgroup")
    config["linux"]["resources"]["pids"] = {"limit": 77}
    path = "/sys/fs/cgroup/pids/pids.max" if can.v1 else "/sys/fs/cgroup/pids.max"
    report, paths = cells.inside(config, "report", "+", "paths", path)
    assert paths[path]["data"] == "77\n"
    assert [m["root"] for m in report["mounts"] if m["type"].startswith("cgroup")][0] == "/"


def test_the_cgroup_tmpfs_is_read_only_too(cells, can, level):
    if not can.v1:
        pytest.skip("cgroup v2 needs no tmpfs")
    config = b.spec()
    b.namespace(config, "cgroup")
    assert cells.inside(config, "paths", "/sys/fs/cgroup")[0]["/sys/fs/cgroup"]["create"] in ("EROFS", "EACCES")


def test_release_agent_is_out_of_reach(cells, can, level):
    """Decision 34, CVE-2022-0492."""
    if not can.v1:
        pytest.skip("release_agent is of cgroup v1")
    config = b.spec()
    found = cells.inside(config, "paths", "/sys/fs/cgroup/memory/release_agent",
                         "/sys/fs/cgroup/memory/notify_on_release")[0]
    assert all(entry.get("write") != "ok" for entry in found.values()), found


def test_modes_of_mount_points_in_the_image(cells, level):
    """What the image already has is not touched."""
    cell = cells(b.spec("exit", "7"), "busybox")
    proc = cell.bundle.rootfs / "proc"
    proc.chmod(0o500)
    before = proc.stat()
    assert cell.run().status == 7
    after = proc.stat()
    assert stat.S_IMODE(after.st_mode) == 0o500 and before.st_ctime_ns == after.st_ctime_ns
