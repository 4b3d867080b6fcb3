"""The house: includes go one way, and each library's header appears in one folder's files."""
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
SRC = TOP / "src"

# What each folder may include besides itself and the public headers (docs/architecture.md).
ALLOWED = {
    "base": set(),
    "wrap": {"base"},
    "oci": {"base", "wrap"},
    "filter": {"base", "wrap", "oci"},
    "policy": {"base", "wrap", "oci", "filter"},
    "plan": {"base", "wrap", "oci", "filter", "policy"},
    "launch": {"base", "plan"},
    "cgroup": {"base", "wrap", "plan"},
    "store": {"base", "wrap", "plan"},
    "supervise": {"base", "wrap", "plan"},
    "engine": {"base", "wrap", "oci", "filter", "policy", "plan", "launch", "cgroup", "store",
               "supervise"},
    "cli": set(),
}
# Plain data that others' headers need: enum oci_ns and id maps in the plan.
DATA_HEADERS = {"oci/spec.h"}
LIBRARIES = {
    "jansson.h": {"src/wrap/json.c"},
    "cap-ng.h": {"src/wrap/caps.c"},
    "seccomp.h": {"src/filter/syscalls.c", "src/filter/known_calls_gen.c"},
    "sys/apparmor.h": {"src/wrap/lsm.c"},
    "systemd/sd-bus.h": {"src/wrap/systemd.c"},
    "selinux/selinux.h": {"src/wrap/lsm.c"},
}


def files():
    return sorted(p for p in SRC.rglob("*.[ch]"))


def includes(path):
    return re.findall(r'^#include\s+(["<])([^">]+)[">]', path.read_text(), re.M)


def test_folders_are_known():
    assert {p.name for p in SRC.iterdir() if p.is_dir()} == set(ALLOWED)


def test_includes_go_one_way():
    wrong = []
    for path in files():
        folder = path.relative_to(SRC).parts[0]
        for kind, name in includes(path):
            if kind != '"':
                continue
            target = name.split("/")[0]
            if target == "donjon" or target == folder:
                continue
            if name in DATA_HEADERS and folder in ("launch", "cgroup", "store"):
                continue
            if target not in ALLOWED[folder]:
                wrong.append(f"{path.relative_to(TOP)} includes {name}")
    assert wrong == []


def test_includes_name_the_folder():
    wrong = [f"{p.relative_to(TOP)}: {name}" for p in files() for kind, name in includes(p)
             if kind == '"' and "/" not in name]
    assert wrong == []


def test_public_headers_stand_alone():
    for path in (TOP / "include/donjon").glob("*.h"):
        for kind, name in includes(path):
            assert name.startswith("donjon/") if kind == '"' else "/" not in name or name.startswith(
                "sys/"), f"{path.name} includes {name}"


def test_library_headers_have_one_home():
    for path in files():
        for kind, name in includes(path):
            if kind == "<" and name in LIBRARIES:
                assert str(path.relative_to(TOP)) in LIBRARIES[name], f"{path} includes {name}"


def test_architecture_page_names_every_folder():
    page = (TOP / "docs/architecture.md").read_text()
    for folder, allowed in ALLOWED.items():
        row = re.search(rf"^\| `{folder}` \|([^|]*)\|", page, re.M)
        assert row, f"docs/architecture.md has no row for {folder}"
        assert set(re.findall(r"`(\w+)`", row.group(1))) == allowed, folder
