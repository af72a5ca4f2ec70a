"""What a forked worker does before anything else.

Python itself gives each process its own state of ``random``, new locks to ``logging`` and
``threading``, and an import lock that is free; OpenSSL has its own random state. What follows is
done by nobody else."""

from __future__ import annotations

import sys
from typing import Any


def settle_after_fork() -> None:
    """Makes a forked process independent of the one that it was forked from."""
    _reseed_numpy()
    _disown_processes()
    _renew_gevent()


def _reseed_numpy() -> None:
    """Seeds the functions of ``numpy.random``, as Python does it for those of ``random``.

    A Generator that the application has made at import is the same in all workers."""
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _disown_processes() -> None:
    """Forgets the processes that the application has started at import by ``multiprocessing``.

    They are children of the preload parent. A worker would end them when it exits."""
    process: Any = sys.modules.get("multiprocessing.process")
    children = getattr(process, "_children", None)
    if isinstance(children, set):
        children.clear()


def _renew_gevent() -> None:
    """gevent's event loop must learn of a fork that it has not made."""
    gevent: Any = sys.modules.get("gevent")
    if gevent is not None:
        gevent.reinit()
