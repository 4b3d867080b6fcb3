"""`spec` and `features`: documents that are functions of the build (contract F53-F55, X1-X14)."""

import json
import os
import subprocess

import pytest

import test_mount_options as rows
from harness import bundle as b


def _write(runtime, work, *flags, level="none"):
    result = runtime.at(level).call("spec", *flags, "--bundle", work)
    assert result.ok and result.out == "" and result.err == "", result
    return json.loads((work / "config.json").read_text())


def _runs(cells, config, kind="busybox", runtime=None):
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/prisoner", "report"]
    return cells.inside(config, kind=kind, runtime=runtime)[0]


def test_spec_is_runcs_document(runtime, work):
    """F53, decision 43."""
    ours, theirs = _write(runtime, work), b.spec()
    assert ours["process"]["args"] == ["sh"] and ours["process"]["terminal"] is True
    assert ours["root"] == theirs["root"]
    assert ours["process"]["capabilities"]["bounding"] == theirs["process"]["capabilities"]["bounding"]
    assert [m["destination"] for m in ours["mounts"]] == [m["destination"] for m in theirs["mounts"]]
    for mine, its in zip(ours["mounts"], theirs["mounts"]):
        assert set(its.get("options", [])) == set(mine.get("options", [])), mine["destination"]
    kinds = {n["type"] for n in ours["linux"]["namespaces"]}
    assert kinds >= {"pid", "network", "ipc", "uts", "mount"}
    assert set(ours["linux"]["maskedPaths"]) >= set(theirs["linux"]["maskedPaths"])
    assert set(ours["linux"]["readonlyPaths"]) >= set(theirs["linux"]["readonlyPaths"])


def test_spec_runs(cells, runtime, work, level):
    report = _runs(cells, _write(runtime, work), runtime=runtime.at(level))
    assert report["hostname"]


def test_hardened_spec_runs_at_none(cells, runtime, work):
    """It says itself what the level would force."""
    report = _runs(cells, _write(runtime, work, level="hardened"), kind="skeleton")
    status = report["status"]
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"]) == (0, "1", "2")


def test_rootless_spec(runtime, work):
    """F54."""
    config = _write(runtime, work, "--rootless")
    kinds = {n["type"] for n in config["linux"]["namespaces"]}
    assert "user" in kinds and "network" not in kinds
    assert config["linux"]["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
    assert not config["linux"].get("resources")
    pts = next(m for m in config["mounts"] if m["destination"] == "/dev/pts")
    assert "gid=5" not in pts["options"]
    sysfs = next(m for m in config["mounts"] if m["destination"] == "/sys")
    assert sysfs["type"] in ("none", "bind") and "rbind" in sysfs["options"]


def test_spec_does_not_overwrite(runtime, work, fail):
    """F53."""
    (work / "config.json").write_text("mine")
    fail(runtime.call("spec", "--bundle", work), "config.json")
    assert (work / "config.json").read_text() == "mine"


def test_spec_writes_to_the_current_directory(runtime, work):
    assert runtime.call("spec", cwd=work).ok
    json.loads((work / "config.json").read_text())


@pytest.mark.parametrize("env", [{}, {"XDG_RUNTIME_DIR": "/nonexistent"}])
def test_features_needs_nothing(runtime, env):
    """L8, Z17: no flags, no root directory, no privileges, nothing on stderr."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", runtime.path, "features"]
    result = subprocess.run(argv, env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""
    json.loads(result.stdout)


def test_features(runtime):
    """G5, X1-X14."""
    features = runtime.call("features").json()
    assert features["ociVersionMin"] == "1.0.0" and features["ociVersionMax"].startswith("1.")
    assert features["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    assert {"rro", "ro", "rbind", "idmap", "tmpcopyup", "nosymfollow"} <= set(features["mountOptions"])
    linux = features["linux"]
    assert set(linux["namespaces"]) == {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"}
    assert "CAP_CHECKPOINT_RESTORE" in linux["capabilities"] and len(linux["capabilities"]) >= 41
    assert linux["cgroup"] == dict.fromkeys(("v1", "v2", "systemd", "systemdUser", "rdma"), True)
    assert linux["intelRdt"] == dict.fromkeys(("enabled", "schemata", "monitoring"), True)
    assert linux["netDevices"] == {"enabled": True}
    assert {"MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_PREFERRED"} <= set(linux["memoryPolicy"]["modes"])
    assert {"MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"} <= set(linux["memoryPolicy"]["flags"])
    assert linux["seccomp"]["enabled"] is True
    assert {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"} <= set(linux["seccomp"]["actions"])
    assert {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"} <= set(linux["seccomp"]["operators"])
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"} <= set(linux["seccomp"]["archs"])
    assert set(linux["seccomp"]["supportedFlags"]) <= set(linux["seccomp"]["knownFlags"])
    assert isinstance(linux["apparmor"]["enabled"], bool) and isinstance(linux["selinux"]["enabled"], bool)
    assert linux["mountExtensions"]["idmap"]["enabled"] is True
    unsafe = features["potentiallyUnsafeConfigAnnotations"]
    assert {"org.donjon.level", "org.donjon.override."} <= set(unsafe)
    assert features["annotations"]


def test_mount_options_of_features_are_accepted(cells, runtime):
    """What we say we know, we know: test_mount_options.py has a row for each."""
    known = {r.option.split("=")[0] for r in rows.BIND + rows.TMPFS} | {"remount", "tmpcopyup", "idmap", "ridmap"}
    missing = [o for o in runtime.call("features").json()["mountOptions"] if o not in known]
    assert not missing, missing
