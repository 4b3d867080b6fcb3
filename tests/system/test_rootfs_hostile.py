"""T01-T15: what an image may hold to fool the runtime.  HOST is checked after every test."""

import os
import stat

import pytest

from harness import bundle as b
from harness import linux


def hostile(cells, config=None, kind="busybox", **changes):
    """A container whose rootfs the test spoils next."""
    cell = cells(config or b.spec(), kind)
    return cell, cell.bundle.rootfs


def replace(path, target=None, text=None, fifo=False, directory=False):
    """Puts a link, file, FIFO or directory where something was."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        os.rmdir(path)
    if target is not None:
        os.symlink(target, path)
    elif text is not None:
        path.write_text(text)
    elif fifo:
        os.mkfifo(path)
    elif directory:
        path.mkdir()


# T01


LINKS = {
    "absolute": lambda canary, name: str(canary),
    "relative": lambda canary, name: "../" * 20 + str(canary).lstrip("/"),
    "each-other": lambda canary, name: {"proc": "sys", "sys": "proc"}[name],
    "inside": lambda canary, name: "home",
    "dangling": lambda canary, name: "/nowhere/at/all",
    "self-loop": lambda canary, name: name,
    "chain": lambda canary, name: "chain0",
    "hosts-proc": lambda canary, name: "/proc",
}


@pytest.mark.peer
@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("link", LINKS)
def test_t01_proc_or_sys_is_a_link(cells, fail, canary, level, name, link):
    cell, rootfs = hostile(cells)
    replace(rootfs / name, LINKS[link](canary, name))
    for i in range(5):
        os.symlink(f"chain{i + 1}" if i < 4 else str(canary), rootfs / f"chain{i}")
    fail(cell.create(), f"/{name}", cell=cell)


# T02


@pytest.mark.peer
@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_t02_proc_or_sys_is_no_directory(cells, fail, level, name, kind):
    cell, rootfs = hostile(cells)
    replace(rootfs / name, **({"text": ""} if kind == "file" else {"fifo": True}))
    fail(cell.create(), f"/{name}", cell=cell)


@pytest.mark.peer
def test_t02_proc_is_filled_with_fakes(cells, base_or_fail, host, level):
    cell, rootfs = hostile(cells)
    for fake in ("self/attr/exec", "self/attr/current", "thread-self/attr/exec", "sys/kernel/hostname", "self/uid_map"):
        path = rootfs / "proc" / fake
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("fake")
    host.watch(rootfs / "proc")
    assert base_or_fail(cell).ok
    host.check()


@pytest.mark.peer
@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_t02_missing(cells, base_or_fail, level, name):
    cell, rootfs = hostile(cells)
    os.rmdir(rootfs / name)
    assert base_or_fail(cell).ok


# T03


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "unlisted"])
@pytest.mark.parametrize("target", ["canary", "dangling", "proc", "relative", "self"])
def test_t03_dev_is_a_link(cells, base_or_fail, canary, level, target, listed):
    """B8, CVE-2026-41579, -47766: nothing created, and nothing deleted, where the link points."""
    config = b.spec()
    if not listed:
        b.unmount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    cell, rootfs = hostile(cells, config)
    replace(rootfs / "dev", {"canary": str(canary), "dangling": "/nowhere", "proc": "proc",
                             "relative": "../" * 20 + str(canary).lstrip("/"), "self": "dev"}[target])
    base_or_fail(cell, "/dev")


@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_t03_dev_is_no_directory(cells, base_or_fail, level, kind):
    cell, rootfs = hostile(cells)
    replace(rootfs / "dev", **({"text": ""} if kind == "file" else {"fifo": True}))
    base_or_fail(cell, "/dev")


@pytest.mark.parametrize("name", ["shm", "mqueue", "pts", "ptmx", "null", "console", "fd", "stdin"])
def test_t03_names_in_dev_are_links(cells, base_or_fail, canary, level, name):
    """T05, T06 as well: our tmpfs covers whatever the image put there."""
    cell, rootfs = hostile(cells)
    os.symlink(canary / name, rootfs / "dev" / name)
    assert base_or_fail(cell).ok


# T04, T05, T06


@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo", "hardlink"])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("readonly", [True, False])
def test_t04_console(cells, canary, level, kind, terminal, readonly, host):
    """CVE-2026-88264: the console in the container is our pty, and no image object is touched."""
    config = b.spec("report")
    config["root"]["readonly"] = readonly
    config["process"]["terminal"] = terminal
    cell, rootfs = hostile(cells, config)
    path = rootfs / "dev/console"
    if kind == "hardlink":
        os.link(canary / "console", path)
        host.settle()
    else:
        replace(path, **{"link": {"target": str(canary / "console")}, "dangling": {"target": str(canary / "made-by-us")},
                         "directory": {"directory": True}, "fifo": {"fifo": True}}[kind])
    result = cell.run()
    assert result.ok, result
    report = result.documents()[0]
    console = report["dev"].get("console") if not terminal else None
    assert console is None or console["type"] in ("chr", "reg")
    if kind == "hardlink":
        host.check()
        path.unlink()
        host.settle()


@pytest.mark.parametrize("kind", ["link", "fifo", "file", "wrong-device", "directory"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "unlisted"])
def test_t05_null(cells, base_or_fail, canary, level, kind, listed):
    """CVE-2025-31133: masks never come from the image's /dev/null."""
    config = b.spec()
    if not listed:
        b.unmount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    config["linux"]["maskedPaths"] += ["/proc/uptime"]
    cell, rootfs = hostile(cells, config)
    path = rootfs / "dev/null"
    if kind == "wrong-device":
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    else:
        replace(path, **{"link": {"target": str(canary / "null")}, "fifo": {"fifo": True},
                         "file": {"text": "leaked"}, "directory": {"directory": True}}[kind])
    assert base_or_fail(cell).ok


