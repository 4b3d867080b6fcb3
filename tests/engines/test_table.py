"""The table and the tests are of one mind."""

import importlib
import pathlib

import pytest

import table
from support import CLAIMED


@pytest.mark.apart("judges the other tests")
def test_every_row_has_a_test():
    for path in pathlib.Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(path.stem)
    rows = {(engine, name) for engine, names in table.TABLE.items() for name in names}
    assert rows - CLAIMED == set(), "rows of table.py without a test"
