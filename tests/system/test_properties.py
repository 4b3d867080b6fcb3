"""Every property of the specification (contract 3, P rows) with every kind of invalid value: an error that
names the property, and nothing left behind."""

import json
import pathlib
import re

import pytest

from harness import bundle as b
from harness import oracles

ROWS = pathlib.Path(__file__).resolve().parents[1] / "conformance/rows.txt"

# Kinds of values.  Each knows the JSON texts that are none of its values, with what the error's path then
# has behind the property's own.

SAMPLES = {"boolean": "true", "integer": "1", "real": "1.5", "exponent": "1e3", "text": '"nonsense"', "list": "[]",
           "object": "{}"}
UNSIGNED = {16: 2**16 - 1, 32: 2**32 - 1, 64: 2**64 - 1}
SIGNED = (-2**63, 2**63 - 1)


class Kind:
    def __init__(self, name, bad=()):
        self.name, self.own = name, list(bad)

    def bad(self):
        like = {"integer": ("integer",)}.get(self.name, (self.name,))
        yield from ((text, "") for name, text in SAMPLES.items() if name not in like)
        yield from ((text, "") for text in self.own)


def text(*bad):
    return Kind("text", [json.dumps(value) for value in bad])


def flag():
    return Kind("boolean")


def number(low, high):
    return Kind("integer", [str(n) for n in (low - 1, high + 1, -2**63 - 1, 2**64, 10**30)])


def word(*words, absent=False):
    """`absent`: an empty one means that there is none."""
    kind = Kind("text", ['"nonsense"', json.dumps(words[0].swapcase()), json.dumps(words[0] + " ")])
    if not absent:
        kind.own.append('""')
    return kind


class Object(Kind):
    def __init__(self, *required):
        super().__init__("object")
        self.required = required

    def bad(self):
        for value, suffix in super().bad():
            yield value, suffix
        if self.required:
            yield "{}", "." + self.required[0]


class Many(Kind):
    """A list, or an object with free names; the same of each item."""

    def __init__(self, item, name="list", many=65537):
        super().__init__(name)
        self.item, self.many = item, many

    def _of(self, value):
        return f"[{value}]" if self.name == "list" else f'{{"name":{value}}}'

    def bad(self):
        for value, suffix in super().bad():
            # An empty object has no required member that could be missing.
            yield value, suffix
        for value, suffix in self.item.bad():
            yield self._of(value), ("[0]" if self.name == "list" else ".name") + suffix
        if self.name == "object":
            yield f'{{"":{SAMPLES[self.item.name]}}}', '[""]'
        items = [SAMPLES[self.item.name]] * self.many
        yield ("[" + ",".join(items) + "]" if self.name == "list" else
               "{" + ",".join(f'"n{i}":{item}' for i, item in enumerate(items)) + "}"), ""


def many(item, most=65536):
    return Many(item, "list", most + 1)


def named(item, most=65536):
    return Many(item, "object", most + 1)


def ids(limit=2**32 - 2):
    return number(0, limit)


BYTES = number(-1, SIGNED[1])
USECS = number(0, SIGNED[1])
LINE = text("two\nlines")
PATH = text("relative/path")
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
THROTTLES = [f"throttle{direction}{what}Device" for direction in ("Read", "Write") for what in ("Bps", "IOPS")]


def maps(place):
    return {place: many(Object("containerID")), f"{place}[0].containerID": ids(), f"{place}[0].hostID": ids(),
            f"{place}[0].size": number(1, 2**32 - 1)}


def throttle(name):
    place = f"linux.resources.blockIO.{name}"
    return {place: many(Object("major")), f"{place}[0].major": number(0, 4095), f"{place}[0].minor": number(0, 2**20 - 1),
            f"{place}[0].rate": number(0, 2**64 - 1)}


