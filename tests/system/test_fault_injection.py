"""T63: one system call after the other fails, in random order with a printed seed."""

import os
import random
import time

import pytest

from harness import faults, linux
from harness.runtime import until

POINTS = int(os.environ.get("DONJON_FAULT_POINTS", "400"))


@pytest.fixture
def campaign(runtime, can, session_dir, host, capsys):
    """Runs so many points of these commands and says how it went."""
    if not can.strace:
        pytest.skip("needs strace")

    def run(name, level, verbs, number):
        seed = int(os.environ.get("DONJON_FAULT_SEED", random.randrange(1 << 32)))
        began = time.monotonic()
        campaign = faults.Campaign(runtime.at(level), session_dir, seed)
        outcomes = campaign.run(campaign.points(verbs, faults.ERRORS + faults.SHORT, number))
        with capsys.disabled():
            print(f"\n{name} at {level}: seed {seed}, {len(outcomes)} fault points in {time.monotonic() - began:.0f} s: "
                  + ", ".join(f"{n} {kind}" for kind, n in sorted(outcomes.counts().items())))
        assert len(outcomes) == number
        assert not outcomes.violations, f"seed {seed}: {outcomes}"
        until(lambda: not linux.living(), 5, lambda: str(linux.living()))

    return run


def test_t63(campaign, level):
    """Refused and clean, or as good as without the fault: never success with weaker state."""
    campaign("T63", level, faults.VERBS, POINTS // 2)


def test_operations(campaign, level):
    """2.1: what errs leaves everything as if it had not been tried."""
    campaign("operations", level, faults.OPERATIONS, POINTS // 4)


def test_joining(campaign, level):
    """B39: what errs while a process joins costs that process, never a part of its confinement."""
    campaign("exec", level, faults.JOINING, POINTS // 4)
