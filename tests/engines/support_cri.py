"""A client of the Container Runtime Interface, as the kubelet drives it: calls over the socket, and
exec and port-forward over the websockets of the streaming server."""

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import urllib.parse

import pytest

from harness.runtime import until

from support import TAG, Done, inside_network, missing
from support_images import cell, pause

PROTO = pathlib.Path(__file__).with_name("cri.proto")
DEADLINE = 30  # seconds for any one call
POD, CONTAINER, NODE, TARGET = range(4)
RUNTIME_DEFAULT, UNCONFINED, LOCALHOST = range(3)
CREATED, RUNNING, EXITED = range(3)

IMAGE = "localhost/cell:latest"
MISSING = [missing("containerd", "protoc"), pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("grpc", "google"))), reason="python3-grpcio or python3-protobuf is missing")]

_serial = itertools.count()


def compile_messages(directory):
    """The message classes of cri.proto."""
    subprocess.run(["protoc", f"--proto_path={PROTO.parent}", f"--python_out={directory}", PROTO.name], check=True)
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module("cri_pb2")
    finally:
        sys.path.remove(str(directory))


class Failed(Exception):
    """A call that containerd answered with an error: `done` is what the kubelet would report."""

    def __init__(self, method, text):
        super().__init__(text)
        self.done = Done(argv=[method], status=1, out="", err=text, seconds=0.0)


class Client:
    """`client.RunPodSandbox(config=…)` is one call."""

    def __init__(self, socket_path, messages):
        import grpc

        self._messages, self._error = messages, grpc.RpcError
        self._channel = grpc.insecure_channel(f"unix:{socket_path}")

    def __getattr__(self, method):
        request = getattr(self._messages, f"{method}Request")
        response = getattr(self._messages, f"{method}Response")
        stub = self._channel.unary_unary(f"/runtime.v1.RuntimeService/{method}",
                                         request_serializer=request.SerializeToString,
                                         response_deserializer=response.FromString)

        def call(**fields):
            try:
                return stub(request(**fields), timeout=DEADLINE)
            except self._error as error:
                raise Failed(method, error.details()) from None

        return call

    def close(self):
        self._channel.close()


class Pod:
    """A sandbox whose containers run by one handler, which is the runtime at one level."""

    def __init__(self, client, handler, logs, network, hostname="podhost", security=None, sysctls=None):
        self.client, self.network, self.logs = client, network, logs
        self._containers = []
        self.config = {
            "metadata": {"name": f"pod-{next(_serial)}", "uid": f"{TAG}-{next(_serial)}", "namespace": TAG},
            "hostname": hostname, "log_directory": str(logs),
            "linux": {"cgroup_parent": f"/{TAG}", "security_context": security or {}, "sysctls": sysctls or {}}}
        self.id = client.RunPodSandbox(config=self.config, runtime_handler=handler).pod_sandbox_id

    @property
    def address(self):
        return self.client.PodSandboxStatus(pod_sandbox_id=self.id).status.network.ip

    def container(self, image, *command, security=None, resources=None, start=True, name=None, attempt=0, **config):
        """A container that runs, as the kubelet starts one: a pid namespace of its own unless told otherwise."""
        security = {"namespace_options": {"pid": CONTAINER}, **(security or {})}
        name = name or f"cell-{next(_serial)}"
        log = f"{name}.{attempt}.log"
        config = {"metadata": {"name": name, "attempt": attempt}, "image": {"image": image}, "command": command, "log_path": log,
                  "linux": {"security_context": security, "resources": resources or {}}, **config}
        container = Container(self, log, self.client.CreateContainer(
            pod_sandbox_id=self.id, config=config, sandbox_config=self.config).container_id)
        self._containers.append(container)
        if start:
            container.start()
        return container

    def clear(self):
        for container in list(self._containers):
            container.stop()
            container.remove()

    def forget(self, container):
        self._containers.remove(container)

    def remove_at_once(self):
        """While it runs, containers and all."""
        self.client.RemovePodSandbox(pod_sandbox_id=self.id)
        self._containers.clear()
        self.id = None

    def stop(self):
        self.client.StopPodSandbox(pod_sandbox_id=self.id)

    def remove(self):
        if self.id is None:
            return
        self.clear()
        self.stop()
        self.client.RemovePodSandbox(pod_sandbox_id=self.id)