def hook(name):
    place = f"hooks.{name}"
    return {place: many(Object("path")), f"{place}[0].path": PATH, f"{place}[0].args": many(text()),
            f"{place}[0].env": many(text()), f"{place}[0].timeout": number(1, 2**31 // 1000)}


def merge(*tables):
    return {key: value for table in tables for key, value in table.items()}


ACTIONS = word("SCMP_ACT_ERRNO")
CAPABILITIES = many(text(), 512)

PROPERTIES = merge({
    "ociVersion": text("", "0.9.0", "2.0.0", "1", "1.", "1.0.x", "v1.0.0", "1.0.0 "),
    "root": Object("path"), "root.path": text(""), "root.readonly": flag(),
    "hostname": text("x" * 65, "a\nb"), "domainname": text("x" * 65, "a\nb"),
    "annotations": named(text()),
    "mounts": many(Object("destination")), "mounts[0].destination": text(""), "mounts[0].source": text(),
    "mounts[0].type": text(), "mounts[0].options": many(text()),
}, maps("mounts[0].uidMappings"), maps("mounts[0].gidMappings"), {
    "process": Object("user"), "process.terminal": flag(), "process.consoleSize": Object(),
    "process.consoleSize.height": number(0, 65535), "process.consoleSize.width": number(0, 65535),
    "process.cwd": text("", "relative"), "process.env": many(text("NONE", "=x", "")), "process.args": many(text()),
    "process.user": Object("uid"), "process.user.uid": ids(), "process.user.gid": ids(),
    "process.user.umask": number(0, 0o777), "process.user.additionalGids": many(ids()),
    "process.capabilities": Object(), **{f"process.capabilities.{name}": CAPABILITIES for name in (
        "bounding", "effective", "inheritable", "permitted", "ambient")},
    "process.noNewPrivileges": flag(), "process.oomScoreAdj": number(-1000, 1000),
    "process.rlimits": many(Object("type")), "process.rlimits[0].type": word("RLIMIT_NOFILE"),
    "process.rlimits[0].soft": number(0, 2**64 - 1), "process.rlimits[0].hard": number(0, 2**64 - 1),
    "process.apparmorProfile": LINE, "process.selinuxLabel": LINE,
    "process.scheduler": Object("policy"), "process.scheduler.policy": word("SCHED_DEADLINE", "SCHED_ISO"),
    "process.scheduler.nice": number(-20, 19), "process.scheduler.priority": number(0, 99),
    "process.scheduler.flags": many(word("SCHED_FLAG_RESET_ON_FORK")),
    **{f"process.scheduler.{name}": number(0, 2**64 - 1) for name in ("runtime", "deadline", "period")},
    "process.ioPriority": Object("class"), "process.ioPriority.class": word("IOPRIO_CLASS_BE"),
    "process.ioPriority.priority": number(0, 7),
    "process.execCPUAffinity": Object(), "process.execCPUAffinity.initial": text("x", "1-", "3-1", "0,,1"),
    "process.execCPUAffinity.final": text("x", "1-", "3-1", "0,,1"),
    "hooks": Object(),
}, *map(hook, HOOKS), {
    "linux": Object(), "linux.namespaces": many(Object("type")), "linux.namespaces[0].type": word("pid"),
    "linux.namespaces[0].path": text(),
}, maps("linux.uidMappings"), maps("linux.gidMappings"), {
    "linux.timeOffsets": Object(), "linux.timeOffsets.monotonic": Object(), "linux.timeOffsets.boottime": Object(),
    **{f"linux.timeOffsets.{clock}.secs": number(*SIGNED) for clock in ("monotonic", "boottime")},
    **{f"linux.timeOffsets.{clock}.nanosecs": number(0, 999999999) for clock in ("monotonic", "boottime")},
    "linux.devices": many(Object("type")), "linux.devices[0].type": word("c"), "linux.devices[0].path": PATH,
    "linux.devices[0].major": number(0, 4095), "linux.devices[0].minor": number(0, 2**20 - 1),
    "linux.devices[0].fileMode": number(0, 0o177777), "linux.devices[0].uid": ids(), "linux.devices[0].gid": ids(),
    "linux.netDevices": named(Object()), "linux.netDevices.v0.name": text("x" * 16, "a/b", ".", "a b", "e%s", "e%", "e%d%d"),
    "linux.sysctl": named(text(), 1024), "linux.rootfsPropagation": word("private", absent=True),
    "linux.maskedPaths": many(PATH), "linux.readonlyPaths": many(PATH), "linux.mountLabel": LINE,
    "linux.personality": Object("domain"), "linux.personality.domain": word("LINUX"),
    "linux.personality.flags": Kind("list", ['["ADDR_NO_RANDOMIZE"]', "[1]"]),
    "linux.memoryPolicy": Object("mode"), "linux.memoryPolicy.mode": word("MPOL_BIND"),
    "linux.memoryPolicy.nodes": text("x", "0-", "1024"), "linux.memoryPolicy.flags": many(word("MPOL_F_STATIC_NODES")),
    "linux.intelRdt": Object(), "linux.intelRdt.closID": text("a/b", "/a", ".", "..", "a\nb", "x" * 256),
    "linux.intelRdt.l3CacheSchema": text("0=f", "L3:0=f\nMB:0=1"), "linux.intelRdt.memBwSchema": text("L3:0=f", "MB:0=1\n"),
    "linux.intelRdt.schemata": many(text("", "0=f", "L3:0=f\n")), "linux.intelRdt.enableMonitoring": flag(),
    "linux.cgroupsPath": text("../x", "/a/../b", "a\nb"),
    "linux.resources": Object(), "linux.resources.devices": many(Object("access")),
    "linux.resources.devices[0].allow": flag(), "linux.resources.devices[0].type": word("c", absent=True),
    "linux.resources.devices[0].access": text("", "x", "rwx"),
    "linux.resources.devices[0].major": number(-1, 4095), "linux.resources.devices[0].minor": number(-1, 2**20 - 1),
    "linux.resources.memory": Object(),
    **{f"linux.resources.memory.{name}": BYTES for name in ("limit", "swap", "reservation", "kernel", "kernelTCP")},
    "linux.resources.memory.swappiness": number(0, 100),
    **{f"linux.resources.memory.{name}": flag() for name in ("disableOOMKiller", "useHierarchy", "checkBeforeUpdate")},
    "linux.resources.cpu": Object(), "linux.resources.cpu.shares": number(0, 2**64 - 1),
    "linux.resources.cpu.quota": number(*SIGNED), "linux.resources.cpu.realtimeRuntime": number(-1, SIGNED[1]),
    **{f"linux.resources.cpu.{name}": USECS for name in ("period", "burst", "realtimePeriod")},
    "linux.resources.cpu.cpus": text("x", "0\n1"), "linux.resources.cpu.mems": text("x", "0 1"),
    "linux.resources.cpu.idle": number(0, 1),
    "linux.resources.pids": Object(), "linux.resources.pids.limit": number(-1, SIGNED[1]),
    "linux.resources.blockIO": Object(), "linux.resources.blockIO.weight": Kind("integer", ["-1", "9", "1001", str(2**64)]),
    "linux.resources.blockIO.leafWeight": Kind("integer", ["-1", "9", "1001", str(2**64)]),
    "linux.resources.blockIO.weightDevice": many(Object("major")),
    "linux.resources.blockIO.weightDevice[0].major": number(0, 4095),
    "linux.resources.blockIO.weightDevice[0].minor": number(0, 2**20 - 1),
    "linux.resources.blockIO.weightDevice[0].weight": Kind("integer", ["-1", "9", "1001"]),
    "linux.resources.blockIO.weightDevice[0].leafWeight": Kind("integer", ["-1", "9", "1001"]),
}, *map(throttle, THROTTLES), {
    "linux.resources.hugepageLimits": many(Object("pageSize")),
    "linux.resources.hugepageLimits[0].pageSize": text("", "2mb", "02MB", "2MB/..", "../2MB", "MB", "2MiB"),
    "linux.resources.hugepageLimits[0].limit": number(0, 2**64 - 1),
    "linux.resources.network": Object(), "linux.resources.network.classID": number(0, 2**32 - 1),
    "linux.resources.network.priorities": many(Object("name")),
    "linux.resources.network.priorities[0].name": text("", "x" * 16, "a/b", "a b"),
    "linux.resources.network.priorities[0].priority": number(0, 2**32 - 1),
    "linux.resources.rdma": named(Object()), "linux.resources.rdma.mlx5_0.hcaHandles": number(0, 2**32 - 1),
    "linux.resources.rdma.mlx5_0.hcaObjects": number(0, 2**32 - 1),
    "linux.resources.unified": named(text()),
    "linux.seccomp": Object("defaultAction"), "linux.seccomp.defaultAction": word("SCMP_ACT_ERRNO"),
    "linux.seccomp.defaultErrnoRet": number(0, 4095), "linux.seccomp.architectures": many(word("SCMP_ARCH_X86_64")),
    "linux.seccomp.flags": many(word("SECCOMP_FILTER_FLAG_LOG")), "linux.seccomp.listenerPath": PATH,
    "linux.seccomp.listenerMetadata": text(),
    "linux.seccomp.syscalls": many(Object("names")), "linux.seccomp.syscalls[0].names": many(text("")),
    "linux.seccomp.syscalls[0].action": ACTIONS, "linux.seccomp.syscalls[0].errnoRet": number(0, 4095),
    "linux.seccomp.syscalls[0].args": many(Object("index")), "linux.seccomp.syscalls[0].args[0].index": number(0, 5),
    "linux.seccomp.syscalls[0].args[0].value": number(0, 2**64 - 1),
    "linux.seccomp.syscalls[0].args[0].valueTwo": number(0, 2**64 - 1),
    "linux.seccomp.syscalls[0].args[0].op": word("SCMP_CMP_EQ"),
})


def full():
    """A document with every property, each valid."""
    config = b.spec("exit", "0")

    def maps():
        return [{"containerID": 0, "hostID": 100000, "size": 65536}]

    numbers = {"major": 8, "minor": 0}
    config.update(domainname="domain", annotations={"name": "value"}, hooks={
        name: [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}] for name in HOOKS})
    config["mounts"].insert(0, {"destination": "/mnt", "type": "bind", "source": "/tmp", "options": ["rbind", "ro"],
                                "uidMappings": maps(), "gidMappings": maps()})
    config["process"].update({
        "consoleSize": {"height": 24, "width": 80}, "oomScoreAdj": 0, "apparmorProfile": "profile", "selinuxLabel": "a:b:c:s0",
        "scheduler": {"policy": "SCHED_DEADLINE", "nice": 0, "priority": 0, "flags": ["SCHED_FLAG_RESET_ON_FORK"],
                      "runtime": 1000000, "deadline": 2000000, "period": 3000000},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}, "execCPUAffinity": {"initial": "0", "final": "0"}})
    config["process"]["user"].update(umask=0o22, additionalGids=[5])
    config["process"]["capabilities"]["inheritable"] = []
    linux = config["linux"]
    for kind in ("user", "cgroup", "time"):
        b.namespace(config, kind)
    linux["namespaces"][0]["path"] = ""
    linux.update({
        "uidMappings": maps(), "gidMappings": maps(), "cgroupsPath": "/full", "rootfsPropagation": "private",
        "timeOffsets": {clock: {"secs": 1, "nanosecs": 1} for clock in ("monotonic", "boottime")},
        "devices": [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 0, "gid": 0}],
        "netDevices": {"v0": {"name": "eth0"}}, "sysctl": {"net.ipv4.ip_forward": "1"}, "mountLabel": "a:b:c:s0",
        "personality": {"domain": "LINUX", "flags": []},
        "intelRdt": {"closID": "gold", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20", "schemata": ["L2:0=1"],
                     "enableMonitoring": True, "enableCMT": True, "enableMBM": True},
        "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
                    "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/agent", "listenerMetadata": "meta",
                    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [
                        {"index": 0, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}, b.rule("execve", "exit")]}})
    linux["resources"] = {
        "devices": [{"allow": False, "type": "c", "access": "rwm", **numbers}],
        "memory": {"limit": 1 << 28, "swap": 1 << 28, "reservation": 1 << 27, "kernel": -1, "kernelTCP": -1, "swappiness": 10,
                   "disableOOMKiller": True, "useHierarchy": True, "checkBeforeUpdate": True},
        "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 100, "realtimeRuntime": 1, "realtimePeriod": 2,
                "cpus": "0", "mems": "0", "idle": 0},
        "pids": {"limit": 10},
        "blockIO": {"weight": 100, "leafWeight": 100, "weightDevice": [{**numbers, "weight": 10, "leafWeight": 10}],
                    **{name: [{**numbers, "rate": 1000}] for name in THROTTLES}},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
        "network": {"classID": 1, "priorities": [{"name": "lo", "priority": 1}]},
        "rdma": {"mlx5_0": {"hcaHandles": 1, "hcaObjects": 1}}, "unified": {"memory.high": "1000000"},
    }
    return config


