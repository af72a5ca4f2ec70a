"""Whose a stack is: the request that runs on it, and the frames of the application."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from . import native
from .exchange import Exchange
from .greenlets import waiting_greenlets
from .stranger import attribute

_HERE = os.path.dirname(os.path.abspath(__file__))
# The worker's code, and the code for the embedded interpreter.
_SERVER = (_HERE + os.sep, _HERE + "_pyodide" + os.sep)
_RUNS = frozenset((Exchange.begin.__code__, Exchange.resume.__code__))
#: How much of a stack is kept, from its innermost frame.
MOST_FRAMES = 150

#: A function, and the line that it is at.
Entry = Tuple[CodeType, int]


class ApplicationStack(NamedTuple):
    """A stack of the application: its entries, innermost first, and the exchange that it belongs
    to; None for a thread that the application has started itself."""

    entries: List[Entry]
    exchange: Optional[Exchange]
    #: Whether frames of the worker are on it.
    served: bool


def application_stack(frame: Optional[FrameType]) -> ApplicationStack:
    """What the application does on that stack, without the frames of the worker. No entries if it
    is not there."""
    entries: List[Entry] = []
    served = False
    while frame is not None:
        code = frame.f_code
        # Looked at only in these frames: f_locals makes a dictionary.
        if code in _RUNS:
            exchange = frame.f_locals.get("self")
            if isinstance(exchange, Exchange):
                return ApplicationStack(entries, exchange, True)
        if code.co_filename.startswith(_SERVER):
            served = True
        elif len(entries) < MOST_FRAMES:
            entries.append((code, _line_of(frame)))
        frame = frame.f_back
    if served or (entries and _is_hub(entries[-1][0])):
        entries = []  # the worker's own threads, whatever they call
    return ApplicationStack(entries, None, served)


def _is_hub(code: CodeType) -> bool:
    """True for gevent's hub, which waits for all greenlets of its thread."""
    return code.co_name == "run" and code.co_filename.endswith(os.path.join("gevent", "hub.py"))


def _line_of(frame: FrameType) -> int:
    # None for an instruction without a line.
    line: Optional[int] = frame.f_lineno
    return 0 if line is None else line


def thread_stacks(hidden: int) -> Iterator[Tuple[int, ApplicationStack]]:
    """The stacks by the number of their thread (``get_ident``), ``hidden`` left out."""
    current: Dict[int, FrameType] = sys._current_frames()
    while current:
        number, frame = current.popitem()
        if number != hidden:
            stack = application_stack(frame)
            del frame  # it would keep what the application has in it
            yield number, stack


def stack_of(stream: int) -> Optional[ApplicationStack]:
    """Where the exchange of that stream is; None if no thread and no greenlet runs it."""
    stacks = [stack for _, stack in thread_stacks(native.get_ident())]
    stacks += map(greenlet_stack, waiting_greenlets())
    for stack in stacks:
        if stack.exchange is not None and stack.exchange.stream == stream:
            return stack
    return None


def greenlet_stack(greenlet: Any) -> ApplicationStack:
    """What the application does in a greenlet that waits; no entries if it runs or has ended."""
    frame = attribute(greenlet, "gr_frame")
    return application_stack(frame if type(frame) is FrameType else None)
