"""Golden tests: what decode, harden and plan make of real configurations, word for word.

Regenerate after a wanted change with GOLDEN_UPDATE=1 and read the difference.
"""
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus/config"
PROGRAM = pathlib.Path(os.environ.get("DONJON_BUILD", "build")) / "tests/golden/golden"
CASES = [(path, level) for path in sorted(CORPUS.glob("*.json")) for level in ("none", "hardened")]


@pytest.mark.parametrize("config,level", CASES, ids=[f"{p.stem}-{lv}" for p, lv in CASES])
def test_golden(config, level):
    done = subprocess.run([PROGRAM, config, level], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    expected = HERE / "expected" / f"{config.stem}.{level}.txt"
    if os.environ.get("GOLDEN_UPDATE"):
        expected.write_text(done.stdout)
    assert done.stdout == expected.read_text()


def test_there_are_cases():
    assert len(CASES) >= 10
