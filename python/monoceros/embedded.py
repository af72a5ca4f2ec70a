"""A worker inside of an embedded interpreter: one thread, and a link to node in the place of two sockets.

The thread that runs this belongs to it alone: waiting for frames blocks it, as a socket would. There is no second
thread, so what the control thread of ``solo`` does is done otherwise: the acceptor takes back by itself what has not
begun (``Link.claim``), nothing that is finished is held back while something else runs, and a request that runs out of
time is interrupted by a signal.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from contextvars import copy_context
from types import FrameType
from typing import Any, List, MutableSequence, NoReturn, Optional, Protocol, cast

from monoceros_pyodide import packages

from . import environ, frames, loader
from .channel import Assignment, TakenBack
from .environ import make_template
from .exchange import Exchange
from .frames import Frame, ProtocolError
from .loader import LoadError
from .outbox import Bytes
from .serial import SerialWorker
from .startup import introduce, load_application, read_startup
from .streams import ErrorStream

EXIT_STOPPED = 0
EXIT_ACCEPTOR_GONE = 1
EXIT_NOT_LOADED = 3
EXIT_PROTOCOL = 4

#: Bytes that cross the link at once, in either direction.
AREA = 256 * 1024


class Link(Protocol):
    """What node gives to the interpreter (src/runtimes/pyodide/worker-entry.ts). Sizes in bytes.

    Bytes cross in two areas of the interpreter's own memory, so that a call carries nothing but numbers.
    """

    #: What the worker is called in logs.
    number: int

    def attach(self, incoming: bytearray, outgoing: bytearray) -> None:
        """Says where the areas are."""

    def receive(self, patient: bool) -> int:
        """Puts the next bytes into the incoming area: how many. 0 when there are none, or when a signal is due."""

    def send(self, size: int) -> None:
        """Takes that many bytes from the outgoing area."""

    def claim(self, stream: int) -> bool:
        """True when that request may begin; False when the acceptor has taken it back."""

    def begun(self) -> int:
        """The last stream that was claimed or taken back."""

    def late(self) -> int:
        """The stream that a time-out wants to end."""

    def again(self) -> None:
        """Asks for the signal once more, a little later."""

    def open(self, path: str) -> int:
        """Opens a file of the acceptor's for reading. Raises OSError."""

    def read(self, file: int, offset: int, size: int) -> int:
        """Reads from such a file into the incoming area."""

    def size(self, file: int) -> int:
        """Its length."""

    def close(self, file: int) -> None:
        """Closes it."""

    def exit(self, status: int) -> None:
        """Ends the thread; does not return."""


class RequestTimedOut(BaseException):
    """Raised where an application stands when its request has run out of time.

    Not an Exception, so that ``except Exception`` in an application does not keep it going.
    """

    code = "request-timed-out"


def serve(link: Link) -> int:
    """Loads the application that START names and serves it until the acceptor says STOP; the exit status."""
    worker_streams()
    incoming, outgoing = bytearray(AREA), bytearray(AREA)
    link.attach(incoming, outgoing)
    port = _Port(link, memoryview(incoming), memoryview(outgoing))
    try:
        kind, _, _, data, start, end = port.first()
        if kind != frames.START:
            raise ProtocolError(f"a frame of type 0x{kind:02x} before START")
        startup = read_startup(data[start:end])
        packages.enable(startup.chdir or os.getcwd(), startup.pythonpath)
        loader.advise = packages.advice
        try:
            application = load_application(startup)
        except LoadError as error:
            port.send(frames.pack_fail(0, str(error)))
            return EXIT_NOT_LOADED
        environ.open_body_file = lambda path: io.BufferedReader(cast(io.RawIOBase, _AcceptorFile(port, path)), 65536)
        template = make_template(startup.environ, False, startup.multiprocess, ErrorStream())
        port.send(frames.pack_json(frames.READY, 0, introduce(startup, link.number)))
        gc.collect()
        gc.freeze()
        assignment = Assignment(
            application, template, copy_context(), startup.window, startup.graceful_timeout, _claims(link)
        )
        return EmbeddedWorker(assignment, port).serve()
    except ProtocolError as error:
        print(f"monoceros worker: the acceptor sent {error}", file=sys.__stderr__)
        return EXIT_PROTOCOL


def worker_streams() -> None:
    """Makes what an application prints seen at once, line by line."""
    for stream in (sys.stdout, sys.stderr):
        cast(Any, stream).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


class _Port:
    """Bytes and frames over a link."""

    def __init__(self, link: Link, incoming: memoryview, outgoing: memoryview) -> None:
        self.link = link
        self.incoming = incoming
        self._outgoing = outgoing

    def first(self) -> Frame:
        """The first frame, which is there by itself: nothing else is sent before READY."""
        reader = frames.FrameReader()
        while True:
            received = reader.receive(self.receive(True))
            if received:
                return received[0]

    def receive(self, patient: bool) -> bytes:
        return bytes(self.incoming[: self.link.receive(patient)])

    def send(self, data: Bytes) -> None:
        size = len(data)
        outgoing = self._outgoing
        if size <= AREA:
            outgoing[:size] = data
            self.link.send(size)
            return
        view = memoryview(data)
        for start in range(0, size, AREA):
            piece = view[start : start + AREA]
            outgoing[: len(piece)] = piece
            self.link.send(len(piece))


class EmbeddedWorker(SerialWorker):
    """Runs the exchanges of one acceptor in an embedded interpreter; see ``serve``."""

    def __init__(self, assignment: Assignment, port: _Port) -> None:
        super().__init__(assignment)
        self._port = port
        self._link = port.link

    def serve(self) -> int:
        signal.signal(signal.SIGALRM, self._on_time_out)
        return super().serve()

    # Reading and sending.

    def _receive(self, waiting: Optional[Exchange] = None) -> bool:
        while True:
            done = waiting is None and self._stopping and not self._tracked and not self._queue
            data = self._port.receive(not done or self._reader.wanted > 0)
            if data:
                received = self._reader.receive(data)
                if received:
                    self._sort(received, self._act)
                    return True
            elif done and not self._reader.wanted:
                return False

    def _act(self, frame: Frame) -> None:
        kind, _, _, _, _, _ = frame
        if kind == frames.STOP:
            self._stopping = True
        else:
            super()._act(frame)

    def _send(self, data: bytes) -> None:
        self._port.send(data)

    def _gather(self, parts: List[Bytes]) -> None:
        for part in parts:
            self._port.send(part)

    def _give_up(self, error: ProtocolError) -> NoReturn:
        print(f"monoceros worker: the acceptor sent {error}", file=sys.__stderr__)
        self._link.exit(EXIT_PROTOCOL)
        raise SystemExit(EXIT_PROTOCOL)

    # Time-outs.

    def _on_time_out(self, number: int, frame: Optional[FrameType]) -> None:
        """The handler of the signal by which the acceptor interrupts: raises in the application, if it is that late one."""
        exchange = self._current
        if exchange is None or exchange.stream != self._link.late() or not _runs(exchange, frame):
            return
        if frame is not None and _is_ours(frame):
            # In the middle of our own bookkeeping nothing may be raised; it is not where the time goes.
            self._link.again()
            return
        lines = "".join(traceback.format_stack(frame))
        stderr = sys.__stderr__
        if stderr is not None:
            stderr.write(f"The request ran out of time. Stack (most recent call last):\n{lines}")
            stderr.flush()
        raise RequestTimedOut("the request ran longer than the timeout")


def _runs(exchange: Exchange, frame: Optional[FrameType]) -> bool:
    """True when that exchange is being begun or resumed below ``frame``."""
    codes = (Exchange.begin.__code__, Exchange.resume.__code__)
    while frame is not None:
        if frame.f_code in codes and frame.f_locals.get("self") is exchange:
            return True
        frame = frame.f_back
    return False


_HERE = os.path.dirname(os.path.abspath(__file__))


def _is_ours(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    # Where an application waits for its client it is at the end of a stack of ours, and there is nothing to be spoilt.
    return path.startswith(_HERE) and frame.f_code not in (_Port.receive.__code__, EmbeddedWorker._receive.__code__)


class _Claims:
    """The ledger of an embedded worker: to write a stream is to claim it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __getitem__(self, index: int) -> int:
        return self._link.begun()

    def __setitem__(self, index: int, stream: int) -> None:
        if not self._link.claim(stream):
            raise TakenBack(stream)


def _claims(link: Link) -> MutableSequence[int]:
    return cast("MutableSequence[int]", _Claims(link))


class _AcceptorFile(io.RawIOBase):
    """A request body that the acceptor has put into a file of its own, which the interpreter does not see."""

    def __init__(self, port: _Port, path: str) -> None:
        super().__init__()
        self._port = port
        self._file = port.link.open(path)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: None}[whence]
        at = offset + (self._port.link.size(self._file) if base is None else base)
        if at < 0:
            raise OSError(22, "Invalid argument")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        size = self._port.link.read(self._file, self._at, min(len(buffer), AREA))
        buffer[:size] = self._port.incoming[:size]
        self._at += size
        return size

    def close(self) -> None:
        if not self.closed:
            self._port.link.close(self._file)
        super().close()


__all__ = ["EmbeddedWorker", "Link", "RequestTimedOut", "serve"]
