"""A worker of one thread: it reads requests, runs them one after another in the main thread, and sends answers.

A second thread sleeps on the control channel. It takes back what has not begun when the acceptor recalls it, learns
that a client is gone, and sends out finished responses that would otherwise wait behind a slow request.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import deque
from time import perf_counter
from typing import Callable, Deque, Dict, List, NoReturn, Set

from . import frames
from .channel import Assignment, Pipe, forget_below, receive_some, send_gathered
from .exchange import Exchange
from .frames import Frame, FrameReader, ProtocolError
from .outbox import HOLD_SIZE, PATIENCE, Bytes, Outbox, Watcher
from .streams import BodyStream, ClientGone


class SoloWorker:
    """Runs the exchanges of one acceptor in the calling thread; see ``serve``."""

    def __init__(self, assignment: Assignment) -> None:
        self.application = assignment.application
        self.template = assignment.template
        self.context = assignment.context
        self.window = assignment.window
        self.slow_tail = False
        self.outbox = Outbox(self._send, self._gather)
        self.outbox.wake_watcher = self._start_watching
        self._graceful_timeout = assignment.graceful_timeout
        self._data = assignment.data
        self._control = assignment.control
        self._ledger = assignment.ledger
        self._reader = FrameReader()
        # Guards the reader and the data channel's receiving side.
        self._read_lock = threading.Lock()
        self._queue: Deque[Frame] = deque()
        self._ready: Deque[Exchange] = deque()  # suspended before, with credit now
        self._tracked: Dict[int, Exchange] = {}
        self._bodies: Dict[int, BodyStream] = {}
        self._current: Exchange | None = None
        self._newest = 0
        self._cancelled: Set[int] = set()  # not begun, and not to begin
        self._deferred: Deque[Frame] = deque()  # read by the control thread, for the main thread to act upon
        self._reading = False  # the main thread is in a read that may block,
        self._idle = False  # and there is nothing else that it could do
        self._stopping = False
        self._gone = False  # the acceptor closed the data channel
        self._wake_control = Pipe()

    def serve(self) -> int:
        """Serves until the acceptor says STOP (returns 0) or is gone (returns 1). Raises ProtocolError."""
        threading.Thread(target=self._attend_control, name="monoceros-control", daemon=True).start()
        queue = self._queue
        ready = self._ready
        ledger = self._ledger
        outbox = self.outbox
        held_frames = outbox.frames
        flush = outbox.flush
        begun = 0.0
        while True:
            # Those with credit and those that wait to begin take turns.
            if ready:
                self._run_ready(ready.popleft())
                if not queue:
                    continue
            try:
                _, flags, stream, data, start, end = queue.popleft()
            except IndexError:
                if held_frames:
                    flush()
                if not self._receive():
                    return self._leave()
                begun = perf_counter()
                continue
            if self._cancelled:
                if self._drop(stream):
                    continue
                forget_below(self._cancelled, stream)
            ledger[0] = stream
            self._current = exchange = Exchange(self, stream)
            if flags == frames.BODY_STREAM:
                exchange.body = self._bodies[stream]
            if exchange.begin(flags, data, start, end):
                if exchange.tracked or flags:
                    self._forget(exchange)
            else:
                exchange.suspended = True
            if queue:
                now = perf_counter()
                if now - begun > PATIENCE or outbox.held > HOLD_SIZE:
                    flush()
                    begun = now
                elif not outbox.watched:
                    outbox.watch()

    # For the exchanges.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Reads frames until ``ready()``; REQUESTs that come meanwhile are queued."""
        self.outbox.flush()
        try:
            while not ready() and not exchange.cancelled:
                if not self._receive(exchange):
                    exchange.cancelled = True
        except ProtocolError as error:  # not to be caught by the application
            _give_up(error)

    def track(self, exchange: Exchange) -> None:
        exchange.tracked = True
        self._tracked[exchange.stream] = exchange

    def _run_ready(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.suspended = False
        if exchange.resume():
            self._forget(exchange)
        elif exchange.has_credit() or exchange.cancelled:
            self._ready.append(exchange)
        else:
            exchange.suspended = True

    def _forget(self, exchange: Exchange) -> None:
        self._tracked.pop(exchange.stream, None)
        self._bodies.pop(exchange.stream, None)

    def _drop(self, stream: int) -> bool:
        """Answers a request whose client went away before it began."""
        if stream not in self._cancelled:
            return False
        self._cancelled.discard(stream)
        self._bodies.pop(stream, None)
        self.outbox.put(frames.pack(frames.END, frames.BROKEN, stream))
        return True

    # Reading. These run in the main thread.

    def _receive(self, waiting: Exchange | None = None) -> bool:
        """Waits for frames and acts upon them. False when there is nothing more to come: stopped, or gone."""
        while True:
            while self._deferred:
                self._act(self._deferred.popleft())
                if not self._deferred:
                    return True
            with self._read_lock:
                if self._deferred:
                    continue  # older than what is still unread
                # Said before it looks whether to stop, as the control thread looks after it said stop: one of the
                # two sees the other. A read that blocks is the only call here, so that a request costs few of them.
                self._idle = waiting is None
                done = self._idle and self._stopping and not self._tracked and not self._queue
                self._reading = True
                received = [] if self._gone else self._take(not done or self._reader.wanted > 0)
                self._reading = self._idle = False
                self._sort(received, self._act)
            if received:
                return True
            if self._gone:
                self._queue.clear()
                return False
            if done and not self._reader.wanted:
                return False

    def _take(self, patient: bool) -> List[Frame]:
        """Reads once; the caller holds the lock. Nothing when no frame has become complete."""
        received = receive_some(self._data, self._reader, patient)
        if received is None:
            self._lose()
            return []
        return received

    def _send(self, data: bytes) -> None:
        if not self._gone:
            try:
                self._data.sendall(data)
            except OSError:
                self._lose()

    def _gather(self, parts: List[Bytes]) -> None:
        if not self._gone:
            try:
                send_gathered(self._data, parts)
            except OSError:
                self._lose()

    def _lose(self) -> None:
        """The acceptor is gone: nobody wants what has not begun, and what has begun is cancelled. In any thread."""
        self._gone = True
        self._queue.clear()
        current = self._current
        if current is not None:
            current.cancelled = True

    def _sort(self, received: List[Frame], act: Callable[[Frame], None]) -> None:
        """Puts REQUESTs into the queue and gives everything else to ``act``."""
        newest = self._newest
        enqueue = self._queue.append
        for frame in received:
            kind, flags, stream, _, _, _ = frame
            if kind != frames.REQUEST:
                act(frame)
                continue
            if stream <= newest:
                raise ProtocolError(f"REQUEST {stream} after REQUEST {newest}")
            self._newest = newest = stream
            if flags == frames.BODY_STREAM:
                self._bodies[stream] = self._make_body(stream)
            enqueue(frame)

    def _make_body(self, stream: int) -> BodyStream:
        def wait(ready: Callable[[], bool]) -> None:
            exchange = self._current
            if exchange is None or exchange.stream != stream:
                raise ClientGone("the request body was read outside of its exchange")
            self.wait(exchange, ready)

        def grant(size: int) -> None:
            self.outbox.put(frames.pack(frames.CREDIT, 0, stream, frames.pack_u32(size)))
            self.outbox.flush()

        return BodyStream(wait, grant)

    def _act(self, frame: Frame) -> None:
        """Acts upon a frame of the data channel that is not a REQUEST."""
        kind, flags, stream, data, start, end = frame
        if stream > self._newest:
            raise ProtocolError(f"a frame of type 0x{kind:02x} about stream {stream}, which has not been opened")
        if kind == frames.BODY:
            body = self._bodies.get(stream)
            if body is not None:
                body.take(data[start:end], flags)
        elif kind == frames.WINDOW:
            exchange = self._tracked.get(stream)
            if exchange is not None:
                exchange.granted += frames.unpack_u32(data, start)[0]
                self._bring_back(exchange)
        elif kind == frames.CANCEL:
            self._cancel(stream)
            exchange = self._tracked.get(stream)
            if exchange is not None:
                self._bring_back(exchange)
        else:
            raise ProtocolError(f"a frame of type 0x{kind:02x} on the data channel")

    def _bring_back(self, exchange: Exchange) -> None:
        if exchange.suspended:
            exchange.suspended = False
            self._ready.append(exchange)

    def _cancel(self, stream: int) -> None:
        """Marks an exchange as cancelled; in either thread."""
        exchange = self._current
        if exchange is not None and exchange.stream == stream:
            exchange.cancelled = True
            return
        exchange = self._tracked.get(stream)
        if exchange is not None:
            exchange.cancelled = True
        elif stream > self._ledger[0]:
            self._cancelled.add(stream)

    def _leave(self) -> int:
        """Ends what is suspended when the acceptor is gone; the exit status."""
        for exchange in list(self._tracked.values()):
            exchange.cancelled = True
            self._current = exchange
            exchange.resume()
        self.outbox.flush()
        return 0 if self._stopping else 1

    # The control channel. These run in its thread.

    def _attend_control(self) -> None:
        try:
            self._listen()
        except ProtocolError as error:
            _give_up(error)
        except OSError:
            pass
        # The acceptor is gone: what runs may end, but not for ever.
        self._lose()
        self._shut(socket.SHUT_RDWR)
        threading.Event().wait(self._graceful_timeout)
        os._exit(1)

    def _listen(self) -> None:
        reader = FrameReader()
        watcher = Watcher(self.outbox)
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._wake_control.number, select.POLLIN)
        while True:
            for number, _ in poll.poll(Watcher.TICK * 1000 if self.outbox.watched else None):
                if number == self._wake_control.number:
                    self._wake_control.drain()
                    continue
                received = receive_some(self._control, reader)
                if received is None:
                    return
                for kind, _, stream, _, _, _ in received:
                    if kind == frames.RECALL:
                        self._recall()
                    elif kind == frames.CANCEL:
                        self._cancel(stream)
                    elif kind == frames.STOP:
                        self._stopping = True
                        if self._idle and not self._tracked and not self._queue:
                            self._shut(socket.SHUT_RD)  # nothing will come any more: this ends its read
                    else:
                        raise ProtocolError(f"a frame of type 0x{kind:02x} on the control channel")
            if self.outbox.watched:
                watcher.tick()

    def _recall(self) -> None:
        """Gives back everything that has not begun, what is still unread included."""
        while not (locked := self._read_lock.acquire(timeout=0.001)):
            if self._reading:  # what comes, the main thread reads itself
                break
        if locked:
            try:
                self._read_ahead()
            finally:
                self._read_lock.release()
        returned: List[int] = []
        while True:
            # From the end: the main thread takes from the front, and who takes a request owns it.
            try:
                frame = self._queue.pop()
            except IndexError:
                break
            stream = frame[2]
            if not (self._cancelled and self._drop(stream)):
                returned.append(stream)
                self._bodies.pop(stream, None)
        returned.reverse()
        payload = b"".join(map(frames.pack_u32, returned))
        self.outbox.put(frames.pack(frames.RETURNED, 0, 0, payload))
        self.outbox.flush()

    def _read_ahead(self) -> None:
        """Reads what is there, for the main thread; the caller holds the lock."""
        while not self._gone:
            wanted = self._reader.wanted
            received = self._take(False)
            if not received and self._reader.wanted == wanted:
                break
            self._sort(received, self._deferred.append)

    def _shut(self, how: int) -> None:
        try:
            self._data.shutdown(how)
        except OSError:  # the acceptor has done so already
            pass

    def _start_watching(self) -> None:
        self.outbox.watched = True
        self._wake_control.wake()


def _give_up(error: ProtocolError) -> NoReturn:
    try:
        os.write(2, f"monoceros worker: the acceptor sent {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(4)
