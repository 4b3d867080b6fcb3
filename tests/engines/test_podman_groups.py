"""Containers together: namespaces of one another, pods, networks, published ports, manifests, builds."""

import os
import re
import time

import pytest

from harness.runtime import until

from support import call, http, inside_network, missing
from support_podman import IMAGE, proc_status, rows

pytestmark = missing("podman", "conmon", "buildah", "slirp4netns")

SERVE = "mkdir /tmp/www; echo served >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"


def served(network, port, address="127.0.0.1"):
    """What is answered to somebody on the machine, once there is an answer."""
    answers = []

    def answer():
        try:
            answers.append(inside_network(network, http, address, port))
        except OSError:
            return False
        return True

    until(answer, 10, lambda: f"nobody answers on port {port}")
    return answers[0]


def inside(podman, name, script):
    return podman.ok("exec", name, "/bin/sh", "-c", script)


# Namespaces of another container

KINDS = {"pid-container": "pid", "ipc-container": "ipc", "uts-container": "uts", "net-container": "net",
         "userns-container": "userns", "cgroupns-container": "cgroupns"}


@rows(*KINDS)
def test_namespace_of_another_container(podman, outcome):
    kind = KINDS[outcome.row]
    first = podman.started("--ipc=shareable --hostname=first" + (" --userns=auto" if kind == "userns" else ""))
    done = podman.detached(f"--{kind}=container:{first}")
    if not outcome.judge(done):
        return
    second = done.out.strip()
    name = {"userns": "user", "cgroupns": "cgroup"}.get(kind, kind)
    links = [os.readlink(f"/proc/{podman.pid(each)}/ns/{name}") for each in (first, second)]
    assert links[0] == links[1]


@rows("pid-container-seen")
def test_processes_of_another_container_are_seen(podman):
    first = podman.started(script="exec sleep 987")
    done = podman.run(f"--pid=container:{first}", "ps -o args | grep -c '[s]leep 987'")
    assert (done.status, done.out) == (0, "1\n"), str(done)


@rows("shm-container")
def test_shared_memory_of_another_container(podman):
    first = podman.started("--ipc=shareable", "echo shared >/dev/shm/word; sleep 1000")
    until(lambda: podman.run(f"--ipc=container:{first}", "cat /dev/shm/word").out == "shared\n", 5)


@rows("net-path")
def test_network_namespace_by_path(machine, podman, outcome):
    """One that podman did not make."""
    path = f"/run/netns/{outcome.row}"
    on(machine, "ip", "netns", "add", outcome.row)
    try:
        on(machine, "ip", "-n", outcome.row, "link", "set", "lo", "up")
        done = podman.run(f"--net=ns:{path}", "ip -o link | grep -c LOOPBACK,UP")
        if outcome.judge(done):
            assert done.out == "1\n", str(done)
    finally:
        on(machine, "ip", "netns", "delete", outcome.row)


def on(machine, *command):
    done = call(*machine.argv(*command))
    assert done.ok, str(done)


# Networks


@rows("publish")
def test_published_port(machine, podman):
    name = podman.started("--publish=18080:8080", SERVE)
    assert served(machine.network, 18080) == (200, "served\n")
    assert podman.ok("port", name) == "8080/tcp -> 0.0.0.0:18080"


@rows("publish-low")
def test_published_low_port(machine, podman):
    """A service of an ordinary user on port 80, given the one capability for it."""
    podman.started("--user=1000 --cap-drop=ALL --cap-add=NET_BIND_SERVICE --publish=18081:80", SERVE.replace("8080", "80"))
    assert served(machine.network, 18081) == (200, "served\n")


@rows("network")
def test_own_network(podman, outcome):
    network = f"net-{outcome.level}-{'user' if outcome.rootless else 'root'}"
    podman.ok("network", "create", "--internal", network)
    try:
        name = podman.started(f"--network={network}", SERVE)
        address = podman.ok("inspect", f"--format={{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}", name)
        done = podman.run(f"--network={network}", f"sleep 0.2; wget -q -O - http://{address}:8080/")
        assert (done.status, done.out) == (0, "served\n"), str(done)
        podman.clear()
    finally:
        podman.ok("network", "rm", "--force", network)


# Pods


@pytest.fixture
def pod(podman, outcome):
    name = f"pod-{outcome.row}"
    yield name
    done = podman("pod", "rm", "--force", "--time=0", name)
    assert done.ok or "no such pod" in done.err, str(done)


