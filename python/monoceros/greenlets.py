"""Where greenlets stand: what faulthandler, which knows the threads of the system alone, does not
show.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Callable, List, Optional

from .stacks import describe_stack
from .stranger import attribute

_write = os.write
_MOST_GREENLETS = 100
#: Those that run the worker itself, one for each of its threads: the collector does not know them
#: any more.
_main: List[Any] = []


def are_used() -> bool:
    """True when the application has imported greenlet, as gevent and eventlet do."""
    return _getcurrent() is not None


def remember_current() -> None:
    """To be called in each thread that runs applications, before it does."""
    getcurrent = _getcurrent()
    if getcurrent is not None:
        _main.append(getcurrent())


def show() -> None:
    """Writes the stacks of all greenlets that wait to standard error. From any thread."""
    try:
        text = describe()
        if text:
            _write(2, text.encode("utf-8", "backslashreplace"))
    except BaseException:  # in the midst of somebody else's library
        pass


def describe() -> str:
    """The stacks of the greenlets that wait, in the form in which faulthandler gives those of
    threads.
    """
    kind = attribute(sys.modules.get("greenlet"), "greenlet")
    if not isinstance(kind, type):
        return ""
    waiting = list(_main)
    waiting += [
        each for each in gc.get_objects() if issubclass(type(each), kind) and each not in waiting
    ]
    parts = []
    for each in waiting[:_MOST_GREENLETS]:
        frame = attribute(each, "gr_frame")
        if frame is not None:
            parts.append(
                f"Greenlet 0x{id(each):016x} (most recent call first):\n{describe_stack(frame)}\n"
            )
    return "".join(parts)


def _getcurrent() -> Optional[Callable[[], Any]]:
    found = attribute(sys.modules.get("greenlet"), "getcurrent")
    return found if callable(found) else None
