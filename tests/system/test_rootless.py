"""Rootless: users with and without sub-ids, and the root of a user namespace an engine made for one
(contract P41, F1, F54, P21, OPT7, OPT8, Z22; decisions 16, 17; T27, T56)."""

import json
import os
import pathlib
import pty
import select
import shutil
import stat
import subprocess
import tempfile
import time

import pytest

from harness import bundle as b
from harness import linux, oracles, users
from harness.runtime import fresh_id, patient, until
from harness.users import GRANTED, SINGLE, SUB_COUNT, SUB_FIRST

from conftest import RUNTIME, TAG, Cells, runtime_kind
from test_seccomp import CALLS

pytestmark = [pytest.mark.skipif(not shutil.which("newuidmap"), reason="uidmap is not installed")]

UIDS = {"granted": GRANTED, "single": SINGLE}
DIRECT = ["granted", "single"]
MAPPED = ["mapped-granted", "mapped-single"]
EVERY = DIRECT + MAPPED


# Callers and their containers


@pytest.fixture(scope="module", autouse=True)
def known_users(session_dir):
    with users.accounts(pathlib.Path(tempfile.mkdtemp(prefix="accounts-", dir=session_dir))):
        yield


@pytest.fixture(scope="module")
def callers(session_dir, known_users):
    homes = pathlib.Path(tempfile.mkdtemp(prefix="homes-", dir=session_dir))
    homes.chmod(0o711)
    direct = {name: users.Caller(uid, users.new_home(homes, uid)) for name, uid in UIDS.items()}
    mapped = {f"mapped-{name}": users.MappedRoot(caller) for name, caller in direct.items()}
    yield {**direct, **{name: root.caller for name, root in mapped.items()}}
    for root in mapped.values():
        root.close()


@pytest.fixture
def caller(request, callers):
    return callers[request.param]


@pytest.fixture
def rt(caller, request):
    level = request.getfixturevalue("level") if "level" in request.fixturenames else "none"
    return users.CallerRuntime(caller, str(RUNTIME), runtime_kind(), caller.home / "state", level)


class RootlessCells(Cells):
    def bundle(self, config=None, kind="skeleton"):
        made = super().bundle(config, kind)
        self._runtime.caller.own(made.path)
        return made

    def __call__(self, config=None, kind="skeleton", runtime=None, id=None, bundle=None):
        return super().__call__(config, kind, runtime, id, bundle)


@pytest.fixture
def cells(rt, work, host):
    cells = RootlessCells(rt, work)
    yield cells
    cells.clear()
    assert not [name for name in rt.ids() if TAG in name]


def by(*names):
    return pytest.mark.parametrize("caller", names, indirect=True)


def document(caller):
    """What this caller's tools send: a user gets `spec --rootless`, an engine's root what root gets."""
    config = b.spec()
    config["linux"].pop("resources")
    if caller.is_mapped_root:
        return config
    b.namespace(config, "network", present=False)
    b.namespace(config, "user")
    set_maps(config, *caller.maps())
    b.mount(config, "/dev/pts", options=["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"])
    b.mount(config, "/sys", type="none", source="/sys", options=["rbind", "nosuid", "noexec", "nodev", "ro"])
    return config


def set_maps(config, *lines, gids=None):
    for key, value in (("uidMappings", lines), ("gidMappings", gids or lines)):
        config["linux"][key] = [dict(zip(("containerID", "hostID", "size"), line)) for line in value]


def promised(config, caller, level):
    """The document as the level fills it in, for BASE."""
    config = json.loads(json.dumps(config))
    if caller.is_mapped_root and not any(n["type"] == "user" for n in config["linux"]["namespaces"]):
        b.namespace(config, "user")  # decision 17: it counts as one
    if level != "none":
        b.namespace(config, "network")
        b.mount(config, "/sys", type="sysfs", source="sysfs", options=["nosuid", "noexec", "nodev", "ro"])
    return config


def judge(documents, config, caller, level):
    # What the host has below /sys came along and is covered by a later mount.
    documents[0]["mounts"] = [m for m in documents[0]["mounts"] if "flags" in m]
    problems = oracles.base_problems(documents, promised(config, caller, level), level)
    assert not problems, "; ".join(problems[:8])


def hardening(cell):
    """What the state says was changed, and could not be had: {check: [text]}."""
    found = {}
    record = cell.runtime.state(cell.id).json()["hardening"]
    for note in record.get("notes", []):
        found.setdefault(note["check"], []).append(note["text"])
    return found


def kernel(pid):
    """Of a process, as the host sees it."""
    def read(name):
        with open(f"/proc/{pid}/{name}") as file:
            return file.read()

    status = dict(line.split(":\t", 1) for line in read("status").splitlines() if ":\t" in line)
    return {
        "uid_map": [tuple(map(int, line.split())) for line in read("uid_map").splitlines()],
        "gid_map": [tuple(map(int, line.split())) for line in read("gid_map").splitlines()],
        "setgroups": read("setgroups").strip(), "uid": int(status["Uid"].split()[0]),
        "gid": int(status["Gid"].split()[0]), "groups": set(map(int, status["Groups"].split())),
        "caps": int(status["CapBnd"], 16), "cgroup": read("cgroup"),
    }


# The documents as they are


def spec_of(tool, caller, work):
    tool = str(RUNTIME) if tool == "donjon" else shutil.which(tool)
    if tool is None:
        pytest.skip("runc is missing")
    result = caller.call(tool, "spec", "--rootless", cwd=work)
    assert result.ok, result
    return json.loads((work / "config.json").read_text())