# T07


T07_LINKS = {
    "absolute": "/home/target",
    "to-the-host": None,
    "dotdot": "../../../../../../../../../../../home/target",
    "proc-root": "/proc/self/root/home/target",
    "proc-cwd": "/proc/self/cwd",
    "dangling": "/home/missing/deeper",
    "loop": "link",
    "deep": "deep0",
    "into-a-mount": "/dev/shm/inside",
}


@pytest.mark.peer
@pytest.mark.parametrize("link", T07_LINKS)
def test_t07_destination_through_links(cells, host, work, canary, level, link):
    """CVE-2021-30465: the result is inside the root, or nothing happens."""
    volume = work / "volume"
    volume.mkdir()
    (volume / "proof").touch()
    config = b.spec("report")
    b.bind(config, volume, "/link", "ro")
    cell, rootfs = hostile(cells, config)
    (rootfs / "home/target").mkdir()
    for i in range(60):
        os.symlink(f"deep{i + 1}" if i < 59 else "home/target", rootfs / f"deep{i}")
    os.symlink(T07_LINKS[link] or str(canary), rootfs / "link")
    result = cell.run()
    if result.ok:
        points = [m["point"] for m in result.documents()[0]["mounts"] if m["root"].endswith("/volume")]
        assert points, "the volume is mounted inside the root"
    else:
        assert result.status > 0 and result.err
    host.check()
    assert not os.path.lexists(canary / "proof")


def test_t07_creating_below_a_link(cells, host, work, canary, level):
    """CVE-2024-45310: no empty directories on the host either."""
    config = b.spec("exit", "7")
    b.bind(config, work, "/link/new/dir", "ro")
    cell, rootfs = hostile(cells, config)
    os.symlink(canary, rootfs / "link")
    assert cell.run().status == 7
    host.check()


# T08: must keep working


@pytest.mark.peer
def test_t08_var_run_is_a_link(cells, work, level):
    config = b.spec("paths", "/var/run/data", "/run/data")
    b.bind(config, work, "/var/run/data", "ro")
    cell, rootfs = hostile(cells, config)
    os.symlink("/run", rootfs / "var/run")
    result = cell.run()
    assert result.ok, result
    found = result.documents()[0]
    assert found["/run/data"]["mount"] and found["/var/run/data"]["stat"] == "ok"


