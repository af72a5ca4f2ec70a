"""The outbox: frames on their way to the acceptor, several of them in one system call where nobody
waits for them.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Union

from . import frames
from .native import allocate_lock

Bytes = Union[bytes, memoryview]

#: Seconds that finished responses may be held back while more requests wait to begin. Each send
#: wakes the acceptor, which on a busy machine costs more than a request does: 1 ms against 0.1 ms
#: saves a Flask route a seventh of its processor time, and a response that is held waits behind
#: others in any case.
PATIENCE = 0.001
#: No more than this many bytes of finished responses are held back to be sent with one system call.
HOLD_SIZE = 64 * 1024


#: Joining parts of this average size (bytes) costs as much as handing them to the kernel one by
#: one.
_GATHER_SIZE = 16 * 1024


class Outbox:
    """Holds finished frames and hands them, in order, to ``send`` (which takes all of the bytes it
    is given).

    Where large bodies are held, ``gather`` gets the parts as they are: joining them would copy each
    once more.

    ``frames`` and ``held`` (a rough count of bytes) are for the one who appends; whoever appends
    parts of a frame does so with a single ``extend``, because another thread may flush at any
    moment. When frames stay behind while application code runs, ``watch`` must have been called: a
    watcher flushes what is not flushed soon."""

    def __init__(
        self, send: Callable[[bytes], None], gather: Optional[Callable[[List[Bytes]], None]] = None
    ) -> None:
        self.frames: List[Bytes] = []
        self.held = 0
        #: True while a watcher looks after what is held back.
        self.watched = False
        #: Starts the watcher; without one nothing may be held back.
        self.wake_watcher: Callable[[], None] = self.flush
        self.flushes = 0
        self._send = send
        self._gather = gather
        self._lock = allocate_lock()

    def put(self, *parts: Bytes) -> None:
        """Adds one or more whole frames."""
        self.frames.extend(parts)

    def flush(self) -> None:
        """Sends everything that is held. Raises OSError when the acceptor is gone."""
        with self._lock:
            waiting = self.frames
            count = len(waiting)
            large = self.held > count * _GATHER_SIZE
            self.flushes += 1
            self.held = 0
            if count:
                batch = waiting[:count]
                del waiting[:count]
                if large and self._gather is not None:
                    self._gather(batch)
                else:
                    self._send(b"".join(batch))

    def watch(self) -> None:
        """Promises that what is held goes out soon, whatever the application does meanwhile."""
        if not self.watched:
            self.wake_watcher()

    def seal(self, head: bytes, stream: int) -> None:
        """Ends the response whose HEAD frame begins with ``head``: in that frame if it is the last
        one held.
        """
        with self._lock:
            waiting = self.frames
            if len(waiting) >= 3 and waiting[-3] is head:
                waiting[-3] = head[:5] + b"\x01" + head[6:]  # the flags
            else:
                waiting.append(frames.pack(frames.END, 0, stream))


class Watcher:
    """Tells, tick by tick, whether an outbox still has to be looked after, and flushes what stayed
    for a whole tick.
    """

    #: Seconds between two ticks while watching.
    TICK = 0.01
    _QUIET_TICKS = 10

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._seen = -1
        self._quiet = 0

    def tick(self) -> bool:
        """To be called every TICK seconds (or more often) while ``outbox.watched``; False when
        watching may end.
        """
        outbox = self._outbox
        if outbox.flushes != self._seen:
            self._seen = outbox.flushes
            self._quiet = 0
            return True
        if outbox.frames:
            outbox.flush()
            return True
        self._quiet += 1
        if self._quiet < self._QUIET_TICKS:
            return True
        self._quiet = 0
        # In this order: whoever holds a frame from now on sees that nobody watches, or is seen
        # here.
        outbox.watched = False
        if outbox.frames:
            outbox.watched = True
            return True
        return False