def run_on_terminal(argv, text, env):
    """Runs it on a terminal of its own: (exit status, what it wrote)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, env)
    os.write(master, text.encode())
    seen, end = b"", time.monotonic() + patient(20)
    while time.monotonic() < end and select.select([master], [], [], 1)[0] is not None:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # EIO: everybody has closed it
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


@pytest.mark.peer
@pytest.mark.parametrize("tool", ["donjon", "runc"])
@by(*DIRECT)
def test_spec_rootless_as_it_is(caller, rt, cells, work, tool, level):
    """F54: the untouched document, a terminal and a shell included."""
    work.chmod(0o777)
    config = spec_of(tool, caller, work)
    cell = cells(config, "busybox")
    argv = rt.argv("run", "--bundle", cell.bundle.path, cell.id)
    status, seen = run_on_terminal(argv, "echo uid=$(id -u) tty=$(tty); exit 7\n", caller.environment(TERM="dumb"))
    assert status == 7 and "uid=0 tty=/dev/pts/0" in seen, seen
    assert cell.id not in rt.ids()


@pytest.mark.peer
@pytest.mark.parametrize("tool", ["donjon", "runc"])
@by(*DIRECT)
def test_spec_rootless_lifecycle(caller, rt, cells, work, tool, level):
    work.chmod(0o777)
    config = spec_of(tool, caller, work)
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config), "+", "echo", "ready", "+", "sleep", "60"]
    cell = cells.created(config)
    assert cell.status() == "created" and cell.state()["bundle"] == str(cell.bundle.path)
    assert cell.id in rt.ids()
    seen = kernel(cell.pid)
    assert seen["uid_map"] == seen["gid_map"] == [(0, caller.uid, 1)]
    assert (seen["setgroups"], seen["uid"], seen["gid"], seen["groups"]) == ("deny", caller.uid, caller.uid, set())
    assert cell.start().ok
    cell.wait_for("ready")
    assert cell.status() == "running"
    judge(cell.documents(), config, caller, level)
    assert not cell.delete().ok  # it runs
    assert cell.kill("KILL").ok
    cell.wait_stopped()
    assert cell.delete().ok
    assert cell.state() is None and cell.id not in rt.ids()


@by(*EVERY)
def test_every_caller(caller, rt, cells, level):
    """The richest maps each caller has, looked at from inside and from the kernel."""
    config = document(caller)
    config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config), "+", "echo", "ready", "+", "sleep", "60"]
    cell = cells.started(config)
    cell.wait_for("ready")
    judge(cell.documents(), config, caller, level)
    seen = kernel(cell.pid)
    assert seen["uid_map"] == [(0, caller.uid, 1)] + ([(1, SUB_FIRST, SUB_COUNT - 1)] if caller.granted and
                                                      not caller.is_mapped_root else seen["uid_map"][1:])
    assert seen["setgroups"] == ("allow" if caller.granted else "deny")
    assert seen["uid"] == caller.uid and seen["groups"] == set()
    if level != "none":
        assert seen["caps"] == 0
    assert cell.kill("TERM").ok and cell.kill("KILL").ok
    cell.wait_stopped()


@by(*EVERY)
@pytest.mark.levels("hardened")
def test_what_is_in_force_at_the_default_level(caller, cells, level):
    """No check is worse for being rootless, but those that need the host's root: the cgroup's."""
    config = document(caller)
    own = [f"{ns}={inode}" for ns, inode in linux.namespaces().items()]
    found = cells.inside(config, "checks", *own)[0]
    for check in ("nnp.set", "userns.private", "userns.nested", "caps.bounding", "seccomp.on", "seccomp.abi", "ns.pid",
                  "ns.net", "ns.ipc", "ns.uts", "ns.cgroup", "fs.rootfs-ro", "fs.tmp", "fs.masked", "fs.readonly-proc",
                  "fs.sysfs", "fs.cgroupfs", "fs.nosuid-nodev", "fs.propagation", "dev.nodes", "keyring.private"):
        if check == "userns.nested" and caller.is_mapped_root:
            continue  # decision 17: the limit would be everybody's; the guard filter stands alone
        assert found[check] == "good", (check, found[check])


@by(*DIRECT)
@pytest.mark.levels("hardened")
def test_what_the_default_level_makes_of_the_document(caller, cells, level):
    """A network and a sysfs of its own; both in the state."""
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "report", "+", "echo", "ready", "+", "sleep", "60"]
    cell = cells.started(config)
    cell.wait_for("ready")
    report = cell.documents()[0]
    assert report["interfaces"] == {"lo": True}
    assert not [m for m in report["mounts"] if m["point"].startswith("/sys/") and m["type"] not in
                ("tmpfs", "cgroup", "cgroup2")]
    changes = {change["check"] for change in cell.runtime.state(cell.id).json()["hardening"]["changes"]}
    assert {"ns.net", "fs.sysfs"} <= changes


@by(*DIRECT)
@pytest.mark.levels("hardened")
def test_the_hosts_network_needs_its_override(caller, rt, cells, level):
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "report"]
    cell = cells(config, runtime=rt.override("ns.net=host:the test"))
    result = cell.run()
    assert result.ok, result
    report = result.documents()[0]
    assert report["ns"]["net"] == linux.namespaces()["net"]
    points = {m["point"]: m for m in report["mounts"]}
    assert points["/sys"]["type"] == "sysfs" and "ro" in points["/sys"]["options"].split(",")


@by(*MAPPED)
@pytest.mark.levels("hardened")
def test_an_engines_host_network_is_refused(caller, cells, fail, level):
    """Who is root of a namespace could have given it a network: then a person said so."""
    config = document(caller)
    b.namespace(config, "network", present=False)
    fail(cells(config).create(), "ns.net", "/linux/namespaces")


@by(*MAPPED)
@pytest.mark.levels("hardened")
def test_a_shared_user_namespace_is_recorded(caller, cells, level):
    """Decision 17: tolerable; and the limit on new ones is not written where it is everybody's."""
    cell = cells.created(document(caller))
    assert any("shares the user namespace" in text for text in hardening(cell)["userns.private"])
    limit = caller.call("cat", "/proc/sys/user/max_user_namespaces")
    assert limit.ok and int(limit.out) > 0


# What the stage sees and the caller does not


@pytest.fixture
def closed(work):
    """A directory of a sub-id, such as a container makes in a volume: what is in it only the stage may look up."""
    closed = work / "closed"
    (closed / "kept").mkdir(parents=True)
    (closed / "kept/file").write_text("kept\n")
    (closed / "link").symlink_to("/etc")
    os.chown(closed, SUB_FIRST + 5, SUB_FIRST + 5)
    closed.chmod(0o700)
    return closed


