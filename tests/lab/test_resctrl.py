"""Groups of resctrl, made, joined and removed in the kernel's own file system (tests/lab/run says how that comes to
be without the processor's part; of which there is the third-level cache, one domain of 20 bits, and no monitoring)."""

import contextlib
import os
import pathlib
import subprocess

import pytest

from harness import bundle as b
from harness.runtime import until

ROOT = pathlib.Path("/sys/fs/resctrl")
ALL = "L3:0=fffff"
RESERVED = {"info"}

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "resctrl", reason="no resctrl")


def groups():
    return {entry.name for entry in ROOT.iterdir() if entry.is_dir()} - RESERVED


def schemata(group="."):
    return (ROOT / group / "schemata").read_text().strip()


def tasks(group):
    return [int(pid) for pid in (ROOT / group / "tasks").read_text().split()]


def group_of(pid):
    """As the kernel says."""
    res, mon = pathlib.Path(f"/proc/{pid}/cpu_resctrl_groups").read_text().splitlines()
    assert mon in ("mon:", "mon:/")
    return res.removeprefix("res:")


def refused(cell, *said):
    """As `fail`, beside other containers."""
    result = cell.create()
    assert result.status == 1 and all(text in result.err for text in ("linux.intelRdt", *said)), result
    assert cell.status() == "missing"


def wanting(*args, **rdt):
    config = b.spec()
    config["process"]["args"] = list(args) or ["/bin/sleep", "1000"]
    config["linux"]["intelRdt"] = rdt
    return config


@pytest.fixture(autouse=True)
def untouched():
    before = groups(), schemata()
    yield
    assert (groups(), schemata()) == before


@pytest.fixture
def gold():
    """A group of the host's own."""
    (ROOT / "gold").mkdir()
    (ROOT / "gold/schemata").write_text("L3:0=ff\n")
    yield "gold"
    (ROOT / "gold").rmdir()


def test_a_group_of_its_own(cells, level):
    """P55, P56, S7."""
    cell = cells.created(wanting(l3CacheSchema="L3:0=f"), kind="busybox")
    assert groups() == {cell.id} and schemata(cell.id) == "L3:0=f"
    assert cell.pid in tasks(cell.id) and group_of(cell.pid) == cell.id and group_of("self") == "/"
    assert cell.start().ok
    assert group_of(cell.pid) == cell.id
    inner = cell.exec("/bin/cat", "/proc/self/cpu_resctrl_groups")
    assert inner.ok and inner.out.splitlines()[0] == f"res:{cell.id}", inner
    cell.kill("KILL")
    cell.wait_stopped()
    assert groups() == {cell.id}
    assert cell.delete().ok and not groups()


def test_without_a_schema_there_is_all_of_the_cache(cells, level):
    """P55."""
    cell = cells.started(wanting(), kind="busybox")
    assert schemata(cell.id) == ALL and group_of(cell.pid) == cell.id


def test_the_last_line_counts(cells, level):
    """P56: l3CacheSchema, then schemata."""
    cell = cells.started(wanting(l3CacheSchema="L3:0=f", schemata=["L3:0=ff"]), kind="busybox")
    assert schemata(cell.id) == "L3:0=ff"


def test_a_container_without_it_is_where_its_caller_is(cells, level):
    """P55: resctrl is left alone."""
    config = wanting()
    del config["linux"]["intelRdt"]
    cell = cells.started(config, kind="busybox")
    assert group_of(cell.pid) == "/" and not groups()


@pytest.mark.parametrize("rdt", [{}, {"l3CacheSchema": "L3:0=ff"}, {"schemata": ["L3:0=000FF"]}], ids=str)
def test_a_group_that_is_there(cells, level, gold, rdt):
    """P55, P56: joined, and left as it was."""
    cell = cells.started(wanting(closID=gold, **rdt), kind="busybox")
    assert group_of(cell.pid) == gold and groups() == {gold}
    assert cell.delete("--force").ok
    assert groups() == {gold} and schemata(gold) == "L3:0=ff"


def test_a_group_with_other_schemata_is_refused(cells, fail, level, gold):
    """P56."""
    cell = cells(wanting(closID=gold, l3CacheSchema="L3:0=f"), kind="busybox")
    fail(cell.create(), "linux.intelRdt", gold, "L3:0=f", cell=cell)
    assert groups() == {gold} and schemata(gold) == "L3:0=ff" and not tasks(gold)


def test_the_root_group(cells, level):
    """P55."""
    cell = cells.started(wanting(closID="/"), kind="busybox")
    assert group_of(cell.pid) == "/" and not groups()
    cell = cells(wanting(closID="/", l3CacheSchema="L3:0=f"), kind="busybox")
    refused(cell, "group /")


def test_a_named_group_outlives_its_first_container(cells, level):
    """P55, P57."""
    rdt = {"closID": "silver", "l3CacheSchema": "L3:0=f0"}
    result = cells(wanting("/bin/cat", "/proc/self/cpu_resctrl_groups", **rdt), kind="busybox").run()
    try:
        assert result.ok and result.out.startswith("res:silver\n") and groups() == {"silver"}, result
        first, second = (cells.started(wanting(**rdt), kind="busybox") for _ in "12")
        assert first.delete("--force").ok
        assert group_of(second.pid) == "silver" and groups() == {"silver"}
        assert second.delete("--force").ok and groups() == {"silver"}
    finally:
        (ROOT / "silver").rmdir()


