"""The services of the documents the project was created from, as images made from Debian's packages.

A README: one Flask application in four hardened images, with its own flags.  A course: a compose file
of three services.  podman and docker take the same flags.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

from support import CACHE, ROOT
from support_images import PATH, missing_in_cache, users

LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "usr/lib64", "lib64")
# Files of the interpreter no service wants.
PYTHON_UNWANTED = shutil.ignore_patterns("test", "lib2to3", "idlelib", "ensurepip", "turtle*", "distutils")


# Where the files come from


def debian():
    """The system of examples/: nginx, redis and Flask in a Debian made by debootstrap, kept in the cache."""
    done = subprocess.run(["sh", "-c", '. "$1"; debian_rootfs', ROOT / "examples/debian.sh", ROOT / "examples/lib.sh"],
                          capture_output=True, text=True, env={**os.environ, "DONJON_CACHE": str(CACHE)})
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def postgres():
    """PostgreSQL unpacked, with the libraries that system lacks; no package script is run."""
    tree = CACHE / "postgres"
    with missing_in_cache(tree) as missing:
        if missing:
            _unpack_postgres(tree, debian())
    return tree


def _unpack_postgres(tree, system):
    packages, unfinished = CACHE / "packages", CACHE / "postgres.new"
    (packages / "partial").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(
        ["apt-get", "-q", "-y", "-o", f"Dir::State::status={system}/var/lib/dpkg/status",
         "-o", f"Dir::Cache::archives={packages}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
         "--no-install-recommends", "--download-only", "install", "postgresql-15"], check=True, capture_output=True)
    for package in packages.glob("*.deb"):
        if re.match(r"postgresql-(client-)?15_|lib(?!perl|llvm|z3)", package.name):
            subprocess.run(["dpkg-deb", "-x", package, unfinished], check=True)
    unfinished.rename(tree)


def needed(file):
    """Names of the shared libraries an ELF file asks for, its interpreter included."""
    text = subprocess.run(["readelf", "-dl", file], capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text) + re.findall(r"interpreter: .*/([^/]+)\]", text)


class Maker:
    """Copies programs out of system trees, with the libraries they need and nothing else."""

    def __init__(self, tree, *systems):
        self._tree, self._systems, self._have = tree, systems, set()
        for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "dev", "proc", "sys", "run", "tmp", "var/log",
                     "var/tmp", "var/cache", "var/lib", "root", "home"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (tree / name).symlink_to(f"usr/{name}")
        (tree / "var/run").symlink_to("/run")
        for name in ("tmp", "var/tmp"):
            (tree / name).chmod(0o1777)

    def _find(self, path):
        return next(system / path for system in self._systems if (system / path).exists())

    def _library(self, name):
        if name in self._have:
            return
        self._have.add(name)
        for system in self._systems:
            for directory in LIBRARIES:
                found = system / directory / name
                if found.exists():
                    target = self._tree / ("usr/lib64" if name.startswith("ld-linux") else "usr/lib/x86_64-linux-gnu") / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(found.resolve(), target)
                    for more in needed(found):
                        self._library(more)
                    return
        raise FileNotFoundError(name)

    def program(self, *paths):
        for path in paths:
            target = self._tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._find(path).resolve(), target)
            for name in needed(target):
                self._library(name)

    def directory(self, path, ignore=None):
        shutil.copytree(self._find(path), self._tree / path, symlinks=True, ignore=ignore, dirs_exist_ok=True)
        for extension in (self._tree / path).rglob("*.so"):
            for name in needed(extension):
                self._library(name)

    def shell(self, *applets):
        shutil.copy(shutil.which("busybox"), self._tree / "usr/bin/busybox")
        for applet in applets:
            (self._tree / "usr/bin" / applet).symlink_to("busybox")

    def write(self, path, text, mode=0o644, owner=0):
        target = self._tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        os.chown(target, owner, owner)

    def directory_of(self, path, owner, mode):
        target = self._tree / path
        target.mkdir(parents=True, exist_ok=True)
        target.chmod(mode)
        os.chown(target, owner, owner)


# The README: a Flask application in four images

APP = """
import os
import socket

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def index():
    return jsonify(message="hello from flask", uid=os.getuid())


