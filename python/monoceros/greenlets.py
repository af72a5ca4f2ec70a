"""The stacks of greenlets, which faulthandler does not show: it has only the system's threads."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Callable, List, Optional

from .stacks import describe_stack
from .stranger import attribute

_write = os.write
_MOST_GREENLETS = 100
#: The greenlets that run the worker itself, one for each of its threads. The garbage collector does
#: not list them, because they are frozen.
_main: List[Any] = []


def are_used() -> bool:
    """True if the application has imported greenlet, as gevent and eventlet do."""
    return _getcurrent() is not None


def remember_current() -> None:
    """Call it in each thread before it runs the application."""
    getcurrent = _getcurrent()
    if getcurrent is not None:
        _main.append(getcurrent())


def show() -> None:
    """Writes the stacks of all waiting greenlets to standard error. From any thread."""
    try:
        text = describe()
        if text:
            _write(2, text.encode("utf-8", "backslashreplace"))
    except BaseException:  # the library may raise anything
        pass


def describe() -> str:
    """The stacks of waiting greenlets, in the form of faulthandler."""
    parts = []
    for each in waiting_greenlets()[:_MOST_GREENLETS]:
        frame = attribute(each, "gr_frame")
        if frame is not None:
            parts.append(
                f"Greenlet 0x{id(each):016x} (most recent call first):\n{describe_stack(frame)}\n"
            )
    return "".join(parts)


def waiting_greenlets() -> List[Any]:
    """All greenlets: those that wait have a ``gr_frame``. Looks at each object that the garbage
    collector knows."""
    kind = attribute(sys.modules.get("greenlet"), "greenlet")
    if not isinstance(kind, type):
        return []
    main = set(map(id, _main))
    return _main + [
        each for each in gc.get_objects() if issubclass(type(each), kind) and id(each) not in main
    ]


def _getcurrent() -> Optional[Callable[[], Any]]:
    found = attribute(sys.modules.get("greenlet"), "getcurrent")
    return found if callable(found) else None
