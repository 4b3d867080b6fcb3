"""Pods with `hostUsers: false`, as containerd 2 and CRI-O ask for them: the sandbox has a user namespace with the
kubelet's maps, its containers are told path and maps, and volumes come with maps and without the option."""

import os

import pytest

from harness import bundle as b

FIRST_ID = 65536 * 7  # the kubelet gives each pod 65536 ids above 65535
NAMES = {"user": "user", "network": "net", "ipc": "ipc", "uts": "uts"}


@pytest.fixture
def sandbox(cells):
    config = b.spec("sleep")
    b.user_namespace(config, FIRST_ID)
    cell = cells(config, "skeleton")
    assert cell.create().ok and cell.start().ok
    return cell


@pytest.fixture
def volume(work):
    """What fsGroup and the pod before left there: owners by the numbers that the containers know."""
    directory = work / "volume"
    directory.mkdir()
    (directory / "file").write_text("content\n")
    for path in (directory, directory / "file"):
        os.chown(path, 1000, 2000)
    return directory


def test_a_container_of_the_pod(cells, sandbox, volume, level):
    """Z20, P11, P40: the pod's namespaces and maps as they are, files with their owners, nothing gained."""
    config = b.spec("report", "+", "paths", "/data/file", "/data")
    config["process"]["user"] = {"uid": 1000, "gid": 2000}
    b.user_namespace(config, FIRST_ID)
    for kind, name in NAMES.items():
        b.namespace(config, kind, f"/proc/{sandbox.pid}/ns/{name}")
    b.bind(config, volume, "/data", "rbind", "rw")
    for key in ("uidMappings", "gidMappings"):
        config["mounts"][-1][key] = config["linux"][key]
    report, paths = cells.inside(config, kind="skeleton")
    for name in NAMES.values():
        assert report["ns"][name] == os.stat(f"/proc/{sandbox.pid}/ns/{name}").st_ino, name
    assert report["status"]["Uid"].split() == ["1000"] * 4
    assert (paths["/data/file"]["uid"], paths["/data/file"]["gid"]) == (1000, 2000)
    assert paths["/data/file"]["write"] == "ok" and paths["/data"]["create"] == "ok"
    if level == "hardened":
        assert int(report["status"]["CapBnd"], 16) == 0 and report["status"]["Seccomp"] == "2"


@pytest.mark.levels("hardened")
def test_who_has_the_owners_right(sandbox):
    """Nothing is mapped a second time: the engine has done it."""
    assert sandbox.state()["hardening"]["rootfsOwners"].startswith("a")
