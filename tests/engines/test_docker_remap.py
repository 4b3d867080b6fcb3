"""dockerd with userns-remap: the config brings its own user namespace, which both levels use as it is."""

import re

import pytest

from harness import linux

from harness import against
from support import RUNTIME, is_donjon, missing, row
from support_docker import FAILED, IMAGE, Docker, Dockerd
from support_images import cell

pytestmark = [missing("dockerd", "containerd", "/usr/bin/docker"), pytest.mark.skipif(
    not is_donjon(), reason="runc 1.1 may not enter the rootfs of a remapped Docker where this test keeps it")]
FIRST, COUNT = 524288, 65536
# dockerd's wrapper splits at blanks (contract L9): `_` stands for one in a reason (decision 38).
EXCUSE = ["--override", "dev.nodes=/dev/fuse:it_mounts_archives", "--override", "dev.cgroup=c10:229:it_mounts_archives"]


@pytest.fixture(scope="module")
def remapped(containerd, session_dir, images):
    """Its daemon, in a mount namespace whose /etc/subuid and /etc/subgid are the test's."""
    bound = ("/etc/subuid", "/etc/subgid")
    file = session_dir / "subordinate"
    file.write_text(f"nobody:{FIRST}:{COUNT}\n")
    for path in bound:
        linux.mount(file, path, None, linux.MS_BIND)
    try:
        daemon = Dockerd(session_dir / "remap", containerd, "remap", settings={
            "userns-remap": "nobody:nogroup", "default-runtime": "hardened",
            "runtimes": {**{level: {"path": str(program)} for level, program in containerd.runtimes.items()},
                         "excused": {"path": str(RUNTIME), "runtimeArgs": EXCUSE}}})
    finally:
        for path in bound:
            linux.umount(path)
    daemon.load(images(IMAGE, cell))
    yield daemon
    daemon.stop()


@pytest.fixture
def docker(remapped, outcome):
    docker = Docker(remapped, outcome.level)
    yield docker
    if not against.IS_FAKE:
        docker.clear()
        remapped.expect_nothing_left()


@row("docker", "remap")
def test_run(docker, outcome):
    done = docker.run(IMAGE, "/bin/sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u / /bin/busybox; "
                                              "touch /file 2>/dev/null && echo written || echo read-only")
    written = "written" if outcome.level == "none" else "read-only"
    assert done.ok and re.fullmatch(rf"0\n *0 +{FIRST} +{COUNT}\n0\n0\n{written}\n", done.out), done


@row("docker", "remap-user")
def test_a_user(docker, outcome):
    name = docker.start("--user=1000", IMAGE, "sleep", "1000")
    with open(f"/proc/{docker.pid(name)}/status") as status:
        assert f"Uid:\t{FIRST + 1000}\t" in status.read()


@row("docker", "remap-volume")
def test_a_volume(docker, outcome):
    """Owned by the remapped root on the host, by root inside."""
    volume = docker.volume()
    for script in ("echo kept >/data/file", "cat /data/file; stat -c %u /data/file"):
        done = docker.run(f"-v{volume}:/data", IMAGE, "/bin/sh", "-c", script)
        assert done.ok, done
    assert done.out == "kept\n0\n", done


@row("docker", "remap-exec")
def test_exec(docker, outcome):
    name = docker.start(IMAGE, "sleep", "1000")
    look = "cat /proc/%s/uid_map; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/%s/status"
    own, of_init = (docker.ok("exec", name, "/bin/sh", "-c", look % (who, who)) for who in ("self", "1"))
    assert own == of_init and str(FIRST) in own, (own, of_init)


@row("docker", "remap-network")
def test_a_network(docker, outcome):
    """Its network namespace belongs to the host's user namespace, like any engine's."""
    done = docker.run(f"--network={docker.network()}", IMAGE, "/bin/sh", "-c", "cat /sys/class/net/eth0/operstate; timeout 0.2 nc -l -p 80; echo $?")
    assert done.ok and done.out == "up\n143\n", done


@row("docker", "remap-userns-host")
def test_without_it(docker, outcome):
    """--userns=host for one container: at the default level it gets a private one all the same."""
    done = docker.run("--userns=host", IMAGE, "cat", "/proc/self/uid_map")
    first = int(done.out.split()[1])
    assert done.ok and (first == 0) == (outcome.level == "none") and first != FIRST, done


@row("docker", "remap-privileged")
def test_privileged(docker, outcome):
    done = docker.run("--privileged", "--userns=host", IMAGE, "echo", "ran")
    if not outcome.refuses(done, FAILED):
        assert done.ok, done


@row("docker", "runtime-arguments")
def test_a_runtime_with_arguments(docker, outcome):
    """How an administrator allows one thing for some containers: an override in daemon.json."""
    runtime = docker.level if outcome.level == "none" else "excused"
    ask = ("run", "--rm", "--network=none", "--device=/dev/fuse")
    done = docker(*ask, "--runtime", runtime, IMAGE, "/bin/sh", "-c", "ls /dev/fuse; grep CapEff /proc/self/status")
    assert done.ok and done.out.startswith("/dev/fuse\n"), done
    assert ("0" * 16 in done.out) == (outcome.level == "hardened"), done
    assert docker(*ask, "--runtime", docker.level, IMAGE, "true").ok == (outcome.level == "none")


@row("docker", "build")
def test_build(dockerd, remapped, outcome, work):
    """Decision 8: RUN steps write the image, so builds want another runtime than the default."""
    (work / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN touch /built\nCMD cat /built\n")
    docker = Docker(dockerd if outcome.level == "none" else remapped, outcome.level)
    done = docker("build", "--quiet", "--network=none", work)
    if outcome.refuses(done):
        return
    assert done.ok, done
    docker.ok("image", "rm", done.out.strip())
