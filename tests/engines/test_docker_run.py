"""What people put behind `docker run`, row by row of the table: dockerd 20.10 with --add-runtime."""

import json
import os
import re

import pytest

from harness import linux

from support import ROOT, Look, filled, missing, need_all_capabilities, row
from support_docker import FAILED, IMAGE

pytestmark = missing("dockerd", "containerd", "/usr/bin/docker")
V1 = "/sys/fs/cgroup"


def of_status(*fields):
    return f"awk '/^({'|'.join(fields)}):/ {{ print $2 }}' /proc/self/status"


def limit(v1, v2):
    """A limit as the container sees it, on either kind of tree."""
    return f"cat {V1}/{v1} 2>/dev/null || cat {V1}/{v2}"


NOTHING = "0{16}"
DEFAULT_SET = "0{8}a80425fb"
BIND_ONLY = "0{13}400"
HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=64m", "--cpus=0.5",
            "--pids-limit=50", "--tmpfs=/tmp:noexec,nosuid,nodev"]
# docker-bench-security as a course on hardening starts it, with the paths every host has.
BENCH = ["--network=host", "--pid=host", "--userns=host", "--cap-add=audit_control", "-v/etc:/etc:ro", "-v/var/lib:/var/lib:ro",
         "-v{socket}:/var/run/docker.sock:ro"]
