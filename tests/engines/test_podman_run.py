"""What people put behind `podman run`: what is seen from inside, row by row of the table."""

import dataclasses
import json
import os
import re

import pytest

from support import ROOT, missing
from support_podman import LIMITS, rows

pytestmark = missing("podman", "conmon", "slirp4netns")


@dataclasses.dataclass
class Look:
    """Options, a script that looks from inside, and what it says: a pattern of the whole output.  At
    the default level it may say something else, stricter; rootless may."""

    options: str
    script: str
    says: str
    hardened: str | None = None
    rootless: str | None = None

    def pattern(self, outcome):
        if outcome.rootless and self.rootless is not None:
            return self.rootless
        return self.hardened if outcome.level == "hardened" and self.hardened is not None else self.says


def status(*fields):
    """Lines of /proc/self/status, their values only."""
    return f"awk '/^({'|'.join(fields)}):/ {{ print $2 }}' /proc/self/status"


def cgroup(v1, v2):
    """A file of the container's cgroup, whichever the version."""
    return f"cat /sys/fs/cgroup/{v2} 2>/dev/null || cat /sys/fs/cgroup/{v1}"


def options_of(point):
    """Of the mount there, sorted."""
    return f"awk '$2 == \"{point}\" {{ print $4 }}' /proc/mounts | tr , '\\n' | sort | tr '\\n' ' '"


NONE = "0" * 16
FOURTEEN = "00000000[08]004[0-9a-f]{2}fb"  # podman's default capabilities, of those the host has
ALL = "000001[ef]{10}"  # likewise
FILTERED, UNFILTERED = "2", "0"
REFUSED = "(.*Read-only file system\n?)"
IDS = "awk '{ print $1, $2, $3 }' /proc/self/uid_map"
# Told one limit, podman asks for more of the others than a host may grant.
NPROC, NOFILE = (f"--ulimit={name}={LIMITS[name]}:{LIMITS[name]}" for name in ("nproc", "nofile"))
IGNORED = "Resource limits are not supported and ignored"  # says rootless podman on cgroup v1
MEMORY = cgroup("memory/memory.limit_in_bytes", "memory.max")
PIDS = cgroup("pids/pids.max", "pids.max")

LOOKS = {
    "run": Look("", "id -u; pwd", "0\n/"),
    "user": Look("--user=2000", "id -u; id -g; touch /tmp/x && echo ok", "2000\n0\nok"),
    "user-group": Look("--user=1000:1000", "id -u; id -g", "1000\n1000"),
    "group-add": Look("--user=2000 --group-add=777", "id -G", "0 777"),
    "environment": Look("--env=COLOUR=blue --workdir=/tmp --hostname=there",
                        "echo $COLOUR; pwd; hostname; cat /proc/sys/kernel/hostname", "blue\n/tmp\nthere\nthere"),
    "hosts": Look("--dns=10.1.2.3 --add-host=friend:10.9.8.7",
                  "grep -c friend /etc/hosts; grep -c 10.1.2.3 /etc/resolv.conf", "1\n1"),
    "umask": Look("--umask=0077", "umask", "0077"),
    "init": Look("--init", "cat /proc/1/comm; echo $PPID", "(podman-init|catatonit)\n1"),

    # Capabilities and what else is taken away
    "capabilities": Look("", status("CapBnd", "CapEff", "CapInh", "CapAmb"), f"{NONE}\n{FOURTEEN}\n{FOURTEEN}\n{NONE}",
                         hardened=f"{NONE}\n{NONE}\n{NONE}\n{NONE}"),
    "cap-drop": Look("--cap-drop=CHOWN", f"{status('CapEff')}; chown 5 /tmp 2>/dev/null || echo no", f".*\nno"),
    "cap-drop-all": Look("--cap-drop=ALL", status("CapBnd", "CapEff"), f"{NONE}\n{NONE}"),
    "cap-add-net-bind-service": Look(
        "--cap-drop=ALL --cap-add=NET_BIND_SERVICE --user=1000 --net=none",
        "(echo hello | timeout 5 nc -l -p 80) & sleep 0.2; nc 127.0.0.1 80 </dev/null", "hello"),
    "cap-add-sys-admin": Look("--cap-add=SYS_ADMIN", "mount -t tmpfs tmpfs /tmp && echo mounted", "mounted"),
    "cap-add-net-admin": Look("--net=none --cap-add=NET_ADMIN", "ip link set lo mtu 1400 && echo changed", "changed"),
    "cap-add-all": Look("--cap-add=ALL", status("CapEff"), ALL),
    "privileged": Look("--privileged", status("CapEff", "Seccomp"), f"{ALL}\n0"),
    "no-new-privileges": Look("--security-opt=no-new-privileges", status("NoNewPrivs"), "1"),
    "privileges": Look("", status("NoNewPrivs"), "0", hardened="1"),
    "seccomp": Look("", status("Seccomp"), FILTERED),
    "seccomp-unconfined": Look("--security-opt=seccomp=unconfined", status("Seccomp"), UNFILTERED, hardened=FILTERED),
    "mask": Look("--security-opt=mask=/etc/passwd", "wc -c </etc/passwd", "0"),
    "unmask": Look("--security-opt=unmask=/proc/acpi", "test -d /proc/acpi && ls /proc/acpi | wc -l", r"\d*"),
    "unmask-all": Look("--security-opt=unmask=ALL", "wc -c </proc/timer_list; true", r"[1-9]\d*", hardened="0", rootless="0?"),
    "proc-opts": Look("--security-opt=proc-opts=hidepid=2", options_of("/proc"), ".*hidepid=(2|invisible).*"),

    # The root filesystem and what is mounted in it
    "read-only": Look("--read-only", "for d in /etc / /tmp /run /var/tmp; do touch $d/x 2>/dev/null && echo $d; done",
                      "/tmp\n/run\n/var/tmp"),
    "root-written": Look("", "echo written >/etc/new && cat /etc/new || echo no", "written", hardened="no"),
    "tmpfs": Look("--tmpfs=/data:size=1m,mode=700,noexec", f"stat -c %a /data; touch /data/x; {options_of('/data')}",
                  "700\n.*nodev noexec nosuid .*size=1024k.*"),
    "tmpfs-tmp": Look("--read-only --tmpfs=/tmp:noexec,nosuid,nodev", f"touch /tmp/x && {options_of('/tmp')}",
                      "(.*)nodev noexec nosuid (.*)"),
    "tmpfs-exec": Look("--tmpfs=/tmp:exec", "cp /bin/busybox /tmp/echo && /tmp/echo executed", "executed"),
    "mount-tmpfs": Look("--mount=type=tmpfs,destination=/data,tmpfs-size=1m", "touch /data/x && df -m /data | tail -n 1",
                        "tmpfs .* 1 .*"),
    "shm-size": Look("--shm-size=2m", "df -k /dev/shm | tail -n 1 | awk '{ print $2 }'", "2048"),

    # Namespaces
    "userns-host": Look("--userns=host", IDS, "0 0 4294967295",
                        hardened=r"0 [1-9]\d+ 65536", rootless="0 4711 1\n1 300000 65536"),
    "userns-auto": Look("--userns=auto", IDS, r"0 400000 65534", rootless="0 1 65534"),
    "userns-auto-size": Look("--userns=auto:size=2000", IDS, r"0 \d+ 2000"),
    "userns-keep-id": Look("--userns=keep-id", f"id -u; {IDS}", "4711\n0 1 4711\n4711 0 1\n4712 4712 60825"),
    "uidmap": Look("--uidmap=0:20000:2000 --gidmap=0:20000:2000", f"{IDS}; id -u", "0 20000 2000\n0"),
    "userns-nomap": Look("--userns=nomap", IDS, "0 1 65536"),
    "pid-private": Look("--pid=private", "echo $$", "1"),
    "ipc-none": Look("--ipc=none", options_of("/dev/shm"), ""),
    "ipc-private": Look("--ipc=private", "ls /dev/shm | wc -l", "0"),
    "net-none": Look("--net=none", "ip -o link | wc -l; ip -o link | grep -c LOOPBACK,UP", "1\n1"),
    "net-default": Look("--net=bridge", "ip -o -4 addr | wc -l", "2"),
    "net-slirp": Look("--net=slirp4netns", "ip -o -4 addr show tap0 | awk '{ print $4 }'", "10.0.2.100/24"),

    # Limits
    "memory": Look("--memory=64m", MEMORY, "67108864"),
    "memory-swap": Look("--memory=64m --memory-swap=64m",
                        cgroup("memory/memory.memsw.limit_in_bytes", "memory.swap.max"), "67108864|0"),
    "memory-reservation": Look("--memory-reservation=32m",
                               cgroup("memory/memory.soft_limit_in_bytes", "memory.low"), "33554432"),
    "cpus": Look("--cpus=0.5", cgroup("cpu/cpu.cfs_quota_us", "cpu.max"), "50000( 100000)?"),
    "cpu-shares": Look("--cpu-shares=512", cgroup("cpu/cpu.shares", "cpu.weight"), "512|20|59"),
    "cpuset-cpus": Look("--cpuset-cpus=0", cgroup("cpuset/cpuset.cpus", "cpuset.cpus"), "0"),
    "pids-limit": Look("--pids-limit=50", PIDS, "50"),
    "no-limits": Look("", f"{MEMORY}; {PIDS}; true", r"(9223372036854771712|max)\n2048",
                      hardened=r"[1-9]\d{6,11}\n2048", rootless=r"(9223372036854771712|max)?"),
    "oom-score-adj": Look("--oom-score-adj=500", "cat /proc/self/oom_score_adj", "500"),
    "ulimit": Look(f"{NPROC} --ulimit=nofile=1000:2000", "ulimit -Sn; ulimit -Hn", "1000\n2000"),
    "ulimit-core": Look(f"{NPROC} {NOFILE} --ulimit=core=0:0", "ulimit -Hc", "0"),
    "sysctl": Look("--net=none --sysctl=net.ipv4.ip_local_port_range='40000 50000'",
                   "cat /proc/sys/net/ipv4/ip_local_port_range", r"40000\s+50000"),
    "sysctl-unsafe": Look("--sysctl=kernel.msgmax=9000", "cat /proc/sys/kernel/msgmax", "9000"),

    # Devices
    "device": Look("--device=/dev/fuse", "test -c /dev/fuse && echo here", "here"),
    "device-default": Look("--device=/dev/null:/dev/hole", "echo x >/dev/hole && test -c /dev/hole && echo here", "here"),
}


