"""A worker of several threads: the main thread reads both channels, the others run exchanges.

A request waits in one queue and is begun by whichever thread is free; an exchange that waits for credit is resumed
by the thread that began it, because what an application made in a thread may be bound to it (sqlite3, thread-locals).
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Callable, Deque, Dict, List, Set

from . import frames
from .channel import Assignment, Pipe, receive_some, send_gathered
from .exchange import Exchange
from .frames import Frame, FrameReader, ProtocolError
from .outbox import Bytes, Outbox, Watcher
from .streams import BodyStream


class _Runner:
    """One thread of the pool and what is waiting for it."""

    def __init__(self, pool: PoolWorker, number: int) -> None:
        self.ready: Deque[Exchange] = deque()  # its own, suspended before, with credit now
        # All runners share the pool's lock, but each is woken by itself.
        self.condition = threading.Condition(pool.lock)
        self.idle = False
        self.thread = threading.Thread(target=pool.run, args=(self,), name=f"monoceros-{number}", daemon=True)


class PoolWorker:
    """Runs the exchanges of one acceptor in ``threads`` threads; see ``serve``."""

    def __init__(self, threads: int, assignment: Assignment) -> None:
        self.application = assignment.application
        self.template = assignment.template
        self.context = assignment.context
        self.window = assignment.window
        self.slow_tail = False
        #: Guards everything below but the readers, which are the main thread's.
        self.lock = threading.Lock()
        self.outbox = Outbox(self._send, self._gather)
        self.outbox.wake_watcher = self._start_watching
        self._graceful_timeout = assignment.graceful_timeout
        self._data = assignment.data
        self._control = assignment.control
        self._ledger = assignment.ledger
        self._queue: Deque[Frame] = deque()
        self._idle: List[_Runner] = []  # the last to fall idle is the first to be woken: its caches are warm
        self._exchanges: Dict[int, Exchange] = {}
        self._bodies: Dict[int, BodyStream] = {}
        self._cancelled: Set[int] = set()
        self._newest = 0
        self._stopping = False
        self._gone = False
        self._failure: ProtocolError | None = None
        self._wake = Pipe()
        self._runners = [_Runner(self, number + 1) for number in range(threads)]

    def serve(self) -> int:
        """Serves until the acceptor says STOP (returns 0) or is gone (returns 1). Raises ProtocolError."""
        for runner in self._runners:
            runner.thread.start()
        data = self._data.fileno()
        control = self._control.fileno()
        from_data = FrameReader()
        from_control = FrameReader()
        watcher = Watcher(self.outbox)
        poll = select.poll()
        for number in (data, control, self._wake.number):
            poll.register(number, select.POLLIN)
        while True:
            with self.lock:
                idle = not self._queue and not self._exchanges and not from_data.wanted
            events = poll.poll(0 if idle and self._stopping else Watcher.TICK * 1000 if self.outbox.watched else None)
            if self._failure is not None:
                raise self._failure
            if idle and self._stopping and not any(number != self._wake.number for number, _ in events):
                self.outbox.flush()
                return 0
            for number, _ in events:
                if number == data:
                    received = receive_some(self._data, from_data)
                    if received is None:
                        return self._leave()
                    with self.lock:
                        for frame in received:
                            self._act(frame)
                elif number == control:
                    received = receive_some(self._control, from_control)
                    if received is None:
                        if self._stopping:
                            poll.unregister(control)
                            continue
                        return self._leave()
                    for frame in received:
                        self._obey(frame)
                else:
                    self._wake.drain()
            if self.outbox.watched:
                watcher.tick()

    # The threads.

    def run(self, runner: _Runner) -> None:
        """What each thread of the pool does."""
        turn = False
        while True:
            exchange: Exchange | None
            with self.lock:
                # Those with credit and those that wait to begin take turns.
                while not runner.ready and not self._queue:
                    self._idle.append(runner)
                    runner.idle = True
                    runner.condition.wait()
                    if runner.idle:
                        runner.idle = False
                        self._idle.remove(runner)
                frame: Frame | None = None
                if runner.ready and (turn or not self._queue):
                    exchange = runner.ready.popleft()
                    self._wake_another()
                else:
                    frame = self._queue.popleft()
                    exchange = self._enlist(frame, runner)
                turn = not turn
            if exchange is None:
                self.outbox.flush()
                continue
            try:
                done = exchange.resume() if frame is None else exchange.begin(frame[1], *frame[3:])
            except ProtocolError as error:
                self._failure = error
                self._wake.wake()
                return
            with self.lock:
                if done:
                    self._exchanges.pop(exchange.stream, None)
                    self._bodies.pop(exchange.stream, None)
                    if self._stopping:
                        self._wake.wake()
                elif exchange.has_credit() or exchange.cancelled:
                    runner.ready.append(exchange)
                else:
                    exchange.suspended = True
            self.outbox.flush()

    def _enlist(self, frame: Frame, runner: _Runner) -> Exchange | None:
        """Takes a request off the queue for good; None when its client is gone. The caller holds the lock."""
        stream = frame[2]
        if stream in self._cancelled:
            self._drop(stream)
            return None
        self._ledger[0] = stream
        exchange = Exchange(self, stream)
        exchange.owner = runner
        exchange.tracked = True
        exchange.body = self._bodies.get(stream)
        self._exchanges[stream] = exchange
        return exchange

    # For the exchanges, in their threads.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Sleeps until ``ready()``, or until the exchange is cancelled."""
        self.outbox.flush()
        with self.lock:
            while not ready() and not exchange.cancelled:
                exchange.owner.condition.wait()

    def track(self, exchange: Exchange) -> None:
        """Nothing to do: every exchange of a pool is tracked from its beginning."""

    # The main thread. The caller of these holds the lock, unless it says otherwise.

    def _act(self, frame: Frame) -> None:
        """Acts upon a frame of the data channel."""
        kind, flags, stream, data, start, end = frame
        if kind == frames.REQUEST:
            if stream <= self._newest:
                raise ProtocolError(f"REQUEST {stream} after REQUEST {self._newest}")
            self._newest = stream
            if flags == frames.BODY_STREAM:
                self._bodies[stream] = self._make_body(stream)
            self._queue.append(frame)
            self._wake_another()
            return
        if stream > self._newest:
            raise ProtocolError(f"a frame of type 0x{kind:02x} about stream {stream}, which has not been opened")
        exchange = self._exchanges.get(stream)
        if kind == frames.WINDOW:
            if exchange is not None:
                exchange.granted += frames.unpack_u32(data, start)[0]
                self._bring_back(exchange)
        elif kind == frames.CANCEL:
            self._cancel(stream)
        elif kind == frames.BODY:
            body = self._bodies.get(stream)
            if body is not None:
                body.take(data[start:end], flags)
                if exchange is not None:
                    exchange.owner.condition.notify()
        else:
            raise ProtocolError(f"a frame of type 0x{kind:02x} on the data channel")

    def _obey(self, frame: Frame) -> None:
        """Acts upon a frame of the control channel; takes the lock itself."""
        kind, _, stream, _, _, _ = frame
        if kind == frames.RECALL:
            self._recall()
        elif kind == frames.CANCEL:
            with self.lock:
                self._cancel(stream)
        elif kind == frames.STOP:
            self._stopping = True
        else:
            raise ProtocolError(f"a frame of type 0x{kind:02x} on the control channel")

    def _recall(self) -> None:
        returned: List[int] = []
        with self.lock:
            for frame in self._queue:
                stream = frame[2]
                if stream in self._cancelled:
                    self._drop(stream)
                else:
                    self._bodies.pop(stream, None)
                    returned.append(stream)
            self._queue.clear()
        self.outbox.put(frames.pack(frames.RETURNED, 0, 0, b"".join(map(frames.pack_u32, returned))))
        self.outbox.flush()

    def _cancel(self, stream: int) -> None:
        exchange = self._exchanges.get(stream)
        if exchange is not None:
            exchange.cancelled = True
            self._bring_back(exchange)
        elif stream > self._ledger[0]:
            self._cancelled.add(stream)

    def _drop(self, stream: int) -> None:
        self._cancelled.discard(stream)
        self._bodies.pop(stream, None)
        self.outbox.put(frames.pack(frames.END, frames.BROKEN, stream))

    def _wake_another(self) -> None:
        if self._queue and self._idle:
            runner = self._idle.pop()
            runner.idle = False
            runner.condition.notify()

    def _bring_back(self, exchange: Exchange) -> None:
        runner = exchange.owner
        if exchange.suspended:
            exchange.suspended = False
            runner.ready.append(exchange)
            if runner.idle:
                self._idle.remove(runner)
                runner.idle = False
        runner.condition.notify()

    def _make_body(self, stream: int) -> BodyStream:
        def wait(ready: Callable[[], bool]) -> None:
            with self.lock:
                exchange = self._exchanges.get(stream)
            if exchange is not None:
                self.wait(exchange, ready)

        def grant(size: int) -> None:
            self.outbox.put(frames.pack(frames.CREDIT, 0, stream, frames.pack_u32(size)))
            self.outbox.flush()

        return BodyStream(wait, grant)

    def _leave(self) -> int:
        """The acceptor is gone: what runs may end, but not for ever; takes the lock itself."""
        with self.lock:
            self._lose()
        deadline = threading.Event()
        timer = threading.Timer(self._graceful_timeout, os._exit, (1,))
        timer.daemon = True
        timer.start()
        while True:
            with self.lock:
                if not self._exchanges:
                    return 0 if self._stopping else 1
            deadline.wait(0.05)

    def _lose(self) -> None:
        self._gone = True
        self._queue.clear()
        for exchange in self._exchanges.values():
            exchange.cancelled = True
            self._bring_back(exchange)

    # In any thread.

    def _send(self, data: bytes) -> None:
        if not self._gone:
            try:
                self._data.sendall(data)
            except OSError:
                self._gone = True  # the main thread learns it by reading

    def _gather(self, parts: List[Bytes]) -> None:
        if not self._gone:
            try:
                send_gathered(self._data, parts)
            except OSError:
                self._gone = True

    def _start_watching(self) -> None:
        self.outbox.watched = True
        self._wake.wake()
