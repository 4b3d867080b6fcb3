"""Fault injection with strace: one chosen system call of the runtime or its stage fails, and what comes
of it is judged: refused and clean, or as good as without the fault.  Anything else is a violation."""

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import random
import re
import shutil
import signal
import tempfile
import time

from . import bundle as bundles
from . import linux, oracles, states
from . import runtime as runtimes
from .runtime import Cell, Process, fresh_id, until

ERRORS = ("error=EPERM", "error=ENOMEM", "error=EMFILE", "error=EIO", "error=EINTR")
SHORT = ("retval=0",)  # of write: nothing was written, and no errno says why
DEATHS = ("signal=SIGKILL",)

# A process that may not end, map its own stack or return from a signal proves nothing; and a close
# that "fails" here leaves the descriptor open, which the kernel never does.
_PATIENT = {"exit", "exit_group", "rt_sigreturn", "execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list",
            "rseq", "mprotect", "munmap", "futex", "close"}
VERBS = ("create", "start", "run", "kill", "delete")
OPERATIONS = ("pause", "resume", "update", "ps")  # on a container that runs
JOINING = ("exec",)  # into one


@dataclasses.dataclass(frozen=True)
class Point:
    verb: str
    call: str
    when: int
    fault: str
    every: bool = False  # also every later call of the kind

    def __str__(self):
        return f"{self.verb}: {self.call} #{self.when}{'+' if self.every else ''} {self.fault}"


@dataclasses.dataclass
class Outcome:
    point: Point
    kind: str  # unaffected, refused, stricter, loader, killed, violation
    why: str
    result: object

    def __str__(self):
        return f"{self.point} -> {self.kind} {self.why}: {self.result.err[-300:].strip() if self.result else ''}"


class Outcomes(list):
    @property
    def violations(self):
        return [str(o) for o in self if o.kind == "violation"]

    def counts(self):
        return collections.Counter(o.kind for o in self)

    def __str__(self):
        lines = [f"{count} {kind}" for kind, count in sorted(self.counts().items())]
        return ", ".join(lines) + "".join("\n" + v for v in self.violations[:20])


def _holds_less(report, cell):
    """A capability whose name could not be looked up is not granted (decision 32)."""
    wanted = oracles.expected_capabilities(cell.bundle.config["process"])
    return _no_more_than(report, wanted)


def _no_more_than(report, wanted):
    return all(int(report["status"][key], 16) & ~bits == 0 for key, bits in wanted.items())


