"""How the kernel schedules a worker beside its acceptor."""

from __future__ import annotations

import os

_STATUS = "/proc/self/status"
_is_batch_by_us = False


def schedule_as_batch() -> None:
    """Makes the kernel schedule this process, its threads and what it starts as SCHED_BATCH
    (sched(7)), where it may.

    A worker that wakes for a request then takes no processor from the acceptor, which is about to
    pass on more of them: it waits for a free one, or until the acceptor has done what it has. With
    as many requests as the processors can take, that is 5 to 15 % more of them. Its share of the
    processors is the same.

    A policy that somebody has chosen is left alone.
    """
    global _is_batch_by_us
    if not hasattr(os, "sched_setscheduler"):  # not Linux
        return
    try:
        # A filter of system calls may end the process that makes this one, as with systemd's
        # SystemCallFilter=~@resources.
        if os.sched_getscheduler(0) == os.SCHED_OTHER and (not _filtered() or _child_may()):
            _set(os.SCHED_BATCH)
            _is_batch_by_us = True
    except OSError:
        pass


def schedule_thread_as_usual() -> None:
    """Undoes this for the calling thread, which must run soon after it wakes, whatever the
    application's threads do: as a batch thread it would wait until they leave their processor."""
    if _is_batch_by_us:
        _set(os.SCHED_OTHER)


def _set(policy: int) -> None:
    """Of the calling thread: to Linux, each is a process of its own."""
    os.sched_setscheduler(0, policy, os.sched_param(0))


def _filtered() -> bool:
    """True if a filter of system calls is in force (seccomp(2)), or if that is not known."""
    with open(_STATUS, "rb") as status:
        return b"\nSeccomp:\t0\n" not in status.read()


def _child_may() -> bool:
    """True if a child process may set its policy, and lives."""
    child = os.fork()
    if child == 0:
        try:
            _keep_no_core()
            _set(os.SCHED_BATCH)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _keep_no_core() -> None:
    """If a filter ends this process, that is an answer and no crash. With a limit of 1, the kernel
    neither writes a core nor passes one to a program (core(5))."""
    # Imported here, because only a child needs it.
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (1, most))