LOOKS = {
    "run": Look([], "id -u; id -g; pwd", "0\n0\n/"),
    "exit-status": Look([], "exit 7", "", status=7),
    "stdin": Look(["-i"], "read line; echo got $line; cat", "got a line\nmore", input="a line\nmore\n"),
    "environment": Look(["--env=COLOUR=deep blue", "--workdir=/home/user", "--hostname=there"],
                        'echo "$COLOUR"; pwd; hostname', "deep blue\n/home/user\nthere"),
    "workdir-made": Look(["--workdir=/not/there"], "pwd", "/not/there"),
    "user": Look(["--user=1000"], "id -u; id -g; touch /tmp/file && echo written", "1000\n1000\nwritten"),
    "user-group": Look(["--user=4711:4712"], "id -u; id -g", "4711\n4712"),
    "group-add": Look(["--group-add=777"], "id -G", "0( 10)? 777"),
    "stdout-link": Look([], "echo logged >>/var/log/access.log", "logged"),
    "stdout-link-user": Look(["--user=1000"], "echo logged >>/var/log/access.log", "logged"),
    "names": Look(["--add-host=friend:10.9.8.7", "--dns=10.1.2.3"], "grep -c friend /etc/hosts; cat /etc/resolv.conf",
                  "1\nnameserver 10.1.2.3"),
    # privileges
    "capabilities": Look([], of_status("CapEff"), DEFAULT_SET, NOTHING),
    "cap-drop-all": Look(["--cap-drop=ALL"], of_status("CapEff", "CapBnd"), f"{NOTHING}\n{NOTHING}"),
    "cap-add-bind": Look(["--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"], f"{of_status('CapEff')}; timeout 0.2 nc -l -p 80; echo $?",
                         f"{BIND_ONLY}\n143", f"{NOTHING}\n143"),
    "no-new-privileges": Look(["--security-opt=no-new-privileges"], of_status("NoNewPrivs"), "1"),
    "privileges": Look([], of_status("NoNewPrivs"), "0", "1"),
    "seccomp": Look([], of_status("Seccomp"), "2"),
    "seccomp-unconfined": Look(["--security-opt=seccomp=unconfined"], of_status("Seccomp"), "0", "2"),
    "seccomp-profile": Look(["--security-opt=seccomp={work}/profile.json"], "mkdir /tmp/made 2>&1; true",
                            "mkdir: .*(ermission denied|not permitted)"),
    "system-paths": Look(["--security-opt=systempaths=unconfined"], "wc -c </proc/timer_list", "[1-9].*", "0"),
    # files
    "writable": Look([], "touch /file 2>/dev/null && echo written || echo read-only", "written", "read-only"),
    "read-only": Look(["--read-only"], "touch /file 2>/dev/null || echo read-only", "read-only"),
    "tmpfs": Look(["--tmpfs=/scratch:size=1m"], "grep ' /scratch ' /proc/mounts", "tmpfs /scratch tmpfs .*size=1024k.*"),
    "tmpfs-flags": Look(["--tmpfs=/tmp:noexec,nosuid,nodev"], "grep ' /tmp ' /proc/mounts; touch /tmp/file && echo written",
                        "tmpfs /tmp tmpfs rw,nosuid,nodev,noexec.*\nwritten"),
    "mount-tmpfs": Look(["--mount=type=tmpfs,dst=/scratch,tmpfs-size=1m"], "touch /scratch/file && echo written", "written"),
    "bind": Look(["-v{work}:/data"], "cat /data/file; echo more >>/data/file; cat /data/file; stat -c %u /data/file",
                 "content\ncontent\nmore\n0"),
    "bind-read-only": Look(["-v{work}:/data:ro"], "cat /data/file; touch /data/new 2>/dev/null || echo read-only",
                           "content\nread-only"),
    "bind-user": Look(["--user=1000", "-v{work}:/data"], "echo more >>/data/own; cat /data/own; stat -c %u /data/own",
                      "own\nmore\n1000"),
    "volume": Look(["-vcells:/data"], "touch /data/file && stat -c %u /data/file", "0"),
    "volume-of-the-image": Look(["--user=1000", "-vhomes:/home/user"], "touch /home/user/file && stat -c %u /home/user/file", "1000"),
    "shm-size": Look(["--shm-size=1m"], "df /dev/shm | tail -n 1 | awk '{ print $2 }'", "1024"),
    # limits
    "memory": Look(["--memory=64m", "--memory-swap=64m"], limit("memory/memory.limit_in_bytes", "memory.max"), "67108864"),
    "cpus": Look(["--cpus=0.5"], limit("cpu/cpu.cfs_quota_us", "cpu.max"), "50000( 100000)?"),
    "cpu-shares": Look(["--cpu-shares=512"], limit("cpu/cpu.shares", "cpu.weight"), "512|20"),
    "cpuset": Look(["--cpuset-cpus=0"], of_status("Cpus_allowed_list"), "0"),
    "pids-limit": Look(["--pids-limit=50"], limit("pids/pids.max", "pids.max"), "50"),
    "no-limits": Look([], limit("pids/pids.max", "pids.max"), "max", "1024"),
    "ulimit": Look(["--ulimit=nofile=100:200"], "ulimit -n; ulimit -Hn", "100\n200"),
    "oom-score": Look(["--oom-score-adj=500"], "cat /proc/self/oom_score_adj", "500"),
    "sysctl": Look(["--sysctl=net.ipv4.tcp_syncookies=0"], "cat /proc/sys/net/ipv4/tcp_syncookies", "0"),
    # namespaces
    "network-none": Look(["--network=none"], "ls /sys/class/net | grep -v bonding_masters; readlink /proc/self/ns/net | grep -c {engine_net}; true",
                         "(lo|sit0|tunl0|\\w+)(\n\\w+)*\n0"),
    "uts-host": Look(["--uts=host"], "readlink /proc/self/ns/uts | grep -c {host_uts}; true", "1", "0"),
    "cgroupns-host": Look(["--cgroupns=host"], "readlink /proc/self/ns/cgroup | grep -c {host_cgroup}; true", "1", "0"),
    "ipc-private": Look(["--ipc=private"], "readlink /proc/self/ns/ipc | grep -c {host_ipc}; true", "0"),
    "ipc-none": Look(["--ipc=none"], "grep -c ' /dev/shm ' /proc/mounts; true", "0"),
    "init": Look(["--init"], "cat /proc/1/comm", "docker-init"),
    # the command line of the courses the project was created from
    "hardened-flags": Look(HARDENED, f"""
        {of_status('CapEff', 'NoNewPrivs', 'Seccomp')}
        grep -c '^tmpfs /tmp tmpfs rw,nosuid,nodev,noexec' /proc/mounts
        {limit('memory/memory.limit_in_bytes', 'memory.max')}; {limit('pids/pids.max', 'pids.max')}
        touch /file 2>/dev/null || echo read-only""", f"{NOTHING}\n1\n2\n1\n67108864\n50\nread-only"),
    # What must not run at the default level.
    "privileged": Look(["--privileged"], of_status("CapEff", "Seccomp"), "0+[13]f.*\n0"),
    "cap-add-sys-admin": Look(["--cap-add=SYS_ADMIN"], of_status("CapEff"), "0{8}a82425fb"),
    "cap-add-all": Look(["--cap-add=ALL"], of_status("CapEff"), "0+[13]f.*"),
    "network-host": Look(["--network=host"], "readlink /proc/self/ns/net", r"net:\[{engine_net}\]"),
    "pid-host": Look(["--pid=host"], "readlink /proc/self/ns/pid", r"pid:\[{host_pid}\]"),
    "ipc-host": Look(["--ipc=host"], "readlink /proc/self/ns/ipc", r"ipc:\[{host_ipc}\]"),
    "device": Look(["--device=/dev/fuse"], "ls /dev/fuse", "/dev/fuse"),
    "device-rule": Look(["--device-cgroup-rule=c 10:229 rwm"], "mknod /own c 10 229 && exec 3<>/own && echo open", "open"),
    "engine-socket": Look(["-v{socket}:/var/run/docker.sock"], "ls /var/run/docker.sock", "/var/run/docker.sock"),
    "engine-socket-elsewhere": Look(["-v{socket}:/run/other.sock"], "ls /run/other.sock", "/run/other.sock"),
    "host-path": Look(["-v/etc:/host:ro"], "ls /host/passwd", "/host/passwd"),
    "host-root": Look(["-v/:/host"], "ls -d /host/etc", "/host/etc"),
    "shared-propagation": Look(["--mount=type=bind,src={shared},dst=/data,bind-propagation=rshared"],
                               "grep -c ' /data .* shared:' /proc/self/mountinfo", "1"),
    "sysctl-unsafe": Look(["--sysctl=kernel.msgmax=12345"], "cat /proc/sys/kernel/msgmax", "12345"),
    "tmpfs-exec": Look(["--tmpfs=/tmp:exec"], "grep ' /tmp ' /proc/mounts", "tmpfs /tmp tmpfs rw,(nosuid,nodev,)?relatime.*"),
    "docker-bench": Look(BENCH, "ls /var/run/docker.sock", "/var/run/docker.sock"),
}


