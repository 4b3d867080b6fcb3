"""The bundles of the bench: what `runc spec` writes, and the same hardened by hand."""
import copy
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

HOST_ID, IDS = 100000, 65536  # the user namespace of the hardened bundle
DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"]
SECCOMP_LISTS = ["/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json"]
ARCHITECTURE = "SCMP_ARCH_X86_64"

# On top of what `runc spec` masks: what the engines mask today.
MASKS = ["/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/firmware",
         "/sys/devices/system/cpu/cpu0/thermal_throttle"]
LIMITS = {
    "memory": {"limit": 512 << 20, "swap": 512 << 20},
    "cpu": {"shares": 512, "quota": 200000, "period": 100000},
    "pids": {"limit": 1024},
    "devices": [{"allow": False, "access": "rwm"}],
}


def plain(runc, *command):
    """What `runc spec` writes, for a program without a terminal."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([runc, "spec"], cwd=work, check=True)
        config = json.loads(pathlib.Path(work, "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = list(command)
    return config


def hardened(config):
    """The same with the protections written out: every runtime is handed the same document."""
    config = copy.deepcopy(config)
    process, linux = config["process"], config["linux"]
    process["capabilities"] = {name: [] for name in ("bounding", "effective", "permitted")}
    process["noNewPrivileges"] = True
    config["root"]["readonly"] = True
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", "noexec", "mode=1777", "size=65536k"]})
    have = {namespace["type"] for namespace in linux["namespaces"]}
    linux["namespaces"] += [{"type": kind} for kind in ("user", "cgroup") if kind not in have]
    for key in ("uidMappings", "gidMappings"):
        linux[key] = [{"containerID": 0, "hostID": HOST_ID, "size": IDS}]
    linux["resources"] = LIMITS
    linux["maskedPaths"] = sorted({*linux["maskedPaths"], *MASKS})
    linux["seccomp"] = default_seccomp()
    return config


def default_seccomp():
    """The engines' default profile, resolved for a container without capabilities."""
    path = next((p for p in SECCOMP_LISTS if os.path.exists(p)), None)
    if not path:
        raise SystemExit("bench: no " + SECCOMP_LISTS[0] + " (package golang-github-containers-common)")
    profile = json.loads(pathlib.Path(path).read_text())
    architectures = next(([entry["architecture"], *entry["subArchitectures"]]
                          for entry in profile["archMap"] if entry["architecture"] == ARCHITECTURE))
    return {"defaultAction": profile["defaultAction"],
            "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": architectures,
            "syscalls": [_rule(rule) for rule in profile["syscalls"] if _applies(rule)]}


def _applies(rule):
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    return (not includes.get("caps") and "amd64" in (includes.get("arches") or ["amd64"])
            and "amd64" not in (excludes.get("arches") or []))


def _rule(rule):
    kept = {key: rule[key] for key in ("names", "action", "args") if rule.get(key)}
    if "errnoRet" in rule:
        kept["errnoRet"] = rule["errnoRet"]
    return kept


def make_rootfs(rootfs, owner):
    """One static program.  All mount points exist: a mapped runtime could not make them."""
    for name in DIRECTORIES:
        (rootfs / name).mkdir(parents=True)
    (rootfs / "tmp").chmod(0o1777)
    shutil.copy(shutil.which("busybox"), rootfs / "bin/busybox")
    for applet in ("true", "sleep"):
        (rootfs / "bin" / applet).symlink_to("busybox")
    for path in (rootfs, *rootfs.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def make_bundle(path, config, owner):
    make_rootfs(path / "rootfs", owner)
    return write_config(path, config)


def write_config(path, config):
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config, indent=1))
    return path