@rows("pod")
def test_pod(podman, pod):
    """Members share network, host name and shared memory, and not their processes."""
    podman.ok("pod", "create", f"--name={pod}")
    first = podman.started(f"--pod={pod}", SERVE)
    second = podman.started(f"--pod={pod}", "echo shared >/dev/shm/word; exec sleep 987")
    until(lambda: "served" in podman("exec", second, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/").out, 5)
    until(lambda: podman("exec", first, "cat", "/dev/shm/word").out == "shared\n", 5)
    assert inside(podman, first, "hostname") == pod
    assert inside(podman, first, "ps | grep -c '[s]leep 987' || true") == "0"
    assert podman.ok("ps", "--quiet", f"--filter=pod={pod}").count("\n") == 2


@rows("pod-pid")
def test_pod_that_shares_its_processes(podman, pod):
    podman.ok("pod", "create", f"--name={pod}", "--share=+pid", "--network=none")
    podman.started(f"--pod={pod}", "exec sleep 987")
    second = podman.started(f"--pod={pod}")
    assert inside(podman, second, "ps -o args | grep -c '[s]leep 987'") == "1"


@rows("pod-publish")
def test_port_of_a_pod(machine, podman, pod):
    podman.ok("pod", "create", f"--name={pod}", "--publish=18082:8080")
    podman.started(f"--pod={pod}", SERVE)
    assert served(machine.network, 18082) == (200, "served\n")


@rows("pod-life")
def test_life_of_a_pod(podman, pod):
    podman.ok("pod", "create", f"--name={pod}", "--network=none")
    name = podman.started(f"--pod={pod}")
    podman.ok("pod", "stop", "--time=0", pod)
    assert podman.status(name) == "exited"
    podman.ok("pod", "start", pod)
    assert podman.status(name) == "running"
    podman.ok("pod", "kill", pod)
    until(lambda: podman.status(name) == "exited", 5)


@rows("pod-pause")
def test_pause_of_a_pod(podman, outcome, pod):
    podman.ok("pod", "create", f"--name={pod}", "--network=none")
    name = podman.started(f"--pod={pod}")
    if outcome.judge(podman("pod", "pause", pod)):
        assert podman.status(name) == "paused"
        podman.ok("pod", "unpause", pod)
        assert podman.status(name) == "running"


@rows("pod-members-removed")
def test_members_come_and_go(podman, pod):
    podman.ok("pod", "create", f"--name={pod}", "--network=none")
    for n in range(3):
        done = podman.run(f"--pod={pod}", f"echo {n}")
        assert (done.status, done.out) == (0, f"{n}\n"), str(done)


# Manifests

RESTRICTED = """
      allowPrivilegeEscalation: false
      capabilities:
        drop: [ALL]
      runAsUser: 1000
      runAsNonRoot: true
      readOnlyRootFilesystem: true
      seccompProfile:
        type: RuntimeDefault"""
MANIFEST = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
  - name: web
    image: {image}
    command: ["/bin/sh", "-c", "{command}"]
    ports:
    - containerPort: 8080
      hostPort: {port}
{limits}
    securityContext:{context}
    volumeMounts:
    - name: scratch
      mountPath: /tmp
  - name: beside
    image: {image}
    command: ["/bin/sleep", "1000"]
  volumes:
  - name: scratch
    emptyDir: {{}}
"""
LIMITS = """
    resources:
      limits:
        memory: 64Mi
        cpu: "0.5\""""


@rows("play-kube", "play-kube-privileged")
def test_play_kube(machine, podman, outcome, pod, work):
    privileged = outcome.row == "play-kube-privileged"
    manifest = work / "pod.yaml"
    manifest.write_text(MANIFEST.format(name=pod, image=IMAGE, limits="" if outcome.rootless else LIMITS, port=18083, command=SERVE.replace('"', ""),
                                        context="\n      privileged: true" if privileged else RESTRICTED))
    done = podman("play", "kube", manifest)
    if privileged and outcome.level == "hardened":  # podman plays on and fails at the end
        assert not done.ok and "caps.privileged: " in done.err + done.out, str(done)
        assert podman.status(f"{pod}-web") == "created"
    else:
        assert done.ok, str(done)
        assert served(machine.network, 18083) == (200, "served\n")
        status = proc_status(podman.pid(f"{pod}-web"))
        assert privileged or (status["CapEff"], status["NoNewPrivs"]) == ("0" * 16, "1")
    podman.ok("play", "kube", "--down", manifest)


# Builds (decision 8)

RECIPE = f"""
FROM {IMAGE}
RUN echo built >/built && chown 1000 /built
USER 1000
RUN id -u
CMD ["/bin/cat", "/built"]
"""


@rows("build", "buildah")
def test_build(machine, podman, outcome, work):
    """L11."""
    work.chmod(0o777)
    (work / "Containerfile").write_text(RECIPE)
    image = f"localhost/{outcome.row}-{outcome.level}"
    if outcome.row == "build":
        done = podman("build", "--no-cache", f"--tag={image}", work)
    else:
        done = podman.buildah("bud", "--no-cache", f"--tag={image}", work)
    if outcome.judge(done):
        assert podman.ok("run", "--rm", image) == "built"
        podman.ok("rmi", image)
    else:
        podman("image", "prune", "--force")
