"""What the kubelet does with a container in its life: probes, restarts, resizes, evictions, statistics; and pods
with `hostUsers: false`."""

import json
import os
import pathlib
import shutil
import signal

import pytest

from harness import linux
from harness.runtime import until

import support_cri as cri
from support import TAG, call, gone, http, inside_network, is_donjon, limits_of, members_of, row
from support_containerd import Ctr, fresh_id
from support_cri import IMAGE, RUNTIME_DEFAULT, Failed
from support_images import cell, pause

pytestmark = cri.MISSING

SLEEP = ("/bin/sleep", "1000")
# Says what it is asked to do, and does not; its child does not even hear of it.
DEAF = ("/bin/sh", "-c", "sleep 1001 & trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done")
RESTRICTED = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 3000}, "capabilities": {"drop_capabilities": ["ALL"]},
              "no_new_privs": True, "seccomp": {"profile_type": RUNTIME_DEFAULT}}


def deaf(pod):
    """The container, and every process of it."""
    container = pod.container(IMAGE, *DEAF)
    container.wait_for_log("up")
    return container, members_of(container.pid)


def expect_gone(pids):
    until(lambda: all(map(gone, pids)), 5.0, lambda: str([linux.describe(pid) for pid in pids]))


# kill


@row("cri", "stop-at-once")
def test_stop_without_grace(pod, outcome):
    """terminationGracePeriodSeconds 0, evictions: nobody is asked."""
    container, everyone = deaf(pod)
    container.stop(timeout=0)
    assert container.wait() == 137 and "asked" not in container.log()
    expect_gone(everyone)


@row("cri", "stop-grace")
def test_stop_of_one_that_does_not_end(pod, outcome):
    """TERM, the grace period, KILL; its children go with it."""
    container, everyone = deaf(pod)
    assert len(everyone) >= 2
    container.stop(timeout=2)
    assert container.wait() == 137 and "asked" in container.log()
    expect_gone(everyone)
    container.stop(timeout=1)  # the kubelet asks again until it knows


@row("cri", "pod-stop-running")
def test_a_pod_with_containers_that_do_not_end(make_pod, outcome):
    """StopPodSandbox alone, as after a restart of the kubelet: everything ends, and can be removed in any order."""
    pod = make_pod(outcome.level)
    ends = [deaf(pod) for _ in range(2)]
    created = pod.container(IMAGE, *SLEEP, start=False)
    pod.stop()
    for container, everyone in ends:
        expect_gone(everyone)
        assert container.wait() == 137
    assert created.status().state == cri.CREATED
    pod.stop()


@row("cri", "pod-remove-running")
def test_removal_of_a_pod_that_runs(make_pod, outcome):
    """RemovePodSandbox takes all of it along (runtime.v1 demands it)."""
    pod = make_pod(outcome.level)
    container, everyone = deaf(pod)
    pod.remove_at_once()
    expect_gone(everyone)
    with pytest.raises(Failed, match="not found"):
        container.status()


# update: in-place resize


@row("cri", "update-cpu")
def test_update_of_the_cpu(pod, outcome):
    """Shares, quota, period and set, each from the cgroup files; what is not named stays."""
    container = pod.container(IMAGE, *SLEEP, resources={
        "memory_limit_in_bytes": 64 << 20, "cpu_shares": 512, "cpu_quota": 50000, "cpu_period": 100000})
    before = limits_of(container.pid)
    container.update(cpu_shares=1024, cpu_quota=25000, cpu_period=50000)
    found = limits_of(container.pid)
    assert (found["cpu"], found["period"]) == (25000, 50000) and found["shares"] in (1024, 39, 100), found
    assert found["memory"] == before["memory"] == 64 << 20 and found["pids"] == before["pids"]
    container.update(cpuset_cpus="0")
    assert limits_of(container.pid)["cpus"] in (0, "0")
    assert limits_of(container.pid)["cpu"] == 25000
    assert container.run("/bin/grep", "Cpus_allowed_list", "/proc/1/status").out == "Cpus_allowed_list:\t0\n"


@row("cri", "update-memory")
def test_update_of_the_memory(pod, outcome):
    """Up, and down again where there is room."""
    container = pod.container(IMAGE, *SLEEP, resources={"memory_limit_in_bytes": 64 << 20})
    for size in (128 << 20, 32 << 20, 64 << 20):
        container.update(memory_limit_in_bytes=size)
        assert limits_of(container.pid)["memory"] == size


