"""`donjon sandbox`: hardened, without a bundle, for root and for anybody else."""

import json
import os
import signal

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import Process, Runtime, until


@pytest.fixture
def sandbox(runtime, work):
    """sandbox(*arguments) at the default level, with the prisoner bound at /prisoner."""
    (work / "cell").mkdir()
    rt = runtime.at(None)

    def call(*arguments, **popen):
        return rt.call("sandbox", *arguments, **popen)

    call.runtime, call.spawn = rt, rt.spawn
    return call


@pytest.fixture
def nobody(runtime, session_dir, work):
    """The same as an unprivileged user without sub-ids, with a state directory of its own."""
    home = work / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)

    rt = Runtime(runtime.path, runtime.kind, home / "state", None)

    def spawn(*arguments, **popen):
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *rt.argv(*arguments)]
        return Process(argv, env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home)}, **popen)

    def call(*arguments, **popen):
        return spawn("sandbox", *arguments, **popen).wait()

    call.runtime, call.spawn = rt, spawn
    return call


@pytest.fixture
def root(cells):
    """An unpacked root filesystem."""
    bundle = cells.bundle(b.spec(), "busybox")
    for path in (bundle.path, bundle.rootfs):
        path.chmod(0o755)
    return bundle.rootfs


WHO = ["sandbox", "nobody"]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("status", [0, 1, 3, 124, 200])
def test_status_of_the_command(request, who, status):
    result = request.getfixturevalue(who)("--", "/bin/sh", "-c", f"echo ran; exit {status}")
    assert (result.status, result.out) == (status, "ran\n"), result


@pytest.mark.parametrize("who", WHO)
def test_the_demo(request, who):
    """Output, arguments, no leading -- needed."""
    result = request.getfixturevalue(who)("/bin/echo", "hello", "-n", "world")
    assert (result.status, result.out, result.err) == (0, "hello -n world\n", ""), result


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("command, status", [
    (["/nonexistent/program"], 127), (["no-such-program"], 127), (["/usr"], 126), (["/etc/passwd"], 126),
])
def test_statuses_of_its_own(request, who, command, status):
    """Decision 39: as chroot(1) has them."""
    result = request.getfixturevalue(who)("--", *command)
    assert result.status == status and len(result.err.splitlines()) == 1, result


@pytest.mark.parametrize("arguments", [
    [], ["--nonsense", "true"], ["--root", "/nonexistent", "true"], ["--bind", "/nonexistent:/x", "true"],
    ["--bind", "nocolon", "true"], ["--memory", "x", "true"], ["--memory", "-1", "true"], ["--pids", "x", "true"],
    ["--net", "bridge", "true"], ["--net", "host", "true"], ["--env", "NOVALUE", "true"], ["--chdir", "relative", "true"],
    ["--bind", "/etc:/mnt", "true"], ["--bind", "/root:/mnt:rw", "true"],
], ids=" ".join)
def test_status_125(sandbox, arguments):
    """Whatever is ours to fail, refusals included."""
    result = sandbox(*arguments)
    assert result.status == 125 and len(result.err.splitlines()) == 1, result


@pytest.mark.parametrize("who", WHO)
def test_status_of_a_signal(request, who):
    result = request.getfixturevalue(who)("--", "/bin/sh", "-c", "kill -SEGV $$; sleep 1; exit 3")
    assert result.status in (128 + signal.SIGSEGV, 3), result  # pid 1 ignores what it sends itself


@pytest.mark.parametrize("who", WHO)
def test_what_is_in_force(request, who, root, level):
    """The same pipeline: every layer, as seen from inside."""
    if level != "hardened":
        pytest.skip("the default level only")
    report = request.getfixturevalue(who)("--root", root, "--", "/prisoner", "report").documents()[0]
    status = report["status"]
    assert {int(status[k], 16) for k in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    host = linux.namespaces()
    assert all(report["ns"][n] != host[n] for n in ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup"))
    points = {m["point"]: m for m in report["mounts"]}
    assert "ro" in points["/"]["options"].split(",") and points["/tmp"]["type"] == "tmpfs"
    assert [f["fd"] for f in report["fds"]] == [0, 1, 2]


@pytest.mark.parametrize("who", WHO)
def test_the_checks(request, who, root):
    own = [f"{ns}={inode}" for ns, inode in linux.namespaces().items()]
    found = request.getfixturevalue(who)("--root", root, "--", "/prisoner", "checks", *own).documents()[0]
    for check in ("nnp.set", "userns.private", "userns.nested", "caps.bounding", "seccomp.on", "seccomp.abi", "ns.pid",
                  "ns.net", "fs.rootfs-ro", "fs.tmp", "fs.masked", "fs.readonly-proc", "dev.nodes", "keyring.private"):
        assert found[check] == "good", (check, found[check])


@pytest.mark.parametrize("who", WHO)
def test_the_hosts_own_root(request, who):
    """/usr read-only, what a program needs of /etc, and nothing else."""
    result = request.getfixturevalue(who)(
        "--", "/bin/sh", "-c", "ls /; ls /etc; cat /etc/shadow; touch /usr/x /etc/x /x; touch /tmp/ok && echo tmp")
    top = result.out.split()
    assert {"usr", "proc", "dev", "tmp", "etc"} <= set(top) and not {"root", "home", "var", "boot", "srv"} & set(top[:15])
    assert "passwd" in top and "shadow" not in top and "tmp" == top[-1]
    assert result.err.count("ead-only") + result.err.count("ermission denied") >= 3, result


@pytest.mark.parametrize("who", WHO)
def test_bind(request, who, work):
    share = work / "share"
    share.mkdir()
    (share / "file").write_text("shared\n")
    share.chmod(0o777)
    call = request.getfixturevalue(who)
    result = call("--bind", f"{share}:/data", "--", "/bin/sh", "-c", "cat /data/file; echo no >/data/new")
    assert result.out == "shared\n" and not (share / "new").exists()
    result = call("--bind", f"{share}:/data:rw", "--", "/bin/sh", "-c", "echo yes >/data/new")
    assert result.ok and (share / "new").read_text() == "yes\n", result


@pytest.mark.parametrize("who", WHO)
def test_environment_and_directory(request, who):
    call = request.getfixturevalue(who)
    result = call("--env", "KEY=value=x", "-e", "EMPTY=", "--chdir", "/usr", "--", "/bin/sh", "-c",
                  'echo "$KEY|${EMPTY-unset}|$(pwd)|${XDG_RUNTIME_DIR-clean}"')
    assert result.out == "value=x||/usr|clean\n", result


def test_limits(sandbox, root, can):
    result = sandbox("--root", root, "--pids", "12", "--", "/prisoner", "fork", "100")
    if can.v1 or can.v2_memory:
        assert result.documents()[0]["children"] < 14
        assert sandbox("--root", root, "--memory", "32m", "--", "/prisoner", "eat", "300").status == 137


@pytest.mark.parametrize("arguments", [["--memory", "64m"], ["--pids", "50"], ["--root", "/nonexistent"]], ids=" ".join)
def test_failures_name_the_option(nobody, arguments):
    """A user without a delegated cgroup wrote no linux.resources."""
    result = nobody(*arguments, "--", "/bin/true")
    assert result.status == 125 and f"donjon: {arguments[0]}: " in result.err, result
    assert "linux." not in result.err and "root.path" not in result.err, result


@pytest.mark.parametrize("who", WHO)
def test_no_network(request, who, root):
    report = request.getfixturevalue(who)("--root", root, "--", "/prisoner", "report").documents()[0]
    assert report["interfaces"] == {"lo": True}


def test_net_host_needs_its_override(sandbox, runtime, root):
    rt = runtime.at(None).override("ns.net=host:the test")
    result = rt.call("sandbox", "--net", "host", "--root", root, "--", "/prisoner", "report")
    assert result.ok, result
    assert result.documents()[0]["ns"]["net"] == linux.namespaces()["net"]


@pytest.mark.parametrize("who", WHO)
def test_input_passes_through(request, who):
    read_end, write_end = os.pipe()
    os.write(write_end, b"line\n")
    os.close(write_end)
    result = request.getfixturevalue(who)("--", "/bin/cat", stdin=read_end)
    os.close(read_end)
    assert result.out == "line\n"


def test_signals_are_forwarded(sandbox, root):
    process = sandbox.runtime.spawn("sandbox", "--root", root, "--", "/prisoner", "signals")
    process.wait_for("ready")
    process.signal(signal.SIGUSR1)
    process.wait_for("got 10\n")
    process.signal(signal.SIGTERM)
    assert process.wait().status == 0


def test_nothing_is_left_when_it_is_killed(sandbox, root, host):
    """The sandbox dies with the command that made it."""
    process = sandbox.runtime.spawn("sandbox", "--root", root, "--", "/prisoner", "sleep", "100")
    until(lambda: any("sleep 100" in linux.describe(p) and "sandbox" not in linux.describe(p)
                      for p in linux.descendants()))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not linux.living(), 5, lambda: str(linux.living()))
    for id in sandbox.runtime.ids():
        assert sandbox.runtime.call("delete", "--force", id).ok
        assert oracles.cgroups(id) == set()


# From outside: it is listed, and is a container like any other


@pytest.fixture
def running(request, who, root):
    """A sandbox that runs, and donjon(*arguments) of the same user."""
    call = request.getfixturevalue(who)
    process = call.spawn("sandbox", "--root", root, "--env", "COLOUR=blue", "--chdir", "/tmp", "--", "/prisoner", "signals")
    process.wait_for("ready")
    listed = call.spawn("list", "--format", "json").wait().json()
    assert [(c["status"], c["id"].startswith("sandbox-")) for c in listed] == [("running", True)]
    yield listed[0]["id"], lambda *arguments: call.spawn(*arguments).wait()
    process.signal(signal.SIGTERM)
    process.wait()


@pytest.mark.parametrize("who", WHO)
def test_exec(running, root):
    """As confined as the sandbox, in its environment and directory; never with more."""
    id, donjon = running
    pid = donjon("state", id).json()["pid"]
    result = donjon("exec", id, "/prisoner", "report")
    assert result.ok, result
    report = result.documents()[0]
    own = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
    for key in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"):
        assert report["status"][key] == own[key], key
    assert report["ns"] == linux.namespaces(pid)
    shell = donjon("exec", id, "/bin/sh", "-c", "echo $COLOUR; pwd; exit 7")
    assert (shell.status, shell.out) == (7, "blue\n/tmp\n"), shell
    more = donjon("exec", "--cap", "CAP_SYS_ADMIN", id, "/prisoner", "report")
    assert more.status == 255 and "exec.parity" in more.err and more.out == "", more


@pytest.mark.parametrize("who", WHO)
def test_the_sandbox_ends_and_takes_what_was_executed_along(running):
    id, donjon = running
    assert donjon("exec", "--detach", id, "/prisoner", "sleep", "100").ok
    assert donjon("kill", id, "TERM").ok
    until(lambda: linux.reap_orphans() or not linux.living(), 5, lambda: str(linux.living()))
    assert donjon("exec", id, "/prisoner", "report").status == 255
    assert donjon("list", "--quiet").out == ""


def test_update(sandbox, root, can):
    """What was asked for, and can be changed."""
    if not (can.v1 or can.v2_memory):
        pytest.skip("needs a memory controller")
    process = sandbox.runtime.spawn("sandbox", "--root", root, "--memory", "64m", "--", "/prisoner", "signals")
    process.wait_for("ready")
    [id] = sandbox.runtime.ids()
    assert sandbox.runtime.call("update", "--pids-limit", "77", id).ok
    stats = json.loads(sandbox.runtime.call("events", "--stats", id).out)["data"]
    assert (stats["pids"]["limit"], stats["memory"]["usage"]["limit"]) == (77, 64 << 20)
    process.signal(signal.SIGTERM)
    assert process.wait().status == 0


@pytest.mark.parametrize("who", WHO)
def test_a_hundred_in_a_row_leave_nothing(request, who, work):
    call = request.getfixturevalue(who)
    for i in range(20):
        assert call("--", "/bin/echo", i).out == f"{i}\n"
    state = work / "home/state"
    if state.exists():
        assert not [p for p in state.rglob("*") if "sandbox-" in str(p)]


def test_dry_run(sandbox, root):
    result = sandbox("--dry-run", "--format", "json", "--root", root, "--", "/prisoner")
    assert result.ok and result.json()["hardening"]["level"] == "hardened", result
    refused = sandbox("--dry-run", "--net", "host", "--root", root, "--", "/prisoner")
    assert refused.status == 3 and "ns.net" in refused.out


def test_no_suid_way_out(nobody, root):
    """An unprivileged caller gains nothing through a setuid program of its own root."""
    gain = root / "gain"
    gain.write_bytes((root / "prisoner").read_bytes())
    gain.chmod(0o6755)
    tried = nobody("--root", root, "--", "/prisoner", "try", "suid=/gain", "setuid=0", "unshare=user").documents()[0]
    assert set(tried.values()) <= {"EPERM", "EINVAL"}, tried


