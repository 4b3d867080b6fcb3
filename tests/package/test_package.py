"""The Debian packages: built here, installed on a clean machine, used, and taken away again."""

import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DONJON_BUILD", TOP / "build"))
NAMES = ("donjon", "libdonjon0", "libdonjon-dev")

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-buildpackage") or not shutil.which("debootstrap"),
                                reason="dpkg-buildpackage or debootstrap is missing")

# Runs a command with DIR as the root of everything, in namespaces of its own, as a machine would.
INSIDE = """
set -e
mount --make-rprivate /
mkdir -p "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mkdir -p old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
cp --dereference /etc/resolv.conf etc/resolv.conf
cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d etc/apt/ 2>/dev/null || true
cp -r /usr/share/keyrings usr/share/ 2>/dev/null || true
pivot_root . old
cd /
umount -l old
export HOME=/root DEBIAN_FRONTEND=noninteractive
sh -ec "$3"
"""


def run(*argv, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace", **options)
    assert done.returncode == 0, f"{argv[:4]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The .deb files, built from a copy of the sources."""
    place = tmp_path_factory.mktemp("package")
    shutil.copytree(TOP, place / "donjon", ignore=lambda directory, names: [
        n for n in names if directory == str(TOP) and (n.startswith("build") or n == ".git")], symlinks=True)
    shutil.copytree(TOP / "packaging/debian", place / "donjon/debian")
    run("dpkg-buildpackage", "-b", "-us", "-uc", "-Zgzip", cwd=place / "donjon",
        env={**os.environ, "DEB_BUILD_OPTIONS": "parallel=2 noautodbgsym"})
    return {path.name.split("_")[0]: path for path in place.glob("*.deb")}


@pytest.fixture(scope="session")
def machine(packages, tmp_path_factory):
    """A Debian system; machine(script) runs one in it, and what it changes stays for the next."""
    lower = run("sh", "-c", f". {TOP}/examples/lib.sh; debian_rootfs",
                env={**os.environ, "DONJON_CACHE": os.environ.get("DONJON_CACHE", str(BUILD / "cache"))}).strip()
    place = tmp_path_factory.mktemp("machine")
    place.chmod(0o755)
    upper = place / "upper/packages"
    upper.mkdir(parents=True)
    (place / "upper").chmod(0o755)
    for path in packages.values():
        shutil.copy(path, upper)
    return lambda script: run("unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh", place, lower,
                              script)


def test_what_is_in_them(packages):
    assert sorted(packages) == sorted(NAMES)
    listed = {name: run("dpkg-deb", "--contents", path) for name, path in packages.items()}
    for name, files in {
        "donjon": ("./usr/bin/donjon", "./usr/bin/donjon-none", "./etc/apparmor.d/donjon-default",
                   "./usr/share/man/man1/donjon.1.gz", "./usr/share/donjon/default.json"),
        "libdonjon0": ("/libdonjon.so.0",),
        "libdonjon-dev": ("./usr/include/donjon/container.h", "/libdonjon.so", "/pkgconfig/donjon.pc"),
    }.items():
        missing = [file for file in files if file not in listed[name]]
        assert not missing, f"{name} has no {missing}"


def test_installed_used_and_removed(machine):
    """On a machine that has never seen it: works, as root and as a user, and leaves nothing behind."""
    listing = "find / -xdev -path /packages -prune -o -path /proc -prune -o -path /var -prune -o -path /old -prune -o -print | sort"
    machine("apt-get -q update >/dev/null; apt-get -q install -y --no-install-recommends "
            "$(for p in donjon libdonjon0; do dpkg-deb -f /packages/${p}_*.deb Depends; done | "
            "sed 's/([^)]*)//g; s/,/ /g') >/dev/null 2>&1")
    before = machine(listing)
    machine("apt-get -q install -y --no-install-recommends /packages/donjon_*.deb /packages/libdonjon0_*.deb "
            "/packages/libdonjon-dev_*.deb")
    assert "CapBnd:\t0000000000000000" in machine("donjon sandbox -- cat /proc/self/status")
    assert "NoNewPrivs:\t1" in machine("setpriv --reuid 1234 --regid 1234 --clear-groups env HOME=/tmp "
                                       "XDG_RUNTIME_DIR=/tmp/x sh -c 'mkdir -m 700 /tmp/x; donjon sandbox -- cat /proc/self/status'")
    assert machine("mkdir -p b/rootfs; cd b; donjon spec; donjon-none run --dry-run x").count("none") > 0
    machine("rm -rf /b /tmp/x; apt-get -q purge -y donjon libdonjon0 libdonjon-dev")
    left = set(machine(listing).splitlines()) - set(before.splitlines())
    assert not left, sorted(left)[:20]


def test_meson_install_and_uninstall(tmp_path):
    """What meson installed, its own uninstall takes away."""
    build = tmp_path / "build"
    run("meson", "setup", build, TOP, "-Dtests=disabled", f"--prefix={tmp_path}/usr", f"--sysconfdir={tmp_path}/etc")
    run("ninja", "-C", build)
    run("meson", "install", "-C", build, "--no-rebuild")
    assert (tmp_path / "usr/bin/donjon").exists()
    version = run(tmp_path / "usr/bin/donjon-none", "--version")
    assert version.startswith("donjon version ")
    run("ninja", "-C", build, "uninstall")
    left = [path for place in ("usr", "etc") for path in (tmp_path / place).rglob("*") if not path.is_dir()]
    assert not left
