"""What today's users run, with their own flags, under dockerd: four hardened images of one application
and the services of a compose file answer, unchanged."""

import json

import pytest

from harness.runtime import until

from support import CACHE, http, inside_network, limits_of, missing, row
from support_services import COMPOSE, FLASK, HEALTH, flask_image, load_services

pytestmark = missing("dockerd", "containerd", "/usr/bin/docker", "debootstrap")


@pytest.fixture(scope="module")
def services(dockerd, images):
    load_services(images, dockerd.load)


def ask(docker, address, port, path):
    """(status, body), or why there is none yet; asked from the host of the engine."""
    try:
        return inside_network(docker.daemon.containerd.network, http, address, port, path)
    except (OSError, IndexError, ValueError) as error:
        return None, repr(error)


def expect(docker, name, address, port, path, text):
    """Waits for the answer."""
    answers = []

    def answered():
        answers.append(ask(docker, address, port, path))
        return answers[-1][0] == 200 and text in answers[-1][1]

    until(answered, 30.0, lambda: f"{path}: {answers[-1]} {docker.logs(name)}")
    return answers[-1][1]


@row("docker", *(f"flask-{name}" for name in FLASK))
def test_flask(docker, services, outcome):
    """As the README starts, asks, looks at and ends it."""
    name = outcome.row.removeprefix("flask-")
    service = FLASK[name]
    container = docker.start(f"--network={docker.network()}", service.publish, *service.flags, flask_image(name))
    said = json.loads(expect(docker, container, "127.0.0.1", service.port, "/", "hello from flask"))
    assert said["uid"] == service.uid
    expect(docker, container, "127.0.0.1", service.port, "/health", "healthy")
    look = "import os; print(os.getuid())"
    assert docker.ok("exec", container, "python3", "-c", look) == str(service.uid)
    assert docker.run(*service.flags, flask_image(name), "python3", "-c", look).out.strip() == str(service.uid)
    docker.ok("stop", "--time=1", container)


@row("docker", "compose")
def test_compose(docker, services, outcome):
    """The three services, their networks, the volume and the health check."""
    front, back, data = docker.network(), docker.network("--internal"), docker.volume()
    db = docker.start(f"--network={back}", f"--volume={data}:/var/lib/postgresql/data", *COMPOSE["db"][1], COMPOSE["db"][0])
    database = docker.address(db, back)
    app = docker.start(f"--network={front}", f"--env=DATABASE={database}", *COMPOSE["app"][1], COMPOSE["app"][0])
    docker.ok("network", "connect", back, app)
    web = docker.start(f"--network={front}", "--publish=127.0.0.1:8080:80", f"--health-cmd={HEALTH}", "--health-interval=1s",
                       "--health-timeout=10s", "--health-retries=3", *COMPOSE["web"][1], COMPOSE["web"][0])
    for path, text in (("/", "hello from nginx"), ("/health", "healthy")):
        expect(docker, web, "127.0.0.1", 8080, path, text)
    for path, text in (("/", "hello from flask"), ("/health", "healthy")):
        expect(docker, app, docker.address(app, front), 5000, path, text)
    expect(docker, db, docker.address(app, front), 5000, "/database", "N")
    assert docker.ok("exec", db, "psql", "--username=postgres", "--tuples-only", "--command=select 40 + 2").strip() == "42"
    until(lambda: docker.inspect(web, ".State.Health.Status") == "healthy", 10.0, lambda: docker.inspect(web, ".State.Health"))
    found = limits_of(docker.pid(web))
    assert (found["memory"], found["cpu"]) == (256 << 20, 50000), found
    assert "GET / HTTP/1.0" in docker.logs(web).out


@row("docker", "compose-data-stays")
def test_the_database_keeps_its_data(docker, services, outcome):
    """A second container on the same volume, with the same owners."""
    data = docker.volume()
    image, flags = COMPOSE["db"][0], (f"--volume={data}:/var/lib/postgresql/data", *COMPOSE["db"][1])

    def query(command):
        name = docker.start(*flags, image)
        until(lambda: docker("exec", name, "pg_isready", "--username=postgres").ok, 30.0, lambda: f"{docker.logs(name)}")
        answer = docker.ok("exec", name, "psql", "--username=postgres", "--tuples-only", f"--command={command}")
        docker.ok("stop", "--time=10", name)
        assert docker.inspect(name, ".State.ExitCode") == 0, docker.logs(name)
        return answer.strip()

    query("create table kept as select 42 as number")
    assert query("select number from kept") == "42"