@pytest.mark.peer
@pytest.mark.parametrize("mode", [0o711, 0o111])
def test_t08_parents_that_only_root_reads(cells, work, level, mode):
    config = b.spec("paths", "/closed/in/data")
    b.bind(config, work, "/closed/in/data", "ro")
    cell, rootfs = hostile(cells, config)
    (rootfs / "closed/in/data").mkdir(parents=True)
    os.chown(rootfs / "closed/in", 1234, 1234)
    (rootfs / "closed/in").chmod(mode)
    (rootfs / "closed").chmod(mode)
    result = cell.run()
    assert result.ok, result
    assert "mount" in result.documents()[0]["/closed/in/data"]


@pytest.mark.peer
def test_t08_a_file_on_a_file(cells, work, level):
    (work / "file").write_text("injected\n")
    config = b.spec("read", "/etc/passwd")
    b.bind(config, work / "file", "/etc/passwd", "ro")
    cell, rootfs = hostile(cells, config)
    assert cell.run().out == "injected\n"
    assert "root" in (rootfs / "etc/passwd").read_text()


# T09


def _cwd(cells, cwd, prepare=lambda rootfs: None):
    config = b.spec()
    config["process"]["cwd"] = cwd
    cell, rootfs = hostile(cells, config)
    prepare(rootfs)
    return cell


@pytest.mark.peer
@pytest.mark.parametrize("cwd", ["/home", "/missing/made", "/home/../tmp", "/tmp//", "/inlink"])
def test_t09_usual_working_directories(cells, level, cwd):
    """P15."""
    cell = _cwd(cells, cwd, lambda rootfs: os.symlink("/home", rootfs / "inlink"))
    cell.bundle.config["root"]["readonly"] = False
    cell.bundle.write()
    result = cell.run()
    assert result.ok, result
    expected = {"/inlink": "/home", "/home/../tmp": "/tmp", "/tmp//": "/tmp"}.get(cwd, cwd)
    assert result.documents()[0]["cwd"] == expected


@pytest.mark.parametrize("cwd", ["/prisoner", "/loop", "/" + "x" * 5000, "relative", "", "/nul\0"],
                         ids=["file", "loop", "long", "relative", "empty", "nul"])
def test_t09_impossible_working_directories(cells, fail, level, cwd):
    """P15."""
    cell = _cwd(cells, cwd, lambda rootfs: os.symlink("loop", rootfs / "loop"))
    fail(cell.create(), ("process.cwd", "JSON", cwd[:20] or "cwd"), cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("fd", range(3, 25))
def test_t09_cwd_through_a_descriptor(cells, level, fd):
    """P15, CVE-2024-21626: a descriptor of the runtime as the working directory."""
    cell = _cwd(cells, f"/proc/self/fd/{fd}")
    result = cell.run()
    if result.ok:
        cwd = result.documents()[0]["cwd"]
        assert cwd.startswith("/") and "donjon-tests" not in cwd
    else:
        assert result.status > 0 and result.err


@pytest.mark.peer
@pytest.mark.parametrize("target", ["canary", "/proc/1/cwd", "/proc/self/cwd", "/proc/self/fd/7", "../../../.."])
def test_t09_cwd_is_a_link_out(cells, canary, level, target):
    cell = _cwd(cells, "/out", lambda rootfs: os.symlink(canary if target == "canary" else target, rootfs / "out"))
    result = cell.run()
    if result.ok:
        report = result.documents()[0]
        assert report["cwd"].startswith("/") and "(unreachable)" not in report["cwd"]
        assert "ptmx" not in os.listdir(cell.bundle.rootfs) or target == "canary"
    else:
        assert result.status > 0 and result.err


@pytest.mark.peer
def test_t09_cwd_nobody_may_enter(cells, level):
    config = b.spec("report")
    config["process"]["cwd"] = "/locked"
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    cell, rootfs = hostile(cells, config)
    (rootfs / "locked").mkdir(0o700)
    result = cell.create()
    # Root's chdir comes first (P15).
    assert cell.status() == "created" if result.ok else "/locked" in result.err, result


# T10


def _expect_nothing_of_the_runtime(cell):
    """It says nothing and does nothing as the container's program, and is there as before afterwards."""
    result = cell.run()
    assert result.status != 0 and result.out == "", result
    cell.bundle.config["process"]["args"] = ["/prisoner", "exit", "7"]
    cell.bundle.write()
    assert cell.run().status == 7


@pytest.mark.peer
@pytest.mark.parametrize("target", ["/proc/self/exe", "/proc/self/fd/3", "/proc/1/exe", "/proc/self/../self/exe"])
def test_t10_entry_point_is_the_runtime(cells, host, level, target):
    """B9, CVE-2019-5736: HOST covers the installed binary."""
    config = b.spec()
    config["process"]["args"] = ["/entry", "report"]
    cell, rootfs = hostile(cells, config)
    os.symlink(target, rootfs / "entry")
    _expect_nothing_of_the_runtime(cell)
    host.check()


@pytest.mark.peer
@pytest.mark.parametrize("target", ["/proc/self/exe", "/proc/self/fd/5"])
def test_t10_interpreter_is_the_runtime(cells, host, level, target):
    """B9."""
    config = b.spec()
    config["process"]["args"] = ["/entry"]
    cell, rootfs = hostile(cells, config)
    (rootfs / "entry").write_text(f"#!{target}\n")
    (rootfs / "entry").chmod(0o755)
    _expect_nothing_of_the_runtime(cell)
    host.check()


@pytest.mark.peer
def test_t10_the_programs_exe_is_its_own(cells, runtime, level):
    """The link of pid 1 is the image's program, never anything of the host's."""
    config = b.spec()
    config["process"]["args"] = ["/bin/sh", "-c", "readlink /proc/self/exe; readlink /proc/1/exe"]
    result = cells(config, "busybox").run()
    assert set(result.out.split()) == {"/bin/busybox"}


@pytest.mark.peer
@pytest.mark.parametrize("entry", ["/bin", "/dev/null", "/plain", "", "/noexec/prisoner"])
def test_t10_what_cannot_be_executed(cells, fail, level, entry):
    config = b.spec()
    config["process"]["args"] = [entry]
    if entry.startswith("/noexec"):
        config["mounts"].append({"destination": "/noexec", "type": "tmpfs", "source": "tmpfs",
                                 "options": ["noexec", "nosuid", "nodev", "tmpcopyup"]})
    cell, rootfs = hostile(cells, config)
    (rootfs / "plain").write_text("no x bit")
    (rootfs / "noexec").mkdir()
    os.link(rootfs / "prisoner", rootfs / "noexec/prisoner")
    fail(cell.run(), (f'"{entry}"', "empty"), cell=cell)


@pytest.mark.peer
def test_t10_a_setuid_entry_point_gains_nothing(cells, level):
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    cell, rootfs = hostile(cells, config)
    (rootfs / "prisoner").chmod(0o6755)
    report = cell.run().documents()[0]
    assert report["status"]["Uid"].split() == ["1000"] * 4 and int(report["status"]["CapEff"], 16) == 0


# T11


@pytest.mark.peer
def test_t11_device_nodes_of_the_image(cells, level):
    config = b.spec("try", "open=/evil/null", "open=/evil/disk", "open=/evil/mem", "write=/evil/null")
    cell, rootfs = hostile(cells, config)
    (rootfs / "evil").mkdir()
    for name, kind, numbers in (("null", stat.S_IFCHR, (1, 3)), ("disk", stat.S_IFBLK, (254, 0)),
                                ("mem", stat.S_IFCHR, (1, 1))):
        os.mknod(rootfs / "evil" / name, kind | 0o666, os.makedev(*numbers))
    tried = cell.run().documents()[0]
    assert {tried["open=/evil/disk"], tried["open=/evil/mem"]} <= {"EPERM", "EACCES"}
    if level == "hardened":  # the rootfs is nodev
        assert tried["open=/evil/null"] == "EACCES"


@pytest.mark.peer
@pytest.mark.parametrize("gain", ["setuid", "setgid", "file capability"])
def test_t11_programs_that_raise_rights(cells, level, gain):
    """no_new_privs (and nosuid): neither euid nor capabilities rise."""
    config = b.spec("try", "suid=/gain")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    b.capabilities(config, "CAP_SETUID", "CAP_CHOWN", sets=("bounding",))
    cell, rootfs = hostile(cells, config)
    gain_path = rootfs / "gain"
    gain_path.write_bytes((rootfs / "prisoner").read_bytes())
    gain_path.chmod(0o6755 if gain != "file capability" else 0o755)
    if gain == "file capability":
        # version 2, effective, permitted CAP_SETUID
        os.setxattr(gain_path, "security.capability", bytes.fromhex("01000002" "80000000" "00000000" "00000000" "00000000"))
    tried = cell.run().documents()[0]
    assert tried["suid=/gain"] == "EPERM"


# T12


@pytest.mark.levels("none")
@pytest.mark.parametrize("existing", ["file", "link", "directory", "other-device", "hardlink"])
def test_t12_a_configured_device_exists_already(cells, canary, host, level, existing):
    """In /dev our tmpfs covers it; no mode or owner of an image inode changes."""
    config = b.spec("paths", "/dev/zero2")
    config["linux"]["devices"] = [{"path": "/dev/zero2", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600}]
    cell, rootfs = hostile(cells, config)
    path = rootfs / "dev/zero2"
    if existing == "other-device":
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 7))
    elif existing == "hardlink":
        os.link(canary / "zero", path)
        host.settle()
    else:
        replace(path, **{"file": {"text": "x"}, "link": {"target": str(canary / "zero")}, "directory": {"directory": True}}[existing])
    before = os.lstat(path)
    result = cell.run()
    assert result.ok, result
    entry = result.documents()[0]["/dev/zero2"]
    assert (entry["rdev"], entry["mode"]) == ("1:5", 0o600)
    after = os.lstat(path)
    assert (before.st_mode, before.st_ctime_ns) == (after.st_mode, after.st_ctime_ns)
    if existing == "hardlink":
        host.check()
        path.unlink()
        host.settle()


