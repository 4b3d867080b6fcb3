"""Part A of the hardening checks, answered from inside, on the same bundles under runc, donjon at
level none and donjon at level hardened: in no check is ours the weaker."""

import json
import os
import shutil

import pytest

from harness import bundle as b
from harness import linux
from harness.runtime import Runtime

RANK = {"good": 0, "tolerable": 1, "bad": 2}

# What config.json alone decides, and what runc does beyond it: nothing is compared away here.
BUNDLES = {
    "runc-spec": lambda c: None,
    "cgroup-namespace": lambda c: b.namespace(c, "cgroup"),
    "writable": lambda c: c["root"].update(readonly=False),
    "not-root": lambda c: c["process"].update(user={"uid": 1000, "gid": 1000}),
    "limits": lambda c: b.resources(c, memory={"limit": 200 << 20, "swap": 200 << 20}, pids={"limit": 100},
                                    cpu={"shares": 512}),
    "engine-like": lambda c: (
        b.capabilities(c, "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
                       "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
                       "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
        c["process"].update(noNewPrivileges=False), c["root"].update(readonly=False), b.namespace(c, "cgroup")),
}


def verdicts(cells, runtime, name):
    config = b.spec()
    BUNDLES[name](config)
    own = [f"{ns}={inode}" for ns, inode in linux.namespaces().items()]
    read_end, write_end = os.pipe()
    cell = cells(config, "skeleton", runtime=runtime)
    config["process"]["args"] = ["/prisoner", "checks", *own]
    cell.bundle.write()
    process = cell.spawn("run", stdout=write_end, stderr=write_end)
    os.close(write_end)
    with os.fdopen(read_end) as stream:
        text = stream.read()
    result = process.wait()
    assert result.ok, (result, text)
    return json.loads(text)


@pytest.fixture
def peer(work):
    path = shutil.which("runc")
    if path is None:
        pytest.skip("needs runc to compare with")
    return Runtime(path, "runc", work / "peer")


@pytest.mark.parametrize("name", BUNDLES)
def test_never_weaker_than_runc(cells, runtime, peer, name):
    table = {
        "runc": verdicts(cells, peer, name),
        "none": verdicts(cells, runtime.at("none"), name),
        "hardened": verdicts(cells, runtime.at("hardened"), name),
    }
    weaker = {}
    for check, theirs in table["runc"].items():
        for ours, baseline in (("none", theirs), ("hardened", theirs), ("hardened", table["none"][check])):
            verdict = table[ours][check]
            if baseline in RANK and (verdict not in RANK or RANK[verdict] > RANK[baseline]):
                weaker[f"{check} at {ours}"] = f"{verdict}, not {baseline}"
    assert not weaker, weaker


# What hardened must reach on any of these, whatever the document says.
GOOD_AT_HARDENED = """nnp.set userns.private userns.map userns.nested caps.privileged caps.bounding caps.effective
caps.ambient caps.escape-class caps.net-raw seccomp.on seccomp.default-deny seccomp.abi seccomp.args ns.pid ns.net ns.ipc
ns.mnt ns.uts ns.cgroup fs.rootfs-ro fs.tmp fs.propagation fs.masked fs.readonly-proc fs.proc-visibility fs.sysfs
fs.cgroupfs dev.nodes res.core res.oom keyring.private proc.personality proc.fds proc.cwd-root proc.exe net.exposure
env.loader fs.bind-ro logs.stdout res.memory res.swap""".split()


@pytest.mark.parametrize("name", BUNDLES)
def test_hardened_is_good(cells, runtime, name, can):
    found = verdicts(cells, runtime.at("hardened"), name)
    limits = {"res.memory", "res.swap"} if not (can.v1 or can.v2_memory) else set()
    bad = {check: found[check] for check in GOOD_AT_HARDENED if check not in limits and found[check] not in ("good", "na")}
    assert not bad, bad
    assert found["user.nonroot"] in ("good", "tolerable") and found["res.pids"] == "good"
    assert found["seccomp.forbidden-calls"] in ("good", "tolerable")
