"""What the lab leaves out is there to be left out: a test that was renamed is not run there by accident."""
import ast
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "system"))

from harness import lab  # noqa: E402


def names():
    """The files and their tests, in the words of the table."""
    for path in (TESTS / "system").glob("test_*.py"):
        yield path.stem
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.stem}::{node.name}"


def test_what_is_left_out_exists():
    assert sorted(set(lab.LEFT_OUT) - set(names())) == []


def test_nothing_is_left_out_twice():
    assert [name for name in lab.LEFT_OUT if name.split("::")[0] in lab.LEFT_OUT and "::" in name] == []
