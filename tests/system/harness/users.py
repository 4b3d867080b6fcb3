"""Unprivileged callers.  Their accounts exist in the tests' own mount namespace only."""

import contextlib
import os
import pathlib
import subprocess

from . import linux
from .runtime import Process, Runtime, until

GRANTED, SINGLE = 54321, 54322  # uids; the first one has sub-ids
SUB_FIRST, SUB_COUNT = 0x60000000, 65536

_FILES = {
    "/etc/passwd": "dt{uid}:x:{uid}:{uid}::/nonexistent:/bin/sh\n",
    "/etc/group": "dt{uid}:x:{uid}:\n",
}


@contextlib.contextmanager
def accounts(directory):
    """Mounts user databases that know the two over the host's."""
    subids = f"dt{GRANTED}:{SUB_FIRST}:{SUB_COUNT}\n"
    texts = {path: pathlib.Path(path).read_text() + "".join(line.format(uid=uid) for uid in (GRANTED, SINGLE))
             for path, line in _FILES.items()}
    texts |= {"/etc/subuid": subids, "/etc/subgid": subids}
    mounted = []
    try:
        for path, text in texts.items():
            copy = directory / os.path.basename(path)
            copy.write_text(text)
            linux.mount(copy, path, None, linux.MS_BIND)
            mounted.append(path)
        yield
    finally:
        for path in mounted:
            linux.umount(path)


class Caller:
    """Someone who runs commands without rights on the host.  `wrapper` comes before setpriv, as root;
    `entry` after it, as the user."""

    def __init__(self, uid, home, wrapper=(), entry=(), groups=()):
        self.uid, self.home, self.granted = uid, home, uid == GRANTED
        self.is_mapped_root = bool(entry)
        self._wrapper, self._entry, self._groups = tuple(wrapper), tuple(entry), tuple(groups)

    def prefix(self):
        groups = ["--groups=" + ",".join(map(str, self._groups))] if self._groups else ["--clear-groups"]
        return [*self._wrapper, "setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", *groups, *self._entry]

    def environment(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run"), **more}
        return {key: value for key, value in env.items() if value is not None}

    def call(self, *argv, env=None, **popen):
        return Process([*self.prefix(), *argv], env=env or self.environment(), **popen).wait()

    def wrapped(self, *wrapper, groups=None):
        """The same user, started another way."""
        return Caller(self.uid, self.home, wrapper, self._entry, self._groups if groups is None else groups)

    def own(self, *paths):
        for top in paths:
            for directory, names, files in os.walk(top):
                for name in [".", *names, *files]:
                    os.chown(os.path.join(directory, name), self.uid, self.uid, follow_symlinks=False)

    def maps(self):
        """What `newuidmap` grants this caller in a new user namespace: itself as 0, then its sub-ids."""
        lines = [(0, self.uid, 1)]
        return [*lines, (1, SUB_FIRST, SUB_COUNT - 1)] if self.granted else lines


def new_home(directory, uid):
    home = directory / f"home-{uid}"
    (home / "run").mkdir(parents=True)
    for path in (home, home / "run"):
        os.chown(path, uid, uid)
    (home / "run").chmod(0o700)
    return home


class MappedRoot:
    """A user namespace and a mount namespace that a user made for its engine, as podman's do."""

    def __init__(self, caller):
        flags = ["--map-root-user", *(["--map-auto"] if caller.granted else [])]
        self._process = subprocess.Popen(
            [*caller.prefix(), "unshare", "--user", "--mount", *flags, "sleep", "3600"], env=caller.environment())
        until(lambda: self._command() == "sleep", 5, lambda: "no user namespace")
        enter = ["nsenter", f"--target={self._process.pid}", "--user", "--mount", "--preserve-credentials"]
        self.caller = Caller(caller.uid, caller.home, entry=enter)

    @property
    def pid(self):
        return self._process.pid

    def _command(self):
        return pathlib.Path(f"/proc/{self._process.pid}/comm").read_text().strip()

    def close(self):
        self._process.kill()
        self._process.wait()


class CallerRuntime(Runtime):
    """The runtime as that caller starts it."""

    def __init__(self, caller, path, kind, root, level, extra=()):
        super().__init__(path, kind, root, level, extra)
        self.caller = caller

    def at(self, level, *extra):
        return CallerRuntime(self.caller, self.path, self.kind, self.root, level, self.extra + tuple(extra))

    def by(self, caller):
        """The same state directory, another way to get there."""
        return CallerRuntime(caller, self.path, self.kind, self.root, self.level, self.extra)

    def argv(self, *args):
        return [*self.caller.prefix(), *super().argv(*args)]

    def spawn(self, *args, **popen):
        popen.setdefault("env", self.caller.environment())
        return super().spawn(*args, **popen)
