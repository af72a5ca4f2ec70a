"""Patches the standard library with gevent, before anything of the application is imported."""

from __future__ import annotations

import re
import sys
from typing import Any, Tuple

from .loader import LoadError

#: The oldest gevent that Gunicorn 27 accepts too.
_OLDEST = (24, 10, 1)


def patch() -> None:
    """Replaces what waits in the standard library by what lets other greenlets run. Call it in the
    main thread, before the config file and the application are imported.

    Raises LoadError if there is no gevent, or an old one."""
    try:
        import gevent
        from gevent import monkey
    except ImportError as error:
        if _is_missing(error):
            raise LoadError("MONO2006", _advice("which is not installed")) from None
        raise LoadError("MONO2006", _advice(f"which cannot be imported: {error}")) from error
    if _version_of(gevent) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise LoadError(
            "MONO2006", _advice(f"version {oldest} or newer; here is {gevent.__version__}")
        )
    monkey.patch_all()


def _is_missing(error: ImportError) -> bool:
    return isinstance(error, ModuleNotFoundError) and error.name == "gevent"


def _version_of(gevent: Any) -> Tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", str(gevent.__version__))[:3]))


def _advice(what: str) -> str:
    return (
        f"worker_class gevent needs gevent, {what}. "
        f"Install it: {sys.executable} -m pip install --upgrade gevent"
    )
