"""A worker whose exchanges are greenlets: thousands that wait share one thread.

Everything of the application runs in the main thread, in greenlets of gevent's hub. The hub also
reads the data channel. A thread of the operating system waits on the control channel: it hears the
acceptor while a greenlet computes, gives back what has not begun, and wakes the hub for the rest.

This module may be imported only after ``gevent_patch.patch``."""

from __future__ import annotations

import socket
import sys
from collections import deque
from typing import Any, Callable, Deque, List, Tuple

from gevent import Greenlet, get_hub, getcurrent  # type: ignore[import-not-found]
from gevent.hub import Waiter  # type: ignore[import-not-found]

from . import exit_status, frames, greenlets
from .channel import Service, forget_below
from .codes import coded
from .exchange import Exchange
from .frames import Frame, FrameError
from .native import get_ident, perf_counter, sleep
from .outbox import HOLD_SIZE, PATIENCE
from .solo import SoloWorker
from .streams import BodyStream
from .timed_out import TIMED_OUT, RequestTimedOut
from .trace import format_stack

_READABLE = 1


class _Waiters:
    """The greenlet of an exchange, and the greenlets that wait for a frame about it."""

    __slots__ = ("greenlet", "waiting")

    def __init__(self, greenlet: Any) -> None:
        self.greenlet = greenlet
        self.waiting: List[Any] = []


class GeventWorker(SoloWorker):
    """Runs the exchanges of one acceptor in greenlets of the calling thread; see ``serve``.

    ``_tracked`` has all exchanges that have begun and not ended."""

    def __init__(self, service: Service, data: socket.socket, control: socket.socket) -> None:
        super().__init__(service, data, control)
        self._hub = get_hub()
        loop = self._hub.loop
        self._data_watcher = loop.io(data.fileno(), _READABLE)
        # The only part of a loop that another thread may use.
        self._hub_waker = loop.async_()
        self._thread = get_ident()
        self._late: Deque[int] = deque()  # streams that ran out of time
        self._complete: Deque[Exchange] = deque()  # those that the lender has ended
        self._ended = Waiter(self._hub)
        self._beginning = False  # the hub begins what is in the queue
        # The greenlet for the next request, if there is one: see _serve_requests.
        self._idle_greenlet: Any = None
        self._next: Tuple[Any, ...] = ()  # the request that a greenlet is to begin
        self._direct = False  # the greenlet that the hub has switched to has not waited yet
        self._flushing = False  # the hub is about to flush
        self._flushed = 0.0

    def serve(self) -> int:
        self._data_watcher.start(self._read_channel)
        self._hub_waker.start(self._woken)
        # May have been sent before the watcher was started.
        self._hub_waker.send()
        super()._start()
        while True:
            try:
                return int(self._ended.get())
            except BaseException as error:
                # gevent raises here what ends a program (SystemExit) if a greenlet of the
                # application raises it. As in a thread, only that greenlet ends.
                name = type(error).__name__
                text = coded("MONO5012", f"monoceros worker: a greenlet raised {name}")
                print(text, file=sys.__stderr__)

    # The hub. These run in its greenlet, which must not wait.

    def _read_channel(self) -> None:
        try:
            with self._read_lock:
                self._sort(self._take(False), self._deferred.append)
        except FrameError as error:
            self._give_up(error)
        self._proceed()

    def _woken(self) -> None:
        while self._late:
            self._interrupt(self._late.popleft())
        while self._complete:
            self._make_ready(self._complete.popleft())
        if self._stopping:
            # Nothing more will come than what has arrived.
            self._read_channel()
        else:
            self._proceed()

    def _proceed(self) -> None:
        """Handles what was read, and begins what may begin."""
        try:
            while self._deferred:
                self._act(self._deferred.popleft())
            self._begin_all()
        except FrameError as error:
            self._give_up(error)
        if self._gone:
            self._cancel_all()
        if self._gone or (self._stopping and not self._reader.wanted):
            self._end_if_idle()

    def _begin_all(self) -> None:
        queue = self._queue
        ledger = self._ledger
        outbox = self.outbox
        begun = perf_counter()
        self._beginning = True
        while True:
            try:
                _, flags, stream, data, start, end = queue.popleft()
            except IndexError:
                break
            if self._cancelled:
                if self._drop(stream):
                    continue
                forget_below(self._cancelled, stream)
            ledger[0] = stream
            exchange = self._exchange(self, stream)
            exchange.tracked = True
            if flags == frames.BODY_STREAM:
                exchange.body = self._bodies[stream]
            greenlet = self._idle_greenlet
            if greenlet is None or greenlet.dead:  # the application may have killed it
                greenlet = Greenlet(self._serve_requests)
            self._idle_greenlet = None
            exchange.owner = _Waiters(greenlet)
            self._tracked[stream] = exchange
            self._next = (exchange, flags, data, start, end)
            self._direct = True
            # Runs it until it waits for something or ends.
            greenlet.switch()
            self._direct = False
            if queue:
                now = perf_counter()
                if now - begun > PATIENCE:
                    # Others may be ready to go on.
                    self._hub.loop.run_callback(self._proceed)
                    break
                if outbox.held > HOLD_SIZE:
                    outbox.flush()
                elif not outbox.watched:
                    outbox.watch()
        self._beginning = False
        if outbox.frames:
            outbox.flush()

    def _interrupt(self, stream: int) -> None:
        """Raises in the greenlet of an exchange that has run out of time."""
        exchange = self._tracked.get(stream)
        if exchange is None:  # it has ended
            return
        self.outbox.put(frames.pack(frames.INTERRUPTED, 0, stream))
        self.outbox.flush()
        if exchange.suspended:  # it waits for its client, not for the application
            exchange.cancelled = True
            self._make_ready(exchange)
        else:
            exchange.owner.greenlet.throw(RequestTimedOut(TIMED_OUT))

    def _act(self, frame: Frame) -> None:
        super()._act(frame)
        if frame[0] == frames.BODY:
            exchange = self._tracked.get(frame[2])
            if exchange is not None:
                self._make_ready(exchange)

    def _make_ready(self, exchange: Exchange) -> None:
        owner = exchange.owner
        waiting = owner.waiting
        if waiting:
            owner.waiting = []
            for waiter in waiting:
                waiter.switch(None)

    def _cancel_all(self) -> None:
        self._data_watcher.stop()
        for exchange in list(self._tracked.values()):
            exchange.cancelled = True
            self._make_ready(exchange)

    def _end_if_idle(self) -> None:
        if self._tracked or self._queue or self._deferred:
            return
        self._data_watcher.stop()
        self._hub_waker.stop()
        self.outbox.flush()
        self._ended.switch(exit_status.STOPPED if self._stopping else exit_status.ACCEPTOR_GONE)

    # The greenlets.

    def _serve_requests(self) -> None:
        """Runs requests one after another, as long as none of them waits.

        A new greenlet costs 14 us, most of them for the memory of its stack; one that exists, 1 us.
        But one that has waited ends with its request: what the application keeps for each greenlet,
        such as connections to a database, must not stay longer than their number justifies."""
        current = getcurrent()
        while True:
            task, self._next = self._next, ()
            self._run(*task)
            del task
            if not self._direct:
                return
            self._idle_greenlet = current
            self._hub.switch()

    def _run(self, exchange: Exchange, flags: int, data: bytes, start: int, end: int) -> None:
        try:
            done = exchange.begin(flags, data, start, end)
            while not done:
                try:
                    exchange.suspended = True
                    self.wait(exchange, exchange.has_credit)
                    exchange.suspended = False
                except BaseException as error:  # another greenlet has killed this one
                    done = exchange._fail(error)
                else:
                    done = exchange.resume()
        except FrameError as error:
            self._give_up(error)
        self._forget(exchange)
        outbox = self.outbox
        if self._beginning:
            pass  # the hub flushes when it has begun the others
        elif not self._tracked:
            outbox.flush()
        elif perf_counter() - self._flushed > PATIENCE or outbox.held > HOLD_SIZE:
            self._flush()
        else:
            # Others that wait for the same moment may be about to end.
            if not self._flushing:
                self._flushing = True
                self._hub.loop.run_callback(self._flush)
            if not outbox.watched:
                outbox.watch()
        if (self._stopping or self._gone) and not self._tracked:
            self._hub_waker.send()

    def _flush(self) -> None:
        self._flushing = False
        self._flushed = perf_counter()
        self.outbox.flush()

    # For the exchanges, in any of their greenlets.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Lets other greenlets run until ``ready()``, or until the exchange is cancelled."""
        self.outbox.flush()
        if get_ident() != self._thread:
            # The application has passed its request to a thread of gevent's pool.
            while not ready() and not exchange.cancelled:
                sleep(0.001)
            return
        while not ready() and not exchange.cancelled:
            waiter = Waiter(self._hub)
            exchange.owner.waiting.append(waiter)
            waiter.get()

    def track(self, exchange: Exchange) -> None:
        """Nothing to do: every exchange of this worker is tracked from its beginning."""

    def _make_body(self, stream: int) -> BodyStream:
        def wait(ready: Callable[[], bool]) -> None:
            exchange = self._tracked.get(stream)
            if exchange is not None:
                self.wait(exchange, ready)

        def grant(size: int) -> None:
            self.outbox.put(frames.pack(frames.BODY_WINDOW, 0, stream, frames.pack_u32(size)))
            self.outbox.flush()

        return BodyStream(wait, grant)

    # The control channel's thread.

    def request_greenlets(self) -> List[Any]:
        return [exchange.owner.greenlet for exchange in list(self._tracked.values())]

    def sent(self, exchange: Exchange) -> None:
        self._complete.append(exchange)
        self._hub_waker.send()

    def _stop_if_idle(self) -> None:
        self._hub_waker.send()

    def _time_out(self, stream: int) -> None:
        exchange = self._tracked.get(stream)
        if exchange is None:
            return
        frame = exchange.owner.greenlet.gr_frame
        if frame is None:  # it runs at this moment
            frame = sys._current_frames().get(self._thread)
        stack = format_stack(frame)
        text = f"the request runs longer than the timeout\n{stack}"
        exchange._log(frames.ERROR, coded("MONO4011", text))
        self.outbox.flush()
        self._late.append(stream)
        self._hub_waker.send()

    # In any thread.

    def _lose(self) -> None:
        self._gone = True
        self._queue.clear()
        self._hub_waker.send()