@rows(*LOOKS)
def test_seen_from_inside(podman, outcome):
    look = LOOKS[outcome.row]
    done = podman.run(look.options, look.script)
    if outcome.rootless and IGNORED in done.err:  # it ran, whatever it finds
        assert done.status in (0, 1), str(done)
    elif outcome.judge(done):
        assert re.fullmatch(look.pattern(outcome), done.out.strip()), str(done)


# What outside and inside must be compared for


HOSTS = {"pid-host": "pid", "ipc-host": "ipc", "uts-host": "uts", "net-host": "net", "cgroupns-host": "cgroup"}


@rows(*HOSTS)
def test_namespace_of_the_host(machine, podman, outcome):
    """Where the row runs at the default level, it is in one of the container's own."""
    kind = HOSTS[outcome.row]
    done = podman.run(f"--{outcome.row.removesuffix('-host')}=host", f"readlink /proc/self/ns/{kind}")
    if outcome.judge(done):
        is_shared = done.out.strip() == os.readlink(f"/proc/{machine.pid}/ns/{kind}")
        assert is_shared == (outcome.level == "none"), str(done)


@rows("cgroups-disabled")
def test_no_cgroups(podman):
    """Its processes stay in podman's own, of which nothing is shown."""
    name = podman.started("--cgroups=disabled")
    with open(f"/proc/{podman.pid(name)}/cgroup") as lines, open("/proc/self/cgroup") as own:
        assert lines.read() == own.read()
    assert podman("exec", name, "/bin/true").ok
    podman.ok("kill", name)
    assert podman.ok("wait", name) == "137"


@rows("device-rule")
def test_device_rule(podman, outcome):
    """Whoever may make a node may open it then."""
    made = "mknod /dev/own c 10 229 2>/dev/null && exec 3<>/dev/own && echo open || echo no"
    done = podman.run("--device-cgroup-rule='c 10:229 rwm'" + (" --cap-add=MKNOD" if outcome.level == "none" else ""), made)
    if outcome.judge(done):
        assert done.out == ("no\n" if outcome.rootless else "open\n"), str(done)


@rows("seccomp-profile")
def test_a_seccomp_profile_of_the_users(podman, work):
    """At the default level the guard filter stands below it."""
    profile = json.loads((ROOT / "profiles/default.json").read_text())
    calls = {call for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for call in rule["names"]}
    (work / "profile.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
        "syscalls": [{"names": sorted(calls - {"mkdir", "mkdirat"}), "action": "SCMP_ACT_ALLOW"}]}))
    done = podman.run(f"--security-opt=seccomp={work}/profile.json", "touch /tmp/file && echo made; mkdir /tmp/dir || echo not")
    assert (done.status, done.out) == (0, "made\nnot\n") and "not permitted" in done.err, str(done)