@by("granted")
@pytest.mark.levels("hardened")
@pytest.mark.parametrize("name", ["link", "link/ssl", "kept/../link"])
def test_a_source_in_a_directory_nobody_could_look_into(caller, rt, cells, closed, fail, level, name):
    """fs.host-paths judges by the name then, so the name is what is mounted."""
    config = document(caller)
    b.bind(config, closed / name, "/data", "rbind", "ro")
    fail(cells(config).create(), "mounts[", "leads over a link", runtime=rt)


@by("granted")
@pytest.mark.levels("hardened")
def test_a_layer_in_a_directory_nobody_could_look_into(caller, rt, cells, closed, work, fail, level):
    (work / "own").mkdir()
    config = document(caller)
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay",
                             "options": ["ro", f"lowerdir={work}/own:{closed}/link"]})
    fail(cells(config).create(), "mounts[", "leads over a link", runtime=rt)


@by("granted")
def test_what_is_no_link_in_a_directory_nobody_could_look_into(caller, cells, closed, level):
    config = document(caller)
    b.bind(config, closed / "kept", "/data", "rbind", "ro")
    config["process"]["args"] = ["/bin/cat", "/data/file"]
    result = cells(config, "busybox").run()
    assert result.ok and result.out == "kept\n", result


# Maps


MAPS = {
    # name: (caller, uid lines, gid lines, what the refusal names or None)
    "own id, as 0": ("single", [(0, SINGLE, 1)], None, None),
    "own id, as 1000": ("single", [(1000, SINGLE, 1)], None, None),
    "sub-ids": ("granted", [(0, GRANTED, 1), (1, SUB_FIRST, SUB_COUNT)], None, None),
    "sub-ids without the own": ("granted", [(0, SUB_FIRST, SUB_COUNT)], None, None),
    "a part of them": ("granted", [(0, SUB_FIRST + 5, 10)], None, None),
    "three lines": ("granted", [(0, SUB_FIRST, 10), (10, GRANTED, 1), (11, SUB_FIRST + 10, 100)], None, None),
    "granted uids, own gid": ("granted", [(0, GRANTED, 1), (1, SUB_FIRST, 100)], [(0, GRANTED, 1)], None),
    "own uid, granted gids": ("granted", [(0, GRANTED, 1)], [(0, GRANTED, 1), (1, SUB_FIRST, 100)], None),
    "ids never granted": ("single", [(0, SINGLE, 1), (1, SUB_FIRST, 10)], None, "newuidmap"),
    "more than was granted": ("granted", [(0, GRANTED, 1), (1, SUB_FIRST, SUB_COUNT + 1)], None, "newuidmap"),
    "the host's root": ("granted", [(0, 0, 1)], None, "newuidmap"),
    "somebody else": ("single", [(0, GRANTED, 1)], None, "newuidmap"),
    "gids never granted": ("granted", [(0, GRANTED, 1)], [(0, 0, 1)], "newgidmap"),
}


@pytest.mark.parametrize("caller, uids, gids, refused", MAPS.values(), ids=MAPS, indirect=["caller"])
def test_maps(caller, cells, fail, level, uids, gids, refused):
    """P41: what the kernel has is the document's, or the helper's refusal reaches the user."""
    config = document(caller)
    set_maps(config, *uids, gids=gids)
    first = uids[0][0]
    config["process"]["user"] = {"uid": first, "gid": (gids or uids)[0][0]}
    cell = cells(config)
    result = cell.create()
    if refused:
        # Who would be the host's root is refused before anybody is asked.
        names = [(refused, "stands for root of the host", "privileged group 0")] if level != "none" else [
            refused, "linux." + ("uidMappings" if refused == "newuidmap" else "gidMappings")]
        fail(result, *names, cell=cell, within=20)  # of the lab: a setuid program is loaded besides
        return
    assert result.ok, result
    seen = kernel(cell.pid)
    assert seen["uid_map"] == uids and seen["gid_map"] == (gids or uids)
    assert seen["setgroups"] == ("deny" if (gids or uids) == [(seen["gid_map"][0][0], caller.uid, 1)] else "allow")
    assert (seen["uid"], seen["gid"]) == (uids[0][1], (gids or uids)[0][1])


@pytest.mark.peer
@by("granted")
@pytest.mark.parametrize("uid, works", [(0, True), (1000, True), (65535, True), (65536, False)])
def test_users_of_the_document(caller, cells, fail, uid, works, level):
    config = document(caller)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    cell = cells(config)
    result = cell.create()
    if not works:
        fail(result, "process.user.uid", "not mapped", cell=cell)
        return
    host_id = SUB_FIRST + uid - 1 if uid else caller.uid
    assert result.ok and (kernel(cell.pid)["uid"], kernel(cell.pid)["gid"]) == (host_id, host_id)


GROUPS = {
    # caller: (what becomes of additionalGids [4, 20], refused or noted or given)
    "granted": "given", "single": "refused", "mapped-granted": "given", "mapped-single": "noted",
}


@by(*EVERY)
def test_additional_groups(request, caller, rt, cells, fail, level):
    """P21, B23: exactly those, a refusal where this launch is why there can be none, and a note where
    whoever made the namespace is."""
    wanted = GROUPS[request.node.callspec.params["caller"]]
    config = document(caller)
    # In a single-id map only what is not listed at all could be given.
    gids = [4, 20] if wanted == "given" else [0]
    config["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": gids}
    cell = cells(config)
    result = cell.create()
    if wanted == "refused":
        fail(result, "additionalGids", cell=cell)
        return
    assert result.ok, result
    if wanted == "given":
        assert kernel(cell.pid)["groups"] == {SUB_FIRST + gid - 1 for gid in gids}
    else:
        assert kernel(cell.pid)["groups"] == set()
        assert any("setgroups" in text for text in hardening(cell)["user.groups"])


@by(*DIRECT)
def test_groups_of_the_caller(caller, rt, cells, level):
    """They go where they can be dropped; where not, the state says so (B23)."""
    runtime = rt.by(caller.wrapped(groups=[caller.uid, 100]))
    cell = cells.created(document(caller), runtime=runtime)
    if caller.granted:
        assert kernel(cell.pid)["groups"] == set() and "user.groups" not in hardening(cell)
    else:
        assert kernel(cell.pid)["groups"] == {caller.uid, 100}
        assert any("the caller's" in text for text in hardening(cell)["user.groups"])