@pytest.mark.parametrize("rdt, said", [
    ({"closID": "absent"}, ["linux.intelRdt.closID", "absent"]),
    ({"closID": "info"}, ["group info"]),
    ({"l3CacheSchema": "L3:0=f0f"}, ["write the schemata", "non-consecutive"]),
    ({"closID": "silver", "l3CacheSchema": "L3:9=f"}, ["write the schemata", "silver"]),
    ({"memBwSchema": "MB:0=20"}, ["write the schemata", "MB"]),
    ({"enableMonitoring": True}, ["monitoring"]),
    ({"closID": "/", "enableMonitoring": True}, ["monitoring"]),
], ids=str)
def test_what_the_kernel_refuses(cells, fail, level, rdt, said):
    """P55, P56, P57: in its own words, and nothing is left."""
    cell = cells(wanting(**rdt), kind="busybox")
    fail(cell.create(), "linux.intelRdt", *said, cell=cell)
    assert not groups()


def test_there_is_not_room_for_any_number(cells, level):
    """P55: the processor has but so many classes."""
    most = int((ROOT / "info/L3/num_closids").read_text()) - 1
    for _ in range(most):
        cells.started(wanting(), kind="busybox")
    cell = cells(wanting(), kind="busybox")
    refused(cell, "make group", "Out of CLOSIDs")
    assert len(groups()) == most
    cells.clear()


@pytest.mark.parametrize("rdt", [{}, {"closID": "silver", "l3CacheSchema": "L3:0=f"}], ids=str)
def test_what_fails_later_leaves_none(cells, fail, level, rdt):
    """P55."""
    cell = cells(wanting("/missing", **rdt), kind="busybox")
    fail(cell.create(), "/missing", cell=cell)
    assert not groups()


def test_a_group_of_the_same_name_is_nobodys_to_remove(cells, fail, level):
    """P57."""
    cell = cells(wanting(l3CacheSchema="L3:0=f"), kind="busybox")
    (ROOT / cell.id).mkdir()
    try:
        fail(cell.create(), "linux.intelRdt", cell.id, cell=cell)
        assert groups() == {cell.id} and schemata(cell.id) == ALL
    finally:
        (ROOT / cell.id).rmdir()


@pytest.mark.levels("none")
def test_a_half_made_container_is_removed_by_force(cells, work, level):
    """P57, S10."""
    killer = work / "killer"
    killer.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    killer.chmod(0o755)
    config = wanting(l3CacheSchema="L3:0=f")
    config["hooks"] = {"createRuntime": [{"path": str(killer)}]}
    cell = cells(config, kind="busybox")
    assert not cell.create().ok and groups() == {cell.id}
    assert cell.delete("--force").ok
    until(lambda: not groups(), 2.0, lambda: f"{groups()} are left")


def test_update(cells, level):
    """F66."""
    cell = cells.started(wanting(), kind="busybox")

    def update(*flags):
        return cell.runtime.call("update", *flags, cell.id)

    assert update("--l3-cache-schema", "L3:0=3").ok and schemata(cell.id) == "L3:0=3"
    for flags, said in [(["L3:0=5"], "non-consecutive"), (["L3:0=f\nL3:0=f"], "linux.intelRdt.l3CacheSchema"),
                        (["L3:0=f", "--cpuset-mems", "63"], "linux.resources.cpu.mems")]:
        result = update("--l3-cache-schema", *flags)
        assert result.status == 1 and said in result.err, result
        assert schemata(cell.id) == "L3:0=3"
    result = update("--mem-bw-schema", "L3:0=f")
    assert result.status == 1 and "linux.intelRdt.memBwSchema" in result.err, result
    shared = cells.started(wanting(closID="/"), kind="busybox")
    result = shared.runtime.call("update", "--l3-cache-schema", "L3:0=f", shared.id)
    assert result.status == 1 and "root group" in result.err, result


def test_events(cells, level):
    """N8."""
    cell = cells.started(wanting(l3CacheSchema="L3:0=f"), kind="busybox")
    told = cell.runtime.call("events", "--stats", cell.id).json()["data"]["intel_rdt"]
    assert told == {"l3_cache_info": {"cbm_mask": "fffff", "min_cbm_bits": 2, "num_closids": 4},
                    "l3_cache_schema_root": ALL, "l3_cache_schema": "L3:0=f"}


@contextlib.contextmanager
def mounted(*arguments):
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", arguments[-1]], check=True)


def test_what_only_has_its_path_is_none(cells, level):
    """P55: neither for a new container, nor for one that has a group; which can be deleted all the same."""
    cell = cells.started(wanting(), kind="busybox")
    with mounted("-t", "tmpfs", "tmpfs", ROOT):
        refused(cells(wanting(), kind="busybox"), "no resctrl file system is mounted")
        late = cell.exec("/bin/true")
        assert not late.ok and "linux.intelRdt" in late.err, late
        assert cell.delete("--force").ok and not list(ROOT.iterdir())
    (ROOT / cell.id).rmdir()


def test_it_is_found_wherever_it_is_mounted(cells, work, level):
    """P55."""
    elsewhere = work / "else where"
    elsewhere.mkdir()
    subprocess.run(["mount", "--move", ROOT, elsewhere], check=True)
    try:
        cell = cells.started(wanting(l3CacheSchema="L3:0=f"), kind="busybox")
        assert group_of(cell.pid) == cell.id and (elsewhere / cell.id).is_dir()
        assert cell.delete("--force").ok and not (elsewhere / cell.id).exists()
    finally:
        subprocess.run(["mount", "--move", elsewhere, ROOT], check=True)
