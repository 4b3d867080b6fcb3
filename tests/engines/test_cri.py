"""containerd's CRI plugin, driven over its socket as the kubelet does.  There is no crictl in Debian 12:
support_cri.py is the client."""

import dataclasses
import json
import os
import re

import pytest

from harness import linux
from harness.runtime import until

import support
import support_cri as cri
from support import ROOT, filled, gone, limits_of, row
from support_cri import CONTAINER, IMAGE, LOCALHOST, NODE, POD, RUNTIME_DEFAULT, TARGET, UNCONFINED, Failed

pytestmark = cri.MISSING


# Security contexts: what the pod spec says, a script that looks from inside, and what it says


@dataclasses.dataclass
class Look(support.Look):
    """Asked with a security context and more of the container's config."""

    config: dict = dataclasses.field(default_factory=dict)
    pod: dict | None = None  # one of its own, with this


def uid(number):
    return {"value": number}


def of_status(*fields):
    return f"awk '/^({'|'.join(fields)}):/ {{ print $2 }}' /proc/self/status"


NONE_AT_ALL = "0{16}"
ENGINES_OWN = "0{8}a80425fb"
RESTRICTED = {"run_as_user": uid(1000), "run_as_group": uid(3000), "capabilities": {"drop_capabilities": ["ALL"]},
              "no_new_privs": True, "seccomp": {"profile_type": RUNTIME_DEFAULT}}