def _keys(place):
    return [int(key) if key.isdigit() else key for key in re.split(r"[.\[]", place.replace("]", ""))]


def _node(config, place):
    """The object or list that holds the property, and its key there."""
    *way, last = _keys(place)
    for key in way:
        config = config[key]
    return config, last


def _covered(name):
    """A property as the contract's rows spell it, as this table does."""
    name = re.sub(r"\[\](?=\.)", "[0]", name).removesuffix("[]")
    return {"hooks.*[0]": "hooks.prestart[0]"}.get(name[:10], name[:10]) + name[10:] if name.startswith("hooks.*") else \
        name.replace("<clock>", "monotonic").replace(".<name>", ".v0").replace(".<dev>", ".mlx5_0").removesuffix(
            ".<key>").removesuffix(".<file>")


OTHER_PLATFORMS = {"process.commandLine", "process.user.username", "solaris", "windows", "vm", "zos", "freebsd"}


@pytest.mark.apart("judges the table of these tests")
def _drop(config, *places):
    for place in places:
        node, key = _node(config, place)
        del node[key]


# What depends on the host: its kernel's LSM, and the controllers of its cgroups.
OF_THE_HOST = ("process.apparmorProfile", "process.selinuxLabel", "linux.mountLabel",
               "linux.resources.rdma", "linux.resources.hugepageLimits", "linux.resources.blockIO",
               "linux.resources.network", "linux.resources.unified", "linux.resources.memory", "linux.resources.cpu")


def test_all_at_once_are_accepted(cells):
    """The document the others start from is valid: what is refused there is the one value."""
    config = full()
    _drop(config, *OF_THE_HOST)
    result = cells(config, "skeleton").create("--dry-run")
    assert result.ok and result.out, result


@pytest.mark.parametrize("place", PROPERTIES)
def test_invalid_values(cells, fail, level, place):
    """Of wrong type, out of range, unknown words, empty, too many (T33, T36)."""
    config = full()
    node, key = _node(config, place)
    node[key] = "@@"
    document = json.dumps(config)
    cell = cells(config, "skeleton")
    wrong, values = [], list(PROPERTIES[place].bad())
    # A document is read before any level looks at it: a sample shows that.
    for value, suffix in values if level == "none" else values[::5]:
        cell.bundle.write(document.replace('"@@"', value))
        line = fail(cell.create(), cell=cell)
        if f" {place}" not in line.replace('["v0"]', ".v0") or suffix.split(".")[0] not in line or oracles.caller_pattern(line):
            wrong.append(f"{value[:40]}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
