"""Real input: every bundle of examples/, as a program and as a service that answers a request."""

import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import types

import pytest

from harness import linux
from harness.log import Log
from harness.runtime import fresh_id, until

from conftest import BUILD, ROOT, RUNTIME, runtime_kind

EXAMPLES = ROOT / "examples"
CACHE = os.environ.get("DONJON_CACHE", str(BUILD / "cache"))
SKIPPED = 77
MAPPED_ROOT = 100000

pytestmark = pytest.mark.peer

PROGRAMS = {
    "busybox": "hello from BusyBox",
    "static": "hello from a lone program",
    "runc-spec": "hello from runc spec",
    "umoci": "hello from /tmp",
    "debian": "hello from Debian GNU/Linux",
}

HTTP = b"GET / HTTP/1.0\r\n\r\n"
# script -> (port as an ordinary user, port as root, request, answer)
SERVICES = {
    "nginx": (8080, 80, HTTP, b"hello from nginx"),
    "redis": (6379, 6379, b"PING\r\n", b"+PONG"),
    "python-http": (8000, 8000, HTTP, b"hello from python"),
    "flask": (8080, 8080, HTTP, b"hello from flask"),
}


def run_tool(*argv, **env):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, env={**os.environ, **env})
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


@pytest.fixture
def make(work):
    """Runs the example's script; the bundle it makes."""

    def make(example, *edits, **env):
        path = work / fresh_id(example)
        # crun has no document of its own that suits a hybrid host; runc's is the model anyway.
        writer = RUNTIME if runtime_kind() == "donjon" else shutil.which("runc")
        run_tool(EXAMPLES / f"{example}.sh", path, DONJON=str(writer), DONJON_CACHE=CACHE, **env)
        if edits:
            run_tool(EXAMPLES / "edit-config", path / "config.json", *edits)
        path.chmod(0o711)
        return types.SimpleNamespace(path=path)

    return make


@pytest.fixture
def network(work):
    """A network namespace as an engine would have made it: a file it is mounted on."""
    path = work / "network"
    path.touch()
    run_tool("unshare", f"--net={path}", "ip", "link", "set", "lo", "up")
    yield path
    linux.umount(path)


@pytest.fixture
def log(request):
    """Owned by root, or by whom the test names."""
    log = Log(getattr(request, "param", 0))
    yield log
    log.close()


def _converse(network, port, request, answer):
    with open(network) as namespace:
        assert ctypes.CDLL(None).setns(namespace.fileno(), linux.CLONE_NEWNET) == 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        while chunk := connection.recv(4096):
            answer += chunk
            if request is not HTTP:
                break


def ask(network, port, request):
    """What the service answers to someone in that network namespace; empty: nobody there."""
    answer = bytearray()

    def inside():  # a thread can enter a namespace without taking the others along
        try:
            _converse(network, port, request, answer)
        except OSError:
            time.sleep(0.05)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    return bytes(answer)


def host_uid(cell):
    with open(f"/proc/{cell.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Uid:"))


def expect_answer(cell, log, network, port, request, answer):
    """Starts the service, asks it, and ends it as its operator would; the host uid it ran as."""
    result = cell.create(**log.streams)
    assert result.ok, f"{result} {log.text()}"
    path = network or pathlib.Path(f"/proc/{cell.pid}/ns/net")
    result = cell.start()
    assert result.ok, f"{result} {log.text()}"
    until(lambda: answer in ask(path, port, request), 30, lambda: f"no answer: {log.text()}")
    uid = host_uid(cell)
    assert cell.kill("KILL").ok
    cell.wait_stopped()
    return uid


@pytest.mark.parametrize("example", PROGRAMS)
def test_program_runs(cells, make, level, example):
    result = cells(bundle=make(example)).run()
    assert result.ok and PROGRAMS[example] in result.out, result


@pytest.mark.parametrize("service", SERVICES)
def test_service_answers_as_an_ordinary_user(cells, make, network, log, level, service):
    port, _, request, answer = SERVICES[service]
    cell = cells(bundle=make(service, "--network", network))
    assert expect_answer(cell, log, network, port, request, answer) != 0


@pytest.mark.parametrize("service", SERVICES)
def test_service_answers_as_root(cells, make, network, log, level, service):
    """At none it is root; at the default level donjon maps it, without being asked."""
    _, port, request, answer = SERVICES[service]
    bundle = make(service, "--network", network, WEB_USER="root", SERVICE_UID="0")
    uid = expect_answer(cells(bundle=bundle), log, network, port, request, answer)
    assert (uid == 0) == (level == "none"), f"runs as host uid {uid} at {level}"


@pytest.mark.parametrize("log", [MAPPED_ROOT], indirect=True, ids=["mapped"])
@pytest.mark.parametrize("service", SERVICES)
def test_service_answers_as_root_of_its_own_namespaces(cells, make, log, level, service):
    """User and network namespace are the bundle's own: mapped root at every level."""
    _, port, request, answer = SERVICES[service]
    bundle = make(service, "--map-root", str(MAPPED_ROOT), WEB_USER="root", SERVICE_UID="0")
    uid = expect_answer(cells(bundle=bundle), log, None, port, request, answer)
    assert uid == MAPPED_ROOT


@pytest.mark.levels("none")
def test_nginx_that_changes_ids_itself(cells, make, network, log, level):
    _, port, request, answer = SERVICES["nginx"]
    bundle = make("nginx", "--network", network, WEB_USER="stock")
    expect_answer(cells(bundle=bundle), log, network, port, request, answer)


@pytest.mark.levels("hardened")
def test_nginx_that_changes_ids_itself_needs_an_override(cells, make, network, log, rt, level):
    """Decision 6: what the user reads without it, and that it serves with it."""
    _, port, request, answer = SERVICES["nginx"]
    bundle = make("nginx", "--network", network, WEB_USER="stock")
    result = cells(bundle=bundle).run(**log.streams)
    said = log.text()
    assert result.status == 1 and 'chown("/tmp/body", 33) failed (1: Operation not permitted)' in said, said
    allowing = rt.override("caps.bounding=CAP_SETUID,CAP_SETGID,CAP_CHOWN:workers_change_ids")
    uid = expect_answer(cells(bundle=bundle, runtime=allowing), log, network, port, request, answer)
    assert uid != 0
