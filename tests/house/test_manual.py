"""The manual says what --help says: the same commands, arguments, options and summaries, no more and no fewer."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = {path.name.removesuffix(".1.scd"): path.read_text() for path in (TOP / "man").glob("*.scd")}
OVERVIEW = PAGES["donjon"]
DONJON = pathlib.Path(os.environ.get("DONJON_BUILD", TOP / "build")) / "donjon"
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO")
UNSUPPORTED = ("checkpoint", "restore")  # one page for both

pytestmark = pytest.mark.skipif(not DONJON.exists(), reason="donjon is not built")


def help_text(*command):
    return subprocess.run([DONJON, *command, "--help"], capture_output=True, text=True, check=True).stdout


def options_of_help(text):
    """(letter, name, what the value is called) of each option."""
    return set(re.findall(r"^ {2}(?:-(\w), | {4})--?([\w-]+)(?: (\S+))?", text.split("options:\n")[1], re.M))


def commands_of_help():
    block = help_text().split("commands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\w+) +(.*)$", block, re.M)


COMMANDS = dict(commands_of_help()) if DONJON.exists() else {}
SUPPORTED = [name for name in COMMANDS if name not in UNSUPPORTED]


def plain(text):
    """Without scdoc's marks for bold and underlined."""
    return re.sub(r"[*_\\]", "", text)


def section(page, title):
    """The lines below a heading, up to the next one."""
    found = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", page, re.M | re.S)
    assert found, f"{page.splitlines()[0]} has no section {title}"
    return found.group(1).strip()


def options_of_manual(page):
    defined = [line for line in section(page, "OPTIONS").splitlines() if line.startswith("*-")]
    found = re.findall(r"(?:\*-(\w)\*, )?\*--?([\w-]+)\*(?: _([^ _]+)_)?", "\n".join(defined))
    assert len(found) == len(set(found)), "an option is there twice"
    return set(found)


def test_a_page_for_each_command():
    assert set(PAGES) == {"donjon", "donjon-checkpoint", *(f"donjon-{name}" for name in SUPPORTED)}
    built = re.findall(r"'(donjon[\w-]*)'", (TOP / "man/meson.build").read_text().split("]")[0])
    assert sorted(built) == sorted(PAGES), "man/meson.build builds other pages"


def test_the_overview():
    assert options_of_manual(OVERVIEW) == options_of_help(help_text())
    assert dict(re.findall(r"^- \*(\w+)\*: (.*)$", section(OVERVIEW, "COMMANDS"), re.M)) == COMMANDS
    assert set(re.findall(r"\*donjon-(\w+)\*\(1\)", section(OVERVIEW, "SEE ALSO"))) == set(COMMANDS)
    for title in ("POLICY LEVELS", "FILES", "ENVIRONMENT", "EXIT STATUS"):
        assert section(OVERVIEW, title)


@pytest.mark.parametrize("command", SUPPORTED)
def test_page_of(command):
    page, text = PAGES[f"donjon-{command}"], help_text(command)
    assert options_of_manual(page) == options_of_help(text)
    assert plain(section(page, "SYNOPSIS")) == text.splitlines()[0].removeprefix("usage: ")
    assert plain(section(page, "NAME")) == f"donjon-{command} - {COMMANDS[command]}"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_sections_of(name):
    page = PAGES[name]
    found = [title for title in re.findall(r"^# (.*)$", page, re.M) if title in SECTIONS]
    if name == "donjon":
        found.sort(key=SECTIONS.index)
    assert tuple(found) == SECTIONS
    assert re.search(r"```\n.*\bdonjon\b.*\n```", section(page, "EXAMPLES"), re.S)
    assert name == "donjon" or "*donjon*(1)" in section(page, "SEE ALSO")
    referred = re.findall(r"\*donjon-(\w+)\*\(1\)", page)
    assert set(referred) <= set(COMMANDS) and name.removeprefix("donjon-") not in referred


@pytest.mark.parametrize("name", sorted(PAGES))
def test_examples_use_what_exists(name):
    """Of the calls of donjon itself, not of engines that are told to use it."""
    typed = "\n".join(re.findall(r"^```\n(.*?)^```", section(PAGES[name], "EXAMPLES"), re.M | re.S))
    calls = re.findall(r"(?<!--runtime )\bdonjon ((?:--\S+ \S+ )*)(\w+)([^|;&\n]*)", typed)
    assert calls
    for before, command, after in calls:
        assert command in COMMANDS
        known = options_of_help(help_text()) if command in UNSUPPORTED else options_of_help(help_text(command))
        used = re.findall(r"(?<=\s)--(\w[\w-]*)", after.split(" -- ")[0])
        assert set(used) <= {option for _, option, _ in known}, (command, used)
        assert set(re.findall(r"--(\w[\w-]*)", before)) <= {option for _, option, _ in options_of_help(help_text())}


@pytest.mark.skipif(not shutil.which("scdoc"), reason="scdoc is missing")
@pytest.mark.parametrize("name", sorted(PAGES))
def test_scdoc_takes(name):
    done = subprocess.run(["scdoc"], input=PAGES[name], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert f'.TH "{name}" "1"' in done.stdout


@pytest.mark.parametrize("command", UNSUPPORTED)
def test_what_is_not_supported_says_so(command):
    """R5: callers take the status of --help for the answer."""
    for arguments in ([command, "--help"], [command, "--lsm-mount-context"], [command, "x"]):
        result = subprocess.run([DONJON, *arguments], capture_output=True, text=True)
        assert result.returncode == 1
        assert result.stderr == f"donjon: {command} is not supported\n"