# Without newuidmap, without a user namespace


def without_newuidmap(work):
    """A command in front of others, for which the package uidmap is not installed."""
    upper = work / "no-uidmap"
    for name in ("upper", "work"):
        (upper / name).mkdir(parents=True)
    directory = os.path.dirname(os.path.realpath(shutil.which("newuidmap")))
    script = (f"mount -t overlay -o lowerdir={directory},upperdir={upper}/upper,workdir={upper}/work overlay {directory}"
              f" && rm {directory}/newuidmap {directory}/newgidmap && exec \"$@\"")
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


@pytest.mark.peer
@by("granted")
def test_newuidmap_is_missing(caller, rt, cells, work, fail, level):
    """T27."""
    cell = cells(document(caller), runtime=rt.by(caller.wrapped(*without_newuidmap(work))))
    fail(cell.create(), "linux.uidMappings", "newuidmap", "uidmap", cell=cell)


@by("granted")
@pytest.mark.parametrize("path", [[], ["PATH=/nonexistent"]], ids=["none", "poor"])
def test_the_helpers_are_found_whatever_the_path_is(caller, rt, cells, path, level):
    """V6: engines start the runtime with next to no environment."""
    poor = users.Caller(caller.uid, caller.home, entry=["env", "-i", *path])
    cell = cells.created(document(caller), runtime=rt.by(poor))
    assert kernel(cell.pid)["uid_map"] == kernel(cell.pid)["gid_map"] == caller.maps()


@by("granted")
def test_no_new_privileges_around_us(caller, rt, cells, fail, level):
    """newuidmap has no rights then: its own words."""
    cell = cells(document(caller), runtime=rt.by(caller.wrapped("setpriv", "--no-new-privs")))
    fail(cell.create(), "linux.uidMappings", "newuidmap", cell=cell)


@pytest.mark.peer
@by(*DIRECT)
@pytest.mark.levels("none")
def test_no_user_namespace_in_the_document(caller, cells, fail, level):
    """As runc: it can only be an error."""
    config = document(caller)
    b.namespace(config, "user", present=False)
    for key in ("uidMappings", "gidMappings"):
        del config["linux"][key]
    fail(cells(config).create(), "linux.namespaces", "user namespace")


OWN_MAPS = [
    # (how donjon is started, process user, uid_map of the container)
    ("granted", 0, [(0, GRANTED, 1), (1, SUB_FIRST, SUB_COUNT)]),
    ("granted", 1000, [(0, SUB_FIRST, 1000), (1000, GRANTED, 1), (1001, SUB_FIRST + 1000, SUB_COUNT - 1000)]),
    ("single", 0, [(0, SINGLE, 1)]),
    ("single", 1000, [(1000, SINGLE, 1)]),
]


@pytest.mark.parametrize("caller, uid, maps", OWN_MAPS, indirect=["caller"])
@pytest.mark.levels("hardened")
def test_the_default_level_makes_the_user_namespace(caller, cells, uid, maps, level):
    """P41, as crun: from /etc/subuid; the caller is the process's user."""
    config = b.spec("report")
    config["process"]["user"] = {"uid": uid, "gid": uid}
    cell = cells.created(config)
    assert kernel(cell.pid)["uid_map"] == kernel(cell.pid)["gid_map"] == maps
    assert kernel(cell.pid)["uid"] == caller.uid


@by("granted")
@pytest.mark.levels("hardened")
@pytest.mark.parametrize("why", ["not installed", "no_new_privs"])
def test_the_single_id_where_no_more_can_be_had(caller, rt, cells, work, level, why):
    wrapper = without_newuidmap(work) if why == "not installed" else ["setpriv", "--no-new-privs"]
    cell = cells(b.spec("report"), runtime=rt.by(caller.wrapped(*wrapper)))
    assert cell.create().ok
    cell.runtime = rt  # the wrapper sees mounts of its own, not our state
    assert kernel(cell.pid)["uid_map"] == [(0, caller.uid, 1)]


# cgroups


def try_cgroups(cells, config, own_namespace, **kwargs):
    """A container that tries to change every cgroup it sees, and its cgroup as it sees that."""
    if own_namespace:
        b.namespace(config, "cgroup")
    config["process"]["args"] = ["/bin/sh", "/bin/look"]
    cell = cells(config, "busybox", **kwargs)
    cell.bundle.script("""
        for d in $(find /sys/fs/cgroup -type d | head -n 60); do
            mkdir "$d/x" 2>/dev/null && echo "made $d/x"
            for f in "$d"/cgroup.procs "$d"/tasks "$d"/notify_on_release "$d"/release_agent "$d"/pids.max; do
                [ -e "$f" ] && echo 0 2>/dev/null >"$f" && echo "wrote $f"
            done
        done
        cut -d: -f3 /proc/self/cgroup | sort -u
        echo done; sleep 60""", "bin/look")
    assert cell.create().ok and cell.start().ok
    cell.wait_for("done", 20)
    lines = cell.out().split("\n")
    assert not [line for line in lines if line.startswith(("made", "wrote"))], lines
    if own_namespace:
        assert lines[:2] == ["/", "done"]
    return cell


@by(*EVERY)
@pytest.mark.parametrize("own_namespace", [True, False])
def test_without_a_delegated_cgroup(caller, cells, own_namespace, level):
    """Decision 16: what we would have added is recorded, the container runs; nothing of the host's tree
    can be written, whatever it shows (T56, CVE-2023-25809)."""
    cell = try_cgroups(cells, document(caller), own_namespace)
    unavailable = {"res.cgroup-path"} if level == "none" else {
        "res.cgroup-path", "res.memory", "res.swap", "res.pids", "res.cpu-io", "dev.cgroup"}
    assert unavailable <= set(hardening(cell))
    assert oracles.cgroups(cell.id) == set()
    assert cell.kill("--all", "KILL").ok
    cell.wait_stopped()


@pytest.mark.peer
@by("single", "mapped-granted")
def test_a_cgroup_of_the_document_is_no_choice(caller, cells, fail, level):
    """P59: the same value is the same place, or an error, as with runc."""
    config = document(caller)
    config["linux"]["cgroupsPath"] = f"/{fresh_id(TAG)}/here"
    fail(cells(config).create(), "linux.cgroupsPath")


