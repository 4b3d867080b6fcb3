"""What systemd says of its units, and the kernel of their cgroups."""

import subprocess

from harness import users


def systemctl(*args, caller=None, check=True):
    """Of the system's manager, or that of a user."""
    own = ["--user"] if caller else []
    argv = [*(caller.prefix() if caller else []), "systemctl", *own, *args]
    return subprocess.run(argv, check=check, capture_output=True, text=True,
                          env=caller.environment() if caller else None).stdout


def show(unit, caller=None):
    return dict(line.split("=", 1) for line in systemctl("show", unit, caller=caller).splitlines() if "=" in line)


def exists(unit, caller=None):
    return show(unit, caller)["LoadState"] == "loaded"


def listed(pattern, caller=None):
    """Units of that name in any state, failed ones too."""
    lines = systemctl("list-units", "--all", "--full", "--plain", "--no-legend", pattern, caller=caller).splitlines()
    return [line.split()[0] for line in lines]


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return file.read().strip().removeprefix("0::")


def limit(group, file):
    with open(f"/sys/fs/cgroup{group}/{file}") as text:
        return text.read().strip()


def limits(group, files):
    return {file: limit(group, file) for file in files}


class Account(users.Caller):
    """A user with a systemd of its own.  Its commands are started in the cgroup `place`; None: where the
    tests are, outside of everything that is the user's, as a login session is."""

    def __init__(self, uid, home, place=None, entry=()):
        self.place = place
        move = ["sh", "-c", f'echo $$ >/sys/fs/cgroup{place}/cgroup.procs && exec "$@"', "sh"] if place else []
        super().__init__(uid, home, wrapper=move, entry=entry)

    def environment(self, **more):
        return super().environment(**{"XDG_RUNTIME_DIR": f"/run/user/{self.uid}", **more})
