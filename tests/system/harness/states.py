"""Containers in each state of the contract's table (2.1)."""

import contextlib
import os
import time

from . import bundle as b
from . import linux
from .runtime import until


def _creating(cells, config):
    """A create that waits in its first hook: the state is written before hooks run (J11)."""
    cell = cells(config)
    gate = cell.bundle.path / "gate"
    os.mkfifo(gate)
    config["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"read x <{gate}"]}]}
    cell.bundle.write()
    process = cell.spawn("create")
    until(lambda: cell.status() == "creating", 5, lambda: f"never creating: {cell.status()} {process.err()}")

    def finish():
        # Non-blocking: the hook may be gone already, or not there yet.
        while process.running():
            try:
                os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
                break
            except OSError:
                time.sleep(0.01)
        process.wait()

    cell.finish = finish
    return cell


def _paused(cells, config, make):
    """Frozen by somebody else: the state is the kernel's, not a record of ours (S14)."""
    cell = make(config)
    path, frozen, thawed = freezer(cell.pid)

    def write(word):
        with contextlib.suppress(FileNotFoundError), open(path, "w") as file:
            file.write(word)

    write(frozen)
    cell.finish = lambda: write(thawed)
    return cell


def _stopped(cells, config):
    config["process"]["args"] = ["/prisoner", "exit", "0"]
    cell = cells.started(config)
    cell.wait_stopped()
    return cell


MAKE = {
    "creating": _creating,
    "created": lambda cells, config: cells.created(config),
    "running": lambda cells, config: cells.started(config),
    "paused": lambda cells, config: _paused(cells, config, cells.started),
    "paused before start": lambda cells, config: _paused(cells, config, cells.created),
    "stopped": _stopped,
    "missing": lambda cells, config: cells(config),
}


@contextlib.contextmanager
def cell_in(cells, state, config=None):
    """A container in this state, let go again at the end."""
    cell = MAKE[state](cells, config or b.spec("sleep"))
    try:
        assert cell.status() == state.split()[0]
        yield cell
    finally:
        getattr(cell, "finish", lambda: None)()


def family(cells, children, config=None):
    """A running container of a process and as many children, with `pids`: what the kernel says."""
    config = config or b.spec()
    config["process"]["args"] = [
        "/bin/sh", "-c", f"for i in $(seq {children}); do sleep 1000 & done; echo ready; wait"]
    cell = cells.started(config, kind="busybox")
    cell.wait_for("ready", 30)
    until(lambda: len(linux.descendants(cell.pid)) == children, 30)
    cell.pids = sorted({cell.pid, *linux.descendants(cell.pid)})
    return cell


# The kernel's own files


def directory(pid, controller):
    """The container's cgroup where this controller (v1's name) is, and whether that is the v2 tree."""
    roots = linux.cgroup_roots()
    with open(f"/proc/{pid}/cgroup") as lines:
        paths = {line.split(":", 2)[1]: line.split(":", 2)[2].strip() for line in lines}
    for names, path in paths.items():
        if controller in names.split(","):
            return roots[names] + path, False
    return roots[""] + paths[""], True


def read(pid, controller, v1_file, v2_file):
    """What the file of the version in use says, or None."""
    place, is_v2 = directory(pid, controller)
    try:
        with open(os.path.join(place, v2_file if is_v2 else v1_file)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def freezer(pid):
    """The file that freezes this process's container and the words for it."""
    place, is_v2 = directory(pid, "freezer")
    return (place + "/cgroup.freeze", "1", "0") if is_v2 else (place + "/freezer.state", "FROZEN", "THAWED")


def is_frozen(pid):
    """Reached, not only asked for."""
    place, is_v2 = directory(pid, "freezer")
    if is_v2:
        with open(place + "/cgroup.events") as file:
            return "frozen 1" in file.read()
    with open(place + "/freezer.state") as file:
        return file.read().strip() == "FROZEN"
