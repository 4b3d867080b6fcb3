"""The tests themselves: a refusal test that does not fail when nothing is refused proves nothing."""

import os
import pathlib
import subprocess
import xml.etree.ElementTree

import pytest

HERE = pathlib.Path(__file__).parent


RUNTIMES = ["/bin/true", "/bin/false"]


def _passed(report):
    cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    return [f"{c.get('classname')}.{c.get('name')}" for c in cases
            if c.find("failure") is None and c.find("error") is None and c.find("skipped") is None]


@pytest.mark.host
def test_refusals_fail_without_a_runtime(tmp_path):
    """/bin/true lets everything pass, /bin/false refuses everything without a word."""
    env = {**os.environ, "DONJON_TESTS_ALONE": "0"}
    runs = [(runtime, tmp_path / f"report{i}.xml") for i, runtime in enumerate(RUNTIMES)]
    processes = [subprocess.Popen(
        [HERE / "run-against", runtime, "-q", "-m", "refusal", "--tb=no", f"--junitxml={report}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env) for runtime, report in runs]
    try:
        for process in processes:
            process.wait(timeout=900)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert {runtime: _passed(report) for runtime, report in runs} == {runtime: [] for runtime in RUNTIMES}
