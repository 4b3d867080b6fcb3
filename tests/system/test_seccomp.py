"""Filters: the three profiles printed in the project's first documents, what only execve needs, how
a death by the filter is told, and the verdicts of every action, operator, flag and architecture."""

import json
import os
import pathlib
import signal
import struct

import pytest

from harness import bundle as b

PROFILES = pathlib.Path(__file__).parent / "seccomp"
X86_64 = os.uname().machine == "x86_64"
needs_x86_64 = pytest.mark.skipif(not X86_64, reason="the numbers are x86-64's")

# What the prisoner needs to start, fork an attempt and print.
CALLS = """execve exit exit_group read write writev open openat close fstat stat newfstatat mmap munmap mprotect brk
rt_sigaction rt_sigprocmask rt_sigreturn ioctl arch_prctl set_tid_address fork clone wait4 alarm getpid gettid
tkill""".split()


def tiny(code):
    """A program of a few instructions: no libc, no call but those written here."""
    base, header = 0x400000, 64 + 56
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, base + header, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = header + len(code)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + code


EXIT_42 = tiny(bytes.fromhex("b8e7000000" "bf2a000000" "0f05" "0f0b"))  # exit_group(42); ud2
GETPID_EXIT_42 = tiny(bytes.fromhex("b827000000" "0f05" "b8e7000000" "bf2a000000" "0f05" "0f0b"))


def run_tiny(cells, program, profile, **process):
    config = b.spec()
    config["process"].update(args=["/tiny"], **process)
    config["linux"]["seccomp"] = profile
    cell = cells(config)
    path = cell.bundle.rootfs / "tiny"
    path.write_bytes(program)
    path.chmod(0o755)
    return cell, cell.run()


def seed(name):
    return json.loads((PROFILES / f"{name}.json").read_text())


# The profiles of the seeds


@pytest.mark.parametrize("how", ["in the document", "--seccomp"])
def test_seed_5_cannot_execute(cells, fail, level, how):
    """Five calls, execve not among them: nothing could start.  Found at create."""
    config = b.spec()
    if how == "in the document":
        config["linux"]["seccomp"] = seed("seed-5")
    cell = cells(config)
    flags = [] if how == "in the document" else ["--seccomp", PROFILES / "seed-5.json"]
    fail(cell.create(*flags), "execve", "seccomp", cell=cell)


def test_seed_5_as_printed_is_not_json(cells, fail, level, work):
    """Its first line is a comment."""
    path = work / "profile.json"
    path.write_text("// nginx-seccomp.json - Profil Nginx minimal\n" + (PROFILES / "seed-5.json").read_text())
    cell = cells(b.spec())
    fail(cell.create("--seccomp", path), "profile.json", "line 1", cell=cell)


@needs_x86_64
def test_seed_15_starts_what_needs_nothing_else(cells, level):
    """Fifteen calls with execve: the launch needs no other, the program's own end is refused.  Its
    exit_group comes back with EPERM and it falls into its trap: that is the workload's, not ours."""
    _, result = run_tiny(cells, EXIT_42, seed("seed-15"))
    assert result.status == 128 + signal.SIGILL, result


def test_seed_15_is_too_narrow_for_any_libc(cells, level):
    """arch_prctl is missing: the static program starts and dies at once."""
    config = b.spec("exit", "0")
    config["linux"]["seccomp"] = seed("seed-15")
    cell = cells(config)
    assert cell.create().ok
    assert cell.start().ok
    cell.wait_stopped()


def test_seed_47_runs_a_static_program(cells, level):
    """runc cannot: it calls fstatfs under the filter."""
    config = b.spec("exit", "7")
    config["linux"]["seccomp"] = seed("seed-47")
    result = cells(config).run()
    assert result.status == 7, result


def test_seed_47_does_not_run_a_dynamic_one(cells, level):
    """pread64 and others are missing: the loader says so itself."""
    config = b.spec()
    config["process"]["args"] = ["/usr/bin/true"]
    config["linux"]["seccomp"] = seed("seed-47")
    for directory in ("/usr", "/lib", "/lib64"):
        if os.path.isdir(directory) and level == "none":
            config["mounts"].append({"destination": directory, "type": "bind", "source": directory,
                                     "options": ["rbind", "ro"]})
    if level != "none":
        pytest.skip("/usr of the host is refused at hardened")
    result = cells(config).run()
    assert result.status == 127 and "donjon:" not in result.err, result


