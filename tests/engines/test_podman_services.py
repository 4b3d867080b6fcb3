"""What today's users run, with their own flags, under podman: the images of seed 000 and the compose file
of seed 001 answer, unchanged."""

import json

import pytest

from harness.runtime import until

from support import http, inside_network, limits_of, missing
from support_podman import Podman, USERS, proc_status, rows
from support_services import COMPOSE, FLASK, HEALTH, flask_image, load_services

pytestmark = missing("podman", "conmon", "slirp4netns", "debootstrap")


@pytest.fixture(scope="module")
def services(machine, images):
    """In both users' storage."""
    for rootless in USERS.values():
        load_services(images, lambda archive, podman=Podman(machine, rootless, "none"):
                      podman.ok("load", "--quiet", f"--input={archive}", timeout=180))


@pytest.fixture
def start(podman):
    """`podman run --detach` with the flags as they are; the container's name."""

    def start(*args):
        name = podman.name()
        podman.ok("run", "--detach", f"--name={name}", *args)
        return name

    return start


@pytest.fixture
def expect(machine, podman):
    """Waits for an answer that somebody on the machine gets."""

    def expect(name, port, path, text):
        answers = []

        def answered():
            try:
                answers.append(inside_network(machine.network, http, "127.0.0.1", port, path))
            except (OSError, IndexError, ValueError) as error:
                answers.append((None, repr(error)))
            return answers[-1][0] == 200 and text in answers[-1][1]

        until(answered, 30.0, lambda: f"{path}: {answers[-1]} {podman('logs', name)}")
        return answers[-1][1]

    return expect


@rows(*(f"flask-{name}" for name in FLASK))
def test_flask(podman, services, outcome, start, expect):
    """As the README starts, asks, looks at and ends it."""
    name = outcome.row.removeprefix("flask-")
    service = FLASK[name]
    container = start(service.publish, *service.flags, flask_image(name))
    said = json.loads(expect(container, service.port, "/", "hello from flask"))
    assert said["uid"] == service.uid
    expect(container, service.port, "/health", "healthy")
    look = "import os; print(os.getuid())"
    assert podman.ok("exec", container, "python3", "-c", look) == str(service.uid)
    done = podman("run", "--rm", *service.flags, flask_image(name), "python3", "-c", look)
    assert (done.status, done.out.strip()) == (0, str(service.uid)), str(done)
    podman.ok("stop", "--time=1", container)


@pytest.fixture
def network(podman, outcome):
    """Makes networks that go after the test."""
    made = []

    def network(*options):
        made.append(f"{outcome.row}-{len(made)}")
        podman.ok("network", "create", *options, made[-1])
        return made[-1]

    yield network
    podman.clear()
    for name in made:
        podman.ok("network", "rm", "--force", name)


@pytest.fixture
def volume(podman, outcome):
    podman.ok("volume", "create", f"data-{outcome.row}")
    yield f"data-{outcome.row}"
    podman.clear()
    podman.ok("volume", "rm", "--force", f"data-{outcome.row}")


def address(podman, name, network):
    return json.loads(podman.ok("inspect", "--format={{json .NetworkSettings.Networks}}", name))[network]["IPAddress"]


@rows("compose")
def test_compose(podman, services, outcome, start, expect, network, volume):
    """The three services, their networks, the volume and the health check."""
    front, back = network(), network("--internal")
    db = start(f"--network={back}", f"--volume={volume}:/var/lib/postgresql/data", *COMPOSE["db"][1], COMPOSE["db"][0])
    app = start(f"--network={front}", "--publish=127.0.0.1:5004:5000",
                f"--env=DATABASE={address(podman, db, back)}", *COMPOSE["app"][1], COMPOSE["app"][0])
    # Of both at once CNI publishes the port on either, and podman's random order tells which of them counts.
    podman.ok("network", "connect", back, app)
    web = start(f"--network={front}", "--publish=127.0.0.1:8080:80", f"--health-cmd={HEALTH}", "--health-interval=disable",
                "--health-timeout=10s", "--health-retries=3", *COMPOSE["web"][1], COMPOSE["web"][0])
    for path, text in (("/", "hello from nginx"), ("/health", "healthy")):
        expect(web, 8080, path, text)
    for path, text in (("/", "hello from flask"), ("/health", "healthy"), ("/database", "N")):
        expect(app, 5004, path, text)
    until(lambda: podman("exec", db, "pg_isready", "--username=postgres").ok, 30.0)
    assert podman.ok("exec", db, "psql", "--username=postgres", "--tuples-only", "--command=select 40 + 2").strip() == "42"
    podman.ok("healthcheck", "run", web)
    assert proc_status(podman.pid(web))["NoNewPrivs"] == "1"
    if not outcome.rootless:  # podman leaves the limits out where it cannot set them
        found = limits_of(podman.pid(web))
        assert (found["memory"], found["cpu"]) == (256 << 20, 50000), found
    assert "GET / HTTP/1.0" in podman("logs", web).out


@rows("compose-data-stays")
def test_the_database_keeps_its_data(podman, services, outcome, start, volume):
    """A second container on the same volume, with the same owners."""
    image, flags = COMPOSE["db"][0], (f"--volume={volume}:/var/lib/postgresql/data", *COMPOSE["db"][1])

    def query(command):
        name = start("--network=none", *flags, image)
        until(lambda: podman("exec", name, "pg_isready", "--username=postgres").ok, 30.0, lambda: f"{podman('logs', name)}")
        answer = podman.ok("exec", name, "psql", "--username=postgres", "--tuples-only", f"--command={command}")
        podman.ok("stop", "--time=10", name)
        assert podman.ok("inspect", "--format={{.State.ExitCode}}", name) == "0", podman("logs", name)
        return answer.strip()

    query("create table kept as select 42 as number")
    assert query("select number from kept") == "42"
