"""donjon setup: the drop-ins, read by the engines they are for."""

import json
import os
import shutil
import subprocess

import pytest

from harness import linux

from conftest import RUNTIME

pytestmark = pytest.mark.levels("none")

PLACES = {"podman": "/etc/containers/containers.conf.d/50-donjon.conf", "crio": "/etc/crio/crio.conf.d/50-donjon.conf",
          "docker": "/etc/docker/daemon.json", "containerd": "/etc/containerd/conf.d/donjon.toml"}
needs = {name: pytest.mark.skipif(not shutil.which(name), reason=f"{name} is missing")
         for name in ("podman", "containerd", "setpriv")}


def setup(*args, **run):
    return subprocess.run([RUNTIME, "setup", *args], capture_output=True, text=True, **run)


@pytest.fixture
def etc():
    """/etc, of which a test may change what it likes: the tests have a mount namespace of their own."""
    mounted = []

    def own(directory, **files):
        os.makedirs(directory, exist_ok=True)
        linux.mount("tmpfs", directory, "tmpfs", 0)
        mounted.append(directory)
        for name, text in files.items():
            with open(os.path.join(directory, name.replace("_", ".")), "w") as file:
                file.write(text)

    made = [d for d in ("/etc/containers", "/etc/crio", "/etc/docker", "/etc/containerd") if not os.path.isdir(d)]
    yield own
    for directory in reversed(mounted):
        linux.umount(directory)
    for directory in made:
        if os.path.isdir(directory):
            shutil.rmtree(directory)


@needs["podman"]
def test_podman_knows_it(work):
    """Z15: by its name, with its JSON log, and in podman's own eyes."""
    text = setup("podman").stdout
    (work / "containers.conf").write_text(text)
    own = [f"--root={work}/root", f"--runroot={work}/run", "--storage-driver=vfs"]  # needs no mount
    done = subprocess.run(["podman", *own, "--runtime", "donjon", "info", "--format", "{{.Host.OCIRuntime.Path}}"],
                          env={**os.environ, "CONTAINERS_CONF": str(work / "containers.conf")},
                          capture_output=True, text=True)
    assert done.returncode == 0 and os.path.samefile(done.stdout.strip(), RUNTIME), done
    for key in ("runtime_supports_json", "runtime_supports_nocgroups"):
        line = next(line for line in text.splitlines() if line.startswith(key))
        assert '"donjon"' in line and '"donjon-none"' in line and '"crun"' in line, line


@needs["containerd"]
def test_containerd_knows_it(work):
    """Read back from containerd's own dump of its configuration."""
    (work / "conf.d").mkdir()
    (work / "conf.d/donjon.toml").write_text(setup("containerd").stdout)
    (work / "config.toml").write_text(f'version = 2\nimports = ["{work}/conf.d/*.toml"]\n')
    dump = subprocess.run(["containerd", "--config", work / "config.toml", "config", "dump"],
                          capture_output=True, text=True, check=True).stdout
    for name in ("donjon", "donjon-none"):
        section = dump.split(f"containerd.runtimes.{name}.options]")[1].split("[")[0]
        assert f'BinaryName = "{os.path.realpath(RUNTIME).removesuffix("donjon")}{name}"' in section


