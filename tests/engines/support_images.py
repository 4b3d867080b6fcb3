"""Images without a registry: made from what is on this machine, kept in the cache.

Each is an archive in the form of `docker save`, which ctr, podman and dockerd all load.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from support import CACHE

APPLETS = ("cat chmod chown cp cut date dd echo env false grep hostname id kill ls mkdir mount nc ps pwd readlink "
           "rm sed sh sleep stat stty test touch tr true tty umount wget whoami").split()
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _entry(name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, io.BytesIO(data)


def archive(path, images):
    """`images`: (tag, layers as tar files, what a Dockerfile would have set); layers they share are
    stored once."""
    files, manifest = {}, []
    for tag, layers, config in images:
        digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
        document = json.dumps({"architecture": "amd64", "os": "linux", "config": config,
                               "history": [{"created_by": "a recipe"}] * len(layers),
                               "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in digests]}}).encode()
        name = hashlib.sha256(document).hexdigest() + ".json"
        names = [f"{digest}/layer.tar" for digest in digests]
        files.update({name: document, **dict(zip(names, layers))})
        manifest.append({"Config": name, "RepoTags": [tag], "Layers": names})
    files["manifest.json"] = json.dumps(manifest).encode()
    unfinished = path.with_suffix(".new")
    with tarfile.open(unfinished, "w") as tar:
        for name, data in files.items():
            tar.addfile(*_entry(name, data))
    unfinished.rename(path)


def layer(tree):
    """The directory as a layer.  Times stay: Python trusts its compiled files by them."""
    return subprocess.run(
        ["tar", "-C", str(tree), "--sort=name", "--numeric-owner", "-c", "."],
        check=True, capture_output=True).stdout


def skeleton(tree):
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "root", "var/log", "var/tmp", "usr/bin"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (tree / name).chmod(0o1777)
    (tree / "root").chmod(0o700)


def users(tree, **more):
    """/etc/passwd and /etc/group: root, nobody and name=(uid, shell)."""
    entries = {"root": (0, "/bin/sh"), "nobody": (65534, "/bin/false"), **more}
    (tree / "etc").mkdir(parents=True, exist_ok=True)
    (tree / "etc/passwd").write_text(
        "".join(f"{name}:x:{uid}:{uid}::/:{shell}\n" for name, (uid, shell) in entries.items()))
    (tree / "etc/group").write_text("".join(f"{name}:x:{uid}:\n" for name, (uid, _) in entries.items()))


def busybox(tree, applets=APPLETS):
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    for applet in applets:
        (tree / "bin" / applet).symlink_to("busybox")


def cell(tree):
    """busybox; a log that is a link to /dev/stdout, as in the images of nginx and httpd; a directory
    of an ordinary user."""
    skeleton(tree)
    users(tree, user=(1000, "/bin/sh"))
    busybox(tree)
    (tree / "var/log/access.log").symlink_to("/dev/stdout")
    (tree / "home/user").mkdir(parents=True)
    os.chown(tree / "home/user", 1000, 1000)
    return {"Env": [PATH], "Cmd": ["/bin/sh"]}


# A pod's first process: it holds the namespaces, and in a shared pid namespace it is everybody's init.
PAUSE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void)
{
	signal(SIGTERM, end);
	signal(SIGINT, end);
	signal(SIGCHLD, reap);
	for (;;)
		pause();
}
"""


def pause(tree):
    """One static program and nothing else, as the image of every Kubernetes sandbox."""
    subprocess.run(["musl-gcc", "-static", "-Os", "-s", "-x", "c", "-", "-o", tree / "pause"], check=True,
                   input=PAUSE.encode())
    return {"Entrypoint": ["/pause"]}


@contextlib.contextmanager
def missing_in_cache(path):
    """Whether it has to be made.  Sessions at the same time share the cache: one makes it, the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.parent / f"{path.name}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not path.exists()


class Images:
    """Archives by name, made when first asked for.  A recipe fills a directory and returns the
    image's config.  The name of the cached file has the recipes' source in it: other recipes, other files."""

    def __init__(self, cache=CACHE):
        self._cache = pathlib.Path(cache) / "images"

    def __call__(self, tag, *recipes):
        """The archive of image `tag`; each recipe makes one layer, the last one's config counts."""
        return self.set(tag.replace("/", "_").replace(":", "_"), {tag: recipes})

    def set(self, name, images):
        """One archive of several images: recipes by tag."""
        path = self._cache / f"{name}-{_fingerprint(images)}.tar"
        with missing_in_cache(path) as missing:
            if missing:
                made = {recipe: _make(recipe) for recipes in images.values() for recipe in recipes}
                archive(path, [(tag, [made[r][0] for r in recipes], made[recipes[-1]][1])
                               for tag, recipes in images.items()])
        return path


def _make(recipe):
    """The recipe's layer and config."""
    with tempfile.TemporaryDirectory() as tree:
        os.chmod(tree, 0o755)  # it is the root directory of the image
        config = recipe(pathlib.Path(tree))
        return layer(tree), config


def _fingerprint(images):
    files = {__file__} | {sys.modules[recipe.__module__].__file__ for recipes in images.values() for recipe in recipes}
    return hashlib.sha256(b"".join(pathlib.Path(f).read_bytes() for f in sorted(files))).hexdigest()[:12]
