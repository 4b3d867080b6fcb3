"""T63: one system call after the other fails, in random order with a printed seed."""

import os
import random
import time

import pytest

from harness import faults, linux
from harness.runtime import until

POINTS = int(os.environ.get("DONJON_FAULT_POINTS", "400"))


def test_t63(runtime, can, session_dir, host, capsys, level):
    """Refused and clean, or as good as without the fault: never success with weaker state."""
    if not can.strace:
        pytest.skip("needs strace")
    seed = int(os.environ.get("DONJON_FAULT_SEED", random.randrange(1 << 32)))
    began = time.monotonic()
    campaign = faults.Campaign(runtime.at(level), session_dir, seed)
    points = campaign.points(faults.VERBS, faults.ERRORS + faults.SHORT, POINTS // 2)
    outcomes = campaign.run(points)
    with capsys.disabled():
        print(f"\nT63 at {level}: seed {seed}, {len(outcomes)} fault points in {time.monotonic() - began:.0f} s: "
              + ", ".join(f"{n} {kind}" for kind, n in sorted(outcomes.counts().items())))
    assert len(outcomes) == POINTS // 2
    assert not outcomes.violations, f"seed {seed}: {outcomes}"
    until(lambda: not linux.living(), 5, lambda: str(linux.living()))
