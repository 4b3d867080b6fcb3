"""linux.netDevices (P47): devices of the runtime's network namespace, which here is one the test made."""

import json
import os
import subprocess

import pytest

from harness import bundle as b
from harness import linux
from harness.runtime import Runtime, until

ADDRESSES = {"10.9.8.7/24", "10.9.9.7/32", "fd00:9::7/64"}


class Net:
    """A network namespace, and the runtime as somebody in it would start it."""

    def __init__(self, rt, work):
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "120"])
        self.pid = self._holder.pid
        until(lambda: os.stat(f"/proc/{self.pid}/ns/net").st_ino != linux.namespaces()["net"])
        wrapper = work / "in-net"
        wrapper.write_text(f'#!/bin/sh\nexec nsenter -t {self.pid} -n {rt.path} "$@"\n')
        wrapper.chmod(0o755)
        self.runtime = Runtime(str(wrapper), rt.kind, rt.root, rt.level, rt.extra)
        for name in ("v0", "v1"):
            self.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
            self.ip("link", "set", name, "up")
            self.ip("link", "set", f"{name}-peer", "up")
            self.ip("link", "property", "add", "dev", name, "altname", f"{name}also")
        for address in ADDRESSES:
            self.ip("addr", "add", address, "dev", "v0", *(["nodad"] if ":" in address else []))
        self.ip("addr", "add", "192.0.2.1/24", "dev", "v0", "scope", "link")

    def ip(self, *args, pid=None):
        return subprocess.run(["nsenter", "-t", str(pid or self.pid), "-n", "ip", "-j", *args], check=True,
                              capture_output=True, text=True).stdout

    def devices(self, pid=None):
        """name -> (addresses of global scope, is it up)"""
        return {d["ifname"]: ({f"{a['local']}/{a['prefixlen']}" for a in d["addr_info"] if a["scope"] == "global"},
                              "UP" in d["flags"])
                for d in json.loads(self.ip("addr", "show", pid=pid))}

    def end(self):
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def net(rt, work):
    net = Net(rt, work)
    yield net
    net.end()


def config_with(**devices):
    config = b.spec()
    config["linux"]["netDevices"] = devices
    return config


def at(net, level):
    return net.runtime.at(level)


@pytest.mark.parametrize("fields, name", [({}, "v0"), ({"name": "eth0"}, "eth0"), ({"name": "net%d"}, "net0")])
def test_moved_with_its_addresses(net, cells, level, fields, name):
    """P47, X14: with its global permanent addresses, up, and gone from where it was."""
    cell = cells.created(config_with(v0=fields), runtime=at(net, level))
    inside, outside = net.devices(cell.state()["pid"]), net.devices()
    assert inside[name] == (ADDRESSES, True)
    assert set(inside) == {"lo", name}
    assert "v0" not in outside and "v1" in outside


def test_one_that_is_down_is_set_up(net, cells, level):
    """P47."""
    net.ip("link", "set", "v1", "down")
    cell = cells.created(config_with(v1={}), runtime=at(net, level))
    assert net.devices(cell.state()["pid"])["v1"] == (set(), True)


@pytest.mark.parametrize("devices, named", [
    ({"v0": {"name": "lo"}}, "v0"), ({"v0": {}, "v1": {"name": "v0"}}, "v1"), ({"v0": {}, "nowhere": {}}, "nowhere"),
    ({"v0": {"name": "e%d"}, "nowhere": {}}, "nowhere"), ({"v0": {"name": "all"}}, "v0"),
    ({"v0": {"name": "v0also"}}, "v0"), ({"v0also": {}}, "v0also"), ({"v0also": {"name": "e"}, "nowhere": {}}, "nowhere"),
])
def test_what_fails_goes_back(net, cells, fail, level, devices, named):
    """P47: a name that is taken or cannot be given, or no such device; those already moved, also those that
    the kernel moved before it found the name wrong, return as they were, under their first names."""
    before = net.devices()
    cell = cells(config_with(**devices), runtime=at(net, level))
    fail(cell.create(), f"linux.netDevices.{named}: ", cell=cell, runtime=at(net, level))
    assert net.devices() == before


def test_a_launch_that_fails_has_not_moved_any(net, cells, fail, level):
    """P47: nothing of the user's is lost with a namespace that dies."""
    before = net.devices()
    config = config_with(v0={})
    config["process"]["args"] = ["/nowhere"]
    cell = cells(config, runtime=at(net, level))
    fail(cell.create(), "/nowhere", cell=cell, runtime=at(net, level))
    assert net.devices() == before


def test_only_root_can_give_devices_away(cells, level):
    """P47: said before anything is tried."""
    config = config_with(v0={})
    bundle = cells.bundle(config)
    result = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", cells._runtime.path,
                             "--policy", level, "run", "--dry-run", "--bundle", bundle.path, "x"],
                            capture_output=True, text=True)
    assert result.returncode == 1 and "linux.netDevices" in result.stderr, result
