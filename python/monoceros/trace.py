"""Tracebacks for the application's author: without the server's own frames."""

from __future__ import annotations

import os
import sys
import traceback
from types import CodeType, FrameType, GeneratorType, TracebackType
from typing import Any, Callable, List, Optional, Sequence, Tuple

from .stranger import attribute, cause_of, has_type, type_name

_HERE = os.path.dirname(os.path.abspath(__file__))
# The worker's code, and the code for the embedded interpreter.
_SERVER = (_HERE + os.sep, _HERE + "_pyodide" + os.sep)
_get_traceback = BaseException.__dict__["__traceback__"].__get__
_IMPORTLIB = "<frozen importlib"
_IMPORT_MODULE = os.path.join("importlib", "__init__.py")


def format_error(error: BaseException) -> str:
    """The traceback of ``error`` and of its causes, without the server's frames and without a final
    line end.
    """
    try:
        _hide(error, _is_server)
        return "".join(traceback.format_exception(type(error), error, _traceback_of(error))).rstrip(
            "\n"
        )
    # the exception raises when it is formatted, there is no memory for the text, ...
    except BaseException:
        return "\n\n".join(_one_by_one(error))


def _one_by_one(error: BaseException) -> List[str]:
    """The parts of an error and of its causes that can be formatted, the cause first."""
    texts: List[str] = []
    seen = set()
    current: Any = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        texts.append(_alone(current))
        current = cause_of(current)
    texts.reverse()
    return texts


def _alone(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _traceback_of(error), chain=False)
        return "".join(lines).rstrip("\n")
    except BaseException as failure:
        return f"{_places(error)}{type_name(error)} (it cannot be shown: {type_name(failure)})"


def format_stack(frame: Optional[FrameType]) -> str:
    """The stack that ends in ``frame``, without the server's frames: where an application is."""
    entries = []
    while frame is not None:
        if not _is_server(frame.f_code.co_filename):
            entries.append((frame, frame.f_lineno))
        frame = frame.f_back
    return _format(traceback.StackSummary.extract(iter(reversed(entries))))


def format_entries(entries: Sequence[Tuple[CodeType, int]]) -> str:
    """A stack of functions and their lines, given innermost first, in the form of a traceback."""
    stack = traceback.StackSummary.from_list(
        traceback.FrameSummary(code.co_filename, line, code.co_name)
        for code, line in reversed(entries)
    )
    return _format(stack)


def _format(stack: traceback.StackSummary) -> str:
    return "Stack (most recent call last):\n" + "".join(stack.format()).rstrip("\n")


def slow_request(seconds: float, stack: str) -> str:
    """What is logged about a request that has run for long. The acceptor looks for the stack behind
    these words (``slow-requests.ts``)."""
    return f"has run for {seconds:.1f} s (slow_request). {stack}"


def calling_place() -> str:
    """Where the application calls the server now: the innermost frame that is not the server's."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and _is_server(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def generator_place(iterator: Any) -> str:
    """The current line of a generator; "" for any other iterator."""
    if type(iterator) is not GeneratorType or iterator.gi_frame is None:
        return ""
    return f"{iterator.gi_code.co_filename}:{iterator.gi_frame.f_lineno}"


def hide_imports(error: BaseException) -> None:
    """Removes importlib's frames from an error's traceback, including
    ``importlib.import_module``."""
    _hide(error, is_import)


def _places(error: BaseException) -> str:
    """Where an error was raised, without using the error itself."""
    try:
        lines = traceback.format_tb(_traceback_of(error))
        return "".join(["Traceback (most recent call last):\n", *lines]) if lines else ""
    except BaseException:
        return ""


def _is_server(filename: str) -> bool:
    return filename.startswith(_SERVER)


def is_import(filename: str) -> bool:
    """True for a file of importlib."""
    return filename.startswith(_IMPORTLIB) or filename.endswith(_IMPORT_MODULE)


def _hide(error: BaseException, hidden: Callable[[str], bool]) -> None:
    seen = set()
    waiting: List[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        # With the method: an assignment to Pyodide's JsException would change the JavaScript
        # object instead of the exception.
        BaseException.with_traceback(current, _without(_traceback_of(current), hidden))
        cause = cause_of(current)
        if cause is not None:
            waiting.append(cause)
        members = attribute(current, "exceptions")  # of an ExceptionGroup
        if type(members) is tuple:
            waiting.extend(member for member in members if has_type(member, BaseException))


def _traceback_of(error: BaseException) -> Optional[TracebackType]:
    trace: Optional[TracebackType] = _get_traceback(error)
    return trace


def _without(
    trace: Optional[TracebackType], hidden: Callable[[str], bool]
) -> Optional[TracebackType]:
    entries = []
    while trace is not None:
        if not hidden(trace.tb_frame.f_code.co_filename):
            entries.append(trace)
        trace = trace.tb_next
    # Built in a loop, beginning with the innermost: the traceback of a RecursionError is as deep as
    # the stack was.
    rest: Optional[TracebackType] = None
    for entry in reversed(entries):
        rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest
