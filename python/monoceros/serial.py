"""Runs exchanges one after another in one thread, however frames reach it."""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Callable, Deque, Dict, List, NoReturn, Optional, Set

from . import exit_status, frames
from .carrier import Carrier
from .channel import Service, TakenBack, forget_below
from .exchange import Exchange
from .frames import Frame, FrameError, FrameReader
from .outbox import HOLD_SIZE, PATIENCE, Bytes, Outbox
from .streams import BodyStream, ClientGone


class SerialWorker(Carrier):
    """Runs the exchanges of one acceptor in the calling thread; see ``serve``.

    A subclass reads frames (``_receive``) and sends them (``_send``, ``_gather``).
    """

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.outbox = Outbox(self._send, self._gather)
        self._ledger = service.ledger
        self._exchange = service.exchange or Exchange
        self._reader = FrameReader()
        self._queue: Deque[Frame] = deque()
        self._ready: Deque[Exchange] = deque()  # suspended before, with credit now
        self._tracked: Dict[int, Exchange] = {}
        self._bodies: Dict[int, BodyStream] = {}
        self._current: Exchange | None = None
        self._newest = 0
        self._cancelled: Set[int] = set()  # not begun, and not to begin
        self._stopping = False
        self._gone = False  # the acceptor closed the data channel

    def serve(self) -> int:
        """Serves until STOP (returns 0) or until the acceptor is gone (returns 1). Raises
        FrameError.
        """
        status = None
        while status is None:
            status = self.turn()
        return status

    def turn(self) -> Optional[int]:
        """Runs what there is, then waits for more. Returns None, or the exit status."""
        queue = self._queue
        ready = self._ready
        ledger = self._ledger
        new_exchange = self._exchange
        outbox = self.outbox
        held_frames = outbox.frames
        flush = outbox.flush
        begun = perf_counter()
        while True:
            # Exchanges with credit and requests that wait to begin take turns.
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
                return None
            if self._cancelled:
                if self._drop(stream):
                    continue
                forget_below(self._cancelled, stream)
            try:
                ledger[0] = stream
            except TakenBack:
                self._bodies.pop(stream, None)
                continue
            self._current = exchange = new_exchange(self, stream)
            if flags == frames.BODY_STREAM:
                exchange.body = self._bodies[stream]
            if exchange.begin(flags, data, start, end):
                if exchange.tracked or flags:
                    self._forget(exchange)
            else:
                self._suspend(exchange)
            if queue:
                now = perf_counter()
                if now - begun > PATIENCE or outbox.held > HOLD_SIZE:
                    flush()
                    begun = now
                elif not outbox.watched:
                    outbox.watch()

    # For the exchanges.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Reads frames until ``ready()``; REQUESTs that arrive in the meantime are queued."""
        self.outbox.flush()
        try:
            while not ready() and not exchange.cancelled:
                if not self._receive(exchange):
                    exchange.cancelled = True
        except FrameError as error:  # not to be caught by the application
            self._give_up(error)

    def track(self, exchange: Exchange) -> None:
        exchange.tracked = True
        self._tracked[exchange.stream] = exchange

    def _run_ready(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.suspended = False
        if exchange.resume():
            self._forget(exchange)
        else:
            self._suspend(exchange)

    def _suspend(self, exchange: Exchange) -> None:
        # Credit may have arrived while it sent its last bytes.
        if exchange.has_credit() or exchange.cancelled:
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

    # Reading and sending.

    def _receive(self, waiting: Exchange | None = None) -> bool:
        """Waits for frames and handles them. False if nothing more will come: after STOP, or if the
        acceptor is gone.
        """
        raise NotImplementedError

    def _send(self, data: bytes) -> None:
        raise NotImplementedError

    def _gather(self, parts: List[Bytes]) -> None:
        self._send(b"".join(parts))

    def _give_up(self, error: FrameError) -> NoReturn:
        """Ends the worker in the middle of an exchange, because the acceptor broke the protocol."""
        raise NotImplementedError

    def _lose(self) -> None:
        """The acceptor is gone: drops what has not begun, and cancels what has. In any thread."""
        self._gone = True
        self._queue.clear()
        current = self._current
        if current is not None:
            current.cancelled = True

    def _sort(self, received: List[Frame], act: Callable[[Frame], None]) -> None:
        """Puts REQUESTs into the queue and passes all other frames to ``act``."""
        newest = self._newest
        enqueue = self._queue.append
        for frame in received:
            kind, flags, stream, _, _, _ = frame
            if kind != frames.REQUEST:
                act(frame)
                continue
            if stream <= newest:
                raise FrameError(f"REQUEST {stream} after REQUEST {newest}")
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
            self.outbox.put(frames.pack(frames.BODY_WINDOW, 0, stream, frames.pack_u32(size)))
            self.outbox.flush()

        return BodyStream(wait, grant)

    def _act(self, frame: Frame) -> None:
        """Handles a frame of the data channel that is not a REQUEST."""
        kind, flags, stream, data, start, end = frame
        if stream > self._newest:
            raise FrameError(
                f"a frame of type 0x{kind:02x} about stream {stream}, which has not been opened"
            )
        if kind == frames.BODY:
            body = self._bodies.get(stream)
            if body is not None:
                body.take(data[start:end], flags)
        elif kind == frames.WINDOW:
            exchange = self._tracked.get(stream)
            if exchange is not None:
                exchange.granted += frames.unpack_u32(data, start)[0]
                self._make_ready(exchange)
        elif kind == frames.DECLINE:
            exchange = self._tracked.get(stream)
            if exchange is not None and exchange._offer is not None:
                exchange._offer.declined = True
                self._make_ready(exchange)
        elif kind == frames.CANCEL:
            self._cancel(stream)
            exchange = self._tracked.get(stream)
            if exchange is not None:
                self._make_ready(exchange)
        else:
            raise FrameError(f"a frame of type 0x{kind:02x} on the data channel")

    def _make_ready(self, exchange: Exchange) -> None:
        if exchange.suspended:
            exchange.suspended = False
            self._ready.append(exchange)

    def _cancel(self, stream: int) -> None:
        """Marks an exchange as cancelled; in any thread."""
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
        """Ends suspended exchanges when the acceptor is gone. Returns the exit status."""
        for exchange in list(self._tracked.values()):
            exchange.cancelled = True
            self._current = exchange
            exchange.resume()
        self.outbox.flush()
        return exit_status.STOPPED if self._stopping else exit_status.ACCEPTOR_GONE
