"""T22: many callers, one id."""

import pytest

from harness import bundle as b
from harness import linux
from harness.runtime import Cell, until


@pytest.mark.peer(runc="of 32 creates that race, a loser of runc 1.1.5 now and then removes the winner's state")
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


@pytest.mark.levels("hardened")
def test_a_source_is_the_one_that_was_judged(cells, work, level):
    """fs.host-paths judges a name before the launch opens it; another container with the same volume changes in
    between what it means."""
    volume = work / "volume"
    (volume / "mine").mkdir(parents=True)
    (volume / "theirs").symlink_to("/etc")
    swapper, config = b.spec("swap", "/volume/mine", "/volume/theirs"), b.spec()
    b.bind(swapper, volume, "/volume")
    b.bind(config, volume / "mine", "/data", "ro")
    config["process"]["args"] = ["/bin/ls", "/data"]
    race(cells, swapper, config)


def race(cells, swapper, config):
    bundle = cells.bundle(config, kind="busybox")
    cells.started(swapper)
    results = [cells(bundle=bundle).run() for _ in range(60)]
    assert {r.ok for r in results} == {True, False}, "nobody raced"
    shown = [r for r in results if "shadow" in r.out]
    assert not shown, f"{len(shown)} of {len(results)} containers show the host's /etc"


@pytest.mark.levels("hardened")
@pytest.mark.parametrize("options", [
    ["lowerdir={mine}:{own}"], ["lowerdir={own}:{mine}"],
    pytest.param(["lowerdir+={own}", "lowerdir+={mine}"],
                 marks=pytest.mark.skipif(linux.KERNEL < (6, 8), reason="this kernel's overlayfs has no lowerdir+")),
])
def test_a_layer_is_the_one_that_was_judged(cells, work, level, options):
    volume, own = work / "volume", work / "own"
    (volume / "mine").mkdir(parents=True)
    (volume / "theirs").symlink_to("/etc")
    own.mkdir()
    swapper, config = b.spec("swap", "/volume/mine", "/volume/theirs"), b.spec()
    b.bind(swapper, volume, "/volume")
    config["mounts"].append({"destination": "/data", "type": "overlay", "source": "overlay",
                             "options": ["ro", *[o.format(mine=volume / "mine", own=own) for o in options]]})
    config["process"]["args"] = ["/bin/ls", "/data"]
    race(cells, swapper, config)
