"""The channels to the acceptor: what a worker is given, reading them, and a pipe to wake a thread
that polls.
"""

from __future__ import annotations

import socket
from contextvars import Context
from os import close, pipe, read, set_blocking, write
from typing import (
    Any,
    Callable,
    List,
    MutableSequence,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Union,
)

from .environ import Environ
from .frames import Frame, FrameReader
from .leniency import Leniency

_READ_SIZE = 64 * 1024
_READ_LIMIT = 1024 * 1024
#: No system takes fewer parts at once (IOV_MAX).
_PARTS_LIMIT = 1024


class Service(NamedTuple):
    """What a worker runs, how, and for whom. ``window`` in bytes, ``graceful_timeout`` in
    seconds."""

    application: Callable[..., Any]
    template: Environ
    context: Context
    window: int
    graceful_timeout: float
    ledger: MutableSequence[int]
    leniency: Leniency


class TakenBack(Exception):
    """A ledger's answer to a stream that the acceptor has taken back: the request must not begin.

    Raised only where the acceptor can do that by itself, in an embedded interpreter.
    """


def receive_some(
    channel: socket.socket, reader: FrameReader, patient: bool = False
) -> Optional[List[Frame]]:
    """Reads once, without waiting if not ``patient``; the frames that are complete now. None when
    it has ended.
    """
    size = _READ_SIZE if reader.wanted <= _READ_SIZE else min(reader.wanted, _READ_LIMIT)
    try:
        data = channel.recv(size) if patient else channel.recv(size, socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return []
    except OSError:
        return None
    return reader.receive(data) if data else None


def send_gathered(channel: socket.socket, parts: Sequence[Union[bytes, memoryview]]) -> None:
    """Sends the parts one after another without joining them (writev(2)). Raises OSError."""
    for first in range(0, len(parts), _PARTS_LIMIT):
        some = parts[first : first + _PARTS_LIMIT]
        sent = channel.sendmsg(some)
        # A channel that blocks takes all of it, but for a signal in the middle.
        if sent < sum(map(len, some)):
            channel.sendall(memoryview(b"".join(some))[sent:])


class Pipe:
    """Wakes a thread that polls ``number``."""

    def __init__(self) -> None:
        self.number, self._writer = pipe()
        set_blocking(self.number, False)
        set_blocking(self._writer, False)

    def wake(self) -> None:
        """Makes ``number`` readable. From any thread."""
        try:
            write(self._writer, b".")
        except OSError:  # full: whoever polls is awake already
            pass

    def close(self) -> None:
        """Nobody polls or wakes any more."""
        close(self.number)
        close(self._writer)

    def drain(self) -> None:
        """Makes ``number`` unreadable again."""
        try:
            read(self.number, 4096)
        except OSError:
            pass


def forget_below(cancelled: Set[int], stream: int) -> None:
    """Takes out what is before ``stream``, which begins: a CANCEL comes twice, and the second one
    may be late.
    """
    for number in tuple(cancelled):
        if number < stream:
            cancelled.discard(number)