@pytest.mark.levels("none")
@pytest.mark.parametrize("existing", ["file", "link", "directory", "other-device"])
def test_t12_outside_dev_what_differs_is_an_error(cells, canary, fail, level, existing):
    """P44: an existing file that differs MUST be an error."""
    config = b.spec()
    config["root"]["readonly"] = False
    config["linux"]["devices"] = [{"path": "/nodes/zero", "type": "c", "major": 1, "minor": 5}]
    cell, rootfs = hostile(cells, config)
    (rootfs / "nodes").mkdir()
    path = rootfs / "nodes/zero"
    if existing == "other-device":
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 7))
    else:
        replace(path, **{"file": {"text": "x"}, "link": {"target": str(canary / "zero")}, "directory": {"directory": True}}[existing])
    fail(cell.create(), "/nodes/zero", cell=cell)


@pytest.mark.levels("none")
@pytest.mark.parametrize("path", ["/dev/../nodes/x", "/link/x", "relative", "/dev/..", "/", "/dev", "/proc/x"])
def test_t12_paths_of_devices(cells, canary, host, level, path):
    config = b.spec("exit", "7")
    config["linux"]["devices"] = [{"path": path, "type": "c", "major": 1, "minor": 5}]
    cell, rootfs = hostile(cells, config)
    os.symlink(canary, rootfs / "link")
    result = cell.run()
    assert result.status == 7 or result.err.startswith("donjon: "), result
    host.check()


# T13


@pytest.mark.parametrize("name", ["passwd", "group"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "link", "environ", "sparse", "long-line", "many", "nul"])
def test_t13_account_files(cells, bound, canary, level, name, kind):
    """HOME comes from there: no hang, no foreign content, bounded."""
    config = b.spec("report")
    config["process"]["user"] = {"uid": 1234, "gid": 1234}
    cell, rootfs = hostile(cells, config)
    path = rootfs / "etc" / name
    path.unlink()
    if kind == "device":
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    elif kind == "long-line":
        path.write_text("x" * (4 << 20))
    elif kind == "many":
        path.write_text("a:x:5:5::/home:/bin/sh\n" * 1_000_000)
    elif kind == "nul":
        path.write_bytes(b"user\0:x:1234:1234::/evil\0:/bin/sh\n" * 10)
    else:
        replace(path, **{"fifo": {"fifo": True}, "directory": {"directory": True},
                         "link": {"target": str(canary / "etc/passwd")}, "environ": {"target": "/proc/self/environ"}}[kind])
    result = cell.run(env={"SECRET_OF_THE_HOST": "1", "PATH": os.environ["PATH"]}, measure=True)
    bound(result)
    assert result.ok and "SECRET_OF_THE_HOST" not in result.out, result
    home = [e for e in result.documents()[0]["env"] if e.startswith("HOME=")]
    assert home in ([], ["HOME=/"], ["HOME=/evil"])


# T14


def _masking(cells, masked=(), readonly=(), prepare=lambda rootfs: None, mounts=()):
    config = b.spec()
    config["linux"]["maskedPaths"] = list(masked)
    config["linux"]["readonlyPaths"] = list(readonly)
    config["mounts"] += list(mounts)
    cell, rootfs = hostile(cells, config)
    prepare(rootfs)
    return cell


T14_LISTS = {
    "missing": ["/nowhere", "/home/nowhere/deeper"],
    "duplicates": ["/home", "/home", "/home/"],
    "parent-and-child": ["/home", "/home/inner"],
    "child-and-parent": ["/home/inner", "/home"],
    "double-slash": ["//home", "/home//inner"],
    "file-and-directory": ["/etc/passwd", "/home"],
    "thousand": [f"/many/{i}" for i in range(1000)],
}


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["masked", "readonly"])
@pytest.mark.parametrize("paths", T14_LISTS)
def test_t14_lists(cells, base_or_fail, bound, level, kind, paths):
    def prepare(rootfs):
        (rootfs / "home/inner").mkdir()
        (rootfs / "home/inner/file").touch()
        (rootfs / "many").mkdir()
        if paths == "thousand":
            for i in range(0, 1000, 2):
                (rootfs / "many" / str(i)).write_text("secret")

    cell = _masking(cells, **{kind: T14_LISTS[paths]}, prepare=prepare)
    result = base_or_fail(cell, measure=True)
    assert result.ok, result
    bound(result, output=8 << 20)


@pytest.mark.parametrize("kind", ["masked", "readonly"])
@pytest.mark.parametrize("path", ["/", "//", "/..", "/home/..", "."])
def test_t14_the_root_itself(cells, base_or_fail, level, kind, path):
    """Either refused or done; never the host's root, never a container without its program."""
    result = base_or_fail(_masking(cells, **{kind: [path]}))
    assert result.status in (0, 1)


@pytest.mark.parametrize("kind", ["masked", "readonly"])
@pytest.mark.parametrize("target", ["canary", "../../../../etc/shadow", "/proc/self/root", "dangling"])
def test_t14_links(cells, canary, level, kind, target, host):
    """The mask lands inside the root or nowhere."""
    cell = _masking(cells, **{kind: ["/link", "/link/pts"]},
                    prepare=lambda rootfs: os.symlink(str(canary) if target == "canary" else target, rootfs / "link"))
    result = cell.run()
    assert result.documents() if result.ok else "/link" in result.err, result
    host.check()


@pytest.mark.peer
def test_t14_flags_of_the_mount_below_are_kept(cells, level):
    """crun issue 950: a read-only path on a nosuid,nodev,noexec mount keeps these."""
    config = b.spec("paths", "/vol/ro", "/vol/masked")
    config["mounts"].append({"destination": "/vol", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", "noexec", "tmpcopyup"]})
    config["linux"]["readonlyPaths"].append("/vol/ro")
    cell, rootfs = hostile(cells, config)
    (rootfs / "vol/ro").mkdir(parents=True)
    entry = cell.run().documents()[0]["/vol/ro"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(entry["flags"])


# T15


@pytest.mark.parametrize("kind", ["missing", "file", "fifo", "dangling", "empty-name"])
def test_t15_no_root_filesystem(cells, fail, level, kind):
    cell, rootfs = hostile(cells, kind="empty")
    os.rename(rootfs, rootfs.parent / "aside")
    if kind == "empty-name":
        cell.bundle.config["root"]["path"] = ""
        cell.bundle.write()
    elif kind != "missing":
        replace(rootfs, **{"file": {"text": ""}, "fifo": {"fifo": True}, "dangling": {"target": "nowhere"}}[kind])
    fail(cell.create(), ("rootfs", "root.path"), cell=cell)


@pytest.mark.parametrize("path", ["/", "//", "/.", "/tmp/.."])
def test_t15_the_hosts_own_root(cells, fail, level, path):
    cell = cells(b.spec())
    cell.bundle.config["root"]["path"] = path
    cell.bundle.write()
    fail(cell.create(), ("root.path", "rootfs"), cell=cell)


def test_t15_the_rootfs_is_a_link(cells, base_or_fail, level):
    """P2: runc refuses it; to follow it is allowed."""
    cell, rootfs = hostile(cells)
    os.rename(rootfs, rootfs.parent / "aside")
    os.symlink("aside", rootfs)
    base_or_fail(cell, ("rootfs", "root.path"))


@pytest.mark.peer
@pytest.mark.parametrize("case", ["trailing", "contains-bundle", "equals-bundle"])
def test_t15_odd_places(cells, base_or_fail, level, case):
    cell, rootfs = hostile(cells, kind="skeleton")
    config = cell.bundle.config
    if case == "trailing":
        config["root"]["path"] = "rootfs///"
    elif case == "equals-bundle":
        for name in os.listdir(rootfs):
            os.rename(rootfs / name, cell.bundle.path / name)
        config["root"]["path"] = "."
    else:
        inner = rootfs / "bundle"
        inner.mkdir()
        cell.bundle.path = inner
        config["root"]["path"] = str(rootfs)
    cell.bundle.write()
    base_or_fail(cell)


def test_t15_a_name_with_a_newline(cells, base_or_fail, level):
    cell, rootfs = hostile(cells, kind="skeleton")
    os.rename(rootfs, rootfs.parent / "root\nfs \\012")
    cell.bundle.config["root"]["path"] = "root\nfs \\012"
    base_or_fail(cell)


@pytest.mark.peer
def test_t15_below_a_shared_mount(cells, base_or_fail, work, level, host):
    """B10, T67: nothing done in the container reaches the host's mounts."""
    shared = work / "shared"
    shared.mkdir()
    linux.mount("tmpfs", shared, "tmpfs", 0, "mode=711")
    linux.mount(None, shared, None, linux.MS_SHARED)
    host.settle()
    try:
        cells._work = shared
        cell = cells(b.spec(), "skeleton")
        assert base_or_fail(cell).ok
        host.check("state root")
        cells.clear()
    finally:
        cells._work = work
        linux.umount(shared)
        host.settle()


@pytest.mark.parametrize("flags", ["noexec", "nodev", "ro", "nosuid"])
def test_t15_on_a_restricted_mount(cells, base_or_fail, work, level, flags):
    """Flags of the host's mount are never weaker inside."""
    top = work / "restricted"
    top.mkdir()
    linux.mount("tmpfs", top, "tmpfs", 0, "mode=711")
    bits = {"noexec": linux.MS_NOEXEC, "nodev": linux.MS_NODEV, "ro": linux.MS_RDONLY, "nosuid": linux.MS_NOSUID}[flags]
    try:
        cells._work = top
        cell = cells(b.spec(), "skeleton")
        config = cell.bundle.config
        b.unmount(config, "/dev/shm", "/dev/mqueue")
        cell.bundle.write()
        linux.mount(None, top, None, linux.MS_REMOUNT | linux.MS_BIND | bits)
        cell.bundle.write = lambda text=None: cell.bundle  # the bundle is read-only now
        config["process"]["args"] = ["/prisoner", "report"]
        result = cell.run()
        if result.ok:
            root = result.documents()[0]["mounts"][0]
            assert flags in root["options"].split(",") or flags in root["super"].split(",")
        else:
            assert result.status == 1 and result.err
        cells.clear()
    finally:
        cells._work = work
        linux.umount(top)


@pytest.mark.peer
def test_t15_world_writable_parents(cells, base_or_fail, level):
    cell, rootfs = hostile(cells, kind="skeleton")
    cell.bundle.path.chmod(0o1777)
    rootfs.chmod(0o777)
    assert base_or_fail(cell).ok
