"""The channels to the acceptor: reading and writing them, a pipe that wakes a thread which polls,
and what a worker serves."""

from __future__ import annotations

import socket
from contextvars import Context, copy_context
from os import close, pipe, read, set_blocking, write
from typing import (
    TYPE_CHECKING,
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

if TYPE_CHECKING:
    from .startup import Startup

_READ_SIZE = 64 * 1024
_READ_LIMIT = 1024 * 1024
#: No system takes fewer parts at once (IOV_MAX).
_PARTS_LIMIT = 1024


class Service(NamedTuple):
    """What a worker serves, and how. ``window`` in bytes, ``graceful_timeout`` in seconds."""

    application: Callable[..., Any]
    template: Environ
    context: Context
    window: int
    graceful_timeout: float
    ledger: MutableSequence[int]
    leniency: Leniency
    #: Whether files that are loaded later are reported, for ``--reload``.
    reload: bool = False
    #: The class of its exchanges, if it is not Exchange.
    exchange: Any = None

    @classmethod
    def of(
        cls,
        startup: Startup,
        application: Callable[..., Any],
        template: Environ,
        ledger: MutableSequence[int],
    ) -> Service:
        """The service that START asks for. Exchanges run in copies of the current context."""
        return cls(
            application,
            template,
            copy_context(),
            startup.window,
            startup.graceful_timeout,
            ledger,
            Leniency(startup.strict, startup.file_headers),
            startup.reload,
        )


class TakenBack(Exception):
    """Raised by a ledger for a stream that the acceptor has taken back: the request must not begin.

    Only the ledger of an embedded interpreter raises it.
    """


def receive_some(
    channel: socket.socket, reader: FrameReader, patient: bool = False
) -> Optional[List[Frame]]:
    """Reads once, and waits only if ``patient``. Returns the frames that are complete now; None at
    the end of the channel.
    """
    flags = 0 if patient else socket.MSG_DONTWAIT
    space = reader.space
    try:
        if space is not None:
            received = channel.recv_into(space, 0, flags)
            return reader.filled(received) if received else None
        size = _READ_SIZE if reader.wanted <= _READ_SIZE else min(reader.wanted, _READ_LIMIT)
        data = channel.recv(size, flags)
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
        # A blocking channel takes all of it, unless a signal interrupts the call.
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
        except OSError:  # full: the thread that polls is awake already
            pass

    def close(self) -> None:
        """Closes both ends. Nothing may poll or wake any more."""
        close(self.number)
        close(self._writer)

    def drain(self) -> None:
        """Makes ``number`` unreadable again."""
        try:
            read(self.number, 4096)
        except OSError:
            pass


def forget_below(cancelled: Set[int], stream: int) -> None:
    """Removes the streams before ``stream``, which begins. A CANCEL comes twice, and the second one
    may be late.
    """
    for number in tuple(cancelled):
        if number < stream:
            cancelled.discard(number)
