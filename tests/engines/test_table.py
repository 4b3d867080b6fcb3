"""The table and the tests are of one mind."""

import importlib
import pathlib

import pytest

import table
from support import CLAIMED, ENDED


@pytest.mark.apart("judges the other tests")
def test_every_row_has_a_test():
    for path in pathlib.Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(path.stem)
    rows = {(engine, name) for engine, names in table.TABLE.items() for name in names}
    assert rows - CLAIMED == set(), "rows of table.py without a test"


@pytest.mark.apart("judges the other tests")
def test_no_row_is_green_at_none_only():
    """Skipped at the default level is not passed."""
    assert [row for row, passed in ENDED.items() if passed.get("none") and not passed.get("hardened", True)] == []
