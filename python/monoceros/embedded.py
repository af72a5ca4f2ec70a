"""A worker in an embedded interpreter: one thread, with a link to node instead of two sockets.

It has its thread to itself: waiting for frames blocks it, as reading a socket would. There is no
second thread like the control thread of ``solo``. Instead, the acceptor itself takes back what has
not begun (``Link.claim``), no finished response is held back while something else runs, and a
signal interrupts a request that runs out of time."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, List, NoReturn, Optional, cast

import monoceros
from monoceros_pyodide import absent, event_loop, executor, packages

from . import environ, exit_status, frames, loader, streams
from .channel import Service
from .codes import coded
from .embedded_link import AREA, AcceptorFile, Link, Port, make_ledger
from .embedded_timeout import (
    Place,
    application_stack,
    loading_stack,
    place_of,
)
from .entries import Entries
from .environ import make_template
from .exchange import Exchange
from .frames import Frame, FrameError, protocol_error
from .loader import LoadError
from .outbox import Bytes
from .serial import SerialWorker
from .startup import Startup, introduce, load_application, read_startup
from .streams import ErrorStream
from .timed_out import TIMED_OUT, RequestTimedOut
from .trace import slow_request

if TYPE_CHECKING:
    from .embedded_samples import EmbeddedSamples
    from .worker_hooks import WorkerHooks


def serve(link: Link) -> int:
    """Loads the application that START names and serves it until STOP. Returns the exit status."""
    # The application may be in a program that calls monoceros.run().
    monoceros._role = "worker"
    _settle_output()
    _settle_signals()
    absent.install()
    event_loop.install()
    executor.install()
    incoming, outgoing = bytearray(AREA), bytearray(AREA)
    link.attach(incoming, outgoing)
    port = Port(link, memoryview(incoming), memoryview(outgoing))
    try:
        kind, _, _, data, start, end = port.first()
        if kind != frames.START:
            raise FrameError(f"a frame of type 0x{kind:02x} before START")
        startup = read_startup(data[start:end])
        packages.enable(startup.chdir or os.getcwd(), startup.pythonpath)
        loader.advise = packages.advice
        # The acceptor asks for this if loading takes long. Nothing is raised: it may still succeed.
        signal.signal(signal.SIGURG, lambda number, frame: link.report_stack(loading_stack(frame)))
        entries = Entries(port.send)
        hooks: Optional[WorkerHooks] = None
        try:
            if startup.config is not None or startup.logging is not None:
                hooks = _prepare(startup, entries)
            application = load_application(startup)
            if hooks is not None:
                hooks.loaded(application)
        except LoadError as error:
            port.send(frames.pack_fail(0, str(error)))
            if hooks is not None:
                hooks.exit()
            return exit_status.NOT_LOADED
        environ.open_body_file = lambda path: io.BufferedReader(
            cast(io.RawIOBase, AcceptorFile(port, path)), 65536
        )
        streams.on_disk = link.on_disk
        template = make_template(startup.environ, False, startup.multiprocess, ErrorStream())
        port.send(frames.pack_json(frames.READY, 0, introduce(startup, link.number)))
        signal.signal(signal.SIGURG, _do_nothing)
        link.serves()
        gc.collect()
        gc.freeze()
        ledger = make_ledger(link)
        service = Service.of(startup, application, template, ledger)
        if hooks is None:
            return EmbeddedWorker(service, port).serve()
        worker = EmbeddedWorker(hooks.service(service, ledger), port)
        try:
            return worker.serve()
        finally:
            hooks.served()
    except FrameError as error:
        text = protocol_error("worker", error)
        print(text, file=sys.__stderr__)
        return exit_status.PROTOCOL_ERROR


def _prepare(startup: Startup, entries: Entries) -> Optional[WorkerHooks]:
    """Runs the configuration, sets up logging, and calls the hooks that come before the
    application. Raises LoadError."""
    # Imported here, because a worker without it needs nothing of it.
    from .preparation import prepare

    logging = startup.logging
    if logging is not None:
        # There is no network for metrics.
        logging = {name: value for name, value in logging.items() if name != "statsd"}
    configuration = prepare(startup._replace(logging=logging), entries)
    if startup.config is None or configuration is None:
        return None
    from .embedded_hooks import EmbeddedHooks

    hooks = EmbeddedHooks(configuration, startup.config, startup.application, entries)
    hooks.forked()
    return hooks


def _settle_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Otherwise the application's output would appear only when the buffer is full.
        cast(Any, stream).reconfigure(
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )


def _settle_signals() -> None:
    # Only the application itself sends these. They do not end a worker process either.
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), _do_nothing)


def _do_nothing(number: int, frame: object) -> None:
    return None


class EmbeddedWorker(SerialWorker):
    """Runs the exchanges of one acceptor in an embedded interpreter; see ``serve``."""

    def __init__(self, service: Service, port: Port) -> None:
        super().__init__(service)
        self._port = port
        self._link = port.link
        # WebAssembly is optimised while it runs, but a call that has begun continues in the slow
        # code, and calls from Python to Python are one call of the evaluation loop. partial() is
        # not Python code, so that each turn is another call.
        self.turn = partial(self.turn)  # type: ignore[method-assign]
        self._interrupted = 0  # the last stream that was; only once, as it may be cleaning up
        self._missed = 0  # signals that came while our code ran
        self._samples_now = False
        self._samples: Optional[EmbeddedSamples] = None  # made for the first profile
        self._overdue = False  # the exchange that waits for frames is to be interrupted

    def serve(self) -> int:
        signal.signal(signal.SIGALRM, self._on_time_out)
        signal.signal(signal.SIGURG, self._on_slow)
        signal.signal(signal.SIGPROF, self._on_sample)
        return super().serve()

    # Reading and sending.

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        super().wait(exchange, ready)
        if self._overdue:
            self._overdue = False
            raise RequestTimedOut(TIMED_OUT)

    def _receive(self, waiting: Optional[Exchange] = None) -> bool:
        if waiting is None and (self._queue or self._ready):
            return True  # it arrived while the end of a response was sent
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
        """Handles the frames that have arrived, so that a long response notices that its client has
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
            except FrameError as error:  # not to be caught by the application
                self._give_up(error)

    def _gather(self, parts: List[Bytes]) -> None:
        for part in parts:
            self._port.send(part)

    def _give_up(self, error: FrameError) -> NoReturn:
        text = protocol_error("worker", error)
        print(text, file=sys.__stderr__)
        self._link.exit(exit_status.PROTOCOL_ERROR)
        raise SystemExit(exit_status.PROTOCOL_ERROR)

    # Profiles.

    def _on_sample(self, number: int, frame: Optional[FrameType]) -> None:
        """Handles the signal of a sample, and of the end of a profile."""
        if self._samples_now:
            return  # it has come in the middle of the one before, or of the import below
        self._samples_now = True
        try:
            if self._samples is None:
                from .embedded_samples import EmbeddedSamples

                self._samples = EmbeddedSamples(self._link)
            answer = self._samples.signalled(frame)
            if answer is not None:
                self.outbox.put(answer)
                # The signal may have come while this thread sends something.
                self.outbox.flush_within(0)
        except Exception:
            pass  # no memory: there is a sample less
        finally:
            self._samples_now = False

    # Timeouts.

    def _on_slow(self, number: int, frame: Optional[FrameType]) -> None:
        """Handles the signal by which the acceptor has the stack of a request logged."""
        exchange = self._current
        if exchange is None or exchange.stream != self._link.shown():
            return  # it has ended in the meantime
        if place_of(exchange, frame, _WAITS) is Place.OUTSIDE:
            return
        seconds = self._link.shown_after() / 1000
        exchange._log(
            frames.WARNING, coded("MONO4010", slow_request(seconds, application_stack(frame)))
        )
        # The signal may have come while this thread sends something.
        self.outbox.flush_within(0)

    def _on_time_out(self, number: int, frame: Optional[FrameType]) -> None:
        """Handles the signal by which the acceptor interrupts a request: raises in the application
        if it works on that request."""
        exchange = self._current
        if (
            exchange is None
            or exchange.stream != self._link.late()
            or exchange.stream == self._interrupted
        ):
            return  # it has ended in the meantime
        place = place_of(exchange, frame, _WAITS)
        if place is Place.OUTSIDE:
            return
        if place is Place.OURS:
            # An exception would break the gateway's own state; and the time is not spent there.
            self._missed += 1
            for _ in range(self._missed % _SHIFTS):
                pass
            self._link.again()
            return
        self._interrupted = exchange.stream
        self._link.interrupted(exchange.stream)
        text = f"the request ran out of time. {application_stack(frame)}"
        exchange._log(frames.ERROR, coded("MONO4011", text))
        # From now on nothing more of it is sent, and the exception is not the application's error.
        exchange.cancelled = True
        if place is Place.WAITING:
            self._overdue = True  # raised later, where no received bytes are lost
            return
        self.outbox.flush()
        raise RequestTimedOut(TIMED_OUT)


# The interpreter looks for signals at each fiftieth of the places where it may. A loop of the
# application passes as many places each time, so that it could be always our code that is met. For
# that, each new try passes another number of places first, below this one.
_SHIFTS = 53

_WAITS = frozenset((EmbeddedWorker._receive.__code__, Port.receive.__code__))

__all__ = ["EmbeddedWorker", "Link", "RequestTimedOut", "serve"]
