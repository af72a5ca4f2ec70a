"""A worker of several threads: the main thread reads both channels, the others run exchanges.

Requests wait in one queue, and any free thread begins them. An exchange that waits for credit is
resumed by the thread that began it, because objects of an application may be bound to their thread
(sqlite3, thread-locals)."""

from __future__ import annotations

import socket
from collections import deque
from os import _exit
from select import POLLIN, poll
from typing import Callable, Deque, Dict, List, Set, Tuple

from . import exit_status, frames, greenlets
from .carrier import Carrier
from .channel import Pipe, Service, forget_below, receive_some, send_gathered
from .exchange import Exchange
from .frames import Frame, FrameError, FrameReader
from .native import (
    Condition,
    allocate_lock,
    cooperative_wait,
    perf_counter,
    sleep,
    start_thread,
)
from .outbox import HOLD_SIZE, PATIENCE, Bytes, Outbox, Watcher
from .streams import BodyStream

#: Seconds between two checks of what is held back. The main thread has little else to do, and the
#: application in another thread may wait for something that takes long.
_TICK = 0.002


class _Runner:
    """One of the threads, and the exchanges that wait for it."""

    def __init__(self, pool: ThreadedWorker, number: int) -> None:
        self.ready: Deque[Exchange] = deque()  # its own, suspended before, with credit now
        # All runners share the worker's lock, but each is woken separately.
        self.condition = Condition(pool.lock)
        self.idle = False
        self.turn = False
        self.number = number


