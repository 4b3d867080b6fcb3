"""Limits of what few hosts have: the weights of a disk's scheduler (BFQ), devices of RDMA and the network's classes;
each read from the kernel's own file, in hierarchies of cgroup v1 and in the v2 tree."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest

from harness import bundle as b
from harness import linux, states
from harness.runtime import until

TREE = pathlib.Path("/sys/fs/cgroup")
# What v2 has too is taken from there for v1; the network's classes are of v1 alone.
SHARED = ("io", "rdma")
HIERARCHIES = ("blkio", "rdma", "net_cls,net_prio")

pytestmark = pytest.mark.skipif(os.environ.get("DONJON_LAB") != "resctrl", reason="no machine of the lab's own")


def delegate(sign):
    (TREE / "cgroup.subtree_control").write_text(" ".join(sign + controller for controller in SHARED))


def mounted(controllers, place):
    """Whether it is; the kernel lets go of the v2 tree's last groups when it gets to it, and of one that has written
    when that is on the disk."""
    os.sync()
    with contextlib.suppress(OSError):
        linux.mount("cgroup", str(place), "cgroup", data=controllers)
        return True
    return False


@pytest.fixture(scope="module", params=["v1", "v2"])
def tree(request, session_dir):
    """Where the controllers are; this session's mounts are its own (conftest)."""
    if request.param == "v2":
        yield "v2"
        return
    places = {controllers: session_dir / "v1" / controllers for controllers in HIERARCHIES}
    delegate("-")
    for controllers, place in places.items():
        place.mkdir(parents=True)
        until(lambda c=controllers, p=place: mounted(c, p), 10, lambda c=controllers: f"{c} stays with v2", True)
    yield "v1"
    for place in places.values():
        linux.umount(str(place))
    until(lambda: set(SHARED) <= set((TREE / "cgroup.controllers").read_text().split()), 10,
          lambda: "v1 keeps its own", True)
    delegate("+")


@pytest.fixture(scope="module")
def disk():
    """The number of the machine's disk, whose scheduler has weights."""
    scheduler = pathlib.Path("/sys/block/vda/queue/scheduler")
    subprocess.run(["modprobe", "bfq"], check=True)
    before = scheduler.read_text().split("[")[1].split("]")[0]
    scheduler.write_text("bfq")
    yield tuple(map(int, pathlib.Path("/sys/block/vda/dev").read_text().split(":")))
    scheduler.write_text(before)


@pytest.fixture(scope="module")
def adapter():
    """A device of RDMA in software, over the loopback interface.  It stays: kernel 6.1 keeps limits that were never
    used in the device's list when their group is gone, and falls over them when the device goes."""
    if not os.path.exists("/sys/class/infiniband/lab0"):
        subprocess.run(["modprobe", "rdma_rxe"], check=True)
        subprocess.run(["rdma", "link", "add", "lab0", "type", "rxe", "netdev", "lo"], check=True)
    return "lab0"


def limited(**resources):
    config = b.spec("sleep")
    b.resources(config, **resources)
    return config


def lines(cell, controller, v1_file, v2_file=None):
    return states.read(cell.pid, controller, v1_file, v2_file).splitlines()


def weights(cell):
    return lines(cell, "blkio", "blkio.bfq.weight_device", "io.bfq.weight")


def of_device(disk, **weight):
    return {"weightDevice": [{"major": disk[0], "minor": disk[1], **weight}]}


def test_the_weight_of_a_device(cells, level, tree, disk):
    """P79, P77."""
    cell = cells.created(limited(blockIO=of_device(disk, weight=300)))
    assert weights(cell) == ["default 100", f"{disk[0]}:{disk[1]} 300"]
    cell = cells.created(limited(blockIO={"weight": 200, **of_device(disk, weight=1000)}))
    assert weights(cell) == ["default 200", f"{disk[0]}:{disk[1]} 1000"]


def test_the_weight_of_no_device_is_refused(cells, fail, level, tree, disk):
    """P79."""
    cell = cells(limited(blockIO=of_device((disk[0], 240), weight=300)))
    fail(cell.create(), "linux.resources.blockIO.weightDevice[0]", cell=cell)


def test_a_leafs_weight_is_of_a_scheduler_that_is_gone(cells, fail, level, tree, disk):
    """P78, P79: refused, not left out."""
    for resources, name in ((of_device(disk, weight=300, leafWeight=200), "weightDevice[0]"),
                            ({"leafWeight": 200}, "leafWeight")):
        cell = cells(limited(blockIO=resources))
        fail(cell.create(), f"linux.resources.blockIO.{name}", cell=cell)


@pytest.mark.parametrize("limits, wanted", [
    ({"hcaHandles": 3, "hcaObjects": 10000}, "hca_handle=3 hca_object=10000"),
    ({"hcaHandles": 0}, "hca_handle=0 hca_object=max"),
    ({"hcaObjects": 7}, "hca_handle=max hca_object=7"),
], ids=str)
def test_rdma(cells, level, tree, adapter, limits, wanted):
    """P84."""
    cell = cells.created(limited(rdma={adapter: limits}))
    assert lines(cell, "rdma", "rdma.max", "rdma.max") == [f"{adapter} {wanted}"]


def test_rdma_of_no_device_is_refused(cells, fail, level, tree, adapter):
    """P84."""
    cell = cells(limited(rdma={adapter: {"hcaHandles": 3}, "absent0": {"hcaHandles": 3}}))
    fail(cell.create(), "linux.resources.rdma", "absent0", cell=cell)


def classified():
    return limited(network={"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}]})


def test_the_networks_classes(cells, fail, level, tree):
    """P82: cgroup v2 has none, which is said."""
    if tree == "v2":
        cell = cells(classified())
        fail(cell.create(), "linux.resources.network", cell=cell)
        return
    cell = cells.created(classified())
    assert lines(cell, "net_cls", "net_cls.classid") == [str(0x100001)]
    assert "lo 5" in lines(cell, "net_prio", "net_prio.ifpriomap")


def test_the_priority_of_no_interface_is_refused(cells, fail, level, tree):
    """P82."""
    cell = cells(limited(network={"priorities": [{"name": "absent0", "priority": 5}]}))
    fail(cell.create(), "linux.resources.network", cell=cell)


def update(cell, work, **resources):
    (work / "resources").write_text(json.dumps(resources))
    return cell.runtime.call("update", "--resources", work / "resources", cell.id)


@pytest.mark.parametrize("before", [{}, {"weight": 300}], ids=["none", "some"])
def test_update(cells, work, level, tree, disk, adapter, before):
    """P79, P84: and one that fails is taken back, also for a device that had no line of its own."""
    def now():
        return weights(cell), lines(cell, "rdma", "rdma.max", "rdma.max")

    cell = cells.started(limited(**({"blockIO": of_device(disk, **before)} if before else {})))
    old, new, rdma = now(), of_device(disk, weight=500), {adapter: {"hcaHandles": 9}}
    result = update(cell, work, blockIO=new, rdma={**rdma, "absent0": {"hcaHandles": 9}})
    assert result.status == 1 and "absent0" in result.err, result
    assert now() == old
    result = update(cell, work, blockIO=new, rdma=rdma)
    assert result.ok, result
    assert now() == (["default 100", f"{disk[0]}:{disk[1]} 500"], [f"{adapter} hca_handle=9 hca_object=max"])
