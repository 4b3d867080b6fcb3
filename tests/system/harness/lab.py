"""The system tests in the lab's virtual machines (tests/lab): what is left out there, by name, and which of
several guests runs which."""

import os

import pytest

# The flavour; and of guests that share the tests, this is the second of two: DONJON_SHARE=2/2.
LAB = os.environ.get("DONJON_LAB")
NUMBER, GUESTS = (int(n) for n in os.environ.get("DONJON_SHARE", "1/1").split("/"))

# An emulated processor is ten times slower than this one, and its machine is there for another cgroup tree and
# an older kernel.  Left out is what asks neither, or what would cost minutes to ask.
_DECODED = "the document is refused before the kernel is asked anything"
_DAMAGED = "what is wrong is in a file of donjon's own"
_ENGINES = "engines in an emulated machine take minutes; tests/engines/test_podman_systemd.py has some there"
_EXAMPLES = "examples are compiled first; what they call is what donjon calls"
_REPEATED = "dozens to thousands of runs, one after the other or at once"
_STRACE = "one run under strace for each of many system calls"
_WAITING = "most of it is time that has to pass"
LEFT_OUT = {
    "test_config_hostile::test_t36_a_missing_property": _DECODED,
    "test_config_hostile::test_t38_a_million": _DECODED,
    "test_config_hostile::test_t38_more_than_a_list_may_have": _DECODED,
    "test_config_hostile::test_t44_a_hook_that_never_ends": _WAITING,
    "test_endurance::test_200_at_once_eight_in_parallel": _REPEATED,
    "test_endurance::test_t23_many_callers_few_ids": _REPEATED,
    "test_endurance::test_t62_a_thousand_orphans": _REPEATED,
    "test_endurance::test_t73_what_is_undone_needs_descriptors_too": _REPEATED,
    "test_events::test_samples": _WAITING,
    "test_events::test_the_default_interval": _WAITING,
    "test_exec_hostile::test_a_stage_that_is_killed_from_inside": _REPEATED,
    "test_exec_hostile::test_a_stage_that_is_stopped_from_inside": _REPEATED,
    "test_exec_hostile::test_t16_the_working_directory_is_swapped": _REPEATED,
    "test_exec_hostile::test_t18_the_program_is_swapped": _REPEATED,
    "test_exec_hostile::test_t20_the_container_ends_meanwhile": _REPEATED,
    "test_fault_injection": _STRACE,
    "test_faults::test_t25_refused_calls": _STRACE,
    "test_faults::test_t66_damaged_state": _DAMAGED,
    "test_faults::test_t71_every_system_call": _STRACE,
    "test_faults::test_t72_at_every_write": _STRACE,
    "test_faults::test_t76_a_clock_that_jumps": _WAITING,
    "test_faults::test_t76_odd_clocks": _WAITING,
    "test_library": _EXAMPLES,
    "test_notify::test_an_agent_that_does_not_answer": _WAITING,
    "test_overlay_engines": _ENGINES,
    "test_podman": _ENGINES,
    "test_properties::test_invalid_values": _DECODED,
    "test_races": _REPEATED,
    "test_readback::test_one_mount_flag_after_the_other": _STRACE,
    "test_real_input": "root filesystems of Debian packages: they come from the network, and start for minutes",
    "test_sandbox::test_a_hundred_in_a_row_leave_nothing": _REPEATED,
    "test_setup": _ENGINES,
}


def _why_left_out(item):
    names = (item.path.stem, f"{item.path.stem}::{item.originalname}")
    return next((LEFT_OUT[name] for name in names if name in LEFT_OUT), None)


def _is_mine(index):
    """In turn and back again: of two levels each guest has half."""
    turn, place = divmod(index, GUESTS)
    return (place if turn % 2 else GUESTS - 1 - place) == NUMBER - 1


def pytest_collection_modifyitems(config, items):
    if not LAB:
        return
    for item in items:
        if reason := _why_left_out(item):
            item.add_marker(pytest.mark.skip(reason=reason))
    mine = {item for index, item in enumerate(items) if _is_mine(index)}
    config.hook.pytest_deselected(items=[item for item in items if item not in mine])
    items[:] = [item for item in items if item in mine]


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("skipped", []) if LAB else []:
        terminalreporter.write_line(f"SKIPPED lab/{LAB}: {report.nodeid}: {report.longrepr[2]}")
