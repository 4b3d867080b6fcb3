"""T22, T23: many callers, one id."""

import collections
import concurrent.futures
import os
import random

import pytest

from harness import bundle as b
from harness import linux, oracles
from harness.runtime import Cell, until

STORM = int(os.environ.get("DONJON_STORM", "400"))


@pytest.mark.peer
@pytest.mark.parametrize("verb", ["create", "run"])
def test_t22_parallel_creates_of_one_id(cells, rt, clean, level, verb):
    """Exactly one wins; the losers leave nothing and do not disturb it."""
    winner = cells(b.spec("sleep"))
    rivals = [Cell(rt, winner.bundle, winner.id) for _ in range(32)]
    commands = [r.spawn(verb, *(["--detach"] if verb == "run" else [])) for r in rivals]
    results = [c.wait() for c in commands]
    won = [r for r in results if r.ok]
    assert len(won) == 1, [str(r) for r in results]
    if rt.is_donjon:
        texts = {r.err.strip() for r in results if not r.ok}
        assert all("container with given ID already exists" in t for t in texts), texts
    until(lambda: winner.status() == ("created" if verb == "create" else "running"))
    clean(winner)


def test_parallel_lifecycles_do_not_mix(cells, rt):
    """Eight containers at once, each with its own output and status."""
    several = [cells(b.spec("exit", 10 + i)) for i in range(8)]
    processes = [c.spawn("run") for c in several]
    assert [p.wait().status for p in processes] == list(range(10, 18))


def test_delete_and_start_at_once(cells, rt):
    """Whoever comes second gets a clean error; nothing is left either way."""
    for _ in range(10):
        cell = cells.created(b.spec("sleep"))
        start = rt.spawn("start", cell.id)
        delete = rt.spawn("delete", "--force", cell.id)
        assert start.wait().status in (0, 1) and delete.wait().status == 0
        assert cell.status() == "missing"


def test_parallel_deletes(cells, rt):
    for _ in range(5):
        cell = cells.created(b.spec("sleep"))
        results = [p.wait() for p in [rt.spawn("delete", "--force", cell.id) for _ in range(4)]]
        assert all(r.ok for r in results), [str(r) for r in results]
        assert cell.status() == "missing"


@pytest.mark.levels("hardened")
def test_id_ranges_are_private(cells, rt, level):
    """Decision 19: no two live containers share host ids, and a range is free after delete."""
    several = [cells(b.spec("sleep")) for _ in range(6)]
    processes = [c.spawn("create") for c in several]
    assert all(p.wait().ok for p in processes)
    ranges = []
    for cell in several:
        with open(f"/proc/{cell.pid}/uid_map") as lines:
            inside, outside, size = map(int, lines.readline().split())
        assert (inside, size) == (0, 65536) and outside % 65536 == 0 and 0x70000000 <= outside < 0x7FFF0000
        ranges.append(outside)
    assert len(set(ranges)) == len(ranges)


# T23: every command at any time


STATUSES = {"creating", "created", "running", "paused", "stopped"}
COMMANDS = {"create": 4, "start": 4, "exec": 6, "state": 2, "pause": 1, "resume": 2, "kill": 1, "delete": 2}  # how often


def _command(rt, cell, verb, dice):
    if verb == "create":
        return cell.create()
    if verb == "exec":
        return cell.exec("/prisoner", "exit", "3")
    arguments = {"kill": [cell.id, "KILL"], "delete": dice.choice([[cell.id], ["--force", cell.id]])}
    return rt.call(verb, *arguments.get(verb, [cell.id]))


def _complaint(verb, result):
    """Why this is neither done nor cleanly refused."""
    if verb == "state" and result.ok:
        return "" if result.json()["status"] in STATUSES else "no status"
    if result.status in ({3, 137} if verb == "exec" else {0}) and result.err == "":
        return ""  # 137: the container's end kills what is in it
    statuses = (255,) if verb == "exec" else (1,)
    return "; ".join(oracles.refusal_problems(result, within=15.0, statuses=statuses))


def test_t23_a_storm_of_commands(cells, rt, level, host, capsys):
    """Valid or refused, never half; no deadlock; nothing stays."""
    several = [cells(b.spec("sleep")) for _ in range(3)]
    seed = int(os.environ.get("DONJON_STORM_SEED", random.randrange(1 << 32)))
    done = collections.Counter()

    def worker(number):
        dice = random.Random(seed + number)
        own = [Cell(rt, cell.bundle, cell.id) for cell in several]
        complaints = []
        for _ in range(STORM // 4):
            verb, cell = *dice.choices(list(COMMANDS), COMMANDS.values()), dice.choice(own)
            result = _command(rt, cell, verb, dice)
            complaint = _complaint(verb, result)
            done[verb, result.status] += 1
            if complaint:
                complaints.append(f"{verb}: {complaint}: {result}")
        return complaints

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        complaints = sum(pool.map(worker, range(4)), [])
    with capsys.disabled():
        print(f"\nstorm at {level}: seed {seed}: " + ", ".join(f"{v} {s}: {n}" for (v, s), n in sorted(done.items())))
    assert not complaints, f"seed {seed}: " + "\n".join(complaints[:10])
    for cell in several:
        assert cell.delete("--force").ok
    until(lambda: not linux.living(), 5, lambda: str(linux.living()))
