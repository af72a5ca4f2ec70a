"""Tracebacks as the application's author wants them: without the server's own frames."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Callable, Optional

_HERE = os.path.dirname(os.path.abspath(__file__))
# The worker's code, and what the embedded interpreter has beside it.
_SERVER = (_HERE + os.sep, _HERE + "_pyodide" + os.sep)
_IMPORTLIB = "<frozen importlib"
_IMPORT_MODULE = os.path.join("importlib", "__init__.py")


def format_error(error: BaseException) -> str:
    """The traceback of ``error`` and of what caused it, without the server's frames; no line end at its end."""
    try:
        _hide(error, _is_server)
        return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n")
    except Exception as failure:  # an exception class whose __str__ raises, no memory for the text, ...
        return f"{type(error).__name__} (its traceback cannot be shown: {type(failure).__name__})"


def hide_imports(error: BaseException) -> None:
    """Takes importlib's frames out of an error's traceback (those of ``importlib.import_module`` too)."""
    _hide(error, is_import)


def _is_server(filename: str) -> bool:
    return filename.startswith(_SERVER)


def is_import(filename: str) -> bool:
    """True for a file of importlib's."""
    return filename.startswith(_IMPORTLIB) or filename.endswith(_IMPORT_MODULE)


def _hide(error: BaseException, hidden: Callable[[str], bool]) -> None:
    seen = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        # By the method: of Pyodide's JsException an assignment changes JavaScript's object, and not the exception.
        BaseException.with_traceback(current, _without(current.__traceback__, hidden))
        current = current.__cause__ or current.__context__


def _without(trace: Optional[TracebackType], hidden: Callable[[str], bool]) -> Optional[TracebackType]:
    entries = []
    while trace is not None:
        if not hidden(trace.tb_frame.f_code.co_filename):
            entries.append(trace)
        trace = trace.tb_next
    # Anew from the innermost out, in a loop: a RecursionError's traceback is as deep as the stack was.
    rest: Optional[TracebackType] = None
    for entry in reversed(entries):
        rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest
