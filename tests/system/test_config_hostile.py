"""Hostile configuration and command line: T29-T35, T37, T40, T41, T43-T47 as decisions 31-33 and 41
amend them."""

import json
import os
import random
import socket
import subprocess
import time

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import until


@pytest.fixture(params=["create", "run"])
def refuse(request, cells, fail):
    """Writes config.json (a dict or raw text) and expects FAIL from create and from run."""

    def check(config, *names, kind="prisoner", within=5.0):
        cell = cells(config if isinstance(config, dict) else b.spec(), kind)
        if not isinstance(config, dict):
            cell.bundle.write(config)
        result = cell.spawn(request.param).wait()
        return fail(result, *names, cell=cell, within=within)

    return check


def raw():
    return json.dumps(b.spec())


def insert(text, at="{"):
    """The document with `text` put in front of its first key."""
    return raw().replace(at, at + text, 1)


# T29: nesting


@pytest.mark.peer
@pytest.mark.parametrize("text", [
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "[" * (1 << 20),
    '{"annotations":' + '{"a":' * 50_000 + "1" + "}" * 50_001,
], ids=["arrays", "objects", "open", "annotations"])
def test_t29_nesting(refuse, text):
    refuse(text)


def test_t29_nesting_in_an_unknown_property(refuse):
    """Not even where the document would be ignored."""
    refuse(insert('"x":' + "[" * 100_000 + "]" * 100_000 + ","))


# T30: what is not an ordinary file


@pytest.mark.parametrize("kind", ["fifo", "zero", "directory", "missing", "sparse", "large", "socket", "empty"])
def test_t30_odd_files(cells, fail, bound, kind):
    cell = cells(b.spec())
    path = cell.bundle.path / "config.json"
    path.unlink()
    listener = None
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        os.symlink("/dev/zero", path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(4 << 30)
    elif kind == "large":
        path.write_text('{"annotations":{"a":"' + "x" * (100 << 20) + '"}}')
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    elif kind == "empty":
        path.touch()
    result = cell.create(measure=True)
    bound(result)
    fail(result, ("config.json", "config"), cell=cell)
    if listener:
        listener.close()


def test_t30_a_link_to_the_canary(cells, fail, canary):
    """What it names is not JSON; it is not changed either."""
    cell = cells(b.spec())
    path = cell.bundle.path / "config.json"
    path.unlink()
    path.symlink_to(canary / "etc/shadow")
    line = fail(cell.create(), "config.json", cell=cell)
    assert "canary etc" not in line, "nor shown"


# T31: what is not JSON


@pytest.mark.parametrize("text", [
    raw() + "x", raw() + raw(), raw() + "\n{}", "/* c */" + raw(), "// c\n" + raw(), raw().replace('"', "'"),
    insert('"a":1,,'), raw()[:-1] + ",}", insert('"a":NaN,'), insert('"a":Infinity,'), insert('"a":01,'),
    insert('"a":-,'), insert('"a":.5,'), insert('"a":1.,'), insert('"a":+1,'), insert('"a":0x10,'),
    insert('"a":"\t",'), insert('"a":"\n",'), insert('"a":"\\x",'), insert('"a":"\\u12",'), "\ufeff" + raw(),
    raw()[:-1], raw()[:200], "", "   ", "null", "[]", '"text"', "1", insert("a:1,"), insert('"a" 1,'),
    insert('"a":tru,'), insert('"a":True,'),
], ids=lambda text: None)
def test_t31_not_json(cells, fail, text):
    cell = cells(b.spec())
    cell.bundle.write(text)
    fail(cell.create(), "config.json", cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("text", [raw() + "\n", "\n \t" + raw() + " \r\n"])
def test_t31_white_space_is_fine(cells, text):
    cell = cells(b.spec())
    cell.bundle.write(text)
    assert cell.run().documents()


# T32: duplicate keys, and keys that differ by case only


@pytest.mark.parametrize("at, key, text", [
    ("{", "ociVersion", '"ociVersion":"1.0.2",'),
    ('"process": {', "terminal", '"terminal":false,'),
    ('"process": {', "noNewPrivileges", '"noNewPrivileges":false,'),
    ('"user": {', "uid", '"uid":0,'),
    ('"capabilities": {', "bounding", '"bounding":[],'),
    ('"linux": {', "namespaces", '"namespaces":[],'),
    ('"linux": {', "maskedPaths", '"maskedPaths":[],'),
    ('"resources": {', "devices", '"devices":[],'),
    ('"root": {', "readonly", '"readonly":false,'),
    ('"process": {', "noNewPrivileges", '"noNewPriv\\u0069leges":false,'),
    ("{", "x", '"x":1,"x":2,'),
    ("{", "y", '"x":{"y":1,"y":2},'),
], ids=lambda value: value if isinstance(value, str) and value.isalpha() else None)
def test_t32_duplicate_keys(cells, fail, level, at, key, text):
    """Decision 33: an error everywhere, after escapes are decoded."""
    cell = cells(b.spec())
    cell.bundle.write(insert(text, at))
    fail(cell.create(), key, cell=cell)


@pytest.mark.parametrize("at, text", [
    ('"process": {', '"NoNewPrivileges":false,'),
    ('"process": {', '"nonewprivileges":true,'),
    ('"linux": {', '"MaskedPaths":[],'),
    ('"linux": {', '"Seccomp":{},'),
    ('"root": {', '"Readonly":true,'),
    ("{", '"Process":{},'),
    ("{", '"LINUX":{},'),
])
def test_t32_keys_that_differ_by_case(cells, fail, at, text):
    """Decision 31: what a sloppier reader would take for the known key."""
    cell = cells(b.spec())
    cell.bundle.write(insert(text, at))
    key = text.split('"')[1]
    fail(cell.create(), key, cell=cell)


# T33: numbers

FIELDS = {
    "process.user.uid": ("4294967295", "4294967296", "2147483648000", "9223372036854775808", "18446744073709551616",
                         "-1", "1.5", "1e3", "1e400", "9" * 400, '"0"', "true", "[]"),
    "process.user.gid": ("4294967295", "4294967296", "-1", "0.5", "1E2", '"0"'),
    "process.user.umask": ("4294967296", "-1", "1.5", '"022"'),
    "process.oomScoreAdj": ("2147483648", "-2147483649", "1001", "-1001", "1.5", '"1"'),
    "process.rlimits.0.soft": ("18446744073709551616", "-1", "1.5", "1e5", '"1024"'),
    "process.rlimits.0.hard": ("18446744073709551616", "-1", "9" * 400, "{}"),
    "linux.resources.pids.limit": ("9223372036854775808", "1.5", '"5"', "1e2"),
    "linux.resources.memory.limit": ("9223372036854775808", "1.5", "18446744073709551615", '"1g"'),
    "linux.resources.cpu.shares": ("18446744073709551616", "-1", "0.5"),
    "linux.resources.cpu.quota": ("9223372036854775808", "1.5"),
    "linux.resources.blockIO.weight": ("65536", "-1", "9", "1001"),
    "linux.resources.devices.0.major": ("9223372036854775808", "1.5", '"1"'),
    "linux.uidMappings.0.hostID": ("4294967296", "-1", "1.5"),
    "linux.uidMappings.0.size": ("4294967296", "-1", "0"),
    "linux.timeOffsets.monotonic.secs": ("9223372036854775808", "1.5"),
    "linux.timeOffsets.monotonic.nanosecs": ("4294967296", "1000000000", "-1"),
    "process.consoleSize.height": ("-1", "18446744073709551616", "1.5"),
    "process.ioPriority.priority": ("8", "-1", "1.5"),
    "process.scheduler.nice": ("20", "-21", "1.5"),
}


def _place(config, path, value):
    """Sets a dotted path; missing objects are made."""
    keys = path.split(".")
    node = config
    for key in keys[:-1]:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    if isinstance(node, list):
        node[int(keys[-1])] = value
    else:
        node[keys[-1]] = value


def _numbers():
    for path, values in FIELDS.items():
        for value in values:
            yield pytest.param(path, value, id=f"{path}-{value[:20]}")


@pytest.mark.parametrize("path, value", _numbers())
def test_t33_numbers(cells, fail, path, value):
    """Per-field range; never wrapped, rounded or truncated (B31, B34)."""
    config = b.spec()
    if "uidMappings" in path:
        b.user_namespace(config)
    if "timeOffsets" in path:
        b.namespace(config, "time")
    if "consoleSize" in path:
        config["process"]["terminal"] = True
        config["process"]["consoleSize"] = {"height": 1, "width": 1}
    if "ioPriority" in path:
        config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 4}
    if "scheduler" in path:
        config["process"]["scheduler"] = {"policy": "SCHED_OTHER", "nice": 0}
    _place(config, path, "@@")
    cell = cells(config, "skeleton")
    cell.bundle.write(json.dumps(config).replace('"@@"', value))
    # 1e400 is no number to the reader, which knows the line only.
    names = (path.split(".")[-1], path.split(".0")[0], *(["line 1, column"] if value == "1e400" else []))
    fail(cell.run(), names, cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("path, value", [
    ("process.user.uid", "65535"), ("process.rlimits.0.soft", "64"), ("linux.resources.pids.limit", "-1"),
    ("process.oomScoreAdj", "1000"), ("linux.resources.memory.limit", "-1"),
])
def test_t33_numbers_within_range(cells, path, value):
    config = b.spec("exit", "7")
    _place(config, path, int(value))
    result = cells(config).run()
    assert result.status == 7, result


def test_t33_negative_zero_is_zero(cells):
    config = b.spec("exit", "7")
    _place(config, "process.user.uid", "@@")
    cell = cells(config)
    cell.bundle.write(json.dumps(config).replace('"@@"', "-0"))
    assert cell.run().status == 7


def test_t33_unlimited_as_engines_write_it(inside, can):
    """Decision 25: 18446744073709551615 is a value podman and Docker send."""
    config = b.spec()
    config["process"]["rlimits"] = [{"type": "RLIMIT_CPU", "soft": 2**64 - 1, "hard": 2**64 - 1}]
    assert inside(config, "report")[0]["rlimits"]["RLIMIT_CPU"] == [-1, -1]


# T34, T35: bytes that are no text

STRINGS = ["process.cwd", "process.args.0", "process.env.0", "root.path", "hostname", "mounts.0.destination",
           "mounts.0.source", "mounts.0.type", "mounts.1.options.0", "linux.maskedPaths.0", "linux.readonlyPaths.0",
           "linux.cgroupsPath", "linux.namespaces.0.type", "linux.rootfsPropagation", "annotations.a", "ociVersion",
           "process.capabilities.bounding.0", "process.rlimits.0.type", "process.apparmorProfile",
           "process.selinuxLabel", "linux.mountLabel"]


@pytest.mark.parametrize("path", STRINGS)
@pytest.mark.parametrize("form", [b"\\u0000", b"\0"], ids=["escaped", "raw"])
def test_t34_nul(cells, fail, path, form):
    """In every string, and even in a key."""
    config = b.spec()
    _place(config, path, "@@")
    cell = cells(config)
    cell.bundle.write(json.dumps(config).encode().replace(b"@@", b"/x" + form + b"y"))
    fail(cell.create(), cell=cell)


@pytest.mark.parametrize("form", [b"\\u0000", b"\0"], ids=["escaped", "raw"])
def test_t34_nul_in_a_key(cells, fail, form):
    cell = cells(b.spec())
    cell.bundle.write(raw().encode().replace(b"{", b'{"pro' + form + b'cess":1,', 1))
    fail(cell.create(), cell=cell)


@pytest.mark.parametrize("form", [
    b"\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc3", b"\\ud800", b"\\udc00\\ud800",
    b"\x80",
], ids=["ff", "overlong2", "overlong3", "surrogate", "beyond", "cut", "escaped-lone", "escaped-swapped", "continuation"])
@pytest.mark.parametrize("path", ["process.args.0", "hostname", "annotations.a"])
def test_t35_invalid_utf8(cells, fail, path, form):
    config = b.spec()
    _place(config, path, "@@")
    cell = cells(config)
    cell.bundle.write(json.dumps(config).encode().replace(b"@@", b"/x" + form))
    fail(cell.create(), cell=cell)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_t35_other_encodings(cells, fail, encoding):
    cell = cells(b.spec())
    cell.bundle.write(raw().encode(encoding))
    fail(cell.create(), cell=cell)


@pytest.mark.peer
def test_t35_valid_text_passes_through(inside):
    config = b.spec()
    config["process"]["env"].append("TEXT=grüße \U0001f600")
    report = inside(config, "report")[0]
    assert "TEXT=grüße \U0001f600".encode() in [e.encode("latin-1") for e in report["env"]]


# T37: unknown words


@pytest.mark.parametrize("path", ["process.frobnicate", "linux.frobnicate", "linux.resources.frobnicate",
                                  "process.capabilities.frobnicate", "frobnicate", "root.frobnicate",
                                  "hooks.frobnicate", "process.user.frobnicate", "linux.seccomp.frobnicate"])
def test_t37_unknown_properties_are_ignored(cells, base, level, path):
    """Decision 31, the specification's MUST: newer engines send new ones; the state lists them."""
    config = b.spec()
    if "seccomp" in path:
        b.seccomp(config, "SCMP_ACT_ALLOW" if level == "none" else "SCMP_ACT_ERRNO",
                  *([] if level == "none" else [b.rule("execve", "exit_group")]))
        if level != "none":
            pytest.skip("the same reader")
    _place(config, path, {"a": 1} if "seccomp" not in path else 1)
    config["process"]["args"] = ["/prisoner", "exit", "0"]
    cell = cells(config)
    assert cell.create().ok
    assert path in json.dumps(cell.state()["hardening"])


@pytest.mark.parametrize("path, value, name", [
    ("linux.namespaces.0.type", "nonsense", "linux.namespaces[0].type"),
    ("process.rlimits.0.type", "RLIMIT_NONSENSE", "process.rlimits[0].type"),
    ("process.rlimits.0.type", "NOFILE", "process.rlimits[0].type"),
    ("linux.rootfsPropagation", "nonsense", "linux.rootfsPropagation"),
    ("process.scheduler", {"policy": "SCHED_NONSENSE"}, "process.scheduler"),
    ("process.scheduler", {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONSENSE"]}, "process.scheduler"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_NONSENSE", "priority": 0}, "process.ioPriority"),
    ("linux.personality", {"domain": "NONSENSE"}, "linux.personality"),
    ("linux.devices", [{"type": "x", "path": "/dev/x", "major": 1, "minor": 3}], "linux.devices[0].type"),
    ("linux.resources.devices.0.type", "x", "linux.resources.devices[0].type"),
    ("linux.resources.devices.0.access", "rwx", "linux.resources.devices[0].access"),
    ("linux.resources.devices.0.access", "", "linux.resources.devices[0].access"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_NONSENSE"}, "linux.seccomp.defaultAction"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]}, "linux.seccomp.architectures[0]"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NONSENSE"]}, "linux.seccomp.flags[0]"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "X"}]},
     "linux.seccomp.syscalls[0].action"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_KILL"}]},
     "linux.seccomp.syscalls[0].names"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_X"}]}]},
     "linux.seccomp.syscalls[0].args[0].op"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]},
     "linux.seccomp.syscalls[0].args[0].index"),
    ("linux.seccomp", {}, "linux.seccomp.defaultAction"),
    ("linux.timeOffsets", {"realtime": {"secs": 1}}, "linux.timeOffsets"),
    ("ociVersion", "2.0.0", "ociVersion"),
    ("ociVersion", "0.9", "ociVersion"),
    ("ociVersion", "one", "ociVersion"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_t37_unknown_values_are_errors(cells, fail, path, value, name):
    """P27, decision 31: of enumerations."""
    config = b.spec()
    if path == "linux.timeOffsets":
        b.namespace(config, "time")
    _place(config, path, value)
    cell = cells(config)
    fail(cell.create(), name, cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CAP_NONSENSE", "NET_ADMIN", "cap_chown", ""])
def test_t37_unknown_capabilities_are_not_granted(cells, name, level):
    """Decision 32: ignored, never granted, recorded; silent, because engines read stderr."""
    config = b.spec()
    config["process"]["capabilities"]["bounding"].append(name)
    result = cells(config).run()
    assert result.ok, result
    assert result.err == "" or not name.startswith("CAP_") or "warn" in result.err
    bounding = int(result.documents()[0]["status"]["CapBnd"], 16)
    assert bounding == (oracles.mask(["AUDIT_WRITE", "KILL", "NET_BIND_SERVICE"]) if level == "none" else 0)


@pytest.mark.peer
@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.1.0-rc.1", "1.2.1+dev", "1.99.0"])
def test_versions(cells, version):
    """P1: every 1.x."""
    config = b.spec("exit", "7")
    config["ociVersion"] = version
    assert cells(config).run().status == 7


def test_a_mount_label_needs_selinux(cells, fail, can, level):
    """P52: engines send one where they found SELinux; where it is off nothing would be labelled."""
    if can.selinux:
        pytest.skip("SELinux is on: lab/test_selinux.py")
    config = b.spec()
    config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0:c1,c2"
    cell = cells(config)
    fail(cell.create(), "linux.mountLabel", cell=cell)


# What the specification requires


@pytest.mark.parametrize("path, name", [
    ("ociVersion", "ociVersion"), ("root", "root"), ("root.path", "root.path"), ("process", "process"),
    ("process.cwd", "process.cwd"), ("process.args", "process.args"),
    ("linux", ("linux", "hostname")),
])
def test_required_properties(cells, fail, path, name):
    config = b.spec()
    node, keys = config, path.split(".")
    for key in keys[:-1]:
        node = node[key]
    del node[keys[-1]]
    cell = cells(config)
    fail(cell.create(), name, cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("change, name", [
    (lambda c: c["process"].update(args=[]), "process.args"),
    (lambda c: c["process"].update(args=None), "process.args"),
    (lambda c: c["process"].update(cwd="relative"), "process.cwd"),
    (lambda c: c["linux"]["namespaces"].append({"type": "pid"}), "linux.namespaces"),
    (lambda c: b.namespace(c, "uts", present=False), "hostname"),
    (lambda c: c["process"]["rlimits"][0].update(soft=2048), "process.rlimits[0]"),
    (lambda c: c.update(process="text"), "process"),
    (lambda c: c.update(mounts={}), "mounts"),
    (lambda c: c["process"].update(env=["A", 1]), "process.env"),
    (lambda c: c["process"].update(terminal="yes"), "process.terminal"),
    (lambda c: c["mounts"].append({"type": "tmpfs", "source": "tmpfs"}), "mounts[7]"),
], ids=["no-args", "null-args", "relative-cwd", "namespace-twice", "hostname-without-uts", "soft-above-hard", "text",
        "object-for-list", "number-in-list", "text-for-boolean", "no-destination"])
def test_invalid_documents(refuse, change, name):
    config = b.spec()
    change(config)
    refuse(config, name)


@pytest.mark.parametrize("change, name", [
    (lambda c: c["process"]["rlimits"].append(dict(c["process"]["rlimits"][0])), "process.rlimits"),
    (lambda c: (b.namespace(c, "uts", present=False), c.pop("hostname"), c.update(domainname="d")), "domainname"),
    (lambda c: b.namespace(c, "pid", "relative/path"), "linux.namespaces"),
    (lambda c: c["mounts"].append({"destination": "", "type": "tmpfs", "source": "tmpfs"}), "mounts[7]"),
    (lambda c: c["process"].update(env=["NOVALUE"]), "process.env"),
    (lambda c: c["process"].update(env=["=x"]), "process.env"),
    (lambda c: c["linux"].update(maskedPaths=["relative"]), "linux.maskedPaths"),
    (lambda c: c.update(annotations={"": "x"}), "annotations"),
    (lambda c: c["linux"].update(intelRdt={"closID": "x"}), "linux.intelRdt"),
    (lambda c: c["linux"].update(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0-"}), "linux.memoryPolicy.nodes"),
    (lambda c: c.update(hostname="x" * 65), "hostname"),
    (lambda c: c["process"].update(apparmorProfile="nonsense"), "process.apparmorProfile"),
    (lambda c: c["process"].update(selinuxLabel="nonsense"), "process.selinuxLabel"),
    (lambda c: c["linux"]["namespaces"].remove({"type": "mount"}), "mount"),
], ids=["rlimit-twice", "domainname-without-uts", "relative-namespace", "empty-destination", "env-without-equals",
        "env-without-name", "relative-mask", "empty-annotation", "intelRdt", "memoryPolicy", "long-hostname",
        "apparmor-off", "selinux-off", "masks-without-mount-namespace"])
def test_invalid_documents_that_runc_accepts(cells, fail, can, change, name, request):
    """P27."""
    config = b.spec()
    if "apparmor" in request.node.name and can.apparmor or "selinux" in request.node.name and can.selinux:
        pytest.skip("this host has that LSM: see test_process.py")
    change(config)
    cell = cells(config)
    fail(cell.create(), name, cell=cell)


# T36: a part that is missing, or in another's place; tests/unit/test_decode.c has every kind of value in every
# place, test_properties.py every property's own invalid ones, tests/fuzz the rest


def _paths(node, at=()):
    """Every property and item of a document."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from _paths(value, (*at, key))


def _holder(config, path):
    for key in path[:-1]:
        config = config[key]
    return config


def _without(path):
    config = b.spec()
    del _holder(config, path)[path[-1]]
    return config


WITHOUT = [path for path in _paths(b.spec()) if path[0] != "mounts" and path not in (("process", "args"), ("process", "args", 0))]


@pytest.mark.parametrize("path", WITHOUT, ids=lambda path: ".".join(map(str, path)))
def test_t36_a_missing_property(cells, fail, level, path):
    """One at a time: an error that names it, or a container that is no less confined (C6: nothing that is
    missing means that all is allowed)."""
    config = _without(path)
    process = config.get("process", {})
    process["args"] = ["/prisoner", *oracles.baseline_args(b.spec())]
    cell = cells(config)
    result = cell.run()
    if not result.ok:
        fail(result, cell=cell)
        # A level names what it misses by the check that does.
        assert path[0] in result.err or "refused by policy" in result.err or "hostname" in result.err, result
        return
    report = result.documents()[0]
    status = report["status"]
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[name], 16) & ~oracles.mask(["AUDIT_WRITE", "KILL", "NET_BIND_SERVICE"]) == 0, (name, status)
    if level == "hardened":
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and int(status["CapBnd"], 16) == 0, status


@pytest.mark.parametrize("seed", range(20))
def test_t36_properties_in_each_others_places(cells, level, seed):
    """The value of one property in the place of another."""
    rng = random.Random(seed)
    config = b.spec()
    paths = [path for path in _paths(config) if len(path) > 1 and path[0] != "mounts"]
    one, other = rng.sample(paths, 2)
    while one[:len(other)] == other or other[:len(one)] == one:
        one, other = rng.sample(paths, 2)
    first, second = _holder(config, one), _holder(config, other)
    first[one[-1]], second[other[-1]] = second[other[-1]], first[one[-1]]
    cell = cells(config)
    result = cell.create()
    named = any(name in result.err for name in (one[0], other[0], "exec: ", "refused by policy"))
    assert cell.status() == "created" if result.ok else result.err.count("\n") == 1 and named, result


# T38: a million of everything

MILLION = 1_000_000
CROWDS = {
    "mounts": (("mounts",), '{"destination":"/a"}'), "env": (("process", "env"), '"A=b"'), "args": (("process", "args"), '"a"'),
    "rlimits": (("process", "rlimits"), '{"type":"RLIMIT_CPU","soft":1,"hard":1}'),
    "devices": (("linux", "devices"), '{"type":"p","path":"/p"}'),
    "device rules": (("linux", "resources", "devices"), '{"access":"r"}'),
    "prestart": (("hooks", "prestart"), '{"path":"/x"}'), "groups": (("process", "user", "additionalGids"), "1"),
    "syscalls": (("linux", "seccomp", "syscalls"), '{"names":["a"],"action":"SCMP_ACT_LOG"}'),
    "maskedPaths": (("linux", "maskedPaths"), '"/a"'), "readonlyPaths": (("linux", "readonlyPaths"), '"/a"'),
    "namespaces": (("linux", "namespaces"), '{"type":"pid"}'), "capabilities": (("process", "capabilities", "bounding"), '"x"'),
    "options": (("mounts", 1, "options"), '"ro"'), "uidMappings": (("linux", "uidMappings"), '{"containerID":0,"hostID":0,"size":1}'),
}
# Ones with names of their own.
NAMED_CROWDS = {"annotations": ("annotations",), "sysctl": ("linux", "sysctl"), "unified": ("linux", "resources", "unified"),
                "rdma": ("linux", "resources", "rdma"), "netDevices": ("linux", "netDevices"), "unknown": ("linux",)}


def _crowd(path, text):
    config = b.spec()
    if path[:2] == ("linux", "seccomp"):
        b.seccomp(config, "SCMP_ACT_ERRNO")
    node = config
    for key in path[:-1]:
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[key]
    node[path[-1]] = "@@"
    return json.dumps(config).replace('"@@"', text)


@pytest.mark.parametrize("what", [*CROWDS, *NAMED_CROWDS])
def test_t38_a_million(cells, fail, bound, what):
    """A cap that is named, in bounded time and memory: of the document (16 MiB), or of the list."""
    if what in CROWDS:
        path, item = CROWDS[what]
        text = _crowd(path, "[" + ",".join([item] * MILLION) + "]")
    else:
        path = NAMED_CROWDS[what]
        text = _crowd(path, "{" + ",".join(f'"{n:x}":""' for n in range(MILLION)) + "}")
    cell = cells(b.spec())
    cell.bundle.write(text)
    result = cell.create(measure=True)
    bound(result)
    large = len(text) > 16 << 20
    fail(result, "larger than" if large else path[-1], ("larger than", "more than 131072"), cell=cell)


@pytest.mark.parametrize("what", CROWDS)
def test_t38_more_than_a_list_may_have(cells, fail, bound, what):
    """What a reader of the document still gets: named by its path."""
    path, item = CROWDS[what]
    cell = cells(b.spec())
    cell.bundle.write(_crowd(path, "[" + ",".join([item] * 100_000) + "]"))
    result = cell.create(measure=True)
    bound(result, rss_mib=96)
    shown = ".".join(map(str, path)).replace(".1.", "[1].")
    fail(result, "config.json: " + shown, ("at most", "second"), cell=cell)


# T39: strings

LONG = "x" * (1 << 20)


@pytest.mark.parametrize("place, value, name", [
    ("hostname", LONG, "hostname"), ("domainname", LONG, "domainname"), ("root.path", "/" + "x" * 4096, "root.path"),
    ("process.cwd", "/" + "x" * 4096, "process.cwd"), ("process.cwd", LONG, "process.cwd"),
    ("mounts.0.destination", "/" + "x/" * 2048, "mounts[0].destination"), ("mounts.0.source", LONG, "mounts[0].source"),
    ("mounts.3.type", LONG, "mounts[3].type"), ("mounts.3.options.0", LONG, "mounts[3].options"),
    ("linux.maskedPaths.0", "/" + "x" * 4096, "linux.maskedPaths[0]"), ("linux.cgroupsPath", LONG, "linux.cgroupsPath"),
    ("linux.namespaces.0.path", "/" + "x" * 4096, "linux.namespaces"), ("process.args.0", "/" + "x" * 4096, "x"),
    ("process.args.1", "x" * (128 << 10), ("argument list too long", "process.args")),
    ("process.env.0", "A=" + "x" * (128 << 10), ("argument list too long", "process.env")),
    ("process.env.0", "A", "process.env[0]"), ("process.env.0", "", "process.env[0]"), ("process.args.0", "", "exec"),
    ("process.apparmorProfile", LONG, "process.apparmorProfile"), ("process.rlimits.0.type", LONG, "process.rlimits[0].type"),
    ("linux.sysctl", {"net." + LONG: "1"}, "linux.sysctl"), ("linux.sysctl", {"net.ipv4.ip_forward": LONG}, "net.ipv4.ip_forward"),
], ids=lambda value: "" if not isinstance(value, str) or len(value) > 30 else value)
def test_t39_long_and_odd_strings(cells, fail, bound, place, value, name):
    """One short line that names the place, whatever the string; said by create, or for what only execve knows by start."""
    config = b.spec("report", "more")
    _place(config, place, value)
    cell = cells(config)
    result = cell.run(measure=True)
    bound(result)
    fail(result, name, cell=cell)


@pytest.mark.parametrize("text", ["new\nline", "esc\033[31m", "tab\t", "%s%n", "\u202ebidi", "x" * 255, " blank ", "a\\b\"c'"],
                         ids=lambda text: repr(text)[:14])
def test_t39_what_is_passed_through(cells, level, text):
    """Exactly as it is: arguments, environment, annotations, names of files of the image and of mounts."""
    name = text[:240].replace("/", "_")
    config = b.spec("report", text)
    config["process"]["env"].append("ODD=" + text)
    config["process"]["cwd"] = "/" + name
    config["annotations"] = {"odd " + text: text}
    b.mount(config, "/" + name + "/mnt", type="tmpfs", source="tmpfs", options=["ro", "nosuid", "nodev", "noexec"])
    cell = cells(config)
    (cell.bundle.rootfs / name).mkdir()
    assert cell.create().ok
    assert cell.state()["annotations"] == config["annotations"]
    assert cell.start().ok
    cell.wait_stopped()
    report = cell.documents()[0]
    raw = text.encode()
    assert ("ODD=".encode() + raw) in [entry.encode("latin-1") for entry in report["env"]]
    assert report["cwd"].encode("latin-1") == b"/" + name.encode()


@pytest.mark.parametrize("size, ok", [(60, True), (4000, False)])
def test_t39_arguments_beyond_the_kernels_room(cells, fail, level, size, ok):
    """ARG_MAX: a quarter of the stack's limit, 6 MB at most."""
    config = b.spec("exit", "3", *["x" * 2000] * size)
    cell = cells(config)
    result = cell.run()
    if ok:
        assert result.status == 3
    else:
        fail(result, "argument list too long", cell=cell)


# T40: id maps

MAP = {"containerID": 0, "hostID": 100000, "size": 65536}


@pytest.mark.parametrize("uid, gid, userns", [
    ([MAP, MAP], [MAP], True),
    ([MAP, {"containerID": 1000, "hostID": 300000, "size": 1}], [MAP], True),
    ([MAP, {"containerID": 70000, "hostID": 100010, "size": 1}], [MAP], True),
    ([{**MAP, "size": 0}], [MAP], True),
    ([{"containerID": 4294967295, "hostID": 1, "size": 2}], [MAP], True),
    ([{"containerID": 0, "hostID": 4294967290, "size": 100}], [MAP], True),
    ([{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(341)], [MAP], True),
    ([], [MAP], True),
    ([MAP], [], True),
    ([MAP], [MAP], False),
    ([{**MAP, "containerID": 1}], [{**MAP, "containerID": 1}], True),
], ids=["same-twice", "inside-overlap", "outside-overlap", "size-0", "inside-wrap", "outside-wrap", "341-lines",
        "gid-only", "uid-only", "without-userns", "zero-unmapped-as-user"])
def test_t40_id_maps(cells, fail, uid, gid, userns):
    """P41, P42."""
    config = b.spec()
    if userns:
        b.namespace(config, "user")
    config["linux"]["uidMappings"], config["linux"]["gidMappings"] = uid, gid
    cell = cells(config, "skeleton")
    fail(cell.run(), ("Mappings", "process.user"), cell=cell)


def test_t40_container_zero_unmapped(cells):
    """With another user than 0 this is legal: capabilities are carried over to the stage."""
    config = b.spec("report")
    b.namespace(config, "user")
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 1000, "hostID": 101000, "size": 1}]
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    b.mount(config, "/dev/pts", options=["newinstance", "ptmxmode=0666", "mode=620"])
    result = cells(config, "skeleton").run()
    assert result.ok, result
    report = result.documents()[0]
    assert report["status"]["Uid"].split() == ["1000"] * 4
    assert int(report["status"]["CapAmb"], 16) == 0 and int(report["status"]["CapInh"], 16) == 0


@pytest.mark.peer(crun="crun 1.8.1 gives the host's /dev/null to the container's root")
def test_t40_the_user_is_not_mapped(cells, fail):
    """P19: before anything is made."""
    config = b.spec()
    b.user_namespace(config, size=1000)
    config["process"]["user"] = {"uid": 5000, "gid": 0}
    cell = cells(config, "skeleton")
    fail(cell.create(), ("process.user", "5000"), cell=cell)


# T41: namespaces by path


@pytest.mark.parametrize("kind, path", [
    ("network", "/proc/self/ns/uts"), ("uts", "/proc/self/ns/net"), ("pid", "/proc/self/ns/mnt"),
    ("user", "/proc/self/ns/pid"), ("ipc", "/etc/passwd"), ("network", "/nonexistent"), ("network", "/dev/null"),
    ("network", "{dangling}"), ("uts", "{fifo}"), ("network", "/"), ("network", "proc/self/ns/net"),
    ("cgroup", "/proc/self/ns/time"), ("time", "/proc/self/ns/cgroup"), ("mount", "/proc/self/ns/pid"),
])
def test_t41_wrong_namespace_paths(cells, fail, work, kind, path):
    os.symlink("/nowhere", work / "dangling")
    os.mkfifo(work / "fifo")
    config = b.spec()
    path = path.format(dangling=work / "dangling", fifo=work / "fifo")
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
    config["linux"]["namespaces"].append({"type": kind, "path": path})
    cell = cells(config)
    fail(cell.create(), "linux.namespaces", cell=cell)


def test_t41_the_pid_namespace_of_a_dead_init(cells, fail, work):
    """Nothing can be forked in it any more."""
    holder = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "60"])
    try:
        until(lambda: os.path.exists(f"/proc/{holder.pid}/ns/pid_for_children") and
              os.readlink(f"/proc/{holder.pid}/ns/pid_for_children") != os.readlink("/proc/self/ns/pid"))
        target = work / "pidns"
        target.touch()
        linux.mount(f"/proc/{holder.pid}/ns/pid_for_children", target, None, linux.MS_BIND)
    finally:
        children = linux.descendants(holder.pid)
        for pid in [*children, holder.pid]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        holder.wait()
    try:
        config = b.spec()
        b.namespace(config, "pid", target)
        cell = cells(config)
        result = cell.create()
    finally:
        linux.umount(target)
    fail(result, ("linux.namespaces", "pid"), cell=cell)


# T43: sysctls


@pytest.mark.peer
@pytest.mark.parametrize("key, value", [
    ("net.ipv4.ip_forward", "1"), ("net/ipv4/ip_forward", "1"), ("kernel.msgmax", "9000"),
    ("kernel.shm_rmid_forced", "1"), ("fs.mqueue.msg_max", "20"), ("net.ipv4.conf.lo.forwarding", "1"),
    ("kernel.domainname", "example"), ("kernel.sem", "300 32000 32 128"),
])
def test_t43_sysctls(cells, level, key, value):
    """P48: in the container's namespaces, and only there."""
    if level == "hardened" and key != "kernel.shm_rmid_forced":
        pytest.skip("sysctl.safe refuses names off the list at hardened: see test_hardened.py")
    config = b.spec("read", "/proc/sys/" + key.replace(".", "/"))
    config["linux"]["sysctl"] = {key: value}
    result = cells(config).run()
    assert result.ok, result
    assert result.out.split() == value.split()


@pytest.mark.parametrize("value", ["0 2147483647", "0 0"], ids=["docker", "podman"])
def test_t43_ping_group_range(cells, level, value):
    """Decision 12: what engines always send; translated through the gid map and clamped to it."""
    config = b.spec("read", "/proc/sys/net/ipv4/ping_group_range")
    config["linux"]["sysctl"] = {"net.ipv4.ping_group_range": value}
    result = cells(config).run()
    assert result.ok, result
    low, high = map(int, result.out.split())
    assert low == 0 and high == {"0 0": 0, "0 2147483647": 2147483647 if level == "none" else 65535}[value]


@pytest.mark.parametrize("key, value", [
    ("kernel.hostname", "x"), ("kernel.core_pattern", "x"), ("kernel.randomize_va_space", "0"),
    ("vm.overcommit_memory", "1"), ("fs.file-max", "10"), ("net..ipv4", "1"), ("net.ipv4.", "1"), (".net.ipv4", "1"),
    ("net/../kernel/core_pattern", "x"), ("net.ipv4./../../kernel/core_pattern", "x"), ("kernel/msgmax/../core_pattern", "x"),
    ("../etc/x", "1"), ("/proc/sys/net/ipv4/ip_forward", "1"), ("", "1"), ("net", "1"), ("net.nonexistent.key", "1"),
    ("net.ipv4.ip_forward", "1\n2"), ("user.max_user_namespaces", "5"), ("kernel.shm*", "1"), ("kernel.msgmax\n", "1"),
    ("fs.mqueue/../file-max", "1"), ("kernel.shm_rmid_forced ", "1"), ("net.ipv4.ip_forward=1", "1"),
])
def test_t43_refused_sysctls(refuse, key, value):
    """CVE-2022-0811: every spelling; HOST covers /proc/sys."""
    config = b.spec()
    config["linux"]["sysctl"] = {key: value}
    refuse(config, ("linux.sysctl", "sysctl"))


@pytest.mark.parametrize("kind, key", [
    ("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax"), ("ipc", "fs.mqueue.msg_max"), ("uts", "kernel.domainname"),
])
@pytest.mark.parametrize("how", ["absent", "joined"])
def test_t43_sysctls_of_the_hosts_namespaces(cells, fail, kind, key, how):
    """Also when the host's namespace is given by path."""
    config = b.spec()
    names = {"network": "net"}
    b.namespace(config, kind, path=f"/proc/self/ns/{names.get(kind, kind)}" if how == "joined" else None,
                present=how == "joined")
    if kind == "uts":
        del config["hostname"]
    config["linux"]["sysctl"] = {key: "1"}
    cell = cells(config)
    fail(cell.create(), ("linux.sysctl", "sysctl"), cell=cell)


@pytest.mark.peer
def test_t43_a_value_the_kernel_refuses(refuse):
    config = b.spec()
    config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "nonsense"}
    refuse(config, ("net.ipv4.ip_forward", "net/ipv4/ip_forward"))


# T44: hooks


def _hook(kind, path="/bin/sh", script=None, **fields):
    hook = {"path": path, **fields}
    if script is not None:
        hook["args"] = ["sh", "-c", script]
    return {kind: [hook]}


HOOKS_OF_CREATE = ["prestart", "createRuntime", "createContainer"]


@pytest.mark.parametrize("kind", HOOKS_OF_CREATE)
@pytest.mark.parametrize("case", ["relative", "missing", "not-executable", "directory", "empty", "dangling", "fails", "dies"])
def test_t44_bad_hooks(cells, fail, work, kind, case):
    """J3, P38."""
    (work / "plain").write_text("#!/bin/sh\n")
    os.symlink("/nowhere", work / "dangling")
    path = {"relative": "bin/sh", "missing": "/nonexistent/hook", "not-executable": str(work / "plain"),
            "directory": str(work), "empty": "", "dangling": str(work / "dangling")}.get(case, "/bin/sh")
    script = {"fails": "exit 7", "dies": "kill -SEGV $$"}.get(case)
    config = b.spec()
    config["hooks"] = _hook(kind, path, script)
    cell = cells(config)
    line = fail(cell.create(), kind, cell=cell)
    if case == "fails":
        assert "7" in line


@pytest.mark.parametrize("timeout", [0, -1, 1.5, "5", 4294967296])
def test_t44_bad_timeouts(refuse, timeout):
    """J6, P38."""
    config = b.spec()
    config["hooks"] = _hook("prestart", script="exit 0", timeout=timeout)
    refuse(config, "timeout")


@pytest.mark.parametrize("kind", HOOKS_OF_CREATE)
@pytest.mark.parametrize("script", ["sleep 600", "trap '' TERM INT HUP; while :; do sleep 100; done", "sleep 600 & wait"],
                         ids=["sleeps", "ignores-signals", "has-a-child"])
def test_t44_a_hook_that_never_ends(cells, fail, kind, script):
    """J6: killed at its timeout, with everything it started."""
    config = b.spec()
    config["hooks"] = _hook(kind, script=script, timeout=1)
    cell = cells(config)
    fail(cell.create(), kind, ("did not end", "time"), cell=cell)


def test_t44_a_daemon_that_holds_the_pipes(cells, host):
    """It may stay, but nobody waits for it."""
    config = b.spec("exit", "7")
    config["hooks"] = _hook("prestart", script="sleep 3 & exit 0", timeout=2)
    began = time.monotonic()
    result = cells(config).run()
    assert result.status == 7 and time.monotonic() - began < 2.5, result
    for pid in linux.descendants():
        if "sleep" in linux.describe(pid):
            os.kill(pid, 9)


def test_t44_a_hook_that_floods(cells, fail, bound):
    """The captured output is capped; the error still is one line."""
    config = b.spec()
    config["hooks"] = _hook("createRuntime", script="head -c 50000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero >&2; exit 3")
    cell = cells(config)
    result = cell.create(measure=True)
    bound(result)
    fail(result, "createRuntime", cell=cell)


@pytest.mark.parametrize("script", ["exec 0<&-; exit 0", "exec >&- 2>&-; exit 0", "cat >/dev/null; cat; exit 0"])
def test_t44_hooks_and_their_streams(cells, script):
    """J1: many hooks never read their input."""
    config = b.spec("exit", "7")
    config["hooks"] = _hook("prestart", script=script, timeout=3)
    result = cells(config).run()
    assert result.status == 7 and result.out == "", result


def test_t44_hooks_get_nothing_but_their_environment(cells, work):
    """B30, CVE-2025-23266; decision 22: absent env means a fixed PATH only."""
    out = work / "env"
    config = b.spec("exit", "0")
    config["hooks"] = {
        "prestart": [{"path": "/usr/bin/env", "args": ["env"], "env": ["ONLY=this"]}],
        "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"tr '\\0' '\\n' </proc/self/environ >{out}; ls /proc/self/fd >{out}.fds"]}],
    }
    leak = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(leak, True)
    cell = cells(config)
    result = cell.run(env={"SECRET": "1", "PATH": os.environ["PATH"], "LD_PRELOAD": ""}, pass_fds=[leak])
    os.close(leak)
    assert result.ok, result
    assert [line.split("=")[0] for line in out.read_text().splitlines()] == ["PATH"]
    fds = (work / "env.fds").read_text().split()
    assert set(fds) <= {"0", "1", "2", "3"}  # 3 is ls reading the directory


# T45: resources


@pytest.mark.parametrize("change, name", [
    (lambda r: r.update(hugepageLimits=[{"pageSize": "2MB/../../x", "limit": 1}]), "pageSize"),
    (lambda r: r.update(hugepageLimits=[{"pageSize": "../2MB", "limit": 1}]), "pageSize"),
    (lambda r: r.update(hugepageLimits=[{"pageSize": "", "limit": 1}]), "pageSize"),
    (lambda r: r.update(hugepageLimits=[{"pageSize": "3MB", "limit": 1}]), "pageSize"),
    (lambda r: r.update(hugepageLimits=[{"pageSize": "2MB\n", "limit": 1}]), "pageSize"),
    (lambda r: r.update(unified={"memory/../x": "1"}), "unified"),
    (lambda r: r.update(unified={"../cgroup.procs": "1"}), "unified"),
    (lambda r: r.update(unified={"memory.max\n": "1"}), "unified"),
    (lambda r: r.update(unified={"": "1"}), "unified"),
    (lambda r: r.update(unified={"nonsense.max": "1"}), "unified"),
    (lambda r: r.update(rdma={"../x": {"hcaHandles": 1}}), "rdma"),
    (lambda r: r.update(rdma={"mlx5_0": {}}), "rdma"),
    (lambda r: r.update(rdma={"a\nb": {"hcaHandles": 1}}), "rdma"),
    (lambda r: r.update(cpu={"cpus": "0-99999"}), "cpu"),
    (lambda r: r.update(cpu={"cpus": "0\n1"}), "cpu"),
    (lambda r: r.update(cpu={"cpus": "1-"}), "linux.resources.cpu.cpus"),
    (lambda r: r.update(cpu={"cpus": "3-1"}), "linux.resources.cpu.cpus"),
    (lambda r: r.update(cpu={"mems": "0-"}), "linux.resources.cpu.mems"),
    (lambda r: r.update(cpu={"mems": "77"}), "cpu"),
    (lambda r: r.update(memory={"limit": 1 << 20, "swap": 1 << 19}), "memory.swap"),
    (lambda r: r.update(memory={"swap": 1 << 20}), "memory.swap"),
    (lambda r: r.update(memory={"swappiness": 101}), "swappiness"),
    (lambda r: r.update(memory={"limit": -2}), "memory.limit"),
    (lambda r: r.update(cpu={"burst": 100}), "cpu.burst"),
    (lambda r: r.update(cpu={"period": 1}), "cpu.period"),
    (lambda r: r.update(cpu={"idle": 2}), "cpu.idle"),
    (lambda r: r.update(blockIO={"weightDevice": [{"major": 8, "minor": 0}]}), "blockIO"),
    (lambda r: r.update(blockIO={"weight": 5}), "blockIO.weight"),
    (lambda r: r.update(network={"classID": 1}), "network"),
    (lambda r: r.update(devices=[{"allow": True, "type": "c", "access": "rwz"}]), "devices[0].access"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_t45_resources(refuse, can, change, name):
    """P79, P82, P84: never a file outside the own cgroup: HOST compares the tree."""
    config = b.spec()
    change(config["linux"]["resources"])
    refuse(config, name)


def test_t45_unified_needs_v2(cells, fail, can):
    """P85: an error on v1; an unknown controller is an error on v2."""
    config = b.spec()
    b.resources(config, unified={"memory.max": "100000000"})
    if can.v2_memory:
        pytest.skip("cgroup v2: see test_resources.py")
    cell = cells(config)
    fail(cell.create(), "linux.resources.unified", cell=cell)


# T46: annotations and cgroupsPath


ANNOTATIONS = {
    "run.oci.seccomp_bpf_data": "AAAA", "run.oci.handler": "krun", "run.oci.hooks.stdout": "/dev/full",
    "run.oci.hooks.stderr": "/dev/full", "run.oci.systemd.force_cgroup_v1": "/x", "run.oci.systemd.subgroup": "../x",
    "run.oci.delegate-cgroup": "x", "run.oci.seccomp.receiver": "/dev/null", "run.oci.seccomp.plugins": "/x.so",
    "run.oci.pidfd_receiver": "/x", "module.wasm.image/variant": "compat", "krun.cpus": "4", "org.criu.config": "/x",
    "io.kubernetes.cri.container-type": "sandbox", "org.systemd.property.Nonsense": "'x'", "bundle": "/x",
    "org.donjon.nonsense": "x", "run.oci.mount_context_type": "rootcontext",
    "org.opencontainers.runc.exec": "x", "io.podman.annotations.privileged": "TRUE",
}


@pytest.mark.peer(crun="crun connects to what run.oci.seccomp.receiver names")
def test_t46_annotations_have_no_effect(cells, base, level):
    """A4-A6, A8, A10-A15, P6, B36: BASE is the same with all of them at once, and state gives them back."""
    config = b.spec()
    config["annotations"] = dict(ANNOTATIONS)
    if not cells._runtime.is_donjon:
        del config["annotations"]["org.systemd.property.Nonsense"]
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
    result = cells(config).run()
    assert result.ok, result
    base(result.documents(), config)


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("key, value", [("org.donjon.level", "bogus"), ("org.donjon.override.ns.net", "host")])
def test_t46_an_annotation_of_ours_that_says_nothing(cells, fail, level, key, value):
    config = b.spec()
    config["annotations"] = {key: value}
    cell = cells(config)
    fail(cell.create(), f'annotations["{key}"]: ', cell=cell)


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("level_wanted", ["none", "baseline", "restricted"])
def test_t46_an_annotation_never_lowers_the_level(cells, rt, level, level_wanted):
    config = b.spec("sleep")
    config["annotations"] = {"org.donjon.level": level_wanted}
    cell = cells(config)
    assert cell.create().ok
    assert "hardened" in json.dumps(cell.state()["hardening"])


def test_t46_an_annotation_may_raise_the_level(cells, runtime):
    config = b.spec("report")
    config["annotations"] = {"org.donjon.level": "hardened"}
    result = cells(config, runtime=runtime.at("none")).run()
    assert result.ok and result.documents()[0]["status"]["Seccomp"] == "2", result


def test_t46_an_annotation_does_not_override(cells, fail, runtime):
    """Unless the policy file says that it may."""
    rt = runtime.at("hardened")
    config = b.spec()
    b.namespace(config, "network", present=False)
    config["annotations"] = {"org.donjon.override.ns.net": "host:please"}
    cell = cells(config, runtime=rt)
    fail(cell.create(), "ns.net", cell=cell, runtime=rt)


@pytest.mark.parametrize("path", ["../escape", "/a/../../escape", "a\nb", "/a/../b", "..", "/..", "x" * 5000])
def test_t46_cgroups_path(cells, fail, path):
    config = b.spec()
    config["linux"]["cgroupsPath"] = path
    cell = cells(config)
    fail(cell.create(), "linux.cgroupsPath", cell=cell)


@pytest.mark.peer
@pytest.mark.parametrize("path", ["/{}/deep/er", "{}", "//{}//x", "/{}"])
def test_t46_cgroups_paths_that_are_fine(cells, host, path):
    """P59."""
    config = b.spec("sleep")
    cell = cells(config)
    name = cell.id
    config["linux"]["cgroupsPath"] = path.format(name)
    cell.bundle.write()
    assert cell.create().ok
    with open(f"/proc/{cell.pid}/cgroup") as lines:
        paths = [line.strip().split(":", 2)[2] for line in lines]
    wanted = "/" + os.path.normpath(path.format(name).lstrip("/"))
    assert any(p.endswith(wanted) for p in paths), paths
    cell.delete("--force")
    leftovers = [p for p in oracles.cgroups(name)]
    for directory in sorted(leftovers, reverse=True):  # parents made for it are the peers' habit
        os.rmdir(directory)


def test_t46_the_cgroup_of_another_container(cells, fail):
    """2.1: two containers in one cgroup share limits and kill each other."""
    first = cells(b.spec("sleep"))
    first.bundle.config["linux"]["cgroupsPath"] = f"/{first.id}-shared"
    first.bundle.write()
    assert first.create().ok
    second = cells(b.spec("sleep"))
    second.bundle.config["linux"]["cgroupsPath"] = f"/{first.id}-shared"
    second.bundle.write()
    result = second.create()
    assert result.status == 1 and result.err and second.status() == "missing", result
    assert first.status() == "created"


# T47: ids and paths of the command line


@pytest.mark.parametrize("id", [
    ".", "..", "", "a/b", "/abs", "../up", "x" * 300, "new\nline", "esc\033[1m", "blank blank", ".hidden", "-x", "+x",
    "ünïcode", "a\\b", "a:b", "%n%s!", "*",
], ids=lambda id: repr(id)[:12])
def test_t47_ids(rt, cells, fail, id):
    """R7."""
    bundle = cells.bundle()
    line = fail(rt.call("create", "--bundle", bundle.path, "--", id))
    assert "\033" not in line
    for verb in ("state", "start", "kill", "delete"):
        assert rt.call(verb, "--", id).status == 1


@pytest.mark.peer
@pytest.mark.parametrize("suffix", ["a", "A-Z_+.", ".dots..", "-x", "0" * 200])
def test_t47_valid_ids(cells, suffix):
    """R7."""
    cell = cells(b.spec("exit", "7"))
    cell.id += suffix
    assert cell.run().status == 7


@pytest.mark.parametrize("id", [".", "..", "a/../../x", "../canary"])
def test_t47_ids_never_leave_the_root(rt, host, fail, id, canary):
    """Neither found nor removed."""
    fail(rt.at(rt.level, "--root", str(canary / "pts")).call("delete", "--force", "--", id), "invalid container ID")
    host.check()


@pytest.mark.parametrize("target", ["link", "fifo", "directory", "device"])
@pytest.mark.parametrize("flag", ["--pid-file", "--log"])
def test_t47_files_of_the_command_line(cells, rt, canary, host, fail, work, flag, target):
    """No truncation of a foreign file through a link; no hang on a FIFO."""
    path = work / "odd"
    if target == "link":
        os.symlink(canary / "core", path)
    elif target == "fifo":
        os.mkfifo(path)
    elif target == "directory":
        path.mkdir()
    else:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
    cell = cells(b.spec("sleep"))
    if flag == "--log":
        cell.runtime = rt.at(rt.level, "--log", str(path))
        result = cell.create(timeout=6)
    else:
        result = cell.create(flag, path, timeout=6)
    if (flag, target) == ("--log", "device"):
        assert result.ok and cell.status() == "created", result
    else:
        fail(result, str(path), cell=cell)


@pytest.mark.parametrize("bundle", ["/nonexistent", "/etc/passwd", "/dev/null", "/tmp"])
def test_t47_bundles(rt, fail, bundle):
    fail(rt.call("create", "--bundle", bundle, "dt-bundle"), bundle)


@pytest.mark.parametrize("root", ["/", "/dev/null", "/etc/passwd/x", "/proc/self"])
def test_t47_roots(runtime, cells, fail, root):
    bundle = cells.bundle()
    rt = runtime.at(runtime.level, "--root", root)
    result = rt.call("create", "--bundle", bundle.path, "dt-root")
    fail(result, root)


@pytest.mark.parametrize("form", ["missing", "long"])
def test_t47_console_sockets(cells, fail, work, form):
    config = b.spec()
    config["process"]["terminal"] = True
    cell = cells(config)
    path = work / ("x" * 200) / "socket" if form == "long" else work / "socket"
    fail(cell.create("--console-socket", path), cell=cell)


@pytest.mark.peer
def test_a_terminal_needs_a_console_socket(cells, fail):
    """M8."""
    config = b.spec()
    config["process"]["terminal"] = True
    cell = cells(config)
    fail(cell.create(), "cannot allocate tty if the runtime will detach without setting console socket", cell=cell)


@pytest.mark.peer
def test_a_console_socket_needs_a_terminal(cells, fail, work):
    """F15, as runc."""
    cell = cells(b.spec())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(work / "socket"))
        listener.listen()
        fail(cell.create("--console-socket", work / "socket"), "console", cell=cell)
