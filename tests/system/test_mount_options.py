"""Every mount option string of the contract (OPT1-OPT5, OPT7), read back from the kernel inside."""

import dataclasses
import errno
import os
import pathlib
import shutil
import stat

import pytest

from harness import bundle as b
from harness import linux


@dataclasses.dataclass
class Row:
    """One option string: what else is listed with it, and what mountinfo says then."""

    option: str
    before: tuple = ()  # options listed earlier: the later one wins
    present: tuple = ()  # in the mount's own options
    absent: tuple = ()
    super: tuple = ()  # in the superblock's options
    tags: str = None  # propagation: text that must be in the tags, "" for none
    below: tuple = ()  # the same for the mount below, where the option is recursive
    below_absent: tuple = ()
    below_tags: str = None
    only: str = ""  # "none": hardened refuses or forces the opposite
    peer: bool = True  # runc 1.1 does the same


ATIMES = ("noatime", "relatime")

# Of a bind mount; the source is a mount of its own, shared, with another one below it.
BIND = [
    Row("defaults"),
    Row("bind"),
    Row("ro", present=("ro",)),
    Row("rw", ("ro",), absent=("ro",)),
    Row("nosuid", present=("nosuid",)),
    Row("suid", ("nosuid",), absent=("nosuid",), only="none"),
    Row("nodev", present=("nodev",)),
    Row("dev", ("nodev",), absent=("nodev",), only="none"),
    Row("noexec", present=("noexec",)),
    Row("exec", ("noexec",), absent=("noexec",)),
    Row("noatime", present=("noatime",)),
    Row("atime", ("noatime",), absent=("noatime",)),
    Row("nodiratime", present=("nodiratime",)),
    Row("diratime", ("nodiratime",), absent=("nodiratime",)),
    Row("relatime", present=("relatime",)),
    Row("norelatime", ("relatime",), absent=("noatime",)),
    Row("strictatime", absent=ATIMES),
    Row("nostrictatime", ("strictatime",), absent=("noatime",)),
    Row("nosymfollow", present=("nosymfollow",), peer=False),
    Row("symfollow", ("nosymfollow",), absent=("nosymfollow",), peer=False),
    Row("private", tags=""),
    Row("shared", tags="shared:", only="none"),
    Row("slave", tags="master:"),
    Row("unbindable", tags="unbindable"),
    Row("rbind", below=()),
    Row("rprivate", ("rbind",), tags="", below_tags=""),
    Row("rshared", ("rbind",), tags="shared:", below_tags="shared:", only="none"),
    Row("rslave", ("rbind",), tags="master:", below_tags="master:"),
    Row("runbindable", ("rbind",), tags="unbindable", below_tags="unbindable"),
    Row("rro", present=("ro",), below=("ro",)),
    Row("rrw", ("rro",), absent=("ro",), below_absent=("ro",), peer=False),
    Row("rnosuid", present=("nosuid",), below=("nosuid",)),
    Row("rsuid", ("rnosuid",), absent=("nosuid",), below_absent=("nosuid",), only="none", peer=False),
    Row("rnodev", present=("nodev",), below=("nodev",)),
    Row("rdev", ("rnodev",), absent=("nodev",), below_absent=("nodev",), only="none", peer=False),
    Row("rnoexec", present=("noexec",), below=("noexec",)),
    Row("rexec", ("rnoexec",), absent=("noexec",), below_absent=("noexec",), peer=False),
    Row("rnodiratime", present=("nodiratime",), below=("nodiratime",)),
    Row("rdiratime", ("rnodiratime",), absent=("nodiratime",), below_absent=("nodiratime",), peer=False),
    Row("rrelatime", present=("relatime",), below=("relatime",)),
    Row("rnorelatime", ("rrelatime",), absent=("noatime",)),
    Row("rnoatime", present=("noatime",), below=("noatime",)),
    Row("ratime", ("rnoatime",), absent=("noatime",), below_absent=("noatime",), peer=False),
    Row("rstrictatime", absent=ATIMES, below_absent=ATIMES),
    Row("rnostrictatime", ("rstrictatime",), absent=("noatime",)),
    Row("rnosymfollow", present=("nosymfollow",), below=("nosymfollow",), peer=False),
    Row("rsymfollow", ("rnosymfollow",), absent=("nosymfollow",), below_absent=("nosymfollow",), peer=False),
    # crun's own (OPT2, OPT6), which podman sends
    *(Row(option, peer=False) for option in ("copy-symlink", "src-nofollow", "dest-nofollow")),
    # podman's about its named volumes, which it passes on
    Row("copy"), Row("nocopy"),
]

