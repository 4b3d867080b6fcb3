#!/usr/bin/env python3
"""Turns the shipped seccomp profiles into C rows, so that no start has to parse them.

usage: embed.py CPU_FAMILY OUTPUT NAME=PROFILE...

A profile is in the form of Docker's and podman's.  Rules for other architectures are left out
here, rules for capabilities are decided when the profile is used (src/filter/builtin.c).
"""

import json
import sys

# What `arches` calls meson's cpu families.
ARCHES = {
    "x86": {"386", "x86"},
    "x86_64": {"amd64", "x86_64"},
    "arm": {"arm"},
    "aarch64": {"arm64", "aarch64"},
    "loongarch64": {"loong64", "loongarch64"},
    "ppc64": {"ppc64le"},
    "riscv64": {"riscv64"},
    "s390x": {"s390x"},
}


def is_for(rule, arches):
    wanted = rule.get("includes", {}).get("arches")
    unwanted = rule.get("excludes", {}).get("arches", [])
    return (not wanted or arches & set(wanted)) and not arches & set(unwanted)


def action(word):
    return "OCI_ACT_" + word.removeprefix("SCMP_ACT_")


def capabilities(condition):
    bits = [f"UINT64_C(1) << {name}" for name in condition.get("caps", [])]
    return " | ".join(bits) or "0"


def argument(arg):
    return "{{ {}u, UINT64_C({}), UINT64_C({}), OCI_OP_{} }}".format(
        arg["index"], arg["value"], arg.get("valueTwo", 0), arg["op"].removeprefix("SCMP_CMP_"))


def row(rule):
    args = rule.get("args", [])
    names = "".join(f'\n\t\t\t"{name}\\0"' for name in rule["names"])
    return f"""\t{{
\t\t.names = {names},
\t\t.action = {action(rule["action"])},
\t\t.errno_ret = {rule.get("errnoRet", -1)},
\t\t.args = {{ {", ".join(map(argument, args)) or "{ 0 }"} }},
\t\t.n_args = {len(args)},
\t\t.needs = {capabilities(rule.get("includes", {}))},
\t\t.excluded_by = {capabilities(rule.get("excludes", {}))},
\t}},
"""


def profile(name, path, arches):
    with open(path, encoding="ascii") as file:
        document = json.load(file)
    rows = "".join(row(rule) for rule in document["syscalls"] if is_for(rule, arches))
    return f"""
static const struct builtin_rule {name}_rules[] = {{
{rows}}};
const struct builtin_profile builtin_{name} = {{
\t.default_action = {action(document["defaultAction"])},
\t.default_errno = {document.get("defaultErrnoRet", -1)},
\t.rules = {name}_rules,
\t.n_rules = sizeof({name}_rules) / sizeof({name}_rules[0]),
}};
"""


def main(cpu_family, output, *profiles):
    with open(output, "w", encoding="ascii") as file:
        file.write('/* Made by profiles/embed.py. */\n#include "filter/builtin.h"\n'
                   "\n#include <linux/capability.h>\n")
        for pair in profiles:
            name, path = pair.split("=", 1)
            file.write(profile(name, path, ARCHES[cpu_family]))


main(*sys.argv[1:])
