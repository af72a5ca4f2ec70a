"""The outbox: frames on their way to the acceptor. Several are sent with one system call if nothing
waits for them.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Union

from . import frames
from .native import allocate_lock

Bytes = Union[bytes, memoryview]

#: Seconds that finished responses may be held back while more requests wait to begin. Each send
#: wakes the acceptor, which costs more than a request on a busy machine: with 1 ms instead of 0.1
#: ms a Flask route takes a seventh less processor time. A response that is held back waits behind
#: others in any case.
PATIENCE = 0.001
#: No more than this many bytes of finished responses are held back to be sent with one system call.
HOLD_SIZE = 64 * 1024


#: Joining parts of this average size (bytes) costs as much as handing them to the kernel one by
#: one.
_GATHER_SIZE = 16 * 1024


class Outbox:
    """Holds finished frames and passes them, in order, to ``send``, which sends all of the bytes.

    If large bodies are held, ``gather`` gets the parts as they are: joining them would copy each
    once more.

    ``frames`` and ``held`` (about how many bytes) are for code that appends frames. It appends all
    parts of a frame with a single ``extend``, because another thread may flush at any moment.
    Before frames stay here while application code runs, ``watch`` must be called: a watcher then
    flushes what is not flushed soon."""

    def __init__(
        self, send: Callable[[bytes], None], gather: Optional[Callable[[List[Bytes]], None]] = None
    ) -> None:
        self.frames: List[Bytes] = []
        self.held = 0
        #: True while a watcher flushes what is held back.
        self.watched = False
        #: Starts the watcher. Without a watcher nothing may be held back.
        self.wake_watcher: Callable[[], None] = self.flush
        self.flushes = 0
        self._send = send
        self._gather = gather
        self._lock = allocate_lock()

    def put(self, *parts: Bytes) -> None:
        """Adds one or more whole frames."""
        self.frames.extend(parts)

    def flush(self) -> None:
        """Sends everything that is held. Raises OSError if the acceptor is gone."""
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

    def flush_within(self, seconds: float) -> bool:
        """Like ``flush``, for a signal handler: the thread that it interrupted may be flushing, so
        it waits only that long. False if nothing was sent."""
        if not self._lock.acquire(timeout=seconds):
            return False
        self._lock.release()
        self.flush()
        return True

    def watch(self) -> None:
        """Makes sure that what is held is sent soon, whatever the application does in the
        meantime."""
        if not self.watched:
            self.wake_watcher()

    def seal(self, head: bytes, stream: int) -> None:
        """Ends the response whose HEAD frame begins with ``head``: with LAST in that frame if it is
        the last one held, with an END otherwise."""
        with self._lock:
            waiting = self.frames
            if len(waiting) >= 3 and waiting[-3] is head:
                waiting[-3] = head[:5] + b"\x01" + head[6:]  # the flags
            else:
                waiting.append(frames.pack(frames.END, 0, stream))


class Watcher:
    """Flushes what has stayed in an outbox for a whole tick, until there is nothing to watch."""

    #: Seconds between two ticks while watching.
    TICK = 0.01
    _QUIET_TICKS = 10

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._seen = -1
        self._quiet = 0

    def tick(self) -> bool:
        """Call it at least every TICK seconds while ``outbox.watched``. False if watching may
        end.
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
        # In this order: a thread that appends a frame from now on sees that nothing watches, or the
        # frame is seen here.
        outbox.watched = False
        if outbox.frames:
            outbox.watched = True
            return True
        return False
