"""The completion scripts, in the shells they are for."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DONJON_BUILD", TOP / "build"))
DONJON = BUILD / "donjon"

pytestmark = pytest.mark.skipif(not DONJON.exists(), reason="donjon is not built")


def script(shell):
    return subprocess.run([DONJON, "completion", shell], capture_output=True, text=True, check=True).stdout


def bash(tmp_path, line):
    """What bash would offer for the last word of the line, of which it makes more at each "="."""
    words = re.findall("=|[^ =]+", line) + ([""] if line.endswith(" ") else [])
    (tmp_path / "donjon.bash").write_text(script("bash"))
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        ["bash", "-c", f"source {tmp_path}/donjon.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _donjon; "
                       'printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True, text=True, env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"})
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def fish(tmp_path, line):
    (tmp_path / "donjon.fish").write_text(script("fish"))
    done = subprocess.run(["fish", "--no-config", "-c", f"source {tmp_path}/donjon.fish; complete -C '{line}'"],
                          capture_output=True, text=True,
                          env={**os.environ, "HOME": str(tmp_path), "PATH": f"{BUILD}:{os.environ['PATH']}"})
    assert done.returncode == 0, done
    return [entry.split("\t")[0].split("=")[-1] for entry in done.stdout.splitlines()]


SHELLS = [pytest.param(ask, id=ask.__name__,
                       marks=pytest.mark.skipif(not shutil.which(ask.__name__), reason=f"{ask.__name__} is missing"))
          for ask in (bash, fish)]


@pytest.mark.parametrize("ask", SHELLS)
@pytest.mark.parametrize("line, offered", [
    ("donjon cre", {"create"}), ("donjon st", {"start", "state"}), ("donjon --log-f", {"--log-format"}),
    ("donjon create --pid", {"--pid-file", "--pidfd-socket"}), ("donjon list --format ", {"table", "json"}),
    ("donjon setup pod", {"podman"}), ("donjon completion ", {"bash", "zsh", "fish"}),
    ("donjon --policy ", {"none", "hardened"}), ("donjon run --policy h", {"hardened"}),
    ("donjon --policy=", {"none", "hardened"}), ("donjon list --format=j", {"json"}),
])
def test_what_is_offered(ask, tmp_path, line, offered):
    assert set(ask(tmp_path, line)) == offered


def test_a_value_is_no_command(tmp_path):
    """bash: what follows an option that takes a value is neither a command nor an id."""
    assert bash(tmp_path, "donjon --override ") == bash(tmp_path, "donjon exec --user ") == []
    assert set(bash(tmp_path, "donjon list -f ")) == {"table", "json"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is missing")
def test_zsh(tmp_path):
    """Read by the real shell, asked for a word through a terminal of zsh's own."""
    (tmp_path / "_donjon").write_text(script("zsh"))
    (tmp_path / "ask").write_text(r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; unsetopt beep; stty -echo; fpath=(%s $fpath); autoload -U compinit; compinit -u -D'
zpty -w z 'zstyle ":completion:*" list-separator " - "; bindkey "^I" complete-word; zstyle ":completion:*" verbose no'
zpty -w z 'echo READY'
zpty -r -m z out '*READY*'
zpty -n -w z $'donjon sand\t'
zpty -r -m z out '*sandbox*' && echo offered
zpty -d z
""" % tmp_path)
    done = subprocess.run(["zsh", "-f", tmp_path / "ask"], capture_output=True, text=True, timeout=20,
                          env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb",
                               "PATH": f"{BUILD}:{os.environ['PATH']}"})
    assert "offered" in done.stdout, done


def test_no_other_shell():
    done = subprocess.run([DONJON, "completion", "tcsh"], capture_output=True, text=True)
    assert done.returncode == 1 and "bash, zsh or fish" in done.stderr
