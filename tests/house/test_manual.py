"""The manual lists the commands and options that --help lists, no more and no fewer."""
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = (TOP / "man/donjon.1.scd").read_text()
DONJON = pathlib.Path(os.environ.get("DONJON_BUILD", TOP / "build")) / "donjon"

# Commands whose section refers to another one's options.
INHERITS = {"run": "create"}


def help_text(*command):
    return subprocess.run([DONJON, *command, "--help"], capture_output=True, text=True, check=True).stdout


def options_of_help(text):
    return set(re.findall(r"^ {2}(?:-\w, | {4})--([\w-]+)", text.split("options:")[1], re.M)) - {"help", "V"}


def commands_of_help():
    block = help_text().split("commands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\w+)", block, re.M)


def section(title):
    """The lines below a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#)", PAGE, re.M | re.S)
    assert found, f"the manual has no section {title}"
    return found.group(1)


def options_of_manual(text):
    defined = [line for line in text.splitlines() if line.startswith("*-")]
    return {name for line in defined for name in re.findall(r"\*--([\w-]+)\*", line)} - {"help"}


def manual_of(command):
    names = options_of_manual(section(rf"{command}\b[^\n]*"))
    return names | manual_of(INHERITS[command]) if command in INHERITS else names


pytestmark = pytest.mark.skipif(not DONJON.exists(), reason="donjon is not built")


def test_global_options():
    assert options_of_manual(section("GLOBAL OPTIONS")) == options_of_help(help_text())


@pytest.mark.parametrize("command", [c for c in (commands_of_help() if DONJON.exists() else [])
                                     if c not in ("checkpoint", "restore")])
def test_options_of(command):
    assert manual_of(command) == options_of_help(help_text(command))


def test_every_command_has_a_section():
    headings = re.findall(r"^## (.*)$", PAGE, re.M)
    named = {word.strip(",") for heading in headings for word in heading.split() if word.strip(",").islower()}
    assert set(commands_of_help()) <= named


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_what_is_not_supported_says_so(command):
    """R5: callers take the status of --help for the answer."""
    for arguments in ([command, "--help"], [command, "--lsm-mount-context"], [command, "x"]):
        result = subprocess.run([DONJON, *arguments], capture_output=True, text=True)
        assert result.returncode == 1
        assert result.stderr == f"donjon: {command} is not supported\n"