def test_docker_and_the_wrapper(work):
    """L9: the second runtime is a file, since no engine passes options to it."""
    runtimes = json.loads(setup("docker").stdout)["runtimes"]
    assert os.path.samefile(runtimes["donjon"]["path"], RUNTIME)
    plain = runtimes["donjon-none"]["path"]
    done = subprocess.run([plain, "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("donjon version "), done
    bundle = work / "bundle"
    (bundle / "rootfs").mkdir(parents=True)
    subprocess.run([RUNTIME, "spec", "--bundle", bundle], check=True)
    done = subprocess.run([plain, "run", "--dry-run", "--bundle", bundle, "x"], capture_output=True, text=True)
    assert "\nlevel\n  none" in done.stdout, done


@pytest.mark.parametrize("engine, name, since", [("podman", "podman", "4.8"), ("containerd", "containerd", "2.0"),
                                                 ("crio", "CRI-O", "1.18")])
def test_the_first_line_says_for_what(work, engine, name, since):
    """Of an engine that is not there nobody knows the version."""
    env = {**os.environ, "PATH": str(work)}
    text = setup(engine, env=env).stdout
    assert text.splitlines()[0] == f"# donjon for {name} {since} and newer; found no {engine} here to ask for its version"
    program = work / engine
    program.write_text(f"#!/bin/sh\necho {engine} version 12.34.5\n")
    program.chmod(0o755)
    told = setup(engine, env=env).stdout
    assert told.splitlines()[0] == f"# donjon for {name} 12.34"
    assert told.splitlines()[1:] == text.splitlines()[1:]


def test_kubernetes():
    text = setup("kubernetes").stdout
    assert "kind: RuntimeClass" in text and "handler: donjon" in text
    done = setup("kubernetes", "--write")
    assert done.returncode == 1 and "kubectl" in done.stderr, done


@pytest.mark.parametrize("engine", ["podman", "crio"])
def test_written_where_drop_ins_go(etc, engine):
    """What setup prints, in a file of its own; a second time over it."""
    path = PLACES[engine]
    etc(os.path.dirname(path), user_conf="mine\n")
    for _ in range(2):
        done = setup(engine, "--write")
        assert done.returncode == 0 and done.stdout == path + "\n", done
        with open(path) as file:
            assert file.read() == setup(engine).stdout
    assert sorted(os.listdir(os.path.dirname(path))) == sorted([os.path.basename(path), "user.conf"])
    assert os.stat(path).st_mode & 0o777 == 0o644


def test_a_users_own_file_is_never_edited(etc):
    """Docker has one file only; containerd would throw away what stands in its own."""
    etc("/etc/docker", daemon_json='{"debug": true}\n')
    done = setup("docker", "--write")
    assert done.returncode == 1 and "/etc/docker/daemon.json" in done.stderr, done
    with open("/etc/docker/daemon.json") as file:
        assert file.read() == '{"debug": true}\n'
    assert os.listdir("/etc/docker") == ["daemon.json"]


def test_a_link_that_leads_nowhere_yet_is_the_users(etc):
    etc("/etc/docker")
    os.symlink("/run/nowhere/daemon.json", "/etc/docker/daemon.json")
    done = setup("docker", "--write")
    assert done.returncode == 1 and "/etc/docker/daemon.json" in done.stderr, done
    assert os.readlink("/etc/docker/daemon.json") == "/run/nowhere/daemon.json"


def test_docker_without_a_file(etc):
    """And again, when the file is its own."""
    etc("/etc/docker")
    for _ in range(2):
        done = setup("docker", "--write")
        assert (done.returncode, done.stdout) == (0, "/etc/docker/daemon.json\n"), done
    with open("/etc/docker/daemon.json") as file:
        assert "donjon" in json.load(file)["runtimes"]


@needs["containerd"]
@pytest.mark.parametrize("config, why", [
    ("version = 2\n", "imports"),
    ('imports = ["/etc/containerd/conf.d/*.toml"]\n[plugins."io.containerd.grpc.v1.cri"]\n', "would replace"),
])
def test_containerd_that_would_lose_something(etc, config, why):
    """containerd takes a plugin's section whole, from the last file that has one."""
    etc("/etc/containerd", config_toml=config)
    done = setup("containerd", "--write")
    assert done.returncode == 1 and why in done.stderr, done
    assert os.listdir("/etc/containerd") == ["config.toml"]


@needs["containerd"]
def test_containerd_that_imports(etc):
    etc("/etc/containerd", config_toml='version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    assert setup("containerd", "--write").returncode == 0
    dump = subprocess.run(["containerd", "--config", "/etc/containerd/config.toml", "config", "dump"],
                          capture_output=True, text=True, check=True).stdout
    assert "containerd.runtimes.donjon]" in dump


@needs["setpriv"]
@pytest.mark.parametrize("engine, status", [("podman", 0), ("docker", 1)])
def test_as_a_user(work, engine, status):
    work.chmod(0o711)
    home = work / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    done = subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", RUNTIME, "setup", engine,
                           "--write"], env={"HOME": str(home), "PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == status, done
    if status == 0:
        assert done.stdout.strip() == f"{home}/.config/containers/containers.conf.d/50-donjon.conf"
    else:
        assert "is root's to write" in done.stderr


@needs["podman"]
def test_check_runs_a_container(work):
    """Through the real engine, and nothing is left of it."""
    (work / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nlock_type = "file"\n')
    (work / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{work}/store"\nrunroot = "{work}/run"\n')
    (work / "tmp").mkdir()
    done = setup("podman", "--check", env={
        **os.environ, "CONTAINERS_CONF": str(work / "containers.conf"), "TMPDIR": str(work / "tmp"),
        "CONTAINERS_STORAGE_CONF": str(work / "storage.conf")})
    assert done.returncode == 0, done
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith(("no_new", "filters")))
    assert shown == {"no_new_privs": "1", "filters": "2"}, done
    assert "bounding caps  0000000000000000" in done.stdout and "WORKS" not in done.stdout, done
    assert os.listdir(work / "tmp") == []


def test_unknown_engines_and_checks():
    done = setup("lxc")
    assert done.returncode == 1 and "podman, containerd, docker" in done.stderr, done
    assert setup("crio", "--check").returncode == 1
