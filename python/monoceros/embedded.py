"""A worker inside of an embedded interpreter: one thread, and a link to node in the place of two
sockets.

The thread that runs this belongs to it alone: waiting for frames blocks it, as a socket would.
There is no second thread, so what the control thread of ``solo`` does is done otherwise: the
acceptor takes back by itself what has not begun (``Link.claim``), nothing that is finished is held
back while something else runs, and a request that runs out of time is interrupted by a signal."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
import traceback
from contextvars import copy_context
from enum import Enum
from functools import partial
from types import CodeType, FrameType
from typing import Any, Callable, List, MutableSequence, NoReturn, Optional, Protocol, cast

from monoceros_pyodide import absent, event_loop, executor, packages

from . import environ, exit_status, frames, loader, streams
from .channel import Assignment, TakenBack
from .environ import make_template
from .exchange import Exchange
from .frames import Frame, ProtocolError
from .leniency import Leniency
from .loader import LoadError
from .outbox import Bytes
from .serial import SerialWorker
from .startup import introduce, load_application, read_startup
from .streams import ErrorStream, FileWrapper
from .trace import is_import

#: Bytes that cross the link at once, in either direction.
AREA = 256 * 1024


class Link(Protocol):
    """What node gives to the interpreter, in src/runtimes/pyodide/worker/interpreter-link.ts.
    Sizes are in bytes.

    Bytes cross in two areas of the interpreter's own memory, so that a call carries nothing but
    numbers."""

    #: What the worker is called in logs.
    number: int

    def attach(self, incoming: bytearray, outgoing: bytearray) -> None:
        """Says where the areas are."""

    def receive(self, patient: bool) -> int:
        """Puts the next bytes into the incoming area: how many. 0 when there are none, or when a
        signal is due.
        """

    def waiting(self) -> bool:
        """True when ``receive`` would not wait. Cheap."""

    def send(self, size: int) -> None:
        """Takes that many bytes from the outgoing area."""

    def claim(self, stream: int) -> bool:
        """True when that request may begin; False when the acceptor has taken it back."""

    def begun(self) -> int:
        """The last stream that was claimed or taken back."""

    def late(self) -> int:
        """The stream that a time-out wants to end."""

    def interrupted(self, stream: int) -> None:
        """Says that the application has been interrupted in that stream."""

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

    def on_disk(self, descriptor: int) -> bool:
        """True when an open file of the interpreter's is one of the disk's, at the path that it has
        here.
        """

    def stands(self, stack: str) -> None:
        """Says where the application stands that is being loaded."""

    def serves(self) -> None:
        """Says that the application is loaded."""

    def exit(self, status: int) -> None:
        """Ends the thread; does not return."""


class RequestTimedOut(BaseException):
    """Raised where an application stands when its request has run out of time.

    Not an Exception, so that ``except Exception`` in an application does not keep it going.
    """

    code = "request-timed-out"


def serve(link: Link) -> int:
    """Loads the application that START names and serves it until the acceptor says STOP; the exit
    status.
    """
    _settle_output()
    _settle_signals()
    absent.install()
    event_loop.install()
    executor.install()
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
        # The acceptor asks for this when loading takes long. Nothing is raised: it may come to its
        # end yet.
        signal.signal(signal.SIGURG, lambda number, frame: link.stands(_loading_stack(frame)))
        try:
            application = load_application(startup)
        except LoadError as error:
            port.send(frames.pack_fail(0, str(error)))
            return exit_status.NOT_LOADED
        environ.open_body_file = lambda path: io.BufferedReader(
            cast(io.RawIOBase, _AcceptorFile(port, path)), 65536
        )
        streams.on_disk = link.on_disk
        template = make_template(startup.environ, False, startup.multiprocess, ErrorStream())
        port.send(frames.pack_json(frames.READY, 0, introduce(startup, link.number)))
        signal.signal(signal.SIGURG, _do_nothing)
        link.serves()
        gc.collect()
        gc.freeze()
        assignment = Assignment(
            application,
            template,
            copy_context(),
            startup.window,
            startup.graceful_timeout,
            _claims(link),
            Leniency(startup.strict),
        )
        return EmbeddedWorker(assignment, port).serve()
    except ProtocolError as error:
        print(f"monoceros worker: the acceptor sent {error}", file=sys.__stderr__)
        return exit_status.PROTOCOL_ERROR


def _settle_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Without this what an application prints would be seen when the buffer is full.
        cast(Any, stream).reconfigure(
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )


def _settle_signals() -> None:
    # Nobody sends these but the application itself; a worker that is a process does not end by them
    # either.
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), _do_nothing)


def _do_nothing(number: int, frame: object) -> None:
    return None


class _Port:
    """Bytes and frames over a link."""

    def __init__(self, link: Link, incoming: memoryview, outgoing: memoryview) -> None:
        self.link = link
        self.incoming = incoming
        self._outgoing = outgoing
        # To look up a method of node's costs more than to call it.
        self._receive = link.receive
        self._send = link.send

    def first(self) -> Frame:
        """The first frame, which is there by itself: nothing else is sent before READY."""
        reader = frames.FrameReader()
        while True:
            received = reader.receive(self.receive(True))
            if received:
                return received[0]

    def receive(self, patient: bool) -> bytes:
        return bytes(self.incoming[: self._receive(patient)])

    def send(self, data: Bytes) -> None:
        size = len(data)
        outgoing = self._outgoing
        if size <= AREA:
            outgoing[:size] = data
            self._send(size)
            return
        view = memoryview(data)
        for start in range(0, size, AREA):
            piece = view[start : start + AREA]
            outgoing[: len(piece)] = piece
            self._send(len(piece))


class EmbeddedWorker(SerialWorker):
    """Runs the exchanges of one acceptor in an embedded interpreter; see ``serve``."""

    def __init__(self, assignment: Assignment, port: _Port) -> None:
        super().__init__(assignment)
        self._port = port
        self._link = port.link
        # WebAssembly is optimised while it runs, but a call that is under way stays in the slow
        # code that it began in, and calls from Python to Python are one call of the evaluation
        # loop. So each turn begins another: partial() is no Python.
        self.turn = partial(self.turn)  # type: ignore[method-assign]
        self._interrupted = 0  # the last stream that was; once is enough, it may be cleaning up
        self._overdue = False  # the exchange that waits for frames is to be interrupted

    def serve(self) -> int:
        signal.signal(signal.SIGALRM, self._on_time_out)
        return super().serve()

    # Reading and sending.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        super().wait(exchange, ready)
        if self._overdue:
            self._overdue = False
            raise RequestTimedOut(_TIMED_OUT)

    def _receive(self, waiting: Optional[Exchange] = None) -> bool:
        if waiting is None and (self._queue or self._ready):
            return True  # it came while the end of a response was sent
        while True:
            done = waiting is None and self._stopping and not self._tracked and not self._queue
            data = self._port.receive(not done or self._reader.wanted > 0)
            if data:
                received = self._reader.receive(data)
                if received:
                    self._sort(received, self._act)
                    return True
            elif self._overdue or (done and not self._reader.wanted):
                return False

    def _act(self, frame: Frame) -> None:
        if frame[0] == frames.STOP:
            self._stopping = True
        else:
            super()._act(frame)

    def _look(self) -> None:
        """Acts upon what has come meanwhile: a long response is to learn that its client has
        gone."""
        while self._link.waiting():
            data = self._port.receive(False)
            if not data:
                return
            self._sort(self._reader.receive(data), self._act)

    def _send(self, data: bytes) -> None:
        self._port.send(data)
        current = self._current
        if current is not None and current.tracked and not current.cancelled:
            try:
                self._look()
            except ProtocolError as error:  # not to be caught by the application
                self._give_up(error)

    def _gather(self, parts: List[Bytes]) -> None:
        for part in parts:
            self._port.send(part)

    def _give_up(self, error: ProtocolError) -> NoReturn:
        print(f"monoceros worker: the acceptor sent {error}", file=sys.__stderr__)
        self._link.exit(exit_status.PROTOCOL_ERROR)
        raise SystemExit(exit_status.PROTOCOL_ERROR)

    # Time-outs.

    def _on_time_out(self, number: int, frame: Optional[FrameType]) -> None:
        """The handler of the signal by which the acceptor interrupts: raises in the application, if
        it is that late one.
        """
        exchange = self._current
        if (
            exchange is None
            or exchange.stream != self._link.late()
            or exchange.stream == self._interrupted
        ):
            return  # it has ended by itself meanwhile
        place = _place(exchange, frame)
        if place is _Place.OUTSIDE:
            return
        if place is _Place.OURS:
            # In the middle of our own bookkeeping nothing may be raised; it is not where the time
            # goes.
            self._link.again()
            return
        self._interrupted = exchange.stream
        self._link.interrupted(exchange.stream)
        exchange._log(frames.ERROR, f"the request ran out of time. {_application_stack(frame)}")
        # From now on nothing more is sent of it, and what it raises by this is no error of its own.
        exchange.cancelled = True
        if place is _Place.WAITING:
            self._overdue = True  # raised where what is being received cannot be lost
            return
        self.outbox.flush()
        raise RequestTimedOut(_TIMED_OUT)


_TIMED_OUT = "the request ran longer than the timeout"


class _Place(Enum):
    """Where the interpreter stands."""

    #: In no exchange, or in another one.
    OUTSIDE = 0
    #: In the gateway's code, or in what that calls for itself.
    OURS = 1
    #: In an application that waits for its client.
    WAITING = 2
    #: In an application, or in what that calls.
    APPLICATION = 3


_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_OURS = (_HERE, os.path.dirname(os.path.abspath(event_loop.__file__)) + os.sep)
#: Those of our functions that call an application's code.
_CALLERS = frozenset(
    function.__code__
    for function in (
        Exchange.begin,
        Exchange._open,
        Exchange._advance,
        Exchange._send_file,
        Exchange._close,
        FileWrapper.__next__,
    )
)
_WAITS = frozenset((EmbeddedWorker._receive.__code__, _Port.receive.__code__))
_RUNS = frozenset((Exchange.begin.__code__, Exchange.resume.__code__))


def _place(exchange: Exchange, frame: Optional[FrameType]) -> _Place:
    """Where ``frame`` stands, with respect to that exchange."""
    place = None
    current = frame
    while current is not None:
        code = current.f_code
        if code.co_filename.startswith(_HERE):
            if place is None:
                if current is not frame and code in _CALLERS:
                    place = _Place.APPLICATION
                elif code in _WAITS:
                    place = _Place.WAITING
                else:
                    place = _Place.OURS
            elif place is _Place.WAITING and code is SerialWorker.turn.__code__:
                return _Place.OUTSIDE
            if code in _RUNS:
                return place if current.f_locals.get("self") is exchange else _Place.OUTSIDE
        current = current.f_back
    return _Place.OUTSIDE


def _application_stack(frame: Optional[FrameType]) -> str:
    """Where the application stands, without what is around it."""
    return _stack(frame, lambda code: code.co_filename.startswith(_OURS))


def _loading_stack(frame: Optional[FrameType]) -> str:
    """Where the application stands that is being loaded, without what is around it and without the
    import machinery.
    """
    return _stack(frame, _is_around_loading)


def _is_around_loading(code: CodeType) -> bool:
    name = code.co_filename
    # <exec> is what node runs to call us, and _pyodide what runs that.
    return name.startswith(_OURS) or name == "<exec>" or "/_pyodide/" in name or is_import(name)


def _stack(frame: Optional[FrameType], hidden: Callable[[CodeType], bool]) -> str:
    entries = []
    while frame is not None and frame.f_code not in _RUNS:
        if not hidden(frame.f_code):
            entries.append((frame, frame.f_lineno))
        frame = frame.f_back
    stack = traceback.StackSummary.extract(iter(reversed(entries)))
    return "Stack (most recent call last):\n" + "".join(stack.format()).rstrip("\n")


class _Claims:
    """The ledger of an embedded worker: to write a stream is to claim it."""

    def __init__(self, link: Link) -> None:
        self._begun = link.begun
        self._claim = link.claim

    def __getitem__(self, index: int) -> int:
        return self._begun()

    def __setitem__(self, index: int, stream: int) -> None:
        if not self._claim(stream):
            raise TakenBack(stream)


def _claims(link: Link) -> MutableSequence[int]:
    return cast("MutableSequence[int]", _Claims(link))


class _AcceptorFile(io.RawIOBase):
    """A request body that the acceptor has put into a file of its own, which the interpreter does
    not see.
    """

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
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
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
