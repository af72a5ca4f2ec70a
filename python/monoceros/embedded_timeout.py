"""Where an embedded interpreter is when a signal arrives, and whether it may raise there."""

from __future__ import annotations

import os
import traceback
from enum import Enum
from types import CodeType, FrameType
from typing import Callable, FrozenSet, Optional

from monoceros_pyodide import event_loop

from .exchange import Exchange
from .serial import SerialWorker
from .streams import FileWrapper
from .timed_out import CALLERS, calls_application
from .trace import is_import


class Place(Enum):
    """Where the interpreter is."""

    #: In no exchange, or in another one.
    OUTSIDE = 0
    #: In the gateway's code, or in functions that it calls.
    OURS = 1
    #: In an application that waits for its client.
    WAITING = 2
    #: In an application, or in functions that it calls.
    APPLICATION = 3


_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_OURS = (_HERE, os.path.dirname(os.path.abspath(event_loop.__file__)) + os.sep)
for _caller in (
    Exchange.begin,
    Exchange._open,
    Exchange._advance,
    Exchange._send_file,
    Exchange._close,
    FileWrapper.__next__,
):
    calls_application(_caller)
_RUNS = frozenset((Exchange.begin.__code__, Exchange.resume.__code__))


def place_of(exchange: Exchange, frame: Optional[FrameType], waits: FrozenSet[CodeType]) -> Place:
    """Where ``frame`` is, relative to that exchange. ``waits``: functions that wait for frames."""
    place = None
    current = frame
    while current is not None:
        code = current.f_code
        if code.co_filename.startswith(_HERE):
            if place is None:
                if current is not frame and code in CALLERS:
                    place = Place.APPLICATION
                elif code in waits:
                    place = Place.WAITING
                else:
                    place = Place.OURS
            elif place is Place.WAITING and code is SerialWorker.turn.__code__:
                return Place.OUTSIDE
            if code in _RUNS:
                return place if current.f_locals.get("self") is exchange else Place.OUTSIDE
        current = current.f_back
    return Place.OUTSIDE


def application_stack(frame: Optional[FrameType]) -> str:
    """The stack of the application, without the server's frames."""
    return _stack(frame, lambda code: code.co_filename.startswith(_OURS))


def loading_stack(frame: Optional[FrameType]) -> str:
    """The stack of an application that is being loaded, without the frames of the server and of the
    import machinery.
    """
    return _stack(frame, _is_around_loading)


def _is_around_loading(code: CodeType) -> bool:
    name = code.co_filename
    # <exec> is the code that node runs to call serve(), and _pyodide runs that.
    return name.startswith(_OURS) or name == "<exec>" or "/_pyodide/" in name or is_import(name)


def _stack(frame: Optional[FrameType], hidden: Callable[[CodeType], bool]) -> str:
    entries = []
    while frame is not None and frame.f_code not in _RUNS:
        if not hidden(frame.f_code):
            entries.append((frame, frame.f_lineno))
        frame = frame.f_back
    stack = traceback.StackSummary.extract(iter(reversed(entries)))
    return "Stack (most recent call last):\n" + "".join(stack.format()).rstrip("\n")
