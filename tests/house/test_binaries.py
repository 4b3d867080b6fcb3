"""The hardening flags of what is shipped, read back from the files."""
import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("DONJON_BUILD", "build"))
BINARIES = ["donjon", "libdonjon.so", "src/launch/donjon-stage"]


def find(name):
    path = BUILD / name
    if not path.exists():
        found = [p for p in BUILD.rglob(pathlib.Path(name).name) if p.is_file()]
        assert found, f"{name} is not built"
        path = found[0]
    return path


def readelf(path, *flags):
    return subprocess.run(["readelf", "-W", *flags, path], check=True, text=True,
                          capture_output=True).stdout


@pytest.mark.parametrize("name", BINARIES)
def test_position_independent(name):
    assert "Type:                              DYN" in readelf(find(name), "-h")


@pytest.mark.parametrize("name", BINARIES)
def test_stack_is_not_executable(name):
    line = next(line for line in readelf(find(name), "-l").splitlines() if "GNU_STACK" in line)
    assert " RW " in line and "RWE" not in line


@pytest.mark.parametrize("name", BINARIES)
def test_relro_and_now(name):
    assert "GNU_RELRO" in readelf(find(name), "-l")
    assert any(flag in readelf(find(name), "-d") for flag in ("BIND_NOW", "Flags: NOW"))


@pytest.mark.parametrize("name", BINARIES)
def test_no_segment_is_writable_and_executable(name):
    for line in readelf(find(name), "-l").splitlines():
        if line.strip().startswith("LOAD"):
            assert "RWE" not in line


def test_stage_is_static_and_small():
    stage = find("src/launch/donjon-stage")
    assert "NEEDED" not in readelf(stage, "-d")
    assert stage.stat().st_size < 1_000_000


def test_library_exports_only_its_own_names():
    out = subprocess.run(["nm", "-D", "--defined-only", find("libdonjon.so")], check=True, text=True,
                         capture_output=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    exported = [n for n in names if not n.startswith("DONJON_")]
    assert exported and all(n.startswith("donjon_") for n in exported), exported