@app.get("/health")
def health():
    return jsonify(status="healthy")


@app.get("/database")
def database():
    # The first eight bytes any client may send: does the server speak TLS?  It says S or N.
    with socket.create_connection((os.environ["DATABASE"], 5432), timeout=5) as connection:
        connection.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        return connection.recv(1)


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)
"""


def python(tree):
    """The layer all Flask images share."""
    maker = Maker(tree, debian())
    maker.program("usr/bin/python3.11")
    (tree / "usr/bin/python3").symlink_to("python3.11")
    (tree / "usr/bin/python").symlink_to("python3.11")
    maker.directory("usr/lib/python3.11", PYTHON_UNWANTED)
    maker.directory("usr/lib/python3/dist-packages")


def application(uid, mode=0o644, shell=()):
    """The layer on top: the application, its user, and whatever the base image has besides."""

    def recipe(tree):
        users(tree, appuser=(uid, "/sbin/nologin"))
        app = tree / "app"
        app.mkdir()
        (app / "app.py").write_text(APP)
        (app / "app.py").chmod(mode)
        for path in (app, app / "app.py"):
            os.chown(path, uid, uid)
        if shell:
            (tree / "usr/bin").mkdir(parents=True)
            shutil.copy(shutil.which("busybox"), tree / "usr/bin/busybox")
            for applet in shell:
                (tree / "usr/bin" / applet).symlink_to("busybox")
        return {"Env": [PATH, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"], "WorkingDir": "/app", "User": str(uid),
                "ExposedPorts": {"5000/tcp": {}}, "Cmd": ["python3", "/app/app.py"]}

    return recipe


@dataclasses.dataclass(frozen=True)
class Flask:
    """One of the README's images: its user, its flags and the port it is published on."""

    uid: int
    port: int
    flags: tuple = ()

    @property
    def publish(self):
        return f"--publish=127.0.0.1:{self.port}:5000"


FLASK = {
    "distroless": Flask(65532, 5000),
    "chainguard": Flask(65532, 5001),
    "ubi": Flask(1001, 5002),
    "ubi-secure": Flask(1001, 5002, ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
                                     "--memory=512m", "--cpus=0.5")),
    "alpine": Flask(10001, 5003),
    "alpine-hardened": Flask(10001, 5003, ("--read-only", "--tmpfs=/tmp:noexec,nosuid,nodev", "--cap-drop=ALL",
                                           "--cap-add=NET_BIND_SERVICE", "--security-opt=no-new-privileges", "--memory=256m",
                                           "--pids-limit=50")),
}
FLASK_IMAGES = {
    "localhost/myapp:distroless": (python, application(65532)),
    "localhost/myapp:chainguard": (python, application(65532, shell=("sh",))),
    "localhost/myapp:ubi": (python, application(1001, shell=("bash", "sh", "ls", "cat"))),
    "localhost/myapp:alpine": (python, application(10001, 0o400, ("sh", "ls", "cat", "wget"))),
}


def flask_image(name):
    return f"localhost/myapp:{name.split('-')[0]}"


# The course: a compose file

NGINX = """
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 64; }
http {
	access_log /dev/stdout;
	client_body_temp_path /var/cache/nginx/client;
	proxy_temp_path /var/cache/nginx/proxy;
	fastcgi_temp_path /var/cache/nginx/fastcgi;
	uwsgi_temp_path /var/cache/nginx/uwsgi;
	scgi_temp_path /var/cache/nginx/scgi;
	server {
		listen 80;
		location = / { default_type text/plain; return 200 "hello from nginx\\n"; }
		location = /health { default_type text/plain; return 200 "healthy\\n"; }
	}
}
"""


