"""A rootfs on overlayfs in the private user namespace: design 3 (c) and (d), decisions 9 and 10.

The overlays are made here as engines make theirs.  What a container shows is compared with what the
engine mounted, file by file, through /proc/PID/root; the layers must not change by as much as an access time.
"""

import os
import pathlib
import re
import shutil
import stat
import struct
import subprocess

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import Runtime

from conftest import PRISONER, RUNTIME

MS_NOSYMFOLLOW = 256
LONG_AGO = 1_000_000_000 * 10**9
POINTS = ("dev", "proc", "sys", "tmp", "run", "var/tmp", "vol")  # where something gets mounted
OWNERS = (0, 1, 33, 1000, 65534)
MANY = 104  # layers: with the upper one all that kernels before 6.8 can be told of


# The image: what a base image has, and what a hostile or an unlucky one may have


def file_capability():
    """What setcap cap_net_raw+ep writes."""
    return struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def fill_bottom(layer):
    for name in (*POINTS, "bin", "etc", "root", "opaque", "both", "renamed", "own", "xgone"):
        os.makedirs(layer / name)
    (layer / "tmp").chmod(0o1777)
    (layer / "root").chmod(0o700)
    shutil.copy(PRISONER, layer / "prisoner")
    shutil.copy(shutil.which("busybox"), layer / "bin/busybox")
    for applet in b.APPLETS:
        (layer / "bin" / applet).symlink_to("busybox")
    for name in ("root/secret", "etc/kept", "etc/gone", "etc/changed", "opaque/hidden", "both/low", "both/shared",
                 "renamed/inner", "xgone/gone", "xgone/kept", "one", "attributes", "meta"):
        (layer / name).write_text(f"bottom {name}\n")
    (layer / "root/secret").chmod(0o600)
    os.link(layer / "one", layer / "etc/other")
    for uid in OWNERS:
        path = layer / "own" / str(uid)
        path.write_text(str(uid))
        os.chown(path, uid, uid // 2)
        path.chmod(0o640)
    for name, mode in (("suid", 0o4755), ("sgid", 0o2755)):
        (layer / name).write_text(name)
        (layer / name).chmod(mode)
    os.mkfifo(layer / "fifo")
    os.mknod(layer / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (layer / "link").symlink_to("/etc/kept")
    os.setxattr(layer / "attributes", "user.note", b"kept \0 whole")
    os.setxattr(layer / "attributes", "security.capability", file_capability())


def fill_middle(layer):
    for name in ("etc", "opaque", "both", "xgone"):
        os.makedirs(layer / name)
    (layer / "etc/changed").write_text("middle\n")
    os.mknod(layer / "etc/gone", stat.S_IFCHR, 0)
    (layer / "opaque/new").write_text("middle\n")
    os.setxattr(layer / "opaque", "trusted.overlay.opaque", b"y")
    (layer / "both/shared").write_text("middle\n")
    # The other kind of whiteout (Linux 6.7): older kernels show the file.
    (layer / "xgone/gone").touch()
    os.setxattr(layer / "xgone", "trusted.overlay.opaque", b"x")
    os.setxattr(layer / "xgone/gone", "trusted.overlay.whiteout", b"y")


def change(root):
    """What was done in the engine's container before: the upper layer is overlayfs's own work."""
    (root / "both/high").write_text("upper\n")
    (root / "both/low").unlink()
    (root / "etc/kept").unlink()
    (root / "etc/kept").write_text("upper, longer than before\n")
    os.chown(root / "meta", 7, 8)
    (root / "meta").chmod(0o600)
    shutil.move(root / "renamed", root / "moved")


def escape(path):
    """For overlayfs's own parser."""
    return re.sub(r"([\\:,])", r"\\\1", str(path))


class Image:
    """Three layers, the upper one used before, and the places they are mounted at."""

    def __init__(self, home):
        self.bottom, self.middle, self.upper, self.work = (home / n for n in ("bottom", "middle", "upper", "work"))
        for path in (self.bottom, self.middle, self.upper, self.work):
            os.makedirs(path)
        fill_bottom(self.bottom)
        fill_middle(self.middle)
        self._mounted, self._before = [], {}

    def options(self, more=""):
        lower = f"{escape(self.middle)}:{escape(self.bottom)}"
        return f"lowerdir={lower},upperdir={escape(self.upper)},workdir={escape(self.work)}" + (more and "," + more)

    def mount(self, at, options, flags=0, cwd="/"):
        """mount(2), from a directory of the store where options name layers relative to it."""
        at.mkdir(parents=True, exist_ok=True)
        before = os.getcwd()
        os.chdir(cwd)
        try:
            linux.mount("overlay", at, "overlay", flags, options)
        finally:
            os.chdir(before)
        self._mounted.append(at)
        return at

    def use(self, at, options):
        """A container of the engine's was there before."""
        change(self.mount(at, options))
        self.umount()
        shutil.rmtree(self.work)  # or a volatile one could not be mounted again
        self.work.mkdir()

    def settle(self):
        """As if everything had been read long ago, so that reading it again would show."""
        layers = (self.bottom, self.middle, self.upper)
        paths = [path for layer in layers for path in [layer, *layer.rglob("*")]]
        for path in paths:
            os.utime(path, ns=(LONG_AGO, os.lstat(path).st_mtime_ns), follow_symlinks=False)
        self._before = {path: os.lstat(path) for path in paths}

    def differences(self):
        """Inodes of the layers that are not as they were; whatever is done to one changes its times."""
        return [path for path, was in self._before.items() if os.lstat(path) != was]

    def umount(self):
        while self._mounted:
            linux.umount(self._mounted.pop())


@pytest.fixture
def image(work):
    image = Image(work / "image")
    yield image
    image.umount()


# What is in a container


def describe(path, shift):
    """Everything about a file that a program could see, with ids as the container has them."""
    st = os.lstat(path)
    entry = {"mode": st.st_mode, "uid": st.st_uid - shift, "gid": st.st_gid - shift, "rdev": st.st_rdev,
             "mtime": st.st_mtime_ns}
    if not stat.S_ISDIR(st.st_mode):
        entry |= {"links": st.st_nlink, "size": st.st_size}
    if stat.S_ISLNK(st.st_mode):
        entry["target"] = os.readlink(path)
    if stat.S_ISREG(st.st_mode):
        entry["content"] = path.read_bytes()
        entry["attributes"] = {n: os.getxattr(path, n) for n in os.listxattr(path) if n.startswith("user.")}
        if "security.capability" in os.listxattr(path):
            entry["capability"] = capability(os.getxattr(path, "security.capability"), shift)
    return entry


def capability(value, shift):
    """Its sets; seen from outside it names the root it is for (revision 3)."""
    magic, *sets = struct.unpack_from("<5I", value)
    owner = struct.unpack_from("<I", value, 20)[0] if magic >> 24 == 3 else shift
    return magic & 0xffffff, sets, owner - shift


def files(root, covered=(), shift=0):
    found = {}
    for directory, names, others in os.walk(root):
        here = os.path.relpath(directory, root)
        for name in [*names, *others]:
            path = os.path.normpath(f"{here}/{name}")
            if path not in covered:
                found[path] = describe(root / path, shift)
        names[:] = [n for n in names if os.path.normpath(f"{here}/{n}") not in covered]
    return found


def both_sides(pid, merged):
    """What the container's root holds that is no mount of its own, and the same of the engine's."""
    proc = pathlib.Path(f"/proc/{pid}")
    first, shift, size = map(int, (proc / "uid_map").read_text().split())
    assert (first, size) == (0, 65536)
    covered = {line.split()[4].lstrip("/") for line in (proc / "mountinfo").read_text().splitlines()}
    return files(proc / "root", covered, shift), files(merged, covered)


def owners_of(cell):
    return cell.state()["hardening"]["rootfsOwners"]


def notes_of(cell):
    return " ".join(note["text"] for note in cell.state()["hardening"]["notes"] if note["check"] == "userns.map")


class Engine:
    """Makes bundles whose rootfs is mounted, as an engine hands them over."""

    def __init__(self, cells, runtime, image):
        self._cells, self.runtime, self.image = cells, runtime, image

    def cell(self, at, *args, config=None, runtime=None):
        config = config if config is not None else b.spec(*(args or ("sleep",)))
        config["root"] = {"path": str(at)}
        return self._cells(config, "empty", runtime or self.runtime)

    def created(self, at, *args, **kwargs):
        cell = self.cell(at, *args, **kwargs)
        result = cell.create()
        assert result.ok and cell.status() == "created", result
        return cell

    def shell(self, at, script, **kwargs):
        """What a script prints, line by line."""
        config = kwargs.pop("config", None) or b.spec()
        config["process"]["args"] = ["/bin/sh", "-c", script]
        result = self.cell(at, config=config, **kwargs).run()
        assert result.ok, result
        return result.out.splitlines()

    def is_rebuilt(self, at):
        """Created on what is mounted there, the container shows just that, with owners of its own."""
        self.image.settle()
        cell = self.created(at)
        assert owners_of(cell).startswith("c: ") and notes_of(cell) == "", cell.state()["hardening"]
        assert self.image.differences() == []
        found, wanted = both_sides(cell.pid, at)
        assert found.keys() == wanted.keys()
        assert [name for name in wanted if found[name] != wanted[name]] == []
        return found

    def is_foreign(self, at, reason):
        """Step (d): it runs, what is the host's root's is nobody's, and the state says why."""
        cell = self.created(at)
        assert owners_of(cell).startswith("d: "), cell.state()["hardening"]
        assert reason in notes_of(cell)
        assert self.shell(at, "stat -c %u /prisoner; cat /proc/self/uid_map")[0] == "65534"

    def refuses_to_write(self, at):
        """FAIL, with what the test mounted in place."""
        mounts = linux.mountinfo()
        cell = self.cell(at, "sleep", runtime=self.runtime.override("fs.rootfs-ro=rw:a_test"))
        result = cell.create()
        assert not oracles.refusal_problems(result, "fs.rootfs-ro=rw", "userns.private=host"), result
        assert oracles.caller_pattern(result.err) is None, result
        assert cell.id not in self.runtime.ids() and linux.mountinfo() == mounts


@pytest.fixture
def engine(cells, runtime, image):
    return Engine(cells, runtime.at("hardened"), image)


@pytest.fixture
def merged(work, image):
    """Mounted as podman does it for an image of two layers and a container that ran before."""
    image.use(work / "before", image.options())
    image.settle()
    return image.mount(work / "merged", image.options())


# Step (c)


@pytest.mark.apart("judges what the engine made")
def test_the_image_is_what_these_tests_need(merged):
    """Whiteouts of both kinds, opaque directories, hard links, changed files, as the engine sees them."""
    found = files(merged)
    gone = {"etc/gone", "opaque/hidden", "both/low", "renamed"} | ({"xgone/gone"} if linux.KERNEL >= (6, 7) else set())
    assert not gone & found.keys()
    assert {"opaque/new", "both/high", "both/shared", "moved/inner", "xgone/kept", "etc/other"} <= found.keys()
    assert found["etc/changed"]["content"] == b"middle\n" and found["one"]["links"] == 2


def test_owners_and_files_are_right(engine, merged):
    found = engine.is_rebuilt(merged)
    assert [found[f"own/{uid}"]["uid"] for uid in OWNERS] == list(OWNERS)
    assert found["attributes"]["capability"] == (1, [1 << 13, 0, 0, 0], 0)
    assert found["attributes"]["attributes"] == {"user.note": b"kept \0 whole"}


def test_what_root_alone_may_read_is_read_inside(engine, merged):
    """The image's root is the container's: no CAP_DAC_OVERRIDE, a 0700 working directory, 0600 files."""
    config = b.spec()
    config["process"]["cwd"] = "/root"
    lines = engine.shell(merged, "cat secret; stat -c '%u %g %a' . secret /own/33 /suid /device; "
                                 "cat /own/33 2>&1; stat -c %i /one /etc/other; touch new 2>&1 || true", config=config)
    assert lines[0] == "bottom root/secret"
    assert lines[1:6] == ["0 0 700", "0 0 600", "33 16 640", "0 0 4755", "0 0 644"]
    assert "Permission denied" in lines[6] and lines[7] == lines[8] and "Read-only file system" in lines[9]


@pytest.mark.parametrize("copied", [False, True], ids=["empty", "copied"])
def test_a_tmpfs_where_nothing_was(engine, merged, copied):
    """Its mount point is made for it (decision 9), and yet a program of any user can write there."""
    config = b.spec()
    config["mounts"].append({"destination": "/made/for/it", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", *(["tmpcopyup"] if copied else [])]})
    config["process"]["user"] = {"uid": 33, "gid": 16}
    assert engine.shell(merged, "stat -c %a /made/for /made/for/it; touch /made/for/it/file", config=config) == ["755", "1777"]


def test_reading_leaves_no_trace_in_the_layers(engine, merged):
    lines = engine.shell(merged, "find / -xdev -type f ! -path '/proc/*' | wc -l; "
                                 "find / -xdev -type f -user 0 -exec cat {} + | wc -c")
    assert int(lines[0]) > 10 and int(lines[1]) > 10000
    assert engine.image.differences() == []


def test_the_user_namespace_is_private(engine, merged):
    host = linux.namespaces()["user"]
    one, other = engine.created(merged), engine.created(merged)
    inside = [linux.namespaces(cell.pid)["user"] for cell in (one, other)]
    assert len({host, *inside}) == 3


def test_another_user_reads_what_modes_allow(engine, merged):
    config = b.spec()
    config["process"]["user"] = {"uid": 33, "gid": 16}
    lines = engine.shell(merged, "id -u; cat /own/33; cat /root/secret 2>&1 || true", config=config)
    assert lines[:2] == ["33", "33" + lines[1][2:]] and "Permission denied" in lines[-1]


@pytest.mark.parametrize("options", [
    "redirect_dir=on", "redirect_dir=on,metacopy=on", "redirect_dir=nofollow", "xino=on", "index=on",
    "index=on,nfs_export=on", "userxattr", "volatile", "uuid=null", "default_permissions"])
def test_the_engines_options_are_carried_over(engine, image, work, options):
    try:
        image.use(work / "before", image.options(options))
    except OSError as error:
        pytest.skip(f"this kernel's overlayfs: {error}")
    found = engine.is_rebuilt(image.mount(work / "merged", image.options(options)))
    assert found["moved/inner"]["content"] and found["meta"]["content"] and found["meta"]["uid"] == 7


def test_names_that_need_escapes(engine, image, work):
    """Commas, colons, backslashes and blanks: of overlayfs's parser and of the kernel's printer."""
    image = engine.image = Image(work / "a,b c:d\\e\\")
    image.use(work / "before", image.options())
    engine.is_rebuilt(image.mount(work / "merged", image.options()))
    image.umount()


def test_without_an_upper_layer(engine, image, work):
    engine.is_rebuilt(image.mount(work / "merged", f"lowerdir={image.middle}:{image.bottom}"))


def store(work, image, layers):
    """As podman's and docker's: directories of random names, short links to them, the topmost first."""
    store, links = work / "store", []
    (store / "l").mkdir(parents=True)
    more = []
    for number in range(layers - 2):
        path = store / f"{number:064}" / "diff"
        path.mkdir(parents=True)
        (path / f"layer{number}").write_text(str(number))
        more.append(path)
    for number, path in enumerate([*more, image.middle, image.bottom]):
        link = store / "l" / f"{number:026}"
        link.symlink_to(os.path.relpath(path, link.parent))
        links.append(f"l/{link.name}")
    container = store / "container"
    container.mkdir()
    for name in ("upper", "work"):
        os.rename(getattr(image, name), container / name)
        setattr(image, name, container / name)
    return store, links


def test_relative_layers_of_podman_and_docker(engine, image, work):
    """So many that a page of options has no room for them, so they are named from the store's directory."""
    where, links = store(work, image, MANY)
    options = f"lowerdir={':'.join(links)},upperdir=container/upper,workdir=container/work"
    found = engine.is_rebuilt(image.mount(where / "container/merged", options, cwd=where))
    assert found[f"layer{MANY - 3}"]["content"] == b"%d" % (MANY - 3)


def test_relative_lower_layers_of_containerd(engine, image, work):
    """The snapshots' directory, and an upper layer that is named in full."""
    where, _ = store(work, image, 2)
    for name in ("bottom", "middle"):
        (where / name).mkdir()
        os.rename(getattr(image, name), where / name / "fs")
        setattr(image, name, where / name / "fs")
    options = f"lowerdir=middle/fs:bottom/fs,upperdir={image.upper},workdir={image.work}"
    engine.is_rebuilt(image.mount(work / "elsewhere/rootfs", options, cwd=where))


def test_more_options_than_a_page(engine, image, work):
    """Layers added one by one by the new mount API (Linux 6.8)."""
    where, links = store(work, image, MANY)
    at = work / "merged"
    at.mkdir()
    try:
        linux.new_mount("overlay", at, [*[("lowerdir+", where / link) for link in links],
                                        ("upperdir", image.upper), ("workdir", image.work)])
    except OSError as error:
        pytest.skip(f"this kernel's overlayfs: {error}")
    image._mounted.append(at)
    with open("/proc/self/mountinfo") as mounts:
        assert max(map(len, mounts)) > 4096
    assert engine.is_rebuilt(at).keys() >= {"layer0", f"layer{MANY - 3}"}


def test_flags_of_the_engines_mount_are_kept(engine, image, work):
    merged = image.mount(work / "merged", image.options(), flags=MS_NOSYMFOLLOW | linux.MS_NODEV)
    documents = engine.cell(merged, "report").run().documents()
    root = [m for m in documents[0]["mounts"] if m["point"] == "/"]
    assert len(root) == 1 and {"nosymfollow", "nodev", "ro"} <= set(root[0]["options"].split(","))


def test_nothing_of_the_host_shows_in_the_mounts(engine, merged, work):
    """Nor can anybody write it: the superblock itself is read-only."""
    root = engine.cell(merged, "report").run().documents()[0]["mounts"][0]
    assert root["type"] == "overlay" and root["super"].split(",")[0] == "ro"
    assert str(work) not in str(root)


def test_as_on_older_kernels(engine, merged, work, can):
    """Before 6.15 a layer has to be mounted somewhere.  (Before 6.8 all are named in one option, too: the
    lab has such a kernel.)"""
    if not can.strace:
        pytest.skip("strace is missing")
    wrapper = work / "runtime"
    wrapper.write_text("#!/bin/sh\nexec strace -o /dev/null -e trace=fsconfig "
                       f"-e inject=fsconfig:error=EINVAL:when=1 {RUNTIME} \"$@\"\n")
    wrapper.chmod(0o755)
    lines = engine.shell(merged, "cat /root/secret /etc/kept /opaque/* /both/*; stat -c %u /own/33; ls /etc; "
                                 "grep ' / / ' /proc/self/mountinfo",
                         runtime=Runtime(str(wrapper), "donjon", engine.runtime.root, "hardened"))
    assert lines[:5] == ["bottom root/secret", "upper, longer than before", "middle", "upper", "middle"]
    assert lines[5:9] == ["33", "changed", "kept", "other"]
    assert re.search(r",lowerdir\+?=0[,:].*2(,|$)", lines[9]) and len(lines) == 10
    assert engine.image.differences() == []


# What is mounted on top


def test_missing_mount_points_are_the_images(engine, merged, work):
    """Decision 9: made through the engine's mount, before, by the host's root and so for the container's."""
    (work / "file").write_text("bound\n")
    config = b.spec()
    config["mounts"].append({"destination": "/data/deep/dir", "type": "tmpfs", "source": "tmpfs"})
    b.bind(config, work / "file", "/data/file", "ro")
    config["process"]["cwd"] = "/srv/made"
    lines = engine.shell(merged, "cat /data/file; stat -c '%u %a' /data /data/deep /srv/made .", config=config)
    assert lines == ["bound", "0 755", "0 755", "0 755", "0 755"]
    for name, kind in (("data/deep/dir", stat.S_ISDIR), ("data/file", stat.S_ISREG), ("srv/made", stat.S_ISDIR)):
        made = os.lstat(engine.image.upper / name)
        assert kind(made.st_mode) and (made.st_uid, made.st_gid) == (0, 0)


def test_volumes_are_id_mapped(engine, merged, work):
    volume = work / "volume"
    volume.mkdir()
    for uid in OWNERS:
        (volume / str(uid)).touch()
        os.chown(volume / str(uid), uid, uid)
    config = b.spec()
    b.bind(config, volume, "/vol")
    lines = engine.shell(merged, "stat -c '%u %g' /vol/*; echo made >/vol/new", config=config)
    assert sorted(lines) == sorted(f"{uid} {uid}" for uid in OWNERS)
    made = os.lstat(volume / "new")
    assert (made.st_uid, made.st_gid) == (0, 0) and (volume / "new").read_text() == "made\n"
    assert engine.image.differences() == []


def test_containers_of_a_pod(engine, merged, image, work):
    """Decision 5: the second one joins the first one's user namespace, and its rootfs follows."""
    first = engine.created(merged)
    config = b.spec("sleep")
    b.namespace(config, "ipc", f"/proc/{first.pid}/ns/ipc")
    second = engine.created(image.mount(work / "second", f"lowerdir={image.middle}:{image.bottom}"), config=config)
    assert linux.namespaces(first.pid)["user"] == linux.namespaces(second.pid)["user"]
    assert owners_of(second).startswith("c: ")
    found, wanted = both_sides(second.pid, work / "second")
    assert found == wanted


# fs.rootfs-ro


def test_a_volatile_layer_on_top(engine, merged):
    runtime = engine.runtime.override("fs.rootfs-ro=volatile:a_test")
    removal = "rm -r /both && mkdir /both && ls -A /both &&" if linux.KERNEL >= (6, 6) else ""  # user.* on tmpfs
    lines = engine.shell(merged, f"{removal} rm /etc/kept && echo new >/etc/changed && touch /root/made && "
                                 "stat -c %u /root/made /own/33 && cat /root/secret /etc/changed && ls /etc",
                         runtime=runtime)
    assert lines == ["0", "33", "bottom root/secret", "new", "changed", "other"]
    assert engine.image.differences() == []


@pytest.mark.parametrize("kind", ["plain", "overlay"])
def test_nothing_of_the_host_stays_below_a_volatile_layer(engine, cells, request, kind):
    """Whoever joins the mount namespace comes out on top of all that is mounted at its root."""
    runtime = engine.runtime.override("fs.rootfs-ro=volatile:a_test")
    if kind == "plain":
        config = b.spec("sleep")
        config["root"]["readonly"] = False
        cell = cells.created(config, "skeleton", runtime)
    else:
        cell = engine.created(request.getfixturevalue("merged"), runtime=runtime)
    with open(f"/proc/{cell.pid}/mountinfo") as lines:
        roots = [line.split() for line in lines if line.split()[4] == "/"]
    assert len(roots) == 1 and "donjon-volatile" in roots[0], roots


@pytest.mark.parametrize("overrides", [(), ("fs.rootfs-ro=volatile:a_test",)], ids=["read-only", "volatile"])
def test_who_joins_sees_the_same_files(engine, merged, overrides):
    cell = engine.created(merged, runtime=engine.runtime.override(*overrides))
    assert cell.start().ok
    result = cell.runtime.call("exec", cell.id, "/bin/sh", "-c",
                               "cat /root/secret; stat -c %u /own/33; touch /root/new 2>&1 && echo written")
    lines = result.out.splitlines()
    assert lines[:2] == ["bottom root/secret", "33"] and (lines[-1] == "written") == bool(overrides), result


def test_writable_takes_a_second_override(engine, merged):
    """Decision 10: before anything exists, and what does it is named."""
    engine.refuses_to_write(merged)
    assert engine.image.differences() == []


def test_writable_with_the_second_override(engine, merged):
    both = engine.runtime.override("fs.rootfs-ro=rw:a_test", "userns.private=host:a_test",
                                   "user.nonroot=unmapped:a_test")
    assert engine.shell(merged, "touch /written && stat -c %u /written", runtime=both) == ["0"]
    assert (engine.image.upper / "written").exists()


@pytest.fixture
def unmappable(work, image):
    """A file system that takes no id map and is no overlay."""
    path = work / "ramfs"
    path.mkdir()
    linux.mount("ramfs", path, "ramfs", 0, "mode=755")
    copy(image.bottom, path)
    yield path
    linux.umount(path)


def copy(source, target):
    subprocess.run(["cp", "-aT", source, target], check=True)


def test_another_file_system_without_id_maps(engine, unmappable):
    engine.is_foreign(unmappable, "cannot be id-mapped")


def test_writable_on_another_file_system_without_id_maps(engine, unmappable):
    """Known only once it was tried: nothing is left of the launch."""
    engine.refuses_to_write(unmappable)


# Step (d): what is not understood is left alone


@pytest.mark.parametrize("member", ["process.cwd", "process.args[0]"])
def test_what_only_the_hosts_root_may_use_is_named(engine, unmappable, member):
    """Nobody would understand a root that is denied access."""
    config = b.spec("sleep")
    if member == "process.cwd":
        config["process"]["cwd"] = "/root"
    else:
        (unmappable / "prisoner").chmod(0o700)
    result = engine.cell(unmappable, config=config).create()
    assert not oracles.refusal_problems(result, member, "userns.private=host"), result
    assert oracles.caller_pattern(result.err) is None, result


def test_a_volume_as_working_directory_is_not_the_images(engine, unmappable):
    config = b.spec("sleep")
    config["process"]["cwd"] = "/root"
    config["mounts"].append({"destination": "/root", "type": "tmpfs", "source": "tmpfs"})
    engine.created(unmappable, config=config)


def test_data_only_layers(engine, image, work):
    """composefs and its like."""
    options = f"lowerdir={image.middle}:{image.bottom}::{image.upper},metacopy=on,redirect_dir=on"
    try:
        merged = image.mount(work / "merged", options)
    except OSError as error:
        pytest.skip(f"this kernel's overlayfs: {error}")
    engine.is_foreign(merged, "its option lowerdir is not understood")


def test_a_mount_below_the_rootfs(engine, merged):
    linux.mount("tmpfs", merged / "own", "tmpfs")
    try:
        engine.is_foreign(merged, "something is mounted below it")
    finally:
        linux.umount(merged / "own")


def test_a_directory_of_an_overlay(engine, image, work):
    os.rename(image.bottom, work / "rootfs")
    image.bottom.mkdir()
    os.rename(work / "rootfs", image.bottom / "rootfs")
    merged = image.mount(work / "merged", f"lowerdir={image.middle}:{image.bottom}")
    engine.is_foreign(merged / "rootfs", "it is a directory of an overlay")


def test_a_bind_of_an_overlay_is_one(engine, merged, work):
    (work / "bound").mkdir()
    linux.mount(merged, work / "bound", None, linux.MS_BIND)
    try:
        engine.is_rebuilt(work / "bound")
    finally:
        linux.umount(work / "bound")


def test_a_layer_without_id_maps(engine, image, unmappable, work):
    engine.is_foreign(image.mount(work / "merged", f"lowerdir={image.middle}:{unmappable}"), "id-map its layer")


def test_relative_layers_of_nobody_known(engine, image, work):
    options = "lowerdir=image/middle:image/bottom"
    engine.is_foreign(image.mount(work / "some/where/else", options, cwd=work), "clone its layer image/middle")


@pytest.mark.parametrize("which", ["bottom", "middle", "upper"])
def test_a_layer_that_is_another_by_now(engine, merged, image, which):
    """The names lead to other directories than the engine mounted, however much alike."""
    layer = getattr(image, which)
    os.rename(layer, layer.with_suffix(".away"))
    copy(layer.with_suffix(".away"), layer)
    engine.is_foreign(merged, "its layers are not where they were")


def test_a_layer_that_is_gone(engine, merged, image):
    os.rename(image.middle, image.middle.with_suffix(".away"))
    engine.is_foreign(merged, "clone its layer")


# The record


def test_dry_run_names_the_step(engine, merged, cells):
    cell = engine.cell(merged)
    document = cell.run("--dry-run", "--format", "json").json()
    assert document["hardening"]["rootfsOwners"].startswith("c: ")
    plain = cells(b.spec("sleep"), "skeleton", engine.runtime).run("--dry-run", "--format", "json").json()
    assert plain["hardening"]["rootfsOwners"].startswith("b: ")
    assert engine.image.differences() == []


def test_steps_of_others(cells, runtime):
    """(b) for a rootfs that can be mapped, (a) for a map of the config's own, none without a namespace."""
    plain = cells.created(b.spec("sleep"), "skeleton", runtime.at("hardened"))
    assert owners_of(plain).startswith("b: ")
    config = b.spec("sleep")
    b.user_namespace(config)
    assert owners_of(cells.created(config, "skeleton", runtime.at("hardened"))).startswith("a: ")
    none = cells.created(b.spec("sleep"), "skeleton", runtime.at("none"))
    assert "rootfsOwners" not in none.state()["hardening"]