EVERYTHING = ("privileged", "cap-add-all")


@pytest.fixture
def facts(dockerd, work):
    """What tests fill into options and patterns."""
    for name, owner in (("file", 0), ("own", 1000)):
        (work / name).write_text("content\n" if owner == 0 else "own\n")
        os.chown(work / name, owner, owner)
    profile = json.loads((ROOT / "profiles/default.json").read_text())
    calls = {call for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for call in rule["names"]}
    (work / "profile.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": sorted(calls - {"mkdir", "mkdirat"}), "action": "SCMP_ACT_ALLOW"}]}))
    shared = work / "shared"
    shared.mkdir()
    linux.mount(shared, shared, None, linux.MS_BIND)
    linux.mount(None, shared, None, linux.MS_SHARED)
    host = {f"host_{name}": inode for name, inode in linux.namespaces().items()}
    yield {"work": work, "socket": dockerd.socket, "shared": shared,
           "engine_net": os.stat(dockerd.containerd.network).st_ino, **host}
    linux.umount(shared)


@row("docker", *LOOKS)
def test_run(docker, outcome, facts):
    """L5."""
    look = LOOKS[outcome.row]
    if outcome.row in EVERYTHING:
        need_all_capabilities()
    done = docker.run(*filled(look.asked, facts), IMAGE, "/bin/sh", "-c", filled(look.script, facts), input=look.input)
    if outcome.refuses(done, FAILED):
        return
    assert done.status == look.status, done
    assert re.fullmatch(look.expects(outcome, facts), done.out.strip()), done