# Only execve is needed


@needs_x86_64
@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
@pytest.mark.parametrize("user", [0, 1000])
def test_only_execve_is_needed(cells, level, action, user):
    """Beyond the workload's own calls, whatever the rest is answered with."""
    profile = {"defaultAction": action, "syscalls": [b.rule("execve", "exit_group")]}
    _, result = run_tiny(cells, EXIT_42, profile, user={"uid": user, "gid": user})
    assert result.status == 42, result


@needs_x86_64
@pytest.mark.levels("none")
def test_only_execve_is_needed_with_a_terminal(cells, level):
    profile = {"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [b.rule("execve", "exit_group")]}
    _, result = run_tiny(cells, EXIT_42, profile, terminal=False)
    assert result.status == 42, result


@needs_x86_64
@pytest.mark.levels("none")
def test_without_no_new_privs_the_filter_loads_early(cells, level):
    """Decision 28: the launch's own later calls are under the profile then; a usual one holds them."""
    config = b.spec("exit", "7")
    config["process"]["noNewPrivileges"] = False
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("acct", action="SCMP_ACT_ERRNO"))
    result = cells(config).run()
    assert result.status == 7, result


@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP",
                                    "SCMP_ACT_TRACE"])
@pytest.mark.parametrize("how", ["by-default", "by-rule"])
def test_a_filter_that_refuses_execve(cells, fail, level, action, how):
    """Decision 27: a profile under which nothing starts is refused at create, and execve is named."""
    if (how, action, level) == ("by-default", "SCMP_ACT_TRACE", "hardened"):
        pytest.skip("seccomp.default-deny refuses that default first")
    config = b.spec()
    if how == "by-default":
        b.seccomp(config, action, b.rule("read", "exit_group"))
    elif level == "hardened":
        b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS[1:]), b.rule("execve", action=action, **(
            {"errnoRet": 13} if action == "SCMP_ACT_ERRNO" else {})))
    else:
        b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("execve", action=action))
    cell = cells(config)
    result = cell.create()
    fail(result, "execve", "seccomp", cell=cell)
    assert result.err.count("linux.seccomp:") == 1


# Deaths by the filter


@needs_x86_64
@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"])
def test_a_death_by_the_filter_is_named(cells, level, action):
    """128 + SIGSYS, and in the foreground a line that says what it was."""
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        b.rule("execve", "exit_group"), b.rule("getpid", action=action)]}
    _, result = run_tiny(cells, GETPID_EXIT_42, profile)
    assert result.status == 128 + signal.SIGSYS, result
    assert "seccomp" in result.err, "the death is named"


@needs_x86_64
def test_the_state_after_a_death_by_the_filter(cells, level):
    profile = {"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [b.rule("execve")]}
    config = b.spec()
    config["process"]["args"] = ["/tiny"]
    config["linux"]["seccomp"] = profile
    cell = cells(config)
    path = cell.bundle.rootfs / "tiny"
    path.write_bytes(EXIT_42)
    path.chmod(0o755)
    assert cell.create().ok and cell.start().ok
    cell.wait_stopped()


def test_a_failed_execve_under_a_filter_is_reported(cells, level):
    """The report needs no call: the errno arrives whatever the filter refuses."""
    config = b.spec()
    config["process"]["args"] = ["/script"]
    b.seccomp(config, "SCMP_ACT_KILL_PROCESS", b.rule("execve"))
    cell = cells(config)
    script = cell.bundle.rootfs / "script"
    script.write_text("#!/missing\n")
    script.chmod(0o755)
    result = cell.run()
    assert result.status == 1 and "no such file or directory" in result.err, result
    assert cell.status() == "missing"


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"])
@pytest.mark.parametrize("how", ["run", "run --detach", "start"])
def test_a_death_in_execve_is_no_start(cells, level, action, how):
    """Decision 27: by a rule on the address of the path: any but the one that the simulation takes."""
    config = b.spec("sleep", "1000")
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS), b.rule("execve", action=action, args=[
        {"index": 0, "value": 0x7f0000200000, "op": "SCMP_CMP_NE"}]))
    cell = cells(config)
    if how == "start":
        assert cell.create().ok
        result = cell.start()
        cell.wait_stopped()
    else:
        result = cell.run(*how.split()[1:])
        assert cell.status() == "missing"
    assert result.status == 1 and "execve" in result.err and "seccomp" in result.err, result