PRIVILEGED_POD = {"security": {"privileged": True}}
LOOKS = {
    "container": Look({}, "id -u; id -g; hostname; pwd", "0\n0\npodhost\n/"),
    "environment": Look({}, 'echo "$COLOUR"; pwd', "deep blue\n/home/user", config={
        "envs": [{"key": "COLOUR", "value": "deep blue"}], "working_dir": "/home/user"}),
    "user": Look({"run_as_user": uid(1000)}, "id -u; id -g", "1000\n1000"),
    "user-group": Look({"run_as_user": uid(1000), "run_as_group": uid(3000)}, "id -u; id -g; touch /tmp/x && echo ok",
                       "1000\n3000\nok", "1000\n3000\nok"),
    "user-large": Look({"run_as_user": uid(1000680000)}, "id -u; id -g", "1000680000\n0",
                       pod={"security": {"run_as_user": uid(1000680000)}}),
    "supplemental-groups": Look({"supplemental_groups": [4000, 4001]}, "id -G", "0( 10)? 4000 4001"),
    "capabilities": Look({}, of_status("CapEff"), ENGINES_OWN, NONE_AT_ALL),
    "capabilities-dropped": Look({"capabilities": {"drop_capabilities": ["ALL"]}}, of_status("CapEff", "CapBnd"),
                                 f"{NONE_AT_ALL}\n{NONE_AT_ALL}"),
    "capability-bind": Look({"capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_BIND_SERVICE"]}},
                            of_status("CapEff"), "0{13}400", NONE_AT_ALL),
    "low-port": Look({"run_as_user": uid(1000), "capabilities": {"add_capabilities": ["NET_BIND_SERVICE"]}},
                     "timeout -s KILL 1 nc -l -p 80 2>&1; echo $?", "nc: .*ermission denied\n1", "137|Killed\n137"),
    "seccomp-default": Look({"seccomp": {"profile_type": RUNTIME_DEFAULT}}, of_status("Seccomp"), "2"),
    "seccomp-unconfined": Look({"seccomp": {"profile_type": UNCONFINED}}, of_status("Seccomp"), "0", "2"),
    "seccomp-localhost": Look({"seccomp": {"profile_type": LOCALHOST, "localhost_ref": "{work}/profile.json"}},
                              "mkdir /tmp/made 2>&1; true", "mkdir: .*ermission denied|mkdir: .*not permitted"),
    "no-new-privileges": Look({"no_new_privs": True}, of_status("NoNewPrivs"), "1"),
    "privilege-escalation": Look({}, of_status("NoNewPrivs"), "0", "1"),
    "read-only": Look({"readonly_rootfs": True}, "touch /file 2>/dev/null || echo read-only", "read-only"),
    "writable": Look({}, "touch /file 2>/dev/null && echo written || echo read-only", "written", "read-only"),
    "masked": Look({"masked_paths": ["/proc/cpuinfo"], "readonly_paths": ["/proc/irq"]},
                   "wc -c </proc/cpuinfo; grep -c ' /proc/irq proc ro,' /proc/mounts", "0\n1"),
    "restricted": Look(RESTRICTED, f"id -u; id -g; {of_status('CapEff', 'NoNewPrivs', 'Seccomp')}; ls / >/dev/null && echo works",
                       f"1000\n3000\n{NONE_AT_ALL}\n1\n2\nworks",
                       pod={"security": {"run_as_user": uid(1000), "seccomp": {"profile_type": RUNTIME_DEFAULT}}}),
    "shared-pid": Look({"namespace_options": {"pid": POD}}, "cat /proc/1/comm", "pause"),
    "pod-network": Look({}, "ip -4 -o addr show eth0 | awk '{ print $4 }'; cat /sys/class/net/eth0/operstate", r"{address}/24\nup"),
    "volume": Look({"run_as_user": uid(1000)}, "cat /data/file; echo more >>/data/own && cat /data/own; stat -c %u /data/own",
                   "content\nown\nmore\n1000", config={"mounts": [{"host_path": "{work}", "container_path": "/data"}]}),
    "volume-read-only": Look({}, "cat /data/file; touch /data/x 2>/dev/null || echo read-only", "content\nread-only",
                             config={"mounts": [{"host_path": "{work}", "container_path": "/data", "readonly": True}]}),
    "sysctl-safe": Look({}, "cat /proc/sys/net/ipv4/tcp_syncookies /proc/sys/kernel/shm_rmid_forced", "0\n1",
                        pod={"sysctls": {"net.ipv4.tcp_syncookies": "0", "kernel.shm_rmid_forced": "1"}}),
    # What must not run at the default level.
    "sysctl-unsafe": Look({}, "cat /proc/sys/kernel/msgmax", "12345", pod={"sysctls": {"kernel.msgmax": "12345"}}),
    "privileged": Look({"privileged": True}, of_status("CapEff", "Seccomp"), "000001f.*\n0", pod=PRIVILEGED_POD),
    "capability-extra": Look({"capabilities": {"add_capabilities": ["SYS_ADMIN"]}}, of_status("CapEff"), "0{8}a82425fb"),
    "capabilities-all": Look({"capabilities": {"add_capabilities": ["ALL"]}}, of_status("CapEff"), "000001f.*"),
    "host-network": Look({"namespace_options": {"network": NODE, "pid": CONTAINER}}, "readlink /proc/self/ns/net", r"net:\[{engine_net}\]",
                         pod={"hostname": "", "security": {"namespace_options": {"network": NODE}}}),
    "host-pid": Look({"namespace_options": {"pid": NODE}}, "readlink /proc/self/ns/pid", r"pid:\[{host_pid}\]",
                     pod={"security": {"namespace_options": {"pid": NODE}}}),
    "host-ipc": Look({"namespace_options": {"ipc": NODE, "pid": CONTAINER}}, "readlink /proc/self/ns/ipc", r"ipc:\[{host_ipc}\]",
                     pod={"security": {"namespace_options": {"ipc": NODE}}}),
    "host-path": Look({}, "ls /host/passwd", "/host/passwd", config={
        "mounts": [{"host_path": "/etc", "container_path": "/host", "readonly": True}]}),
    "engine-socket": Look({}, "ls /engine.sock", "/engine.sock", config={
        "mounts": [{"host_path": "{socket}", "container_path": "/engine.sock"}]}),
    "device": Look({}, "ls /dev/fuse", "/dev/fuse", config={
        "devices": [{"host_path": "/dev/fuse", "container_path": "/dev/fuse", "permissions": "rw"}]}),
}


@pytest.fixture
def facts(containerd, work):
    """What tests fill into configs and patterns."""
    (work / "file").write_text("content\n")
    (work / "own").write_text("own\n")
    os.chown(work / "own", 1000, 1000)
    profile = json.loads((ROOT / "profiles/default.json").read_text())
    calls = {call for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for call in rule["names"]}
    (work / "profile.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": sorted(calls - {"mkdir", "mkdirat"}), "action": "SCMP_ACT_ALLOW"}]}))
    host = linux.namespaces()
    return {"work": work, "socket": containerd.socket, "engine_net": os.stat(containerd.network).st_ino,
            "host_pid": host["pid"], "host_ipc": host["ipc"]}


@row("cri", *LOOKS)
def test_container(make_pod, ordinary_pods, outcome, facts):
    look = LOOKS[outcome.row]
    try:
        pod = make_pod(outcome.level, **look.pod) if look.pod else ordinary_pods(outcome.level)
        container = pod.container(IMAGE, "/bin/sh", "-c", filled(look.script, facts),
                                  security=filled(look.asked, facts), **filled(look.config, facts))
        status = container.wait()
    except Failed as failed:
        if outcome.refuses(failed.done):
            return
        raise
    said = container.log()
    assert outcome.runs, f"not refused: {said}"
    facts["address"] = pod.address
    assert status == 0 and re.fullmatch(look.expects(outcome, facts), said.strip()), (
        status, said, container.log("stderr"))
    pod.clear()


