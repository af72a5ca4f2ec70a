"""Entries of the server's error log that a worker sends to its acceptor."""

from __future__ import annotations

from typing import Callable, Optional

from . import frames
from .outbox import Outbox

#: How long an entry of a signal handler waits for the thread that it has interrupted, in seconds.
_PATIENCE = 0.2


class Entries:
    """Sends entries of the log to the acceptor."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        """``send`` sends a whole frame, as long as no exchange does."""
        self._send = send
        self._outbox: Optional[Outbox] = None

    def through(self, outbox: Optional[Outbox]) -> None:
        """From now on, entries take their turn among the frames of exchanges, or none of these are
        sent any more."""
        self._outbox = outbox

    def write(self, level: int, text: str) -> None:
        """``level`` is one of Python's logging."""
        frame = frames.pack_log(max(1, min(level, 255)), 0, text)
        outbox = self._outbox
        try:
            if outbox is None:
                self._send(frame)
                return
            outbox.put(frame)
            if not outbox.flush_within(_PATIENCE):
                outbox.watch()
        except OSError:  # the acceptor is gone
            pass