class ThreadedWorker(Carrier):
    """Runs the exchanges of one acceptor in ``threads`` threads; see ``serve``."""

    def __init__(
        self, threads: int, service: Service, data: socket.socket, control: socket.socket
    ) -> None:
        super().__init__(service)
        #: Guards everything below but the readers, which are the main thread's.
        self.lock = allocate_lock()
        self.outbox = Outbox(self._send, self._gather)
        self.outbox.wake_watcher = self._start_watching
        self._graceful_timeout = service.graceful_timeout
        self._data = data
        self._control = control
        self._ledger = service.ledger
        self._exchange = service.exchange or Exchange
        self._queue: Deque[Frame] = deque()
        # the last to fall idle is the first to be woken: its caches are warm
        self._idle: List[_Runner] = []
        # one that was woken for the queue and has not come to it yet
        self._waking: _Runner | None = None
        self._flushed = 0.0
        self._exchanges: Dict[int, Exchange] = {}
        self._bodies: Dict[int, BodyStream] = {}
        self._cancelled: Set[int] = set()
        self._newest = 0
        self._stopping = False
        self._gone = False
        self._failure: FrameError | None = None
        self._wake = Pipe()
        self._runners = [_Runner(self, number + 1) for number in range(threads)]

    def serve(self) -> int:
        """Serves until STOP (returns 0) or until the acceptor is gone (returns 1). Raises
        FrameError.
        """
        for runner in self._runners:
            start_thread(self.run, (runner,), f"monoceros-{runner.number}")
        data = self._data.fileno()
        control = self._control.fileno()
        from_data = FrameReader()
        from_control = FrameReader()
        watcher = Watcher(self.outbox)
        descriptors = poll()
        for number in (data, control, self._wake.number):
            descriptors.register(number, POLLIN)
        lender = self.lender
        if lender is not None:
            lender.poll_with(descriptors)
        # Greenlets that the application started on import belong to this thread.
        let_run = cooperative_wait()
        while True:
            with self.lock:
                idle = not self._queue and not self._exchanges and not from_data.wanted
            ticks = self.outbox.watched or (lender is not None and lender.waits)
            patience = 0 if idle and self._stopping else _TICK if ticks else None
            if let_run is not None and patience != 0:
                let_run((data, control, self._wake.number), patience)
                patience = 0
            events = descriptors.poll(None if patience is None else patience * 1000)
            if self._failure is not None:
                raise self._failure
            if (
                idle
                and self._stopping
                and not any(number != self._wake.number for number, _ in events)
            ):
                self.outbox.flush()
                return exit_status.STOPPED
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
                            descriptors.unregister(control)
                            continue
                        return self._leave()
                    for frame in received:
                        self._obey(frame)
                elif lender is None or not lender.act(number):
                    self._wake.drain()
            if self.outbox.watched:
                watcher.tick()
            if lender is not None and lender.waits:
                lender.look()

    # The threads.

    def run(self, runner: _Runner) -> None:
        """The loop of each thread that runs exchanges."""
        greenlets.remember_current()
        outbox = self.outbox
        exchange: Exchange | None = None
        done = False
        while True:
            with self.lock:
                if exchange is not None:
                    self._put_back(runner, exchange, done)
                frame, exchange = self._take(runner)
            if exchange is None:
                outbox.flush()
                with self.lock:
                    self._sleep(runner)
                continue
            if outbox.frames:
                # There are more requests to begin: finished responses go out several at once.
                now = perf_counter()
                if now - self._flushed > PATIENCE or outbox.held > HOLD_SIZE:
                    self._flushed = now
                    outbox.flush()
                elif not outbox.watched:
                    outbox.watch()
            try:
                done = exchange.resume() if frame is None else exchange.begin(frame[1], *frame[3:])
            except FrameError as error:
                self._failure = error
                self._wake.wake()
                return

    # The caller of these holds the lock.

    def _take(self, runner: _Runner) -> Tuple[Frame | None, Exchange | None]:
        """The runner's next task: a request to begin, an exchange to resume (without a frame), or
        nothing.
        """
        queue = self._queue
        # Exchanges with credit and requests that wait to begin take turns.
        runner.turn = not runner.turn
        if runner.ready and (runner.turn or not queue):
            self._wake_another()
            return None, runner.ready.popleft()
        while queue:
            frame = queue.popleft()
            exchange = self._enlist(frame, runner)
            if exchange is not None:
                self._wake_another()
                return frame, exchange
        return (None, runner.ready.popleft()) if runner.ready else (None, None)

    def _sleep(self, runner: _Runner) -> None:
        """Waits until there may be something to do."""
        if runner.ready or self._queue:
            return
        self._idle.append(runner)
        runner.idle = True
        runner.condition.wait()
        if runner.idle:
            runner.idle = False
            self._idle.remove(runner)
        if self._waking is runner:
            self._waking = None

    def _put_back(self, runner: _Runner, exchange: Exchange, done: bool) -> None:
        if done:
            self._exchanges.pop(exchange.stream, None)
            self._bodies.pop(exchange.stream, None)
            if self._stopping:
                self._wake.wake()
        elif exchange.has_credit() or exchange.cancelled:
            runner.ready.append(exchange)
        else:
            exchange.suspended = True

    def _enlist(self, frame: Frame, runner: _Runner) -> Exchange | None:
        """Makes an exchange of a request that was taken off the queue; None if its client is
        gone."""
        stream = frame[2]
        if self._cancelled:
            if stream in self._cancelled:
                self._drop(stream)
                return None
            forget_below(self._cancelled, stream)
        self._ledger[0] = stream
        exchange = self._exchange(self, stream)
        exchange.owner = runner
        exchange.tracked = True
        if frame[1] == frames.BODY_STREAM:
            exchange.body = self._bodies.get(stream)
        self._exchanges[stream] = exchange
        return exchange

    def sent(self, exchange: Exchange) -> None:
        with self.lock:
            # Otherwise its runner is about to see that it has ended.
            if exchange.suspended:
                exchange._end()
                self._exchanges.pop(exchange.stream, None)
                self._bodies.pop(exchange.stream, None)

    # For the exchanges, in their threads.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Sleeps until ``ready()``, or until the exchange is cancelled."""
        self.outbox.flush()
        with self.lock:
            while not ready() and not exchange.cancelled:
                exchange.owner.condition.wait()

    def track(self, exchange: Exchange) -> None:
        """Nothing to do: every exchange of this worker is tracked from its beginning."""

    # The main thread. The caller of these holds the lock, except where noted.

    def _act(self, frame: Frame) -> None:
        """Handles a frame of the data channel."""
        kind, flags, stream, data, start, end = frame
        if kind == frames.REQUEST:
            if stream <= self._newest:
                raise FrameError(f"REQUEST {stream} after REQUEST {self._newest}")
            self._newest = stream
            if flags == frames.BODY_STREAM:
                self._bodies[stream] = self._make_body(stream)
            self._queue.append(frame)
            self._wake_another()
            return
        if stream > self._newest:
            raise FrameError(
                f"a frame of type 0x{kind:02x} about stream {stream}, which has not been opened"
            )
        exchange = self._exchanges.get(stream)
        if kind == frames.WINDOW:
            if exchange is not None:
                exchange.granted += frames.unpack_u32(data, start)[0]
                self._make_ready(exchange)
        elif kind == frames.DECLINE:
            if exchange is not None and exchange._offer is not None:
                exchange._offer.declined = True
                self._make_ready(exchange)
        elif kind == frames.CANCEL:
            self._cancel(stream)
        elif kind == frames.BODY:
            body = self._bodies.get(stream)
            if body is not None:
                body.take(data[start:end], flags)
                if exchange is not None:
                    exchange.owner.condition.notify()
        else:
            raise FrameError(f"a frame of type 0x{kind:02x} on the data channel")

    def _obey(self, frame: Frame) -> None:
        """Handles a frame of the control channel; takes the lock itself."""
        kind, _, stream, data, start, end = frame
        if kind == frames.RECALL:
            self._recall()
        elif kind == frames.CANCEL:
            with self.lock:
                self._cancel(stream)
            if self.lender is not None:
                self.lender.cancel(stream)
        elif kind == frames.STOP:
            self._stopping = True
        elif kind == frames.PRINT_STACKS:
            self._print_stacks()
        elif kind == frames.INSPECT:
            self._inspect(data[start:end])
        elif kind != frames.GET_STACKS:  # may arrive when the application has just been loaded
            raise FrameError(f"a frame of type 0x{kind:02x} on the control channel")

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
        self.outbox.put(
            frames.pack(frames.RETURNED, 0, 0, b"".join(map(frames.pack_u32, returned)))
        )
        self.outbox.flush()

    def _cancel(self, stream: int) -> None:
        exchange = self._exchanges.get(stream)
        if exchange is not None:
            exchange.cancelled = True
            self._make_ready(exchange)
        elif stream > self._ledger[0]:
            self._cancelled.add(stream)

    def _drop(self, stream: int) -> None:
        self._cancelled.discard(stream)
        self._bodies.pop(stream, None)
        self.outbox.put(frames.pack(frames.END, frames.BROKEN, stream))

    def _wake_another(self) -> None:
        """Wakes a thread for the queue, one at a time: a thread that takes a request wakes the next
        one.
        """
        # Threads that are awake run short requests before another one gets the interpreter's lock.
        # An application that waits for something releases that lock, and the next thread runs.
        if self._queue and self._idle and self._waking is None:
            runner = self._waking = self._idle.pop()
            runner.idle = False
            runner.condition.notify()

    def _make_ready(self, exchange: Exchange) -> None:
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
            self.outbox.put(frames.pack(frames.BODY_WINDOW, 0, stream, frames.pack_u32(size)))
            self.outbox.flush()

        return BodyStream(wait, grant)

    def _leave(self) -> int:
        """The acceptor is gone: what runs may finish within the graceful timeout. Takes the lock
        itself."""
        with self.lock:
            self._lose()
        start_thread(_end_after, (self._graceful_timeout,), "monoceros-end")
        while True:
            with self.lock:
                if not self._exchanges:
                    return exit_status.STOPPED if self._stopping else exit_status.ACCEPTOR_GONE
            sleep(0.05)

    def _lose(self) -> None:
        self._gone = True
        self._queue.clear()
        for exchange in self._exchanges.values():
            exchange.cancelled = True
            self._make_ready(exchange)

    # In any thread.

    def _send(self, data: bytes) -> None:
        if not self._gone:
            try:
                self._data.sendall(data)
            except OSError:
                self._gone = True  # the main thread notices when it reads

    def _gather(self, parts: List[Bytes]) -> None:
        if not self._gone:
            try:
                send_gathered(self._data, parts)
            except OSError:
                self._gone = True

    def _start_watching(self) -> None:
        self.outbox.watched = True
        self._wake.wake()


def _end_after(seconds: float) -> None:
    sleep(seconds)
    _exit(exit_status.ACCEPTOR_GONE)
