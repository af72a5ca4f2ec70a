"""What a configuration has, in JSON, for the command."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, Sequence

from .configuration import Configuration, assigned_lines
from .stranger import describe

_DEEPEST = 20


def answer_of(configuration: Configuration, names: Sequence[str]) -> Dict[str, Any]:
    """``{"file", "values", "lines", "hooks"}``, with those of the names that it defines."""
    lines = assigned_lines(configuration)
    present = [name for name in names if name in configuration.namespace]
    return {
        "file": configuration.file,
        "values": {name: plain(configuration.namespace[name]) for name in present},
        "lines": {name: lines[name] for name in present if name in lines},
        "hooks": {name: _name_of(hook) for name, hook in configuration.hooks.items()},
    }


def plain(value: Any, depth: int = 0) -> Any:
    """A value in JSON. What JSON does not have becomes ``{"$python": KIND, "text": TEXT}``, with
    the kinds ``function``, ``class`` and ``object``."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _marker("object", repr(float(value)))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, type):
        return _marker("class", f"{value.__module__}.{value.__qualname__}")
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else os.fsdecode(path)
    if depth < _DEEPEST:
        if isinstance(value, dict):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [plain(item, depth + 1) for item in value]
    if callable(value):
        return _marker("function", _name_of(value))
    return _marker("object", describe(value))


def _marker(kind: str, text: str) -> Dict[str, str]:
    return {"$python": kind, "text": text}


def _name_of(function: Any) -> str:
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else describe(function)