# Of a file system of its own: superblock flags and data.
TMPFS = [
    Row("async", ("sync",), absent=("sync",)),
    Row("sync", super=("sync",)),
    Row("dirsync", super=("dirsync",)),
    Row("lazytime", super=("lazytime",), peer=False),
    Row("nolazytime", ("lazytime",), absent=("lazytime",), peer=False),
    Row("iversion"),
    Row("noiversion", ("iversion",)),
    Row("loud", peer=False),
    Row("silent", peer=False),
    Row("mand", super=("mand",)),
    Row("nomand", ("mand",), absent=("mand",)),
    Row("acl"),
    Row("noacl"),
    Row("rasync", ("rsync",), absent=("sync",), peer=False),
    Row("rsync", super=("sync",), peer=False),
    Row("rdirsync", super=("dirsync",), peer=False),
    Row("rmand", super=("mand",), peer=False),
    Row("rnomand", ("rmand",), absent=("mand",), peer=False),
    Row("defaults", peer=False),
    Row("ro", present=("ro",)),
    Row("rw", ("ro",), absent=("ro",)),
    Row("nosuid", present=("nosuid",)),
    Row("suid", ("nosuid",), absent=("nosuid",), only="none"),
    Row("noexec", present=("noexec",)),
    Row("nodev", present=("nodev",)),
    Row("noatime", present=("noatime",)),
    Row("strictatime", absent=ATIMES),
    Row("private", tags=""),
    Row("shared", tags="shared:", only="none"),
    Row("unbindable", tags="unbindable"),
    Row("mode=0711", super=("mode=711",)),
    Row("size=65536k", super=("size=65536k",)),
    Row("nr_inodes=1000", super=("nr_inodes=1000",)),
    Row("uid=0"),
    Row("gid=1", super=("gid=1",), only="none"),  # shown as the host's id in a user namespace
]


def _cases(rows):
    for row in rows:
        marks = [pytest.mark.peer] if row.peer else []
        for level in ("none", "hardened"):
            if level == "none" or not row.only:
                yield pytest.param(row, level, marks=marks, id=f"{row.option}-{level}")


def _run(cells, level, config, *paths):
    rt = cells._runtime.at(level)
    return cells.inside(config, "paths", *paths, runtime=rt)[0]


def _check(row, entry, present, absent, tags):
    options = entry["mount"]["options"].split(",")
    shown = options + entry["mount"]["super"].split(",")
    assert set(present) <= set(options), f"{row.option}: {options}"
    assert not set(absent) & set(shown), f"{row.option}: {shown}"
    if tags == "":
        assert entry["mount"]["tags"] == "", entry["mount"]
    elif tags is not None:
        assert tags in entry["mount"]["tags"], entry["mount"]
    return shown


@pytest.fixture
def source(work, host):
    """A shared mount with another shared one in its directory `below`."""
    top = work / "source"
    top.mkdir()
    linux.mount("top", top, "tmpfs")
    (top / "below").mkdir()
    linux.mount("below", top / "below", "tmpfs")
    linux.mount(None, top, None, linux.MS_SHARED | linux.MS_REC)
    host.settle()
    yield top
    linux.umount(top)
    host.settle()


@pytest.mark.parametrize("row, lvl", _cases(BIND))
def test_bind_option(cells, source, row, lvl, runtime):
    """P10, OPT1-OPT3."""
    if lvl != "none" and not runtime.is_donjon:
        pytest.skip("peers know no levels")
    config = b.spec()
    recursive = row.option.startswith("r") and row.option not in ("ro", "rw", "relatime")
    kind = "rbind" if recursive or row.below_tags is not None else "bind"
    options = [kind, *row.before, row.option]
    config["mounts"].append({"destination": "/mnt", "type": "bind", "source": str(source), "options": options})
    found = _run(cells, lvl, config, "/mnt", "/mnt/below")
    _check(row, found["/mnt"], row.present, row.absent, row.tags)
    if kind == "rbind":
        _check(row, found["/mnt/below"], row.below, row.below_absent, row.below_tags)
    else:
        assert "mount" not in found["/mnt/below"], "bind is not recursive"


@pytest.mark.parametrize("row, lvl", _cases(TMPFS))
def test_tmpfs_option(cells, row, lvl, runtime):
    """OPT1, OPT2, OPT7."""
    if lvl != "none" and not runtime.is_donjon:
        pytest.skip("peers know no levels")
    config = b.spec()
    config["mounts"].append(
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": [*row.before, row.option]})
    found = _run(cells, lvl, config, "/mnt")
    shown = _check(row, found["/mnt"], row.present, row.absent, row.tags)
    assert found["/mnt"]["mount"]["type"] == "tmpfs" and found["/mnt"]["mount"]["source"] == "tmpfs"
    assert set(row.super) <= set(shown), shown


@pytest.mark.peer
def test_remount(cells):
    """OPT1: `remount` changes what is mounted there."""
    config = b.spec()
    config["mounts"] += [
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["rw", "nosuid"]},
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["remount", "ro", "nosuid"]},
    ]
    entry = _run(cells, "none", config, "/mnt")["/mnt"]
    assert "ro" in entry["flags"] and "nosuid" in entry["flags"] and entry["create"] == "EROFS"


# What was there, what the change says, the flags then: without the policy as runc has them, which gives the
# place no flag that is not repeated; hardened, what the policy gave it stays, or the line is refused.
REMOUNTS = [
    ("/dev/shm", {}, ["exec"], set(), {"nosuid", "nodev"}),
    ("/dev/shm", {"type": "bind", "source": "/tmp"}, ["remount", "ro"], {"ro"}, {"ro", "nosuid", "nodev"}),
    ("/sys", {"type": "sysfs", "source": "sysfs"}, ["rw"], set(), {"ro", "nosuid", "nodev"}),
    ("/sys", {"type": "bind", "source": "/sys"}, ["bind", "rw", "noexec"], {"noexec"}, {"ro", "nosuid", "nodev", "noexec"}),
    ("/sys", {}, ["suid"], set(), "fs.nosuid-nodev: /mounts/{}/options asks for suid or dev at /sys"),
    ("/proc/../dev/pts", {}, ["noexec"], {"noexec"}, {"nosuid", "noexec"}),
    ("/dev", {}, ["ro", "nosuid"], {"ro", "nosuid", "noexec"}, {"ro", "nosuid", "noexec"}),
]


@pytest.mark.parametrize("place, entry, options, plain, hardened", REMOUNTS, ids=[f"{r[0]}-{'-'.join(r[2])}" for r in REMOUNTS])
def test_remount_of_what_the_config_mounts(cells, level, place, entry, options, plain, hardened):
    """OPT1: the place is judged, and read back, as the change leaves it; never wider than the policy made it."""
    config = b.spec()
    options = [*dict.fromkeys(["remount", *options])]
    config["mounts"].append({"destination": place, "options": options, **entry})
    wanted = plain if level == "none" else hardened
    path = os.path.normpath(place)
    if isinstance(wanted, str):
        index = [m["destination"] for m in config["mounts"]].index(path)
        result = cells(config).run()
        assert not result.ok and wanted.format(index) in result.err and len(result.err.splitlines()) == 1, result
        return
    found = _run(cells, level, config, path)[path]["mount"]["options"].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} & set(found) == wanted, found


@pytest.mark.peer
def test_remount_changes_what_the_file_system_was_given(cells):
    """OPT1, OPT7."""
    config = b.spec()
    config["mounts"] += [
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=2m", "mode=711"]},
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["remount", "size=1m"]},
    ]
    mount = _run(cells, "none", config, "/mnt")["/mnt"]["mount"]
    assert "size=1024k" in mount["super"] and "mode=711" in mount["super"]


def test_remount_of_what_a_bind_carries(cells, level, source):
    """No entry of the list mounted it: tightened at any level, and hardened never loosened."""
    config = b.spec()
    b.bind(config, source, "/mnt", "rbind", "rro")
    config["mounts"].append({"destination": "/mnt/below", "options": ["remount", "rw", "noexec"]})
    if level == "none":
        found = _run(cells, level, config, "/mnt", "/mnt/below")
        assert "ro" in found["/mnt"]["flags"]
        assert {"rw", "noexec"} <= set(found["/mnt/below"]["mount"]["options"].split(","))
        return
    result = cells(config).run()
    assert not result.ok and "takes flags from what is at /mnt/below" in result.err, result
    config["mounts"][-1]["options"] = ["remount", "noexec"]
    found = _run(cells, level, config, "/mnt/below")["/mnt/below"]["mount"]["options"].split(",")
    assert {"ro", "noexec", "nosuid"} <= set(found), found


def test_remount_by_another_name(cells, level):
    """A link of the image leads to what was promised read-only: the read-back sees it."""
    config = b.spec()
    b.mount(config, "/mnt", type="tmpfs", options=["ro"])
    config["mounts"].append({"destination": "/link", "options": ["remount", "rw"]})
    bundle = cells.bundle(config)
    os.symlink("mnt", bundle.rootfs / "link")
    result = cells(bundle=bundle).run()
    wanted = "mount /mnt: flags" if level == "none" else "takes flags from what is at /link"
    assert not result.ok and wanted in result.err, result


def test_remount_of_nothing(cells, level):
    config = b.spec()
    config["mounts"].append({"destination": "/empty", "options": ["remount", "ro"]})
    bundle = cells.bundle(config)
    (bundle.rootfs / "empty").mkdir()
    result = cells(bundle=bundle).run()
    assert not result.ok and "mount /empty: nothing is mounted there that could be changed" in result.err, result


@pytest.mark.parametrize("options, top, below", [
    (["ro", "rrw"], "rw", "rw"), (["rro", "rw"], "rw", "ro"), (["rw", "rro"], "ro", "ro"), (["rrw", "ro"], "ro", "rw"),
], ids=lambda value: value if isinstance(value, str) else ",".join(value))
def test_recursive_options_are_of_the_top_too(cells, level, source, options, top, below):
    """OPT3: the later one wins, whichever of the two kinds it is."""
    config = b.spec()
    b.bind(config, source, "/mnt", "rbind", *options)
    found = _run(cells, level, config, "/mnt", "/mnt/below")
    assert top in found["/mnt"]["mount"]["options"].split(",")
    assert below in found["/mnt/below"]["mount"]["options"].split(",")


@pytest.mark.peer
def test_later_option_wins(cells):
    """OPT1."""
    config = b.spec()
    config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs",
                             "options": ["ro", "rw", "exec", "noexec", "size=1m", "size=2m"]})
    mount = _run(cells, "none", config, "/mnt")["/mnt"]["mount"]
    assert "noexec" in mount["options"].split(",") and "rw" in mount["options"].split(",")
    assert "size=2048k" in mount["super"]


@pytest.mark.parametrize("readonly", [False, True])
def test_tmpcopyup(cells, level, readonly):
    """OPT5: the image's directory, with owners and modes; read-only only after the copy."""
    config = b.spec()
    config["mounts"].append({"destination": "/filled", "type": "tmpfs", "source": "tmpfs",
                             "options": ["tmpcopyup", "nosuid", "nodev", *(["ro"] if readonly else [])]})
    bundle = cells.bundle(config)
    filled = bundle.rootfs / "filled"
    (filled / "dir").mkdir(parents=True)
    (filled / "file").write_text("from the image\n")
    os.chmod(filled / "file", 0o4640)
    os.chown(filled / "file", 7, 8)
    os.chmod(filled / "dir", 0o1770)
    os.symlink("file", filled / "link")
    bundle.config["process"]["args"] = ["/prisoner", "paths", "/filled", "/filled/file", "/filled/dir", "/filled/link"]
    bundle.write()
    result = cells(bundle=bundle).run()
    assert result.ok, result
    found = result.documents()[0]
    assert found["/filled"]["mount"]["type"] == "tmpfs" and found["/filled"]["entries"] == 3
    entry = found["/filled/file"]
    assert (entry["uid"], entry["gid"]) == (7, 8) and entry["mode"] & 0o777 == 0o640
    assert found["/filled/dir"]["mode"] == 0o1770
    assert found["/filled/link"]["target"] == "file"
    assert ("ro" in found["/filled"]["flags"]) == readonly
    assert (filled / "file").read_text() == "from the image\n"


@pytest.fixture
def memory(work):
    """Disks have a block for extended attributes."""
    path = work / "memory"
    path.mkdir(mode=0o711)
    linux.mount("memory", path, "tmpfs", 0, "mode=711")
    yield path
    linux.umount(path)


def test_tmpcopyup_of_large_attributes(cells, memory, level):
    """OPT5: extended attributes of any size and number the kernel has, and tmpfs has room for."""
    config = b.spec("sleep")
    config["root"]["path"] = str(memory / "rootfs")
    b.mount(config, "/filled", type="tmpfs", options=["tmpcopyup"])
    bundle = cells.bundle(config)
    shutil.copytree(bundle.rootfs, memory / "rootfs")
    filled = memory / "rootfs/filled"
    (filled / "many").mkdir(parents=True)
    (filled / "large").touch()
    wanted = {"large": {"user.large": os.urandom(65536)}, "many": {f"user.{'n' * 230}{i}": b"%d" % i for i in range(99)}}
    for name, attributes in wanted.items():
        for key, value in attributes.items():
            try:
                os.setxattr(filled / name, key, value)
            except OSError as e:
                assert e.errno == errno.EOPNOTSUPP, e
                pytest.skip("tmpfs has such attributes since Linux 6.6")
    cell = cells(bundle=bundle)
    result = cell.create()
    assert result.ok, result
    for name, attributes in wanted.items():
        inside = f"/proc/{cell.pid}/root/filled/{name}"
        assert {key: os.getxattr(inside, key) for key in os.listxattr(inside)} == attributes


def test_tmpcopyup_of_links_and_fifos(cells, level):
    """OPT5: with their owners, too; devices and sockets stay behind."""
    config = b.spec("sleep")
    b.mount(config, "/filled", type="tmpfs", options=["tmpcopyup"])
    bundle = cells.bundle(config)
    filled = bundle.rootfs / "filled"
    filled.mkdir()
    os.symlink("nowhere", filled / "link")
    os.mkfifo(filled / "fifo")
    os.chmod(filled / "fifo", 0o620)
    os.lchown(filled / "link", 9, 10)
    os.chown(filled / "fifo", 11, 12)
    os.mknod(filled / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    cell = cells(bundle=bundle)
    assert cell.create().ok
    inside = pathlib.Path(f"/proc/{cell.pid}/root/filled")
    root, link, fifo = inside.stat().st_uid, (inside / "link").lstat(), (inside / "fifo").stat()
    assert sorted(os.listdir(inside)) == ["fifo", "link"]
    assert (link.st_uid - root, link.st_gid - root) == (9, 10)
    assert (fifo.st_mode, fifo.st_uid - root, fifo.st_gid - root) == (stat.S_IFIFO | 0o620, 11, 12)


@pytest.mark.parametrize("options, modes", [([], ["700", "1777"]), (["mode=750"], ["750", "750"])], ids=["silent", "told"])
def test_mode_of_a_tmpfs(cells, level, options, modes):
    """That of the directory it covers, as runc has it, so that nothing private becomes everybody's;
    tmpfs's own where there is none."""
    config = b.spec()
    for place in ("/private", "/not-there"):
        config["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", *options]})
    config["process"]["args"] = ["/bin/stat", "-c", "%a", "/private", "/not-there"]
    bundle = cells.bundle(config, "busybox")
    (bundle.rootfs / "private").mkdir(mode=0o700)
    result = cells(bundle=bundle).run()
    assert result.ok and result.out.split() == modes, result


@pytest.mark.levels("hardened")
def test_what_the_image_has_in_run_stays_visible(cells, level):
    """Decision 7's tmpfs: programs find what was made for them there, with its owner, and may write it."""
    config = b.spec()
    config["root"].pop("readonly", None)
    config["process"]["user"] = {"uid": 70, "gid": 70}
    config["process"]["args"] = ["/bin/sh", "-c", "stat -c '%a %u' /run /run/service; touch /run/service/lock && cat /run/file"]
    bundle = cells.bundle(config, "busybox")
    service = bundle.rootfs / "run/service"
    service.mkdir(parents=True)
    os.chown(service, 70, 70)
    service.chmod(0o750)
    (bundle.rootfs / "run").chmod(0o1777)
    (bundle.rootfs / "run/file").write_text("from the image\n")
    result = cells(bundle=bundle).run()
    assert result.ok and result.out == "755 0\n750 70\nfrom the image\n", result
    assert os.listdir(service) == []


# Links as what they are (OPT6)


@pytest.fixture
def links(work):
    """A directory of the host with a link for everything a link may lead to."""
    directory = work / "links"
    (directory / "dir").mkdir(parents=True)
    (directory / "file").write_text("of the host\n")
    for name, target in (("to-file", "file"), ("to-dir", "dir"), ("dangling", "/not/there"), ("absolute", "/prisoner")):
        os.symlink(target, directory / name)
    return directory


def _mounted(cells, source, destination, *options, image=None, look=()):
    config = b.spec("paths", destination, *look)
    b.bind(config, source, destination, *options)
    bundle = cells.bundle(config, "skeleton")
    if image:
        os.symlink(image, bundle.rootfs / destination.lstrip("/"))
    cell = cells(bundle=bundle)
    result = cell.run()
    assert result.ok, result
    return result.documents()[0], bundle


@pytest.mark.parametrize("name", ["to-file", "to-dir", "dangling", "absolute"])
@pytest.mark.parametrize("option", ["copy-symlink", "src-nofollow"])
def test_a_link_is_mounted_itself(cells, links, level, option, name):
    """OPT6: whatever it leads to, and also read-only; the host's file stays out of reach."""
    found, bundle = _mounted(cells, links / name, "/link", option, "ro")
    assert found["/link"]["target"] == os.readlink(links / name)
    assert found["/link"]["stat"] == ("ok" if name == "absolute" else "ENOENT"), "it leads to what the image has"
    assert not (bundle.rootfs / "link").is_symlink(), "the image has a mount point, no link"


@pytest.mark.parametrize("option", ["copy-symlink", "src-nofollow"])
@pytest.mark.parametrize("name", ["file", "dir"])
def test_what_is_no_link_is_mounted_as_usual(cells, links, level, option, name):
    """OPT6: and then a link of the image is followed."""
    found, bundle = _mounted(cells, links / name, "/mnt", option, "ro", image="place", look=["/place"])
    assert found["/mnt"]["target"] == "place" and "ro" in found["/place"]["flags"]
    assert found["/place"]["type"] == ("dir" if name == "dir" else "reg"), found
    assert (bundle.rootfs / "place").is_dir() == (name == "dir")


@pytest.mark.parametrize("image", ["tmp", "/not/there", "prisoner"])
def test_a_link_covers_the_images_link(cells, links, level, image):
    """OPT6: the name itself, as with /etc/localtime; nothing is made or covered where the image's link leads."""
    found, bundle = _mounted(cells, links / "absolute", "/link", "copy-symlink", "ro", image=image, look=["/tmp"])
    assert found["/link"]["target"] == "/prisoner" and found["/link"]["stat"] == "ok"
    assert os.readlink(bundle.rootfs / "link") == image and not (bundle.rootfs / "not").exists()


@pytest.mark.parametrize("image", ["prisoner", "/not/there", None])
def test_dest_nofollow(cells, links, level, image):
    """OPT6: a link of the image is covered, not followed."""
    found, bundle = _mounted(cells, links / "file", "/mnt", "dest-nofollow", "ro", image=image, look=["/prisoner"])
    assert "target" not in found["/mnt"] and found["/mnt"]["size"] == len("of the host\n")
    assert found["/prisoner"]["size"] != found["/mnt"]["size"] and not (bundle.rootfs / "not").exists()


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("options, refused", [(("copy-symlink", "ro"), False), (("ro",), True), (("copy-symlink",), True)])
def test_a_link_to_a_secret_shows_no_secret(cells, fail, work, level, options, refused):
    """OPT6, decision 3: judged as what is mounted: the link, where that is asked for."""
    os.symlink("/etc/shadow", work / "link")
    os.symlink(work / "link", work / "other")
    config = b.spec("paths", "/mnt")
    b.bind(config, work / "link", "/mnt", *options)
    cell = cells(config)
    result = cell.run()
    if refused and options == ("ro",):
        fail(result, "fs.host-paths", cell=cell)
    else:
        assert result.ok and result.documents()[0]["/mnt"]["target"] == "/etc/shadow", result


# Id-mapped mounts (P11, P12, OPT4)


def _mappings(config, inside=0, host=100000, size=65536):
    entry = config["mounts"][-1]
    for key in ("uidMappings", "gidMappings"):
        entry[key] = [{"containerID": inside, "hostID": host, "size": size}]
    return entry


@pytest.fixture
def owned(work):
    """A file of host uid 0, on a file system that can be id-mapped."""
    directory = work / "owned"
    directory.mkdir()
    (directory / "file").write_text("mine\n")
    return directory


@pytest.mark.parametrize("options", [["idmap"], ["ridmap"], []], ids=["idmap", "ridmap", "mappings-alone"])
def test_idmap_with_mappings(cells, owned, level, options):
    """P11, P12: containerd and CRI-O send the mappings without the option."""
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, owned, "/mnt", "rbind", *options)
    _mappings(config)
    found = cells.inside(config, "paths", "/mnt/file", "/mnt", kind="skeleton")[0]
    assert found["/mnt/file"]["uid"] == 0 and found["/mnt/file"]["gid"] == 0


def test_idmap_uses_the_containers_own_map(cells, owned, level):
    """OPT4: without mappings the container's user namespace."""
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, owned, "/mnt", "idmap")
    found = cells.inside(config, "paths", "/mnt/file", kind="skeleton")[0]
    assert found["/mnt/file"]["uid"] == 0 and found["/mnt/file"]["write"] == "ok"


def test_without_idmap_files_are_nobodys(cells, owned):
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, owned, "/mnt")
    found = cells.inside(config, "paths", "/mnt/file", kind="skeleton")[0]
    assert found["/mnt/file"]["uid"] == 65534 and found["/mnt/file"]["write"] == "EACCES"


def test_idmap_needs_a_map(cells, owned, fail):
    """OPT4: neither mappings nor a user namespace: MUST be an error."""
    config = b.spec()
    b.bind(config, owned, "/mnt", "idmap")
    cell = cells(config)
    fail(cell.create(), ("mounts[7]", "/mnt"), cell=cell)


@pytest.mark.parametrize("keys", [["uidMappings"], ["gidMappings"]])
def test_mappings_come_in_pairs(cells, owned, fail, keys):
    """P11."""
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, owned, "/mnt", "idmap")
    entry = _mappings(config)
    for key in {"uidMappings", "gidMappings"} - set(keys):
        del entry[key]
    cell = cells(config, kind="skeleton")
    fail(cell.create(), "mounts[7]", cell=cell)


def test_mapping_of_size_zero(cells, owned, fail):
    """P12."""
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, owned, "/mnt", "idmap")
    _mappings(config, size=0)
    cell = cells(config, kind="skeleton")
    fail(cell.create(), "mounts[7]", cell=cell)


def test_idmap_of_what_cannot_be_mapped(cells, fail):
    """P11: the file system's EINVAL is an error that names it."""
    config = b.spec()
    b.user_namespace(config)
    b.bind(config, "/sys", "/mnt", "idmap")
    _mappings(config)
    cell = cells(config, kind="skeleton")
    fail(cell.create(), ("/mnt", "mounts[7]"), cell=cell)


# What is refused


@pytest.mark.parametrize("kind, options, names", [
    ("tmpfs", ["nonsense"], ["nonsense"]),
    ("tmpfs", ["size=never"], ["size"]),
    ("tmpfs", ["rw", "uid="], ["uid"]),
    ("bind", ["bind", "size=1m"], ["size"]),
    ("bind", ["bind", "nonsense"], ["nonsense"]),
    ("devpts", ["nonsense=1"], ["nonsense"]),
    ("tmpfs", [""], ["mounts[7]"]),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_unknown_options(cells, fail, work, kind, options, names):
    """P10, decision 32: they go to the file system, and its refusal names the option."""
    config = b.spec()
    config["mounts"].append(
        {"destination": "/mnt", "type": kind, "source": str(work) if kind == "bind" else kind, "options": options})
    cell = cells(config)
    fail(cell.create(), *names, cell=cell)


@pytest.mark.peer
def test_unknown_file_system(cells, fail):
    config = b.spec()
    config["mounts"].append({"destination": "/mnt", "type": "nonsensefs", "source": "none"})
    cell = cells(config)
    fail(cell.create(), "nonsensefs", cell=cell)


@pytest.mark.peer
def test_missing_bind_source(cells, fail, level):
    """P8: named."""
    config = b.spec()
    b.bind(config, "/nonexistent/source", "/mnt")
    cell = cells(config)
    fail(cell.create(), "/nonexistent/source", cell=cell)


def test_shared_is_refused_at_hardened(cells, fail, runtime, source):
    rt = runtime.at("hardened")
    config = b.spec()
    b.bind(config, source, "/mnt", "rshared")
    cell = cells(config, runtime=rt)
    fail(cell.create(), "fs.propagation", cell=cell, runtime=rt)