def nginx(tree):
    """nginx:alpine, set up for a user that cannot write /run."""
    maker = Maker(tree, debian())
    maker.program("usr/sbin/nginx")
    maker.shell("sh", "wget", "cat")
    users(tree, nginx=(101, "/sbin/nologin"))
    maker.write("etc/nginx/nginx.conf", NGINX)
    maker.directory_of("var/cache/nginx", 101, 0o1777)  # for whatever user the tmpfs there is
    maker.directory_of("var/lib/nginx", 0, 0o755)
    maker.directory_of("var/log/nginx", 101, 0o755)
    for name, target in (("access.log", "/dev/stdout"), ("error.log", "/dev/stderr")):
        (tree / "var/log/nginx" / name).symlink_to(target)
    return {"Env": [PATH], "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGQUIT",
            "Cmd": ["/usr/sbin/nginx", "-e", "/dev/stderr", "-g", "daemon off;"]}


# As the official image's: what root would do is skipped, the cluster is made on first use.
POSTGRES_ENTRY = """#!/bin/sh
set -e
mkdir -p /var/run/postgresql || :
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	initdb --no-sync --no-locale --encoding=UTF8 --auth=trust --username=postgres >/dev/null
	echo "host all all all trust" >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
"""


def postgresql(tree):
    """postgres:15-alpine: user 70, the socket in /var/run/postgresql."""
    binaries = "usr/lib/postgresql/15/bin"
    maker = Maker(tree, postgres(), debian())
    maker.program(*(f"{binaries}/{name}" for name in ("postgres", "initdb", "psql", "pg_isready")))
    maker.program("usr/lib/postgresql/15/lib/plpgsql.so", "usr/lib/postgresql/15/lib/dict_snowball.so")
    maker.directory("usr/share/postgresql/15", shutil.ignore_patterns("man", "extension", "tsearch_data"))
    maker.directory("usr/share/postgresql/15/tsearch_data")
    for extension in ("plpgsql.control", "plpgsql--1.0.sql"):
        path = f"usr/share/postgresql/15/extension/{extension}"
        maker.write(path, (postgres() / path).read_text())
    maker.shell("sh", "cat", "id", "locale", "ls", "mkdir", "sleep")
    users(tree, postgres=(70, "/bin/sh"))
    maker.write("usr/local/bin/entry", POSTGRES_ENTRY, 0o755)
    maker.directory_of("var/lib/postgresql", 70, 0o755)
    maker.directory_of("var/lib/postgresql/data", 70, 0o777)
    maker.directory_of("run/postgresql", 70, 0o3777)
    return {"Env": [f"{PATH}:/{binaries}", "PGDATA=/var/lib/postgresql/data", "LANG=C"],
            "Entrypoint": ["/usr/local/bin/entry"], "Cmd": ["postgres", "-c", "listen_addresses=*", "-c", "fsync=off"],
            "Volumes": {"/var/lib/postgresql/data": {}}, "StopSignal": "SIGINT", "ExposedPorts": {"5432/tcp": {}}}


NO_PRIVILEGES = ("--cap-drop=ALL", "--security-opt=no-new-privileges:true")
# The compose file's keys as flags; networks, volume and healthcheck are the test's.
COMPOSE = {
    "web": ("localhost/nginx:alpine", (
        "--read-only", "--user=1000:1000", *NO_PRIVILEGES, "--cap-add=NET_BIND_SERVICE", "--tmpfs=/tmp",
        "--tmpfs=/var/cache/nginx", "--cpus=0.5", "--memory=256m", "--memory-reservation=128m")),
    "app": ("localhost/myapp:latest", ("--read-only", "--user=1000:1000", *NO_PRIVILEGES)),
    "db": ("localhost/postgres:15-alpine", ("--user=70:70", *NO_PRIVILEGES)),
}
COMPOSE_IMAGES = {
    "localhost/nginx:alpine": (nginx,),
    "localhost/myapp:latest": (python, application(1000)),
    "localhost/postgres:15-alpine": (postgresql,),
}
HEALTH = "wget -q --spider http://localhost/"


def load_services(images, load):
    """All of them into an engine, at once."""
    load(images.set("services", {**FLASK_IMAGES, **COMPOSE_IMAGES}))