@by(*EVERY)
def test_a_cgroup_of_the_same_name(caller, cells, level):
    """Root's container has it: no part of it is this one's, nor a reason to fail."""
    id = fresh_id(TAG)
    theirs = [os.path.join(point, f"donjon-{id}") for point in linux.cgroup_roots().values()]
    for path in theirs:
        os.mkdir(path)
    try:
        cell = cells.created(document(caller), id=id)
        assert "res.cgroup-path" in hardening(cell)
        assert not [path for path in theirs if open(f"{path}/cgroup.procs").read()]
        assert cell.delete("--force").ok
        assert all(map(os.path.isdir, theirs))
    finally:
        for path in theirs:
            os.rmdir(path)


LIMITS = {
    "memory": {"memory": {"limit": 64 << 20}}, "pids": {"pids": {"limit": 20}}, "cpu": {"cpu": {"shares": 512}},
}


@pytest.mark.peer
@by("single", "mapped-granted")
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_of_the_document_need_a_cgroup(caller, cells, fail, limit, level):
    config = document(caller)
    config["linux"]["resources"] = LIMITS[limit]
    cell = cells(config)
    fail(cell.create(), f"linux.resources.{limit}", cell=cell)


@pytest.fixture
def delegated(caller, can):
    """A v2 cgroup that is the caller's, with a process in a cgroup below: how systemd delegates one."""
    point = linux.cgroup_roots().get("")
    if can.v1 or not can.v2_memory:
        pytest.skip("the controllers are not on cgroup v2 here")
    with open(f"{point}/cgroup.subtree_control", "w") as file:
        file.write("+memory +pids +cpu")
    top = os.path.join(point, f"{fresh_id(TAG)}-delegated")
    leaf = os.path.join(top, "session")
    os.makedirs(leaf)
    for directory in (top, leaf):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(os.path.join(directory, name), caller.uid, caller.uid)
    yield top
    oracles.remove_cgroups(os.path.basename(top))


def in_cgroup(path):
    return ["sh", "-c", f"echo $$ >{path}/cgroup.procs && exec \"$@\"", "sh"]


@by(*DIRECT)
def test_limits_in_a_delegated_cgroup(caller, rt, delegated, cells, level):
    runtime = rt.by(caller.wrapped(*in_cgroup(delegated + "/session")))
    config = document(caller)
    config["linux"]["resources"] = {"memory": {"limit": 64 << 20, "swap": 64 << 20}, "pids": {"limit": 20}}
    config["process"]["args"] = ["/prisoner", "fork", "100", "+", "echo", "ready", "+", "sleep", "60"]
    cell = cells(config, runtime=runtime)
    assert cell.create().ok
    where = f"{delegated}/donjon-{cell.id}"
    assert f"0::{where.removeprefix(linux.cgroup_roots()[''])}\n" == kernel(cell.pid)["cgroup"]
    values = {name: open(f"{where}/{name}").read().strip() for name in ("memory.max", "memory.swap.max", "pids.max")}
    assert values == {"memory.max": str(64 << 20), "memory.swap.max": "0", "pids.max": "20"}
    assert cell.start().ok
    cell.wait_for("ready")
    assert cell.documents()[0]["children"] < 20
    assert not {"res.memory", "res.pids", "res.swap", "res.cgroup-path"} & set(hardening(cell))
    assert cell.kill("--all", "KILL").ok
    cell.wait_stopped()
    assert cell.delete().ok and not os.path.exists(where)


@by(*DIRECT)
@pytest.mark.levels("hardened")
def test_added_limits_in_a_delegated_cgroup(caller, rt, delegated, cells, level):
    runtime = rt.by(caller.wrapped(*in_cgroup(delegated + "/session")))
    cell = cells.created(document(caller), runtime=runtime)
    where = f"{delegated}/donjon-{cell.id}"
    assert open(f"{where}/pids.max").read() == "1024\n" and open(f"{where}/memory.max").read() != "max\n"
    assert open(f"{where}/memory.swap.max").read() == "0\n"
    assert "res.memory" not in hardening(cell)
    # A device program cannot be attached; and there is nobody to make a device node either (P60).
    assert "dev.cgroup" in hardening(cell)


@by(*DIRECT)
@pytest.mark.parametrize("own_namespace", [True, False])
def test_a_delegated_cgroup_is_not_the_containers(caller, rt, delegated, cells, own_namespace, level):
    """It belongs to the very user the container runs as, and is read-only (CVE-2023-25809)."""
    runtime = rt.by(caller.wrapped(*in_cgroup(delegated + "/session")))
    cell = try_cgroups(cells, document(caller), own_namespace, runtime=runtime)
    assert kernel(cell.pid)["cgroup"].startswith("0::" + delegated.removeprefix(linux.cgroup_roots()[""]))


@by("granted")
@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.levels("none")
def test_a_writable_cgroup_mount(caller, rt, delegated, cells, uid, level):
    """The container's root owns its cgroup already; another user cannot be given it."""
    runtime = rt.by(caller.wrapped(*in_cgroup(delegated + "/session")))
    config = document(caller)
    b.namespace(config, "cgroup")
    b.mount(config, "/sys/fs/cgroup", options=["nosuid", "noexec", "nodev", "rw"])
    config["process"]["user"] = {"uid": uid, "gid": uid}
    config["process"]["args"] = ["/prisoner", "try", "create=/sys/fs/cgroup/x"]
    result = cells(config, runtime=runtime).run()
    assert result.ok, result


@by("granted")
def test_a_memory_limit_holds(caller, rt, delegated, cells, level):
    runtime = rt.by(caller.wrapped(*in_cgroup(delegated + "/session")))
    config = document(caller)
    config["linux"]["resources"] = {"memory": {"limit": 32 << 20, "swap": 32 << 20}}
    config["process"]["args"] = ["/prisoner", "eat", "300"]
    assert cells(config, runtime=runtime).run().status == 137


# Mounts


@by("single", "granted", "mapped-single", "mapped-granted")
def test_the_terminals_group(caller, cells, level):
    """OPT7: gid=5 where it is mapped, nobody's group where not."""
    config = document(caller)
    options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    b.mount(config, "/dev/pts", options=options)
    report = cells.inside(config, "report")[0]
    points = {m["point"]: m for m in report["mounts"]}
    gid = [o for o in points["/dev/pts"]["super"].split(",") if o.startswith("gid=")]
    assert gid == ([f"gid={SUB_FIRST + 4}"] if caller.granted else [])


@pytest.fixture(scope="module")
def locked(session_dir):
    """A mount with every flag that a user namespace locks, and one below it without any."""
    top = session_dir / "locked"
    top.mkdir()
    linux.mount("tmpfs", top, "tmpfs", 0, "mode=777")
    (top / "file").write_text("text\n")
    (top / "below").mkdir()
    linux.mount("tmpfs", top / "below", "tmpfs", 0, "mode=777")
    (top / "below/file").write_text("below\n")
    flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount(None, top, None, linux.MS_REMOUNT | linux.MS_BIND | flags)
    yield top
    linux.umount(top)


def flags_of(report, point):
    mount = [m for m in report["mounts"] if m["point"] == point][-1]
    return set(mount["options"].split(","))


LOCKED = {"ro", "nosuid", "nodev", "noexec"}


@by(*DIRECT)
@pytest.mark.parametrize("options", [["bind"], ["rbind"], ["bind", "ro"], ["rbind", "nosuid"], ["rbind", "rprivate", "ro"]],
                         ids=" ".join)
def test_locked_flags_stay(caller, cells, locked, options, level):
    """OPT8, Z22: a bind that says nothing of them keeps them."""
    config = document(caller)
    config["mounts"].append({"destination": "/data", "type": "bind", "source": str(locked), "options": options})
    report = cells.inside(config, "report")[0]
    assert flags_of(report, "/data") >= LOCKED


@by(*DIRECT)
@pytest.mark.parametrize("option", ["copy-symlink", "src-nofollow"])
@pytest.mark.parametrize("target", ["/not/there", "/prisoner", "/tmp"])
def test_a_link_is_mounted_itself(caller, cells, work, option, target, level):
    """OPT6."""
    os.symlink(target, work / "link")
    config = document(caller)
    b.bind(config, work / "link", "/link", option, "ro")
    found = cells.inside(config, "paths", "/link")[0]["/link"]
    assert found["target"] == target, found


@by(*DIRECT)
@pytest.mark.parametrize("option", ["rw", "exec", "suid", "dev"])
@pytest.mark.levels("none")
def test_locked_flags_cannot_be_cleared(caller, cells, fail, locked, option, level):
    """Said so, and named, where the document asks for it in so many words."""
    config = document(caller)
    b.bind(config, locked, "/data", "rbind", option)
    fail(cells(config).create(), "mounts[7]", "/data", "cleared in a user namespace")


@by(*DIRECT)
def test_mounts_that_come_along(caller, cells, locked, level):
    """A user namespace cannot leave them behind: what the bind says of itself holds for them, too."""
    config = document(caller)
    b.bind(config, locked, "/data", "ro", "nodev")
    report = cells.inside(config, "report")[0]
    below = [m for m in report["mounts"] if m["point"] == "/data/below"]
    assert {"ro", "nodev"} <= set(below[-1]["options"].split(","))


@by(*EVERY)
def test_files_an_engine_binds(caller, cells, locked, work, level):
    """resolv.conf, of a user's from a mount whose flags are locked."""
    (work / "file").write_text("text\n")
    config = document(caller)
    b.bind(config, (work if caller.is_mapped_root else locked) / "file", "/etc/resolv.conf", "rprivate")
    config["process"]["args"] = ["/prisoner", "read", "/etc/resolv.conf"]
    cell = cells(config, "busybox")
    result = cell.run()
    assert result.ok and result.out == "text\n", result


@by(*EVERY)
@pytest.mark.levels("none")
def test_tmpfs_with_the_images_files(caller, cells, level):
    """tmpcopyup, with files that belong to nobody inside."""
    config = document(caller)
    config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})
    config["process"]["args"] = ["/prisoner", "read", "/data/mine", "/data/root"]
    cell = cells(config)
    data = cell.bundle.rootfs / "data"
    data.mkdir()
    (data / "mine").write_text("mine\n")
    caller.own(data)
    (data / "root").write_text("root\n")
    result = cell.run()
    assert result.ok and result.out == "mine\nroot\n", result


@by(*EVERY)
@pytest.mark.levels("none")
def test_overlay_of_a_user(caller, cells, level):
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "write", "/data/new", "x", "+", "read", "/data/file", "/data/new"]
    cell = cells(config)
    layers = {name: cell.bundle.path / name for name in ("lower", "upper", "work")}
    for path in layers.values():
        path.mkdir()
    (layers["lower"] / "file").write_text("lower\n")
    caller.own(cell.bundle.path)
    options = [f"{key}dir={path}" for key, path in layers.items()] + ["userxattr"]
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay", "options": options})
    cell.bundle.write()
    result = cell.run()
    assert result.ok and result.out == "lower\nx", result
    assert (layers["upper"] / "new").read_text() == "x" and not (layers["lower"] / "new").exists()


@by(*EVERY)
def test_id_mapped_binds_are_refused(caller, cells, fail, work, level):
    """Never silently left unmapped (P11, decision 18)."""
    config = document(caller)
    b.bind(config, work, "/data", "ro", "idmap")
    config["mounts"][-1]["uidMappings"] = config["mounts"][-1]["gidMappings"] = [
        {"containerID": 0, "hostID": caller.uid, "size": 1}]
    cell = cells(config)
    fail(cell.create(), "mounts[", "id-mapped", cell=cell)


# Devices


def host_device(kind):
    for entry in sorted(os.scandir("/dev"), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        if stat.S_IFMT(status.st_mode) == kind and entry.name not in oracles.DEFAULT_DEVICES:
            return entry.path, status
    pytest.skip("the host has no such device")


@by(*EVERY)
@pytest.mark.parametrize("kind", ["c", "b"])
@pytest.mark.levels("none")
def test_devices_are_the_hosts(caller, cells, kind, level):
    """B: a user namespace cannot make nodes; the host's own is bound, with the rights it has there."""
    path, status = host_device(stat.S_IFCHR if kind == "c" else stat.S_IFBLK)
    config = document(caller)
    numbers = {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev)}
    config["linux"]["devices"] = [{"path": path, "type": kind, **numbers, "fileMode": 0o777, "uid": 0, "gid": 0}]
    report = cells.inside(config, "report")[0]
    node = report["dev"][os.path.basename(path)]
    assert node["rdev"] == "{major}:{minor}".format(**numbers) and node["mode"] == stat.S_IMODE(status.st_mode)


@by(*DIRECT)
@pytest.mark.parametrize("device", [
    {"path": "/dev/dt-none", "type": "c", "major": 1, "minor": 3},
    {"path": "/dev/full", "type": "c", "major": 1, "minor": 3},
], ids=["absent", "another"])
@pytest.mark.levels("none")
def test_devices_the_host_does_not_have(caller, cells, fail, device, level):
    config = document(caller)
    config["linux"]["devices"] = [device]
    fail(cells(config).create(), "linux.devices", device["path"])


# Namespaces


@by(*DIRECT)
def test_a_pod(caller, rt, cells, level):
    """The second one joins what the first one made, its user namespace included."""
    config = document(caller)
    b.namespace(config, "network")
    config["process"]["args"] = ["/prisoner", "sleep", "60"]
    first = cells.started(config)
    other = document(caller)
    for key in ("uidMappings", "gidMappings"):
        del other["linux"][key]
    shared = ("user", "network", "ipc", "uts", "pid")
    for kind in shared:
        b.namespace(other, kind, f"/proc/{first.pid}/ns/{'net' if kind == 'network' else kind}")
    del other["hostname"]
    other["process"]["args"] = ["/prisoner", "report"]
    report = cells.inside(other)[0]
    theirs = linux.namespaces(first.pid)
    for name in ("user", "net", "ipc", "uts", "pid"):
        assert report["ns"][name] == theirs[name], name
    assert report["ns"]["mnt"] != theirs["mnt"] and report["pid"] > 1 and report["interfaces"] == {"lo": True}
    assert (report["status"]["Uid"].split()[0], report["hostname"]) == ("0", "cell")


@by(*DIRECT)
@pytest.mark.levels("hardened")
def test_a_pod_whose_user_namespace_is_not_named(caller, rt, cells, level):
    """Decision 5, as a user."""
    config = document(caller)
    b.namespace(config, "network")
    config["process"]["args"] = ["/prisoner", "sleep", "60"]
    first = cells.started(config)
    other = b.spec("report")
    other["linux"].pop("resources")
    b.namespace(other, "network", f"/proc/{first.pid}/ns/net")
    report = cells.inside(other)[0]
    assert (report["ns"]["user"], report["ns"]["net"]) == tuple(linux.namespaces(first.pid)[n] for n in ("user", "net"))


