"""Tracebacks as the application's author wants them: without the server's own frames."""

from __future__ import annotations

import os
import sys
import traceback
from types import FrameType, GeneratorType, TracebackType
from typing import Any, Callable, List, Optional

from .stranger import attribute, cause_of, has_type, type_name

_HERE = os.path.dirname(os.path.abspath(__file__))
# The worker's code, and what the embedded interpreter has beside it.
_SERVER = (_HERE + os.sep, _HERE + "_pyodide" + os.sep)
_get_traceback = BaseException.__dict__["__traceback__"].__get__
_IMPORTLIB = "<frozen importlib"
_IMPORT_MODULE = os.path.join("importlib", "__init__.py")


def format_error(error: BaseException) -> str:
    """The traceback of ``error`` and of what caused it, without the server's frames; no line end at
    its end.
    """
    try:
        _hide(error, _is_server)
        return "".join(traceback.format_exception(type(error), error, _traceback_of(error))).rstrip(
            "\n"
        )
    # an exception that raises when it is looked at, no memory for the text, ...
    except BaseException:
        return "\n\n".join(_one_by_one(error))


def _one_by_one(error: BaseException) -> List[str]:
    """What can be shown of an error and of what caused it, when not all of it can; the cause
    first."""
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


def calling_place() -> str:
    """Where the application calls the server right now: the innermost frame that is not the
    server's.
    """
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and _is_server(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def generator_place(iterator: Any) -> str:
    """Where a generator stands; "" for any other iterator."""
    if type(iterator) is not GeneratorType or iterator.gi_frame is None:
        return ""
    return f"{iterator.gi_code.co_filename}:{iterator.gi_frame.f_lineno}"


def hide_imports(error: BaseException) -> None:
    """Takes importlib's frames out of an error's traceback (those of ``importlib.import_module``
    too).
    """
    _hide(error, is_import)


def _places(error: BaseException) -> str:
    """Where an error was raised, without a look at the error itself."""
    try:
        lines = traceback.format_tb(_traceback_of(error))
        return "".join(["Traceback (most recent call last):\n", *lines]) if lines else ""
    except BaseException:
        return ""


def _is_server(filename: str) -> bool:
    return filename.startswith(_SERVER)


def is_import(filename: str) -> bool:
    """True for a file of importlib's."""
    return filename.startswith(_IMPORTLIB) or filename.endswith(_IMPORT_MODULE)


def _hide(error: BaseException, hidden: Callable[[str], bool]) -> None:
    seen = set()
    waiting: List[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        # By the method: of Pyodide's JsException an service changes JavaScript's object, and not
        # the exception.
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
    # Anew from the innermost out, in a loop: a RecursionError's traceback is as deep as the stack
    # was.
    rest: Optional[TracebackType] = None
    for entry in reversed(entries):
        rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest
