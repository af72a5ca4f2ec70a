"""Writes the response of one exchange as frames, as far as there is credit."""

from __future__ import annotations

from typing import Any, Optional, Union

from . import frames
from .carrier import Carrier
from .frames import BODY_PIECE
from .native import perf_counter
from .reporter import Reporter


class ResponseSender(Reporter):
    """The part of an exchange that writes frames.

    ``granted`` and ``spent`` are bytes of body: ``granted`` is written by the thread that reads
    frames, ``spent`` by the exchange alone, so that neither needs a lock."""

    # The defaults are on the class: most exchanges need few of them, and the others cost nothing.
    spent = 0
    tracked = False
    _head: Optional[bytes] = None
    _declared: Optional[int] = None
    _bodiless = False
    _started = False  # the head has been sent
    _ended = False  # nothing may be sent any more
    _produced = 0  # bytes of body taken from the application and meant for the client
    _known: Optional[int] = None  # length of the whole body, if it is known
    _rest: Optional[memoryview] = None  # taken from the iterable but not sent yet
    _surplus = False  # the application produced more than it declared
    _sealed: Optional[bytes] = None  # the HEAD frame, if it has the whole body
    _complete_at = 0.0
    _head_only = False
    _offer: Any = None  # to send the rest on a lent socket

    def __init__(self, carrier: Carrier, stream: int) -> None:
        self.carrier = carrier
        self.stream = stream
        self.granted = carrier.window

    def has_credit(self) -> bool:
        """True if at least one byte of body may be sent, by frames."""
        if self._offer is not None:
            return bool(self._offer.declined or self._offer.complete)
        return self.granted > self.spent

    def _put(self, chunk: bytes) -> None:
        """Sends a non-empty chunk as far as there is credit; the rest stays in ``_rest``."""
        if self._head is None:
            raise AssertionError(
                "the application produced a body before it called start_response (PEP 3333)"
            )
        if self._head_only or self._bodiless:  # from write(); nothing of it is sent
            return
        declared = self._declared
        if declared is not None and self._produced + len(chunk) > declared:
            chunk = chunk[: declared - self._produced]
            self._surplus = True
        self._produced += len(chunk)
        if not self._started:
            if self._known == -1:
                self._known = len(chunk)
            size = min(len(chunk), BODY_PIECE, self.granted)
            if size == len(chunk):
                self._send_head(0, chunk)
                return
            rest = memoryview(chunk)
            self._send_head(0, rest[:size])
            self._rest = rest[size:]
        elif chunk:
            self._rest = memoryview(chunk)
        self._drain()

    def _drain(self) -> None:
        """Sends ``_rest`` as far as there is credit."""
        rest = self._rest
        outbox = self.carrier.outbox
        while rest is not None:
            size = min(len(rest), frames.DATA_PIECE, self.granted - self.spent)
            if size <= 0:
                break
            self.spent += size
            outbox.put(frames.pack_data(0, self.stream, size), rest[:size])
            outbox.held += size
            rest = rest[size:] if size < len(rest) else None
        self._rest = rest

    def _send_head(self, flags: int, body: Union[bytes, memoryview]) -> None:
        head = self._head
        assert head is not None
        declared = self._declared
        if declared is None and not self._bodiless:
            known = self._known
            # The length of an empty answer to HEAD is not that of GET: most frameworks empty it
            # themselves.
            if known is not None and known >= 0 and (known or not self._head_only):
                head = b"%bContent-Length: %d\r\n" % (head, known)
                if not self._head_only:
                    self._declared = declared = known
        length = len(head)
        size = len(body)
        first = frames.pack_head(4 + length + size, frames.HEAD, flags, 0, self.stream, length)
        self._started = True
        self.spent += size
        if not flags:
            if declared == size:
                self._sealed = first
                self._complete_at = perf_counter()
            elif not self.tracked:
                self.carrier.track(self)
        outbox = self.carrier.outbox
        outbox.put(first, head, body)
        outbox.held += size