@row("cri", "target-pid")
def test_the_pid_namespace_of_another_container(pod, outcome):
    """An ephemeral container, as `kubectl debug --target` asks for it."""
    target = pod.container(IMAGE, "/bin/sleep", "1000")
    debugger = pod.container(IMAGE, "/bin/sh", "-c", "cat /proc/1/comm",
                             security={"namespace_options": {"pid": TARGET, "target_id": target.id}})
    assert debugger.wait() == 0 and debugger.log() == "sleep\n", debugger.log("stderr")


@row("cri", "shared-memory")
def test_containers_of_a_pod_share_memory_and_network(pod, outcome):
    """IPC and network are the pod's; so is the user namespace at the default level, or the owners of
    files in /dev/shm would not fit (decision 5)."""
    pod.container(IMAGE, "/bin/sh", "-c", "echo shared >/dev/shm/file; echo hello | nc -l -p 7000 >/dev/null; sleep 1000")
    client = pod.container(IMAGE, "/bin/sh", "-c",
                           "until [ -s /dev/shm/file ]; do sleep 0.05; done; cat /dev/shm/file; stat -c %u /dev/shm/file;"
                           "until echo | nc 127.0.0.1 7000 2>/dev/null; do sleep 0.05; done")
    assert client.wait() == 0 and client.log() == "shared\n0\nhello\n", (client.log(), client.log("stderr"))


@row("cri", "pods-reach-each-other")
def test_pods_reach_each_other(make_pod, pod, outcome):
    """Over the bridge the CNI plugin made, in containerd's network namespace."""
    other = make_pod(outcome.level)
    other.container(IMAGE, "/bin/sh", "-c", "echo hello | nc -l -p 7001")
    client = pod.container(IMAGE, "/bin/sh", "-c", f"until echo | nc {other.address} 7001 2>/dev/null; do sleep 0.05; done")
    assert client.wait() == 0 and client.log() == "hello\n", client.log("stderr")
    other.clear()


@row("cri", "exit-status")
def test_exit_status(pod, outcome):
    assert pod.container(IMAGE, "/bin/sh", "-c", "exit 7").wait() == 7


@row("cri", "logs")
def test_logs(pod, outcome):
    """Both streams, also through a link to /dev/stdout in the image, as root and as another user."""
    for user in (0, 1000):
        container = pod.container(IMAGE, "/bin/sh", "-c", "echo out; echo err >&2; echo through >>/var/log/access.log",
                                  security={"run_as_user": uid(user)})
        assert container.wait() == 0, container.log("stderr")
        assert (container.log(), container.log("stderr")) == ("out\nthrough\n", "err\n")


@row("cri", "stop")
def test_stop(pod, outcome):
    """TERM, and time to act on it."""
    container = pod.container(IMAGE, "/bin/sh", "-c", "trap 'echo ending; exit 3' TERM; echo up; sleep 1000 & wait")
    container.wait_for_log("up")
    container.stop(timeout=10)
    assert container.wait() == 3 and "ending" in container.log()


@row("cri", "stop-deaf")
def test_stop_of_a_container_that_ignores_it(pod, outcome):
    container = pod.container(IMAGE, "/bin/sh", "-c", "trap '' TERM; echo up; sleep 1000 & wait; sleep 1000")
    container.wait_for_log("up")
    container.stop(timeout=1)
    assert container.wait() == 137


@row("cri", "stop-stopped")
def test_stop_of_a_stopped_container(pod, outcome):
    """Z6, E1-E3: an error text that is not understood leaves a pod terminating for ever."""
    container = pod.container(IMAGE, "/bin/true")
    container.wait()
    container.stop()
    created = pod.container(IMAGE, "/bin/true", start=False)
    created.stop()


@row("cri", "missing-command")
def test_a_missing_command(pod, outcome):
    """What the kubelet shows as RunContainerError."""
    with pytest.raises(Failed, match='exec: "/bin/no-such-program": stat /bin/no-such-program: no such file or directory'):
        pod.container(IMAGE, "/bin/no-such-program")


@row("cri", "resources")
def test_resources(pod, outcome):
    container = pod.container(IMAGE, "/bin/sleep", "1000", resources={
        "memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512})
    found = limits_of(container.pid)
    assert (found["memory"], found["cpu"]) == (64 << 20, 50000) and found["shares"] in (512, 20), found


@row("cri", "update")
def test_update(pod, outcome):
    """In-place resize of a pod."""
    container = pod.container(IMAGE, "/bin/sleep", "1000", resources={"memory_limit_in_bytes": 64 << 20})
    container.update(memory_limit_in_bytes=96 << 20, cpu_quota=30000, cpu_period=100000)
    found = limits_of(container.pid)
    assert (found["memory"], found["cpu"]) == (96 << 20, 30000), found


@row("cri", "stats")
def test_stats(pod, outcome):
    container = pod.container(IMAGE, "/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; sleep 1000")
    container.wait_for_log("done")
    stats = pod.client.ContainerStats(container_id=container.id).stats
    assert stats.cpu.usage_core_nano_seconds.value > 1000000 and stats.memory.working_set_bytes.value > 0, stats


# exec and port-forward

SLEEP = ("/bin/sleep", "1000")


@row("cri", "exec-sync")
def test_exec_sync(pod, outcome):
    """Probes with a command."""
    container = pod.container(IMAGE, *SLEEP, security={"run_as_user": uid(1000)})
    done = container.run("/bin/sh", "-c", "id -u; echo err >&2; exit 9")
    assert (done.status, done.out, done.err) == (9, "1000\n", "err\n"), done


@row("cri", "exec-sync-timeout")
def test_exec_sync_that_takes_too_long(pod, outcome):
    container = pod.container(IMAGE, *SLEEP)
    with pytest.raises(Failed, match="timeout"):
        container.run("/bin/sleep", "999", timeout=1)
    assert container.status().state == cri.RUNNING
    assert "999" not in container.run("/bin/ps").out


@row("cri", "exec-missing-command")
def test_exec_of_a_missing_command(pod, outcome):
    container = pod.container(IMAGE, *SLEEP)
    with pytest.raises(Failed, match="no such file or directory"):
        container.run("/bin/no-such-program")
    assert container.status().state == cri.RUNNING


@row("cri", "exec-restricted")
def test_exec_in_a_restricted_container(pod, outcome):
    """As confined as the container, with its pid 1 as the measure."""
    container = pod.container(IMAGE, *SLEEP, security=RESTRICTED)
    look = f"{of_status('Cap...', 'NoNewPrivs', 'Seccomp', 'Uid', 'Gid', 'Groups')}; cat /proc/self/uid_map"
    own, of_init = (container.run("/bin/sh", "-c", look.replace("self", who)) for who in ("self", "1"))
    assert own.status == 0 and own.out == of_init.out and NONE_AT_ALL.replace("{16}", "") * 16 in own.out, (own, of_init)


@row("cri", "exec")
def test_exec(pod, outcome):
    """`kubectl exec -i`: three streams and a status."""
    container = pod.container(IMAGE, *SLEEP)
    done = container.exec("/bin/sh", "-c", "read line; echo got $line; echo err >&2; exit 9", typed=b"a line\n")
    assert (done.status, done.out, done.err) == (9, "got a line\n", "err\n"), done.verdict


@row("cri", "exec-tty")
def test_exec_with_a_terminal(pod, outcome):
    """`kubectl exec -it`."""
    container = pod.container(IMAGE, *SLEEP)
    done = container.exec("/bin/sh", tty=True, typed=b"tty; exit 6\n")
    assert done.status == 6 and "/dev/pts/0" in done.out, (done, done.verdict)


@row("cri", "tty")
def test_a_container_with_a_terminal(pod, outcome):
    container = pod.container(IMAGE, "/bin/sh", "-c", "tty; test -c /dev/console && echo console", tty=True, stdin=True)
    assert container.wait() == 0 and container.log().split() == ["/dev/pts/0", "console"], container.log()


@row("cri", "port-forward")
def test_port_forward(pod, outcome):
    """`kubectl port-forward` to a port on the pod's own loopback."""
    server = pod.container(IMAGE, "/bin/sh", "-c", "echo up; nc -l -p 7002 127.0.0.1 -e /bin/sh -c 'read line; echo you said $line'")
    server.wait_for_log("up")
    until(lambda: b"you said hello" in _attempt(pod), 5.0, lambda: server.log("stderr"))


def _attempt(pod):
    try:
        return cri.forward(pod, 7002, b"hello\n")
    except AssertionError:  # nobody listens yet
        return b""


@row("cri", "pod-stop")
def test_a_pod_is_stopped_with_its_containers(make_pod, client, outcome):
    pod = make_pod(outcome.level)
    container = pod.container(IMAGE, *SLEEP)
    pid = container.pid
    client.StopPodSandbox(pod_sandbox_id=pod.id)
    assert container.status().state == cri.EXITED
    until(lambda: gone(pid))
    assert client.PodSandboxStatus(pod_sandbox_id=pod.id).status.state == 1