# Verdicts


def _try(cells, config, *attempts, flags=()):
    return cells.inside(config, "try", *attempts, flags=flags)[0]


@needs_x86_64
@pytest.mark.levels("none")
@pytest.mark.parametrize("action, fields, answer", [
    ("SCMP_ACT_ERRNO", {}, "EPERM"), ("SCMP_ACT_ERRNO", {"errnoRet": 38}, "ENOSYS"),
    ("SCMP_ACT_ERRNO", {"errnoRet": 28}, "ENOSPC"), ("SCMP_ACT_KILL", {}, "SIGSYS"), ("SCMP_ACT_TRAP", {}, "SIGSYS"),
    ("SCMP_ACT_KILL_PROCESS", {}, "SIGSYS"), ("SCMP_ACT_KILL_THREAD", {}, "SIGSYS"), ("SCMP_ACT_LOG", {}, "ok"),
    ("SCMP_ACT_ALLOW", {}, "ok"), ("SCMP_ACT_TRACE", {"errnoRet": 5}, "ENOSYS"),
])
@pytest.mark.peer
def test_actions(cells, level, action, fields, answer):
    """P86, P87, P92, P93."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("sysfs", action=action, **fields))
    assert _try(cells, config, "sysfs")["sysfs"] == answer


@pytest.mark.peer
@needs_x86_64
@pytest.mark.levels("none")
@pytest.mark.parametrize("op, value, value_two, refused", [
    ("SCMP_CMP_EQ", 3, 0, {3}), ("SCMP_CMP_NE", 3, 0, {1, 2, 4}), ("SCMP_CMP_LT", 3, 0, {1, 2}),
    ("SCMP_CMP_LE", 3, 0, {1, 2, 3}), ("SCMP_CMP_GT", 3, 0, {4}), ("SCMP_CMP_GE", 3, 0, {3, 4}),
    ("SCMP_CMP_MASKED_EQ", 1, 1, {1, 3}), ("SCMP_CMP_MASKED_EQ", 6, 2, {2, 3}),
])
def test_operators(cells, level, op, value, value_two, refused):
    """P94: with sysfs(n), which does no harm whatever n is."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("sysfs", action="SCMP_ACT_ERRNO", errnoRet=77, args=[
        {"index": 0, "value": value, "valueTwo": value_two, "op": op}]))
    tried = _try(cells, config, *(f"call=139:{n}" for n in (1, 2, 3, 4)))
    answers = {n: tried[f"call=139:{n}"] == "errno 77" for n in (1, 2, 3, 4)}
    assert {n for n, hit in answers.items() if hit} == refused, tried


@pytest.mark.peer
@needs_x86_64
@pytest.mark.levels("none")
def test_conditions_of_one_rule_are_all_needed(cells, level):
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("kcmp", action="SCMP_ACT_ERRNO", errnoRet=77, args=[
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 5, "op": "SCMP_CMP_EQ"}]))
    tried = _try(cells, config, "call=312:1:0:5", "call=312:1:0:6", "call=312:2:0:5")
    assert [tried[k] == "errno 77" for k in tried] == [True, False, False], tried


@pytest.mark.peer
@needs_x86_64
@pytest.mark.levels("none")
def test_the_same_index_twice_means_either(cells, level):
    """P94."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("sysfs", action="SCMP_ACT_ERRNO", errnoRet=77, args=[
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]))
    tried = _try(cells, config, "call=139:1", "call=139:2", "call=139:3")
    assert [tried[k] == "errno 77" for k in tried] == [True, True, False], tried


@needs_x86_64
@pytest.mark.levels("none")
def test_64_bit_arguments(cells, level):
    """What libseccomp 2.6.0 got wrong: both halves count."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("kcmp", action="SCMP_ACT_ERRNO", errnoRet=77, args=[
        {"index": 3, "value": 0x100000002, "op": "SCMP_CMP_GT"}]))
    cases = {"call=312:0:0:99:0x100000002": False, "call=312:0:0:99:0x100000003": True, "call=312:0:0:99:0x200000000": True,
             "call=312:0:0:99:3": False, "call=312:0:0:99:0xffffffff": False}
    tried = _try(cells, config, *cases)
    assert {k: v == "errno 77" for k, v in tried.items()} == cases, tried


@needs_x86_64
@pytest.mark.levels("none")
@pytest.mark.parametrize("architectures, int80", [
    ([], False), (["SCMP_ARCH_X86_64"], False), (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], True),
    (["SCMP_ARCH_X86"], True), (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], True),
])
def test_architectures(cells, level, architectures, int80):
    """P88: native always; another ABI only when listed."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS), architectures=architectures)
    tried = _try(cells, config, "int80=20", "call=39")
    assert tried["call=39"] == "ok" and (tried["int80=20"] == "ok") == int80, tried


@needs_x86_64
@pytest.mark.levels("none")
def test_unknown_numbers_are_enosys(cells, level):
    """P95: libc falls back only on ENOSYS."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS))
    tried = _try(cells, config, "unknown-call", "call=0x3fffffff")
    assert tried["unknown-call"] == "ENOSYS", tried


@pytest.mark.peer(runc="runc 1.1.5 knows no flags")
@pytest.mark.levels("none")
@pytest.mark.parametrize("flags", [[], ["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_TSYNC"],
                                   ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"]])
def test_flags(cells, level, flags):
    """P89."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("sysfs", action="SCMP_ACT_ERRNO"), flags=flags)
    assert _try(cells, config, "sysfs")["sysfs"] == "EPERM"


@pytest.mark.peer
@pytest.mark.levels("none")
def test_unknown_names_are_harmless(cells, level):
    """P92: profiles list calls of newer kernels."""
    config = b.spec("exit", "7")
    b.seccomp(config, "SCMP_ACT_ALLOW", b.rule("a_call_of_2030", "sysfs", action="SCMP_ACT_ERRNO"))
    result = cells(config).run()
    assert result.status == 7 and result.err == "", result


def test_calls_newer_than_libseccomp(cells, level):
    """Decision 37: names 2.5.4 does not know are still denied, and still allowed."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS, "listmount", "statmount"), defaultErrnoRet=1)
    tried = _try(cells, config, "statmount", "listmount", "lsm-set-self-attr", "call=462:0:0")
    assert tried["lsm-set-self-attr"] in ("EPERM", "ENOSYS"), tried
    if level == "none":
        assert tried["statmount"] != "EPERM" and tried["listmount"] != "EPERM", tried


# Docker's and podman's form


@needs_x86_64
def test_docker_form(cells, level):
    """archMap, includes, excludes, minKernel; a name nobody knows is ignored."""
    config = b.spec()
    b.capabilities(config, "CAP_CHOWN")
    tried = _try(cells, config, "call=110", "call=63:0", "chroot", "call=99:0", "personality=0", "personality=400000", "syslog",
                 flags=["--seccomp", PROFILES / "docker-form.json"])
    assert tried["call=110"] == "EPERM", "getppid: only from kernel 99 on"
    assert tried["call=63:0"] == "EFAULT", "uname"
    assert tried["chroot"] == "EPERM" and tried["call=99:0"] == "EFAULT", "capabilities decide"
    assert tried["personality=0"] == "ok" and tried["personality=400000"] == "EPERM"
    assert tried["syslog"] == ("errno 77" if level == "none" else tried["syslog"])


@pytest.mark.parametrize("text, name", [
    ("{}", "defaultAction"), ('{"defaultAction":"X"}', "defaultAction"), ("[]", "profile"), ("", "profile"),
    ('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', "syscalls"),
    ('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"X"}]}', "action"),
])
def test_bad_profile_files(cells, fail, work, text, name):
    path = work / "profile"
    path.write_text(text)
    cell = cells(b.spec())
    fail(cell.create("--seccomp", path), name, cell=cell)


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "zero"])
def test_profile_files_that_are_none(cells, fail, work, kind):
    path = work / "profile"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        os.symlink("/dev/zero", path)
    cell = cells(b.spec())
    fail(cell.create("--seccomp", path), str(path), cell=cell)


@pytest.mark.parametrize("change, name", [
    (lambda s: s.update(defaultErrnoRet=5, defaultAction="SCMP_ACT_ALLOW"), "defaultErrnoRet"),
    (lambda s: s["syscalls"].append(b.rule("read", action="SCMP_ACT_ALLOW", errnoRet=5)), "errnoRet"),
    (lambda s: s.update(defaultAction="SCMP_ACT_NOTIFY"), "defaultAction"),
    (lambda s: s.update(listenerMetadata="x"), "listenerMetadata"),
    (lambda s: s["syscalls"].append(b.rule("read", action="SCMP_ACT_NOTIFY")), ("listenerPath", "NOTIFY", "notify")),
], ids=["default-errno", "rule-errno", "default-notify", "metadata-alone", "notify-without-listener"])
@pytest.mark.levels("none")
def test_contradictions(cells, fail, level, change, name):
    """P87, P91, P93."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS))
    change(config["linux"]["seccomp"])
    cell = cells(config)
    fail(cell.create(), name, cell=cell)


@needs_x86_64
@pytest.mark.levels("none")
@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"])
@pytest.mark.parametrize("turn", [1, -1], ids=["forth", "back"])
def test_t42_contradictory_rules(cells, level, default, turn):
    """The strictest wins, in whatever order they are listed, and also where one says what is said of all."""
    first = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]
    rules = [b.rule("sysfs"), b.rule("sysfs", action="SCMP_ACT_ERRNO", errnoRet=77, args=first),
             b.rule("kcmp", action="SCMP_ACT_ERRNO", errnoRet=78), b.rule("kcmp", action="SCMP_ACT_LOG"), b.rule("kcmp"),
             b.rule("times", action=default), b.rule("times", action="SCMP_ACT_ERRNO", errnoRet=79, args=first),
             b.rule("times", args=[{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}])]
    config = b.spec()
    b.seccomp(config, default, b.rule(*CALLS), *rules[::turn])
    tried = _try(cells, config, "call=139:1", "call=139:3", "call=312:1", "call=100:1")
    assert tried["call=139:1"] == "errno 77" and tried["call=139:3"] not in ("errno 77", "EPERM"), tried
    assert tried["call=312:1"] == "errno 78", tried
    assert tried["call=100:1"] in ({"errno 79"} if default != "SCMP_ACT_ERRNO" else {"EPERM", "errno 79"}), tried


@needs_x86_64
@pytest.mark.levels("none")
def test_t42_a_rule_that_says_what_is_said_of_all(cells, level):
    """B22: it is not left out, or the looser one of the same call would decide."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS), b.rule("sysfs"), b.rule("sysfs", action="SCMP_ACT_ERRNO", args=[
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]), defaultErrnoRet=1)
    tried = _try(cells, config, "call=139:1", "call=139:3")
    assert tried["call=139:1"] == "EPERM" and tried["call=139:3"] == "ok", tried


def test_t42_everything_is_allowed(cells, base_or_fail, level):
    """What the level takes away stays away."""
    config = b.spec()
    b.seccomp(config, "SCMP_ACT_ALLOW")
    base_or_fail(cells(config), "seccomp")


@needs_x86_64
def test_an_oversized_profile(cells, fail, bound, level):
    """T42: 5,000 rules; either the filter fits or it is refused."""
    config = b.spec("exit", "7")
    rules = [b.rule("kcmp", args=[{"index": 0, "value": i, "op": "SCMP_CMP_EQ"}]) for i in range(5000)]
    b.seccomp(config, "SCMP_ACT_ERRNO", b.rule(*CALLS), *rules)
    cell = cells(config)
    result = cell.run(measure=True)
    bound(result)
    if result.status != 7:
        fail(result, "seccomp", cell=cell)


def test_the_filters_are_where_they_should_be(cells, level):
    """One from the document; the guard below it at hardened."""
    config = b.spec("report")
    b.seccomp(config, "SCMP_ACT_ALLOW" if level == "none" else "SCMP_ACT_ERRNO", b.rule(*CALLS, "getuid", "geteuid",
              "getgid", "getegid", "lseek", "readlink", "fcntl", "fstatfs", "statfs", "getdents64", "getcwd", "uname",
              "prctl", "umask", "personality", "getpriority", "prlimit64", "getrlimit", "sched_getparam",
              "sched_getscheduler", "ioprio_get", "getitimer", "clock_gettime", "socket", "getsid", "getpgid", "getpgrp",
              "getppid", "sendto", "recvfrom", "bind", "keyctl", "lstat", "readv", "pread64", "recvmsg", "sendmsg"))
    with open("/proc/self/status") as status:
        if "Seccomp_filters" not in status.read():
            pytest.skip("the kernel does not count filters")
    status = cells.inside(config)[0]["status"]
    assert int(status["Seccomp_filters"]) == (1 if level == "none" else 2), status


