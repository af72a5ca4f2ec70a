"""What a worker does for ``--reload`` only; nothing here is imported without it."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Set

from . import frames
from .startup import loaded_files

if TYPE_CHECKING:
    from .carrier import Carrier

#: Byte code is kept for sources that have not changed for so long, in seconds.
_SETTLED = 3.0


def keep_bytecode_fresh() -> None:
    """Stores no byte code of a source that was changed a moment ago.

    Python compares the time of a source in whole seconds, and its size. So a module that is edited,
    imported and edited again within a second would be taken from the byte code of the first edit.
    """
    loader: Any = importlib.machinery.SourceFileLoader
    original = getattr(loader, "_cache_bytecode", None)
    if original is None:  # another Python: it may never be so fast
        return

    def cache(self: Any, source_path: str, bytecode_path: str, data: Any) -> Any:
        try:
            if time.time() - os.stat(source_path).st_mtime < _SETTLED:
                return None
        except OSError:
            return None
        return original(self, source_path, bytecode_path, data)

    loader._cache_bytecode = cache


class ReportingApplication:
    """Calls an application, and reports modules that it has imported meanwhile."""

    def __init__(self, application: Callable[..., Any], carrier: Carrier) -> None:
        self._application = application
        self._carrier = carrier
        self._modules = len(sys.modules)
        # The acceptor knows these from READY.
        self._known: Set[str] = set(loaded_files())

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if len(sys.modules) != self._modules:
            self._report()
        try:
            return self._application(environ, start_response)
        finally:
            if len(sys.modules) != self._modules:
                self._report()

    def _report(self) -> None:
        self._modules = len(sys.modules)
        files = set(loaded_files())
        new = sorted(files - self._known)
        self._known |= files
        if new:
            payload = {"files": new}
            self._carrier.outbox.put(frames.pack_json(frames.FILES, 0, payload))