class Container:
    def __init__(self, pod, log, id):
        self._pod, self._client, self.id = pod, pod.client, id
        self._log = pod.logs / log

    def start(self):
        self._client.StartContainer(container_id=self.id)

    def status(self):
        return self._client.ContainerStatus(container_id=self.id).status

    def info(self):
        """What containerd tells besides: the pid and the config.json it gave the runtime."""
        return json.loads(self._client.ContainerStatus(container_id=self.id, verbose=True).info["info"])

    @property
    def pid(self):
        return self.info()["pid"]

    def wait(self, timeout=10.0):
        """Its exit status."""
        until(lambda: self.status().state == EXITED, timeout, lambda: f"still there: {self.log()}")
        with contextlib.suppress(AssertionError):  # containerd copies the last lines after it tells of the end
            until(lambda: self.log() or self.log("stderr"), 1.0)
        return self.status().exit_code

    def log(self, stream="stdout"):
        """What it wrote, from the file the kubelet reads: time, stream, whole or part, text."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        parts = [line.split(" ", 3) for line in lines]
        return "".join(text + "\n" for _, source, whole, text in parts if source == stream and whole == "F")

    def wait_for_log(self, text):
        until(lambda: text in self.log(), 10.0, lambda: f"{text!r} never came: {self.log()} {self.log('stderr')}")

    def stop(self, timeout=0):
        self._client.StopContainer(container_id=self.id, timeout=timeout)

    def remove(self):
        until(lambda: self.status().state != RUNNING)  # containerd may hear of the end after us
        self._client.RemoveContainer(container_id=self.id)
        self._pod.forget(self)

    def update(self, **resources):
        self._client.UpdateContainerResources(container_id=self.id, linux=resources)

    def run(self, *command, timeout=10):
        """ExecSync: what probes and `crictl exec -s` use."""
        answer = self._client.ExecSync(container_id=self.id, cmd=command, timeout=timeout)
        return Done(argv=command, status=answer.exit_code, out=answer.stdout.decode(), err=answer.stderr.decode(),
                    seconds=0.0)

    def exec(self, *command, tty=False, typed=b""):
        """`kubectl exec -i`: its streams by channel; channel 3 is the verdict."""
        url = self._client.Exec(container_id=self.id, cmd=command, tty=tty, stdin=True, stdout=True,
                                stderr=not tty).url
        return inside_network(self._pod.network, _converse, url, typed)

    def attach(self, typed):
        """`kubectl attach -i`: what comes until the container ends."""
        url = self._client.Attach(container_id=self.id, stdin=True, stdout=True, stderr=True).url
        return inside_network(self._pod.network, _converse, url, typed)


STDIN, STDOUT, STDERR, VERDICT = range(4)


def _converse(url, typed):
    connection = WebSocket(url)
    streams = {STDOUT: b"", STDERR: b"", VERDICT: b""}
    try:
        if typed:
            connection.send(STDIN, typed)
        while (message := connection.receive()) is not None:
            channel, data = message
            streams[channel] = streams.get(channel, b"") + data
    finally:
        connection.close()
    verdict = json.loads(streams[VERDICT] or b"{}")
    causes = verdict.get("details", {}).get("causes", [])
    status = next((int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"), None)
    if verdict.get("status") == "Success":
        status = 0
    return Done(argv=[url], status=status, out=streams[STDOUT].decode(), err=streams[STDERR].decode(), seconds=0.0,
                verdict=verdict)


def forward(pod, port, request):
    """`kubectl port-forward`: what the port in the pod answers."""
    url = pod.client.PortForward(pod_sandbox_id=pod.id, port=[port]).url
    return inside_network(pod.network, _forward, f"{url}?port={port}", request)


def _forward(url, request):
    connection = WebSocket(url)
    answer = {0: b"", 1: b""}
    try:
        connection.send(0, request)
        while (message := connection.receive()) is not None:
            answer[message[0]] += message[1]
    finally:
        connection.close()
    # Both channels begin with the port's number.
    assert not answer[1][2:], answer[1]
    return answer[0][2:]


class WebSocket:
    """The client's side of one connection; the first byte of every message is its channel."""

    def __init__(self, url, protocol="v4.channel.k8s.io"):
        parts = urllib.parse.urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall((
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            chunk = self._socket.recv(4096)
            assert chunk, f"no answer but {self._buffer}"
            self._buffer += chunk
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert head.split()[1] == b"101", head

    def send(self, channel, data):
        payload = bytes([channel]) + data
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        length = struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack(
            "!BH", 0x80 | 126, len(payload))
        self._socket.sendall(b"\x82" + length + mask + masked)

    def _take(self, count):
        while len(self._buffer) < count:
            chunk = self._socket.recv(65536)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def receive(self):
        """(channel, data) of the next message; None at the end."""
        while True:
            try:
                first, second = self._take(2)
                length = second & 0x7F
                if length >= 126:
                    length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
                payload = self._take(length)
            except EOFError:
                return None
            if first & 0xF == 8:  # close
                return None
            if payload:
                return payload[0], payload[1:]

    def close(self):
        self._socket.close()


# Fixtures


@pytest.fixture(scope="module")
def client(containerd, images, session_dir):
    for name, recipe in ((IMAGE, cell), ("localhost/pause:latest", pause)):
        containerd.load(images(name, recipe), "k8s.io")
    client = Client(containerd.socket, compile_messages(session_dir))
    yield client
    client.close()


@pytest.fixture(scope="module")
def make_pod(client, containerd, session_dir):
    """Pods of a module, all removed at its end; then nothing is left."""
    logs = session_dir / "pods"
    logs.mkdir(exist_ok=True)
    pods = []

    def make(level, **config):
        pods.append(Pod(client, level, logs, containerd.network, **config))
        return pods[-1]

    yield make
    for pod in pods:
        pod.remove()
    containerd.expect_nothing_left(TAG)


@pytest.fixture(scope="module")
def ordinary_pods(make_pod):
    """One a level for all tests that ask nothing of the pod."""
    pods = {}
    return lambda level: pods.get(level) or pods.setdefault(level, make_pod(level))


@pytest.fixture
def pod(ordinary_pods, outcome):
    pod = ordinary_pods(outcome.level)
    yield pod
    pod.clear()