@row("cri", "update-memory-below-use")
def test_update_below_what_is_used(pod, outcome):
    """The kubelet sees an error and tries again later: the container goes on with the limit it had."""
    container = pod.container(IMAGE, "/bin/sh", "-c", "head -c 33554432 /dev/zero >/dev/shm/held; echo held; sleep 1000",
                              resources={"memory_limit_in_bytes": 64 << 20})
    container.wait_for_log("held")
    if len(pathlib.Path("/proc/swaps").read_text().splitlines()) > 1:
        pytest.skip("what can be swapped out is not held")
    before = limits_of(container.pid)
    with pytest.raises(Failed, match="memory"):
        container.update(memory_limit_in_bytes=8 << 20)
    assert limits_of(container.pid) == before and container.status().state == cri.RUNNING
    assert container.run("/bin/true").status == 0


# Probes


@row("cri", "probe")
def test_probe_by_a_command(pod, outcome):
    """Any status but 0 is a failure, and none of them the container's; what it says comes along."""
    container = pod.container(IMAGE, "/bin/sh", "-c", "touch /tmp/ready; sleep 1000", security=RESTRICTED)
    until(lambda: container.run("/bin/cat", "/tmp/ready").status == 0)
    for status in (0, 1, 2, 127, 255):
        done = container.run("/bin/sh", "-c", f"echo because; exit {status}")
        assert (done.status, done.out) == (status, "because\n"), done
    assert container.run("/bin/sh", "-c", "kill -9 $$").status == 137
    assert container.run("/bin/rm", "/tmp/ready").status == 0
    assert container.run("/bin/cat", "/tmp/ready").status == 1
    assert container.status().state == cri.RUNNING and members_of(container.pid) == {container.pid}


@row("cri", "probe-http")
def test_probe_from_the_node(pod, outcome):
    """httpGet and tcpSocket: to the pod's address."""
    pod.container(IMAGE, "/bin/sh", "-c", "mkdir /tmp/www; echo well >/tmp/www/healthz; exec httpd -f -p 7003 -h /tmp/www",
                  security=RESTRICTED)
    answers = []

    def answered():
        try:
            answers.append(inside_network(pod.network, http, pod.address, 7003, "/healthz"))
        except OSError:
            return False
        return True

    until(answered, 10.0)
    assert answers == [(200, "well\n")]


@row("cri", "probe-hangs")
def test_probes_that_hang(pod, outcome):
    """timeoutSeconds: an error each time, and not one process more, deaf ones included."""
    container = pod.container(IMAGE, *SLEEP)
    for command in (("/bin/sleep", "999"), ("/bin/sh", "-c", "trap '' TERM HUP INT; while :; do read line </dev/zero; done")):
        with pytest.raises(Failed, match="timeout"):
            container.run(*command, timeout=1)
        until(lambda: members_of(container.pid) == {container.pid}, 5.0,
              lambda: str([linux.describe(pid) for pid in members_of(container.pid)]))
    assert container.run("/bin/true").status == 0


def held(container, containerd):
    """What a probe could leave behind, counted."""
    shim = int(pathlib.Path(f"/proc/{container.pid}/status").read_text().split("PPid:")[1].split()[0])
    return {"processes": len(members_of(container.pid)), "descriptors": len(os.listdir(f"/proc/{shim}/fd")),
            "children of the shim": len(linux.descendants(shim)),
            "state": len(os.listdir(containerd.state_root / "k8s.io" / container.id))}


@row("cri", "probes-many")
def test_probes_for_hours(pod, containerd, outcome):
    """periodSeconds 1: hundreds in a row, some failing, leave nothing behind."""
    container = pod.container(IMAGE, *SLEEP, security=RESTRICTED)
    for status in range(5):
        assert container.run("/bin/sh", "-c", f"exit {status}").status == status
    before = held(container, containerd)
    for n in range(200):
        assert container.run("/bin/sh", "-c", f"exit {n % 3}").status == n % 3
    until(lambda: all(now <= before[what] for what, now in held(container, containerd).items()), 10.0,
          lambda: f"{before} became {held(container, containerd)}")


@row("cri", "restart")
def test_restart_after_a_failed_liveness_probe(pod, containerd, outcome):
    """Stop, remove, the same name with the next attempt; the pod is untouched and each attempt has its log."""
    address, attempts = pod.address, []
    for attempt in range(3):
        container = pod.container(IMAGE, "/bin/sh", "-c", f"trap 'echo over; exit 0' TERM; echo attempt {attempt}; touch /tmp/alive;"
                                  "while :; do sleep 0.1; done", name=f"restarted-{outcome.level}", attempt=attempt)
        container.wait_for_log(f"attempt {attempt}")
        assert container.status().metadata.attempt == attempt
        until(lambda: container.run("/bin/cat", "/tmp/alive").status == 0)
        container.run("/bin/rm", "/tmp/alive")
        assert container.run("/bin/cat", "/tmp/alive").status == 1
        pid = container.pid
        container.stop(timeout=10)
        assert container.wait() == 0
        container.remove()
        expect_gone([pid])
        assert not (containerd.state_root / "k8s.io" / container.id).exists()
        attempts.append(container)
    assert [c.log() for c in attempts] == [f"attempt {n}\nover\n" for n in range(3)]
    assert pod.address == address


