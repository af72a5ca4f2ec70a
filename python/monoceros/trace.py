"""Tracebacks as the application's author wants them: without the server's own frames at the top."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Optional

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_IMPORTLIB = "<frozen importlib"


def format_error(error: BaseException) -> str:
    """The traceback of ``error`` and what caused it, from the application's first frame on; no line end at its end."""
    try:
        lines = traceback.format_exception(type(error), error, _below_server(error.__traceback__))
        return "".join(lines).rstrip("\n")
    except Exception as failure:  # an exception class whose __str__ raises, no memory for the text, ...
        return f"{type(error).__name__} (its traceback cannot be shown: {type(failure).__name__})"


def hide_imports(error: BaseException) -> None:
    """Takes importlib's frames out of an error's traceback (those of ``importlib.import_module`` too)."""
    seen = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        current.__traceback__ = _without_imports(current.__traceback__)
        current = current.__cause__ or current.__context__


def _below_server(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    below = trace
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_HERE):
        below = below.tb_next
    # Nothing but our own frames: the error is about what the application returned, the message says it all.
    return below


def _without_imports(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    if trace is None:
        return None
    rest = _without_imports(trace.tb_next)
    name = trace.tb_frame.f_code.co_filename
    if name.startswith(_IMPORTLIB) or name.endswith(os.path.join("importlib", "__init__.py")):
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