@pytest.mark.parametrize("kind", ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"])
@pytest.mark.levels("none")
def test_no_more_namespaces(callers, work, host, kind, level):
    """T27: the limit is named, nothing is left."""
    root = users.MappedRoot(callers["granted"])
    try:
        rt = users.CallerRuntime(root.caller, str(RUNTIME), runtime_kind(), root.caller.home / "state", level)
        cells = RootlessCells(rt, work)
        limited = root.caller.call("sh", "-c", f"echo 0 >/proc/sys/user/max_{kind}_namespaces")
        assert limited.ok, limited
        config = document(root.caller)
        for name in ("user", "cgroup", "time"):
            if name == kind:
                b.namespace(config, name)
        if kind == "user":
            set_maps(config, (0, 0, 1000))
        result = cells(config).create()
        problems = oracles.refusal_problems(result, ("user.max_*_namespaces", f"user.max_{kind}_namespaces"))
        assert not problems, f"{problems}: {result}"
        assert not [name for name in rt.ids() if TAG in name]
    finally:
        root.close()


@by(*EVERY)
def test_clocks_of_its_own(caller, cells, level):
    config = document(caller)
    b.namespace(config, "time")
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 100000, "nanosecs": 0}, "boottime": {"secs": 200000, "nanosecs": 0}}
    report = cells.inside(config, "report")[0]
    assert abs(report["clocks"]["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC) - 100000) < 100
    assert abs(report["clocks"]["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) - 200000) < 100
    assert report["ns"]["time"] != linux.namespaces()["time"]


@by("mapped-granted")
def test_an_engines_own_maps(caller, cells, level):
    """podman's --userns=keep-id: a user namespace below the engine's, the engine's network, a sysfs of it."""
    holder = subprocess.Popen([*caller.prefix(), "unshare", "--net", "sleep", "60"], env=caller.environment())
    try:
        until(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino != linux.namespaces()["net"])
        config = document(caller)
        b.namespace(config, "network", f"/proc/{holder.pid}/ns/net")
        b.namespace(config, "user")
        set_maps(config, (0, 1, 1000), (1000, 0, 1), (1001, 1001, 1000))
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        report = cells.inside(config, "report")[0]
        assert report["ns"]["net"] == os.stat(f"/proc/{holder.pid}/ns/net").st_ino
        assert report["status"]["Uid"].split()[0] == "1000"
        assert {m["point"]: m["type"] for m in report["mounts"]}["/sys"] == "sysfs"
    finally:
        holder.kill()
        holder.wait()


# The process


@by("granted", "mapped-granted")
@pytest.mark.parametrize("uid", [0, 1000])
def test_dev_stdout_of_another_user(caller, cells, uid, level):
    """Decision 1: the program may open the pipe it was given once more."""
    config = document(caller)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    config["process"]["args"] = ["/prisoner", "write", "/dev/stdout", "hello"]
    read_end, write_end = os.pipe()
    os.fchown(write_end, caller.uid, caller.uid)
    result = cells(config).run(stdout=write_end)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        assert result.ok and pipe.read() == "hello", result


@by(*EVERY)
def test_a_pipe_of_somebody_else(caller, cells, level):
    """Root's, and it stays root's."""
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "echo", "hello"]
    read_end, write_end = os.pipe()
    result = cells(config).run(stdout=write_end)
    assert os.fstat(write_end).st_uid == 0
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        assert result.ok and pipe.read() == "hello\n", result


@by(*EVERY)
def test_exec(caller, rt, cells, level):
    """In the container's namespaces, with its ids; groups where the container could have some."""
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "sleep", "60"]
    cell = cells.started(config)
    joined = rt.call("exec", *(["--additional-gids=5"] if caller.granted else []), cell.id, "/prisoner", "report")
    assert joined.ok, joined
    report = joined.documents()[0]
    theirs = linux.namespaces(cell.pid)
    assert {name: report["ns"][name] for name in theirs} == theirs
    assert (report["status"]["Uid"].split()[0], report["status"]["Groups"].split()) == (
        "0", ["5"] if caller.granted else [])
    assert report["status"]["CapBnd"] == f"{kernel(cell.pid)['caps']:016x}"


@by("granted", "mapped-granted")
def test_exec_as_another_user(caller, rt, cells, level):
    """And to /dev/stdout, which is a pipe of the caller's."""
    config = document(caller)
    config["process"]["args"] = ["/prisoner", "sleep", "60"]
    cell = cells.started(config)
    read_end, write_end = os.pipe()
    os.fchown(write_end, caller.uid, caller.uid)
    joined = rt.call("exec", "--user", "1000", cell.id, "/prisoner", "write", "/dev/stdout", "hello", stdout=write_end)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        assert joined.ok and pipe.read() == "hello", joined


@by(*EVERY)
def test_dry_run(caller, rt, cells, level):
    """What would happen, as the very caller; nothing is left of it."""
    config = document(caller)
    cell = cells(config)
    result = rt.call("run", "--dry-run", "--format", "json", "--bundle", cell.bundle.path, cell.id)
    assert result.ok, result
    steps = [step["name"] for step in result.json()["launch"]]
    assert ("write-id-maps" in steps) == (not caller.is_mapped_root)


# Where state is kept


STATE_ROOTS = [
    # (caller, environment, where below the home, or the path the refusal names)
    ("single", {}, "run/donjon", None),
    ("granted", {}, "run/donjon", None),
    ("mapped-single", {"USER": "somebody"}, "run/donjon", None),
    ("mapped-single", {"USER": None}, "run/donjon", None),
    ("mapped-single", {"USER": "root"}, None, "/run/donjon"),
    ("mapped-single", {"XDG_RUNTIME_DIR": ""}, None, "/run/donjon"),
]


@pytest.mark.parametrize("caller, environment, where, refused", STATE_ROOTS, indirect=["caller"])
@pytest.mark.levels("none")
def test_state_directory(caller, cells, fail, environment, where, refused, level):
    """F1, by runc's rule: who is asked for, and the sticky bit against cleaners."""
    config = document(caller)
    bundle, id = cells.bundle(config), fresh_id(TAG)
    env = caller.environment(**environment)
    create = caller.call(str(RUNTIME), "--policy", level, "create", "--bundle", str(bundle.path), id, env=env)
    if refused:
        fail(create, refused)
        return
    assert create.ok, create
    place = caller.home / where
    try:
        assert (place / id).is_dir() and stat.S_IMODE(place.stat().st_mode) == 0o1700
        assert place.stat().st_uid == caller.uid
    finally:
        assert caller.call(str(RUNTIME), "delete", "--force", id, env=env).ok
    assert not (place / id).exists()


@by("single")
@pytest.mark.levels("none")
def test_state_directory_without_a_session(caller, work, host, level):
    """A name anybody can take first: then it is refused, never used (T65)."""
    env = caller.environment(XDG_RUNTIME_DIR=None)
    place = f"/tmp/donjon-{caller.uid}"
    assert not os.path.exists(place)
    os.mkdir(place, 0o777)
    try:
        result = caller.call(str(RUNTIME), "list", env=env)
        assert result.status == 1 and place in result.err, result
    finally:
        os.rmdir(place)
    assert caller.call(str(RUNTIME), "list", env=env).ok


@by("single")
@pytest.mark.levels("none")
def test_others_cannot_reach_the_state(caller, callers, cells, level):
    """T65: neither look nor signal."""
    cell = cells.created(document(caller))
    other = callers["granted"]
    stranger = cell.runtime.by(other)
    for verb in (["state", cell.id], ["kill", cell.id, "KILL"], ["delete", "--force", cell.id], ["list"]):
        assert stranger.call(*verb, env=other.environment()).status != 0, verb
    assert cell.status() == "created"


# The filters, read back on a host that hides processes (decision 26)

HIDING = ["unshare", "--mount", "sh", "-c",
          'mount --make-rprivate / && mount -t proc -o hidepid=invisible proc /proc && exec "$@"', "sh"]


def filtered(caller):
    config = document(caller)
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS, "nanosleep", "clock_nanosleep"))
    return config


@by(*DIRECT)
def test_filters_are_read_back_where_processes_are_hidden(caller, rt, cells, level):
    """Also those of a program that its user may execute and not read: nobody's but the host's."""
    hidden = rt.by(caller.wrapped(*HIDING))
    config = filtered(caller)
    config["process"]["args"] = ["/prisoner", "sleep", "1000"]
    cell = cells(config, runtime=hidden)
    assert cell.create().ok and cell.start().ok
    assert cell.exec("/prisoner", "exit", "3").status == 3
    assert cell.status() == "running"
    config["process"]["args"] = ["/prisoner", "exit", "3"]
    cell = cells(config, runtime=hidden)
    program = cell.bundle.rootfs / "prisoner"
    os.chown(program, 0, 0)
    program.chmod(0o711)
    result = cell.run()
    assert result.status == 3 and result.err == "", result


@by(*EVERY)
def test_a_filter_that_is_not_loaded_is_found_out(caller, rt, cells, can, work, level):
    if not can.strace:
        pytest.skip("needs strace")
    work.chmod(0o777)
    cell = cells(filtered(caller))
    trace = work / "trace"
    argv = cell.runtime.argv("run", "--bundle", cell.bundle.path, cell.id)
    lying = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=seccomp", "-e", "inject=seccomp:retval=0:when=1"]
    result = subprocess.run([*lying, *argv], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                            env=caller.environment(), timeout=patient(20))
    assert "(INJECTED)" in trace.read_text()
    assert result.returncode == 1 and "linux.seccomp" in result.stderr and "filters" in result.stderr, result
    assert cell.id not in rt.ids()
