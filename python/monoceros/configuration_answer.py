"""What a configuration has, in JSON, for the command."""

from __future__ import annotations

import math
import os
from types import ModuleType
from typing import Any, Dict, Sequence

from .configuration import Configuration, ConfigurationError, assigned_lines
from .stranger import describe
from .trace import format_error, hide_imports

_DEEPEST = 20
_TLS_HOOK = "ssl_context"


def answer_of(configuration: Configuration, names: Sequence[str]) -> Dict[str, Any]:
    """``{"file", "values", "lines", "hooks"}``, with those of the names that it defines."""
    lines = assigned_lines(configuration)
    namespace = _with_tls_context(configuration)
    present = [name for name in names if name in namespace]
    return {
        "file": configuration.file,
        "values": {name: plain(namespace[name]) for name in present},
        "lines": {name: lines[name] for name in present if name in lines},
        "hooks": {name: _name_of(hook) for name, hook in configuration.hooks.items()},
    }


def _with_tls_context(configuration: Configuration) -> Dict[str, Any]:
    """The names of a configuration, with settings in the place of the hook ``ssl_context``."""
    namespace = configuration.namespace
    hook = namespace.get(_TLS_HOOK)
    if not callable(hook):
        return namespace
    from .tls_context import NotTakenOver, changes_of

    place = f"{configuration.file or 'the configuration'}: {_TLS_HOOK}"
    try:
        changes = changes_of(hook, namespace)
    except NotTakenOver as error:
        raise ConfigurationError(
            "MONO1110", f"{place} is not supported: {error}. Use the settings of TLS instead"
        ) from None
    # The hook may raise anything.
    except BaseException as error:
        hide_imports(error)
        raise ConfigurationError("MONO1110", f"{place} failed\n{format_error(error)}") from None
    own = namespace.get("monoceros")
    ours = {name: changes.pop(name) for name in ("tls_minimum",) if name in changes}
    result = {name: value for name, value in namespace.items() if name != _TLS_HOOK}
    result.update(changes)
    # An imported module of that name is not meant.
    if ours and (own is None or isinstance(own, (dict, ModuleType))):
        result["monoceros"] = {**ours, **(own if isinstance(own, dict) else {})}
    return result


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
