"""The tests with another program than donjon as the runtime, to show that they can fail.

/bin/true lets everything pass and does nothing, /bin/false refuses everything without a word: each test
must fail with either.  runc does what the specification demands, and so does crun where the contract says
that they agree: tests marked `peer` must pass with them, but for those of which the mark gives the reason.
A test that drives no runtime is marked `apart`, with the reason.  What is left out is in the summary: how
many tests, and why.

A test that fails as it must is an expected failure, strictly: one that does not is a failure.
"""

import collections
import importlib.machinery
import importlib.util
import os
import pathlib

import pytest

PEERS = ("runc", "crun")
FAKES = ("true", "false")
KIND = pathlib.Path(os.environ.get("DONJON_RUNTIME", "donjon")).name
IS_PEER, IS_FAKE = KIND in PEERS, KIND in FAKES

_left_out = collections.Counter()
_TABLE = pathlib.Path(__file__).resolve().parents[2] / "conformance/table"


def pytest_configure(config):
    for line in (
        "apart(reason): no runtime is driven, so none can make it fail: not run with other programs as the runtime",
        "peer(runc=reason, crun=reason): what the specification demands at level none; holds for runc and crun "
        "too, but for those of which it says why not",
    ):
        config.addinivalue_line("markers", line)


def _agreed():
    """Names of the tests of rows on which the contract says that runc and crun agree."""
    loader = importlib.machinery.SourceFileLoader("conformance_table", str(_TABLE))
    table = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(table)
    return table.agreed()


def _why_left_out(item, agreed):
    apart = item.get_closest_marker("apart")
    if apart:
        return apart.args[0]
    if IS_FAKE:
        return None
    peer = [mark.kwargs for mark in item.iter_markers("peer")]
    if not peer:
        return "donjon's own behaviour"
    if KIND == "crun" and f"{item.path.parent.name}/{item.path.stem}::{item.originalname}" not in agreed:
        return "the contract does not say that crun does as runc does"
    return next((kwargs[KIND] for kwargs in peer if KIND in kwargs), None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if not (IS_PEER or IS_FAKE):
        return
    agreed = _agreed() if KIND == "crun" else set()
    out = {item: reason for item in items if (reason := _why_left_out(item, agreed))}
    _left_out.update(out.values())
    config.hook.pytest_deselected(items=list(out))
    items[:] = [item for item in items if item not in out]
    for item in items if IS_FAKE else []:
        item.add_marker(pytest.mark.xfail(strict=True, reason=f"{KIND} is no runtime"))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A test is counted once: what taking it down says of a program that removes nothing is not asked."""
    report = (yield).get_result()
    if IS_FAKE and report.when == "teardown" and hasattr(report, "wasxfail"):
        del report.wasxfail
        report.outcome = "passed"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Each of xdist's workers collects all tests."""
    if not _left_out:
        _left_out.update(getattr(node, "workeroutput", {}).get("left out", {}))


def pytest_terminal_summary(terminalreporter):
    for reason, number in sorted(_left_out.items()):
        terminalreporter.write_line(f"LEFT OUT {number} with {KIND}: {reason}")
