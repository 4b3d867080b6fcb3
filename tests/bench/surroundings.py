"""What both benches need around them, and how they sum up."""
import collections
import contextlib
import os
import pathlib
import signal
import stat
import statistics
import subprocess
import sys
import tempfile

UNIFIED = "/sys/fs/cgroup/unified"
NAMESPACE = "DONJON_BENCH_NAMESPACE"


def enter_private_namespace():
    """Our own mounts: the v2 tree of a hybrid host goes, for everybody, since crun refuses such a
    layout; the state directories are on tmpfs, as /run is."""
    if NAMESPACE not in os.environ:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              *sys.argv])
    if os.path.ismount(UNIFIED):
        subprocess.run(["umount", UNIFIED], check=True)


@contextlib.contextmanager
def state_directory():
    """A tmpfs for the runtimes' states, and a null device for their standard streams: crun gives the
    one it finds there to the container's root, which the host's must not be."""
    with tempfile.TemporaryDirectory(prefix="donjon-bench-") as path:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
        os.mknod(f"{path}/null", stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        try:
            yield path
        finally:
            subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def containers_removed(*runtimes):
    """Whatever ends the bench, SIGTERM included."""
    def end(*_):
        sys.exit("bench: terminated")

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        for runtime in runtimes:
            listed = subprocess.run([*runtime, "list", "-q"], text=True, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, check=False)
            for name in listed.stdout.split():
                subprocess.run([*runtime, "delete", "--force", name], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, check=False)


def tool(build, name):
    path = pathlib.Path(build).resolve() / "tests/bench" / name
    if not path.exists():
        sys.exit(f"bench: {path} is not built")
    return str(path)


def run_harness(build, lines, rounds, seed, null):
    """Samples (wall, CPU, peak KiB) of every (candidate, step), one of each round."""
    done = subprocess.run([tool(build, "harness"), str(rounds), str(seed), null], check=True,
                          text=True, input="\n".join(lines), stdout=subprocess.PIPE)
    results = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        candidate, step, wall, cpu, kib = line.split("\t")
        results[candidate, step].append((int(wall), int(cpu), int(kib)))
    return results


def summary(samples):
    walls, cpus, kibs = (sorted(column) for column in zip(*samples))
    tenth = len(walls) // 10
    return {"median": statistics.median(walls) / 1000, "p10": walls[tenth] / 1000,
            "p90": walls[-1 - tenth] / 1000, "cpu": statistics.median(cpus) / 1000,
            "kib": kibs[-1], "n": len(walls)}


def ratios(mine, other):
    """Of two lists of samples, one of each round; `low` and `high` are the spread of the CPU ratios
    within the rounds."""
    summaries = summary(mine), summary(other)
    within = sorted(m[1] / o[1] for m, o in zip(mine, other))
    tenth = len(within) // 10
    return {"low": within[tenth], "high": within[-1 - tenth],
            **{key: summaries[0][key] / summaries[1][key] for key in ("median", "p10", "cpu")}}
