"""Where greenlets stand: what faulthandler, which knows the threads of the system alone, does not show."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Callable, List, Optional

from .stranger import attribute

_write = os.write
_MOST_GREENLETS = 100
_MOST_FRAMES = 100
#: Those that run the worker itself, one for each of its threads: the collector does not know them any more.
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
    """The stacks of the greenlets that wait, in the form in which faulthandler gives those of threads."""
    kind = attribute(sys.modules.get("greenlet"), "greenlet")
    if not isinstance(kind, type):
        return ""
    waiting = list(_main)
    waiting += [each for each in gc.get_objects() if issubclass(type(each), kind) and each not in waiting]
    parts = []
    for each in waiting[:_MOST_GREENLETS]:
        frame = attribute(each, "gr_frame")
        if frame is not None:
            parts.append(f"Greenlet 0x{id(each):016x} (most recent call first):\n{_stack(frame)}\n")
    return "".join(parts)


def _stack(frame: Any) -> str:
    lines = []
    while frame is not None and len(lines) < _MOST_FRAMES:
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}\n')
        frame = frame.f_back
    return "".join(lines)


def _getcurrent() -> Optional[Callable[[], Any]]:
    found = attribute(sys.modules.get("greenlet"), "getcurrent")
    return found if callable(found) else None
