"""podman's and docker's own overlays in the private user namespace (design 3 (c)), run by themselves."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile

import pytest

from harness import linux, oracles
from harness.runtime import until

from conftest import RUNTIME, TAG
from test_overlay import both_sides
from test_podman import CONTAINERS_CONF

LAYERS = {"few": 3, "many": 64}  # so many that a page of options holds them only by relative names
SECRET = "for the image's root alone\n"


def missing(*programs):
    return pytest.mark.skipif(not all(map(shutil.which, programs)), reason=f"{', '.join(programs)}: not installed")


# Images, as `docker save` writes them


def base_layer(tree):
    for name in ("bin", "etc", "root", "own"):
        (tree / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    for applet in ("cat", "echo", "ls", "sh", "sleep", "stat"):
        (tree / "bin" / applet).symlink_to("busybox")
    (tree / "root/secret").write_text(SECRET)
    (tree / "root/secret").chmod(0o600)
    (tree / "root").chmod(0o700)
    for uid in (33, 1000, 65534):
        (tree / f"own/{uid}").touch()
        os.chown(tree / f"own/{uid}", uid, uid)
    return subprocess.run(["tar", "-C", tree, "-c", "."], check=True, capture_output=True).stdout


def small_layer(number):
    """One file, and a whiteout of the one below it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in (f"layer{number}", f".wh.layer{number - 1}"):
            tar.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def save(path, name, layers):
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in digests]}}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": [f"{d}.tar" for d in digests]}]
    with tarfile.open(path, "w") as tar:
        for entry, data in [*zip(manifest[0]["Layers"], layers), ("config.json", config),
                            ("manifest.json", json.dumps(manifest).encode())]:
            info = tarfile.TarInfo(entry)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def archives(session_dir):
    home = session_dir / "archives"
    base = base_layer(home / "base")
    return {size: save(home / f"{size}.tar", f"localhost/{size}:1", [base, *map(small_layer, range(1, n))])
            for size, n in LAYERS.items()}


# The engines


class Engine:
    def __init__(self, argv, env=()):
        self._argv, self._env = argv, {**os.environ, **dict(env)}

    def __call__(self, *args, timeout=60):
        done = subprocess.run([*self._argv, *args], capture_output=True, text=True, env=self._env, timeout=timeout)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def inspect(self, name, what):
        return self("inspect", "--format", "{{" + what + "}}", name)


@contextlib.contextmanager
def podman(home):
    (home / "containers.conf").write_text(CONTAINERS_CONF)
    places = [f"--{name}={home / name}" for name in ("root", "runroot", "tmpdir")]
    yield Engine(["podman", *places, f"--runtime={RUNTIME}"], {"CONTAINERS_CONF": str(home / "containers.conf")})
    with contextlib.suppress(OSError):
        linux.umount(home / "root/overlay")  # podman mounts its store on itself


@contextlib.contextmanager
def docker(home):
    """A daemon with everything of its own, and no network to set up."""
    places = [f"--data-root={home / 'data'}", f"--exec-root={home / 'exec'}", f"--pidfile={home / 'pid'}",
              f"--config-file={home / 'daemon.json'}", f"--cgroup-parent=/{TAG}"]
    (home / "daemon.json").write_text(json.dumps({"deprecated-key-path": str(home / "key.json")}))
    engine = Engine(["docker", "--host", f"unix://{home / 'socket'}"])
    with open(home / "log", "wb") as log:
        daemon = subprocess.Popen(["dockerd", "--iptables=false", "--bridge=none", f"--host=unix://{home / 'socket'}",
                                   f"--add-runtime=donjon={RUNTIME}", "--default-runtime=donjon", *places],
                                  stdout=log, stderr=log)

    def answers():
        assert daemon.poll() is None, (home / "log").read_text()
        return (home / "socket").exists() and "Name:" in engine("info")

    try:
        until(answers, 30.0, lambda: (home / "log").read_text())
        yield engine
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=30)
        oracles.remove_cgroups(TAG)


@pytest.fixture(params=[pytest.param(podman, marks=missing("podman", "conmon"), id="podman"),
                        pytest.param(docker, marks=missing("docker", "dockerd"), id="docker")])
def engine(host, work, request):
    work.chmod(0o755)
    with request.param(work) as engine:
        yield engine
    until(no_children, 10.0, lambda: f"somebody stays behind: {linux.living()}")


def no_children():
    """Monitors and shims end a moment later, as our children."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
        return False
    except ChildProcessError:
        return True


def snapshot(layers):
    found = {}
    for layer in layers:
        for directory, names, others in os.walk(layer):
            for path in [directory, *(os.path.join(directory, name) for name in [*names, *others])]:
                st = os.lstat(path)
                found[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
    return found


@pytest.fixture
def cell(engine, archives, size):
    """Made but not started; whatever the test does with it, it goes."""
    engine("load", "--input", str(archives[size]))
    engine("create", "--name=cell", "--network=none", "--workdir=/root", f"localhost/{size}:1", "/bin/sh", "-c",
           "cat secret; stat -c %u . /own/33; cat /proc/self/uid_map; ls /; sleep 1000")
    yield "cell"
    engine("rm", "--force", "cell")


def mount_options(point):
    with open("/proc/self/mountinfo") as mounts:
        return next(line for line in mounts if line.split()[4] == point).split()[-1]


@pytest.mark.parametrize("size", LAYERS)
def test_owners_are_right_and_nothing_is_changed(engine, cell, size):
    last = LAYERS[size] - 1
    lower = engine.inspect(cell, ".GraphDriver.Data.LowerDir").split(":")
    before = snapshot(lower)
    assert len(before) > last
    engine("start", cell)
    until(lambda: f"layer{last}" in engine("logs", cell), 10.0)

    lines = engine("logs", cell).splitlines()
    assert lines[:3] == [SECRET.strip(), "0", "33"]
    inside, outside, number = map(int, lines[3].split())
    assert (inside, number) == (0, 65536) and outside >= 65536
    assert f"layer{last - 1}" not in lines

    merged = engine.inspect(cell, ".GraphDriver.Data.MergedDir")
    assert ("lowerdir=l/" in mount_options(merged)) == (size == "many")
    found, wanted = both_sides(engine.inspect(cell, ".State.Pid"), pathlib.Path(merged))
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name] != wanted[name]] == []

    engine("kill", cell)
    assert snapshot(lower) == before