class Campaign:
    """Runs fault points against one runtime, two at a time."""

    def __init__(self, runtime, session_dir, seed):
        self._runtime, self._session, self._random = runtime, pathlib.Path(session_dir), random.Random(seed)
        self._traces = {}

    # What can fail: counted once per command

    def points(self, verbs, faults, number):
        """A random sample of (command, call, number, fault); the number counts for each process."""
        population = []
        for verb in verbs:
            for call, (first, last) in self.calls(verb).items():
                if call in _PATIENT and faults is not DEATHS:
                    continue
                kinds = [f for f in faults if f not in SHORT or call in ("write", "sendmsg", "sendto", "pwrite64")]
                population += [Point(verb, call, n, fault) for n in range(first, last + 1) for fault in kinds]
        self._random.shuffle(population)
        return population[:number]

    def calls(self, verb):
        """How often each process of this command makes each call."""
        if verb not in self._traces:
            with self._cell() as cell:
                log = cell.bundle.path / "trace"
                self._prepare(cell, verb)
                self._traced(cell, verb, ["-o", str(log)])
                self._traces[verb] = _count(log.read_text(errors="replace"))
        return self._traces[verb]

    # One container per attempt, in a state directory of its own

    def _cell(self):
        return _Scratch(self._runtime, self._session)

    def _prepare(self, cell, verb):
        """What must have happened before this command."""
        running = verb in ("kill", *OPERATIONS, *JOINING)
        if running:
            cell.bundle.config["process"]["args"] = ["/prisoner", "report", "+", "sleep"]
            cell.bundle.config["linux"]["resources"]["pids"] = {"limit": 40}
            cell.bundle.write()
        if verb in ("start", "delete") or running:
            assert cell.create().ok
        if running:
            assert cell.start().ok
            until(cell.documents)
        if verb == "resume":
            assert cell.call("pause").ok
        if verb == "delete":
            assert cell.kill("KILL").ok
            cell.wait_stopped()

    def _traced(self, cell, verb, options, timeout=15):
        """The command under strace, which lets go at the program's execve."""
        arguments = {
            "create": ["create", "--bundle", cell.bundle.path, cell.id],
            "run": ["run", "--bundle", cell.bundle.path, cell.id],
            "start": ["start", cell.id],
            "kill": ["kill", cell.id, "KILL"],
            "delete": ["delete", cell.id],
            "pause": ["pause", cell.id],
            "resume": ["resume", cell.id],
            "update": ["update", "--memory", "64m", "--memory-swap", "64m", "--cpu-quota", "50000", "--pids-limit", "50",
                       cell.id],
            "ps": ["ps", "--format", "json", cell.id],
            "exec": ["exec", cell.id, "/prisoner", "report"],
        }[verb]
        argv = ["strace", "-f", "-qq", "-b", "execve", *options, *cell.runtime.argv(*arguments)]
        process = Process(argv)
        if verb in ("create", "run"):
            cell.command = process
        return process.wait(timeout)

    def try_point(self, point):
        with self._cell() as cell:
            self._prepare(cell, point.verb)
            log = cell.bundle.path / "trace"
            when = f"{point.when}{'+' if point.every else ''}"
            options = ["-o", str(log), "-e", f"inject={point.call}:{point.fault}:when={when}"]
            try:
                result = self._traced(cell, point.verb, options)
            except TimeoutError as error:
                return Outcome(point, "violation", f"hangs ({error})", None)
            kind, why = self._judge(cell, point, result)
            if point.verb in JOINING:
                linux.reap_orphans()
            leftovers = cell.leftovers()
            if leftovers:
                kind, why = "violation", f"{why}; left behind: {leftovers}"
            return Outcome(point, kind, why, result)

    def _judge(self, cell, point, result):
        """FAIL, or a container that is what it would have been without the fault."""
        if result.status == 127 and "error while loading shared libraries" in result.err:
            return "loader", ""
        if point.verb in JOINING:
            return self._judge_joining(cell, point, result)
        if not result.ok and "signal" in point.fault:
            return "killed", ""
        if point.verb in OPERATIONS:
            return self._judge_operation(cell, point.verb, result)
        if not result.ok:
            return self._judge_refusal(result)
        if point.verb == "create":
            started = cell.start()
            if not started.ok:
                return "violation", f"created, but start says {started.err}"
        if point.verb in ("create", "start", "run"):
            return self._judge_container(cell)
        wanted = {"kill": "stopped", "delete": "missing"}[point.verb]
        if wanted == "stopped":
            try:
                cell.wait_stopped()
            except AssertionError as error:
                return "violation", str(error)
        return ("unaffected", "") if cell.status() == wanted else ("violation", f"success, yet {cell.status()}")

    def _judge_operation(self, cell, verb, result):
        """Done, or as if it had not been tried."""
        after = {"pause": ("running", "paused"), "resume": ("paused", "running")}.get(verb, ("running", "running"))
        if cell.status() != after[result.ok]:
            return "violation", f"status {result.status}, yet {cell.status()}"
        pids = states.read(cell.pid, "pids", "pids.max", "pids.max")
        quota = states.read(cell.pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
        wanted = ("50", "50000") if verb == "update" and result.ok else ("40", "max" if quota == "max" else "-1")
        if (pids, quota) != wanted:
            return "violation", f"status {result.status}, yet {pids} pids, quota {quota}"
        if verb == "ps" and result.ok and result.json() != [cell.pid]:
            return "violation", f"not {cell.pid}: {result.out}"
        return ("unaffected", "") if result.ok else self._judge_refusal(result)

    def _judge_joining(self, cell, point, result):
        """255 or a process like the container's own; and the container is again as it was."""
        if cell.status() != "running":
            return "violation", f"status {result.status}, yet the container is {cell.status()}"
        try:
            until(lambda: self._processes(cell) == [cell.pid], 5, lambda: f"processes: {self._processes(cell)}")
        except AssertionError as error:
            return "violation", str(error)
        if result.status == 255 and point.call == "write" and not result.err:
            return "refused", "the message was that write, too"
        if not result.ok:
            return ("killed", "") if "signal" in point.fault else self._judge_refusal(result, statuses=(255,))
        own, new = cell.documents()[0], result.documents()[0]
        problems = oracles.parity_problems(own, new)
        held = {key: int(own["status"][key], 16) for key in oracles.SETS}
        if problems and all(p.startswith("Cap") for p in problems) and _no_more_than(new, held):
            return "stricter", problems[0]
        return ("violation", "; ".join(problems[:4])) if problems else ("unaffected", "")

    @staticmethod
    def _processes(cell):
        result = cell.runtime.call("ps", "--format", "json", cell.id)
        return result.json() if result.ok else result.err

    @staticmethod
    def _judge_refusal(result, **expected):
        problems = oracles.refusal_problems(result, within=10.0, **expected)
        return ("violation", "; ".join(problems)) if problems else ("refused", "")

    @staticmethod
    def _judge_container(cell):
        try:
            cell.wait_stopped()
        except AssertionError as error:
            return "violation", str(error)
        documents = cell.documents()
        problems = oracles.base_problems(documents, cell.bundle.config, cell.runtime.level)
        if len(problems) == 1 and problems[0].startswith("capabilities") and _holds_less(documents[0], cell):
            return "stricter", problems[0]
        return ("violation", "weaker: " + "; ".join(problems[:4])) if problems else ("unaffected", "")

    def run(self, points, workers=2):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return Outcomes(pool.map(self.try_point, points))


def _count(trace):
    """{call: (first, last)}: how often it is made, less what the dynamic loader makes before main."""
    by_process = collections.defaultdict(list)
    for line in trace.splitlines():
        match = re.match(r"(\d+)\s+(\w+)\(", line)
        if match:
            by_process[match[1]].append((match[2], line))
    processes = list(by_process.values())
    loading = [i for i, (call, line) in enumerate(processes[0]) if call == "openat" and ".so" in line]
    main = next((i for i, (call, _) in enumerate(processes[0]) if i > loading[-1] and call == "munmap"), 0) if loading else 0
    before = collections.Counter(call for call, _ in processes[0][:main + 1])
    last = collections.Counter()
    for calls in processes:
        for call, count in collections.Counter(call for call, _ in calls).items():
            last[call] = max(last[call], count)
    return {call: (before[call] + 1, count) for call, count in last.items()}


class _Scratch:
    """One container and everything of its own, gone afterwards."""

    def __init__(self, runtime, session_dir):
        self._base, self._session = runtime, session_dir

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=self._session))
        self.directory.chmod(0o711)
        config = bundles.spec()
        config["process"]["args"] = ["/prisoner", *oracles.baseline_args(config)]
        bundle = bundles.Bundle(self.directory / "bundle", config, runtimes.PROBE, "skeleton")
        runtime = type(self._base)(self._base.path, self._base.kind, self.directory / "state", self._base.level,
                                   self._base.extra)
        cell = Cell(runtime, bundle, fresh_id(f"dt{os.getpid()}f"))
        cell.leftovers = lambda: self.leftovers(cell)
        self.cell = cell
        return cell

    def leftovers(self, cell):
        """CLEAN: what is still there after delete --force."""
        result = cell.delete("--force")
        found = [] if result.ok else [f"delete --force: {result.err.strip()}"]
        for _ in range(200):
            gone = not oracles.cgroups(cell.id)
            if gone:
                break
            time.sleep(0.01)
        found += sorted(oracles.cgroups(cell.id))[:3]
        state = self.directory / "state"
        found += [str(p) for p in state.rglob("*") if cell.id in str(p)][:3] if state.exists() else []
        found += [m for m in linux.mountinfo() if str(self.directory) in m][:3]
        return found

    def __exit__(self, *_):
        self.cell.delete("--force")
        for pid in linux.descendants():  # what hung and lost its tracer
            if self.cell.id in linux.describe(pid):
                os.kill(pid, signal.SIGKILL)
        oracles.remove_cgroups(self.cell.id)
        shutil.rmtree(self.directory, ignore_errors=True)
