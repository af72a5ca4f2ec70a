"""The server hooks of a Gunicorn configuration in an embedded interpreter."""

from __future__ import annotations

from typing import Callable

from .worker_hooks import WorkerHooks


class EmbeddedHooks(WorkerHooks):
    """Hooks without signals, because the process is the server's, and without a thread that names
    a hook which does not return, because there are no threads."""

    def _settle_signals(self) -> None:
        pass

    def _watched(self, name: str) -> Callable[[], object]:
        return lambda: None