# What the kubelet reports


@row("cri", "reason")
def test_why_a_container_ended(pod, outcome):
    for status, reason in ((0, "Completed"), (3, "Error")):
        container = pod.container(IMAGE, "/bin/sh", "-c", f"exit {status}")
        assert container.wait() == status
        told = container.status()
        assert told.reason == reason and told.created_at < told.finished_at, told
    container = pod.container(IMAGE, *SLEEP)
    os.kill(container.pid, signal.SIGKILL)
    assert container.wait() == 137 and container.status().reason == "Error"


@row("cri", "out-of-memory")
def test_a_container_out_of_memory(pod, outcome):
    """OOMKilled: the shim watches the cgroup the runtime made.  Not init is killed: its end may overtake the
    news in containerd."""
    container = pod.container(IMAGE, "/bin/sh", "-c", "read go; (exec tail -c 200000000 /dev/zero); sleep 1; exit 5", stdin=True,
                              resources={"memory_limit_in_bytes": 32 << 20, "memory_swap_limit_in_bytes": 32 << 20})
    container.attach(b"go\n")
    assert container.wait(30.0) == 5
    until(lambda: container.status().reason == "OOMKilled", 5.0, lambda: str(container.status()))


@row("cri", "stats-all")
def test_statistics_of_a_pod(pod, client, outcome):
    """ListContainerStats, from which the kubelet ranks for eviction."""
    idle = pod.container(IMAGE, *SLEEP)
    busy = pod.container(IMAGE, "/bin/sh", "-c", "head -c 16777216 /dev/zero >/dev/shm/held; i=0;"
                         "while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; sleep 1000")
    busy.wait_for_log("done")
    stats = {s.attributes.id: s for s in client.ListContainerStats(filter={"pod_sandbox_id": pod.id}).stats}
    assert set(stats) == {idle.id, busy.id}
    assert stats[busy.id].cpu.usage_core_nano_seconds.value > stats[idle.id].cpu.usage_core_nano_seconds.value > 0
    assert stats[busy.id].memory.working_set_bytes.value > 16 << 20 > stats[idle.id].memory.working_set_bytes.value > 0


@row("cri", "attach")
def test_attach(pod, outcome):
    """`kubectl attach -i`."""
    container = pod.container(IMAGE, "/bin/sh", "-c", "read line; echo got $line; echo err >&2; sleep 1; exit 4", stdin=True)
    done = container.attach(b"a line\n")
    assert (done.out, done.err) == ("got a line\n", "err\n"), done.verdict
    assert container.wait() == 4


# hostUsers: false

FIRST_ID = 65536 * 9  # the kubelet gives each pod 65536 ids above 65535


@row("cri", "host-users-old-engine")
def test_a_field_that_containerd_does_not_know(make_pod, outcome):
    """containerd 1.6 starts such a pod in the host's user namespace, without a word.  At the default level it
    has one of its own all the same."""
    mapping = [{"host_id": FIRST_ID, "container_id": 0, "length": 65536}]
    options = {"pid": cri.CONTAINER, "userns_options": {"mode": cri.POD, "uids": mapping, "gids": mapping}}
    pod = make_pod(outcome.level, security={"namespace_options": options})
    container = pod.container(IMAGE, *SLEEP, security={"namespace_options": options})
    first, host_id, size = map(int, pathlib.Path(f"/proc/{container.pid}/uid_map").read_text().split())
    if outcome.level == "none":
        assert (first, host_id) == (0, 0)
    else:
        assert (first, size) == (0, 65536) and host_id >= 65536 and host_id % 65536 == 0
    pod.clear()


class NewerEngine:
    """A pod as containerd 2 and CRI-O make it: the configurations that this containerd made, with the user
    namespace and the kubelet's maps added, and root filesystems that belong to the pod's ids.  They go to
    the runtime through containerd and its shim all the same."""

    MAPS = [{"containerID": 0, "hostID": FIRST_ID, "size": 65536}]

    def __init__(self, containerd, level, work):
        self._containerd, self._work = containerd, work
        self._program = containerd.runtimes[level]
        self.ctr = Ctr(containerd, level)

    def _root(self, recipe):
        tree = self._work / recipe.__name__
        tree.mkdir()
        recipe(tree)
        for directory, _, files in os.walk(tree):
            for path in (directory, *(os.path.join(directory, file) for file in files)):
                was = os.lstat(path)
                os.chown(path, FIRST_ID + was.st_uid, FIRST_ID + was.st_gid, follow_symlinks=False)
        return str(tree)

    def start(self, spec, recipe, namespaces, mounts=()):
        """`namespaces`: paths by type, None where it is to be made."""
        name = fresh_id()
        spec["root"]["path"] = self._root(recipe)
        spec["mounts"] += mounts
        spec["linux"].update(cgroupsPath=f"/{TAG}/{name}", uidMappings=self.MAPS, gidMappings=self.MAPS, namespaces=[
            {"type": kind, **({"path": path} if path else {})} for kind, path in namespaces.items()])
        for mount in spec["mounts"]:
            if mount["type"] == "bind":
                mount.update(uidMappings=self.MAPS, gidMappings=self.MAPS)
        config = self._work / f"{name}.json"
        config.write_text(json.dumps(spec))
        done = call(*self.ctr.run_argv("--detach", "--null-io", "--config", config, name))
        assert done.ok, done
        return name

    def pid(self, name):
        return next(int(line.split()[1]) for line in self.ctr("task", "list").out.splitlines() if line.split()[0] == name)

    def probe(self, name, *scripts):
        """Whether all of them succeed.  What they print ctr may lose on a busy machine; the status it does not."""
        return self.ctr("task", "exec", "--exec-id", fresh_id(), name, "/bin/sh", "-c",
                        "".join(f"{script} || exit {10 + n}\n" for n, script in enumerate(scripts))).status

    def update(self, name, resources):
        """As the shim calls the runtime (U rows)."""
        return call(self._program, "--root", self._containerd.state_root / TAG, "update", "--resources", "-", name,
                    input=json.dumps(resources))


@row("cri", "host-users")
def test_a_pod_with_users_of_its_own(pod, client, containerd, outcome, work):
    """Started, probed, resized, stopped and started again; what the volume holds keeps its owners."""
    if not is_donjon():
        pytest.skip("runc before 1.2 maps no ids of binds")
    volume = work / "volume"
    volume.mkdir()
    (volume / "file").write_text("content\n")
    for path in (volume, volume / "file"):
        os.chown(path, 1000, 3000)
    model = pod.container(IMAGE, "/bin/sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done", security=RESTRICTED,
                          resources={"memory_limit_in_bytes": 64 << 20})
    of_pod = json.loads(client.PodSandboxStatus(pod_sandbox_id=pod.id, verbose=True).info["info"])["runtimeSpec"]
    engine = NewerEngine(containerd, outcome.level, work)
    sandbox = engine.start(of_pod, pause, dict.fromkeys(("user", "pid", "ipc", "uts", "mount", "network")))
    joined = {kind: f"/proc/{engine.pid(sandbox)}/ns/{file}" for kind, file in
              (("user", "user"), ("ipc", "ipc"), ("uts", "uts"), ("network", "net"))}
    try:
        for attempt in range(2):
            if attempt:
                shutil.rmtree(work / "cell")
            name = engine.start(model.info()["runtimeSpec"], cell, {"pid": None, "mount": None, **joined}, [
                {"type": "bind", "source": str(volume), "destination": "/data", "options": ["rbind", "rprivate", "rw"]}])
            pid = engine.pid(name)
            assert pathlib.Path(f"/proc/{pid}/uid_map").read_text().split() == ["0", str(FIRST_ID), "65536"]
            assert linux.namespaces(pid)["user"] == linux.namespaces(engine.pid(sandbox))["user"]
            assert engine.probe(
                name, "[ $(id -u):$(id -g) = 1000:3000 ]", "[ $(stat -c %u:%g /data/file) = 1000:3000 ]",
                "[ $(stat -c %u:%g /) = 0:0 ]", f"[ $(grep -c more /data/file) = {attempt} ]", "echo more >>/data/file") == 0
            look = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/{}/status"
            assert engine.probe(name, f'[ "$({look.format("self")})" = "$({look.format("1")})" ]',
                                f"[ $({look.format('self')} | wc -l) = 7 ]") == 0
            assert engine.probe(name, "exit 5") == 5
            done = engine.update(name, {"memory": {"limit": 96 << 20, "swap": 96 << 20}, "cpu": {"quota": 30000, "period": 100000}})
            assert done.ok, done
            assert (limits_of(pid)["memory"], limits_of(pid)["cpu"]) == (96 << 20, 30000)
            done = engine.ctr("task", "kill", name)
            assert done.ok, done
            until(lambda: engine.ctr.tasks()[name] == "STOPPED")
            done = engine.ctr("task", "delete", name)
            assert done.ok and "exit code 3" in done.err, done
            expect_gone([pid])
        assert ((volume / "file").stat().st_uid, (volume / "file").read_text()) == (1000, "content\nmore\nmore\n")
    finally:
        engine.ctr.clear()
