"""A worker of one thread: it reads requests, runs them one after another in the main thread, and
sends the responses.

A second thread waits on the control channel. On RECALL it gives back what has not begun. It also
handles CANCEL, and sends finished responses that would otherwise wait behind a slow request."""

from __future__ import annotations

import socket
from collections import deque
from os import _exit, write
from select import POLLIN, poll
from typing import Deque, List, NoReturn

from . import exit_status, frames, greenlets
from .channel import Pipe, Service, receive_some, send_gathered
from .exchange import Exchange
from .frames import Frame, FrameError, FrameReader, protocol_error
from .native import allocate_lock, sleep, start_thread
from .outbox import Bytes, Watcher
from .serial import SerialWorker


class SoloWorker(SerialWorker):
    """Runs the exchanges of one acceptor in the calling thread, over two sockets; see ``serve``."""

    def __init__(self, service: Service, data: socket.socket, control: socket.socket) -> None:
        super().__init__(service)
        self.outbox.wake_watcher = self._start_watching
        self._graceful_timeout = service.graceful_timeout
        self._data = data
        self._control = control
        # Guards the reader and the data channel's receiving side.
        self._read_lock = allocate_lock()
        # read by the control thread, for the main thread to handle
        self._deferred: Deque[Frame] = deque()
        self._reading = False  # the main thread is in a read that may block,
        self._idle = False  # and there is nothing else that it could do
        self._wake_control = Pipe()

    def serve(self) -> int:
        self._start()
        return super().serve()

    def _start(self) -> None:
        greenlets.remember_current()
        start_thread(self._attend_control, (), "monoceros-control")

    # Reading. These run in the main thread.

    def _receive(self, waiting: Exchange | None = None) -> bool:
        """Waits for frames and handles them. False if nothing more will come: after STOP, or if the
        acceptor is gone.
        """
        while True:
            while self._deferred:
                self._act(self._deferred.popleft())
                if not self._deferred:
                    return True
            with self._read_lock:
                if self._deferred:
                    continue  # older than what is still unread
                # Set before this thread checks _stopping; the control thread sets _stopping before
                # it checks _idle. So one of the two sees the other. The blocking read is the only
                # system call here, so that a request costs few of them.
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
        """Reads once; the caller holds the lock. Returns the frames that are complete now."""
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

    def _give_up(self, error: FrameError) -> NoReturn:
        text = protocol_error("worker", error)
        try:
            write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
        finally:
            _exit(exit_status.PROTOCOL_ERROR)

    # The control channel. These run in its thread.

    def _attend_control(self) -> None:
        try:
            self._listen()
        except FrameError as error:
            self._give_up(error)
        except OSError:
            pass
        # The acceptor is gone: what runs may finish within the graceful timeout.
        self._lose()
        self._shut(socket.SHUT_RDWR)
        sleep(self._graceful_timeout)
        _exit(exit_status.ACCEPTOR_GONE)

    def _listen(self) -> None:
        reader = FrameReader()
        watcher = Watcher(self.outbox)
        waiting = poll()
        waiting.register(self._control.fileno(), POLLIN)
        waiting.register(self._wake_control.number, POLLIN)
        lender = self.lender
        if lender is not None:
            lender.poll_with(waiting)
        while True:
            ticks = self.outbox.watched or (lender is not None and lender.waits)
            for number, _ in waiting.poll(Watcher.TICK * 1000 if ticks else None):
                if lender is not None and lender.act(number):
                    continue
                if number == self._wake_control.number:
                    self._wake_control.drain()
                    continue
                received = receive_some(self._control, reader)
                if received is None:
                    return
                for kind, _, stream, data, start, end in received:
                    if kind == frames.RECALL:
                        self._recall()
                    elif kind == frames.CANCEL:
                        self._cancel(stream)
                        if lender is not None:
                            lender.cancel(stream)
                    elif kind == frames.STOP:
                        self._stopping = True
                        self._stop_if_idle()
                    elif kind == frames.INTERRUPT:
                        self._time_out(stream)
                    elif kind == frames.PRINT_STACKS:
                        self._print_stacks()
                    elif kind == frames.INSPECT:
                        self._inspect(data[start:end])
                    # GET_STACKS may arrive when the application has just been loaded.
                    elif kind != frames.GET_STACKS:
                        raise FrameError(f"a frame of type 0x{kind:02x} on the control channel")
            if self.outbox.watched:
                watcher.tick()
            if lender is not None and lender.waits:
                lender.look()

    def sent(self, exchange: Exchange) -> None:
        exchange._end()
        self._forget(exchange)
        if self._stopping:
            self._stop_if_idle()

    def _stop_if_idle(self) -> None:
        if self._idle and not self._tracked and not self._queue:
            # Nothing more will come: this ends the main thread's read.
            self._shut(socket.SHUT_RD)

    def _time_out(self, stream: int) -> None:
        raise FrameError("an INTERRUPT, which only a worker with gevent understands")

    def _recall(self) -> None:
        """Gives back all requests that have not begun, including those that are unread."""
        while not (locked := self._read_lock.acquire(timeout=0.001)):
            if self._reading:  # the main thread reads what arrives
                break
        if locked:
            try:
                self._read_ahead()
            finally:
                self._read_lock.release()
        returned: List[int] = []
        while True:
            # From the end: the main thread takes from the front, and the thread that takes a
            # request owns it.
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
        """Reads what has arrived, for the main thread; the caller holds the lock."""
        while not self._gone:
            wanted = self._reader.wanted
            received = self._take(False)
            if not received and self._reader.wanted == wanted:
                break
            self._sort(received, self._deferred.append)

    def _shut(self, how: int) -> None:
        try:
            self._data.shutdown(how)
        except OSError:  # the acceptor has closed it already
            pass

    def _start_watching(self) -> None:
        self.outbox.watched = True
        self._wake_control.wake()
