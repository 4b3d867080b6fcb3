"""The tests themselves: a row that must be refused has to fail with a runtime that refuses nothing, or
refuses without a word."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

from support import missing

pytestmark = missing("podman", "conmon", "slirp4netns")

HERE = pathlib.Path(__file__).parent
RUNTIMES = ["/bin/true", "/bin/false"]


def _passed(report):
    cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
    assert cases, "no test was run"
    return [case.get("name") for case in cases
            if not any(case.find(why) is not None for why in ("failure", "error", "skipped"))]


def test_refusals_fail_without_a_runtime(tmp_path):
    runs = [(runtime, tmp_path / f"{runtime[5:]}.xml") for runtime in RUNTIMES]
    files = sorted(set(HERE.glob("test_podman_*.py")) - {pathlib.Path(__file__)})
    processes = [subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-m", "refusal", "-k", "rootful", "--tb=no", f"--junitxml={report}", *files],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "DONJON_RUNTIME": runtime})
        for runtime, report in runs]
    for process in processes:
        process.wait(timeout=300)
    assert {runtime: _passed(report) for runtime, report in runs} == {runtime: [] for runtime in RUNTIMES}
