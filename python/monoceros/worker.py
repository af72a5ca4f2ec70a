"""The worker process: opens its channels, loads the application, and serves until STOP."""

from __future__ import annotations

import faulthandler
import gc
import mmap
import os
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Callable, List, MutableSequence, NamedTuple, cast

from . import exit_status, frames
from .channel import Service
from .cooperative import CooperativeWorker
from .entries import Entries
from .environ import make_template
from .frames import FrameError, FrameReader, protocol_error
from .loader import LoadError
from .native import Socket, cooperative_wait
from .preparation import prepare
from .process_title import set_process_title
from .scheduling import schedule_as_batch
from .solo import SoloWorker
from .stacks import StackObserver
from .startup import Startup, introduce, load_application, read_startup
from .streams import ErrorStream
from .threaded import ThreadedWorker

if TYPE_CHECKING:
    from .configuration import Configuration
    from .worker_hooks import WorkerHooks

#: The descriptors that a worker inherits.
DATA = 3
CONTROL = 4
LEDGER = 5
#: Only if START has ``lend``.
LENDING = 6


class Channels(NamedTuple):
    """What connects a worker to its acceptor. ``ledger`` is a descriptor."""

    data: socket.socket
    control: socket.socket
    ledger: int
    #: Of a forked worker: where the acceptor has connected to lend clients' sockets.
    lending: socket.socket | None = None

    @classmethod
    def of(
        cls, data: int, control: int, ledger: int, lending: socket.socket | None = None
    ) -> Channels:
        """Takes the descriptors for this process alone: no process that the application starts or
        forks keeps the channels open after the worker's end."""
        channels = cls(_take_socket(data), _take_socket(control), ledger, lending)
        os.set_inheritable(ledger, False)
        os.register_at_fork(after_in_child=channels.close)
        return channels

    def close(self) -> None:
        """Closes both channels, which also may have been closed before."""
        self.data.close()
        self.control.close()
        if self.lending is not None:
            self.lending.close()

    def lending_channel(self) -> socket.socket:
        """The lending channel, which there is if START has ``lend``."""
        listener = self.lending
        if listener is None:
            return _take_socket(LENDING)
        # Not accept(): with gevent, that makes a socket of gevent.
        number, _ = cast(Any, listener)._accept()
        listener.close()
        return _take_socket(number)

    def send(self, frame: bytes) -> None:
        """Sends a frame to an acceptor that may be gone, which the control channel shows too."""
        try:
            self.data.sendall(frame)
        except OSError:
            pass


class Loaded(NamedTuple):
    """What a worker serves."""

    application: Any
    entries: Entries
    hooks: WorkerHooks | None = None
    #: What was loaded, if a preload parent has found it out: looking at each module would write to
    #: its page, which then is no longer shared.
    files: List[str] | None = None


class Preloaded(NamedTuple):
    """What a preload parent hands down to its workers."""

    application: Any
    files: List[str]
    #: The configuration that has hooks, if there is one.
    configuration: Configuration | None


def main() -> int:
    """Runs the worker on the file descriptors 3 (data), 4 (control) and 5 (ledger). Returns the
    exit status."""
    settle()
    channels = Channels.of(DATA, CONTROL, LEDGER)
    return run(channels, load)


def run(channels: Channels, load: Callable[[Startup, Channels], Loaded | None]) -> int:
    """Reads START, and serves what ``load`` returns. Returns the exit status."""
    ledger = _map_ledger(channels.ledger)
    try:
        startup = receive_startup(channels.control)
        if startup is None:
            return exit_status.ACCEPTOR_GONE
        show_title("worker", startup)
        loaded = load(startup, channels)
        if loaded is None:
            return exit_status.NOT_LOADED
        return _serve(startup, loaded, channels, ledger)
    except FrameError as error:
        text = protocol_error("worker", error)
        print(text, file=sys.__stderr__)
        return exit_status.PROTOCOL_ERROR


def show_title(role: str, startup: Startup) -> None:
    if startup.name is not None:
        set_process_title(role, startup.name)


def settle() -> None:
    """Makes the process ready to load an application: its output, its signals and its
    environment."""
    # A program of Node.js that the application starts would take this channel for its own.
    os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
    if os.environ.pop("NODE_CHANNEL_FD", None) is not None:
        os.set_inheritable(LENDING, False)
    schedule_as_batch()
    _settle_output()
    _settle_signals()


def load(startup: Startup, channels: Channels, preloaded: Preloaded | None = None) -> Loaded | None:
    """Loads the application, unless a preload parent has, and calls the hooks around that. None if
    that fails; then the acceptor has been told why."""
    hooks: WorkerHooks | None = None
    entries = Entries(channels.send)
    try:
        if preloaded is None:
            patch(startup)
        with StackObserver(channels.data, channels.control):
            configuration = None if preloaded is None else preloaded.configuration
            configuration = prepare(startup, entries, configuration, preloaded is None)
            if startup.config is not None and configuration is not None:
                # Imported here, because a worker without hooks needs nothing of it.
                from .worker_hooks import WorkerHooks

                application = startup.application
                hooks = WorkerHooks(configuration, startup.config, application, entries)
                hooks.forked()
            application = load_application(startup) if preloaded is None else preloaded.application
            if hooks is not None:
                hooks.loaded(application)
            files = None if preloaded is None else preloaded.files
            return Loaded(application, entries, hooks, files)
    except LoadError as error:
        channels.send(frames.pack_fail(0, str(error)))
        if hooks is not None:
            hooks.exit()
        return None


def patch(startup: Startup) -> None:
    """Patches the standard library if the class of the worker needs that. Call it before all else:
    what is imported earlier would keep the functions that wait. Raises LoadError."""
    if startup.worker_class == "gevent":
        from . import gevent_patch

        gevent_patch.patch()


def _serve(
    startup: Startup, loaded: Loaded, channels: Channels, ledger: MutableSequence[int]
) -> int:
    application, entries, hooks, files = loaded
    concurrent = startup.threads > 1 or startup.worker_class == "gevent"
    template = make_template(startup.environ, concurrent, startup.multiprocess, ErrorStream())
    channels.send(frames.pack_json(frames.READY, 0, introduce(startup, os.getpid(), files)))
    # The application's objects live as long as the worker, so garbage collection can skip them.
    gc.collect()
    gc.freeze()
    service = Service.of(startup, application, template, ledger)
    if hooks is not None:
        service = hooks.service(service, ledger)
    worker = _worker(startup, service, channels)
    # The hooks of an exchange run in its own thread, which a lender would not return to.
    if startup.lend > 0 and hooks is None:
        _lend(worker, startup.lend / 1000, channels)
    entries.through(worker.outbox)
    try:
        return worker.serve()
    finally:
        entries.through(None)
        if hooks is not None:
            hooks.served()


def _lend(worker: SoloWorker | ThreadedWorker, patience: float, channels: Channels) -> None:
    from .lending import Lender

    if isinstance(worker, ThreadedWorker) and cooperative_wait() is not None:
        return  # its main thread does not poll
    worker.lend_from(Lender(channels.lending_channel(), patience, worker.outbox, worker.sent))


def _worker(startup: Startup, service: Service, channels: Channels) -> SoloWorker | ThreadedWorker:
    data, control = channels.data, channels.control
    if startup.worker_class == "gevent":
        from .gevent_worker import GeventWorker

        return GeventWorker(service, data, control)
    if startup.threads > 1:
        return ThreadedWorker(startup.threads, service, data, control)
    wait = cooperative_wait()
    if wait is not None:
        return CooperativeWorker(service, data, control, wait)
    return SoloWorker(service, data, control)


def receive_startup(control: socket.socket) -> Startup | None:
    """The first frame of the control channel. None if the acceptor is gone before it has sent
    one."""
    # Reads exactly the bytes of START: the control thread reads what follows.
    header = _receive_exactly(control, frames.HEADER_SIZE)
    if header is None:
        return None
    reader = FrameReader()
    received = reader.receive(header)
    if not received:
        length = frames.unpack_header(header)[0]
        payload = _receive_exactly(control, length)
        if payload is None:
            return None
        received = reader.receive(payload)
    kind, _, _, data, start, end = received[0]
    if kind != frames.START:
        raise FrameError(f"a frame of type 0x{kind:02x} before START")
    return read_startup(data[start:end])


def _receive_exactly(channel: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def _take_socket(number: int) -> socket.socket:
    os.set_inheritable(number, False)
    channel = Socket(fileno=number)
    channel.setblocking(True)
    return channel


def _map_ledger(file: int) -> MutableSequence[int]:
    if os.fstat(file).st_size < 4:
        os.ftruncate(file, 4)
    memory = mmap.mmap(file, 4)
    keep_stacks(file)
    if sys.byteorder == "little":
        return cast(MutableSequence[int], memoryview(memory).cast("I"))
    return cast(MutableSequence[int], _Ledger(memory))


def keep_stacks(file: int) -> None:
    """On SIGURG, writes the stacks of all threads after the ledger; the process continues.

    For an import that does not release the interpreter's lock, so that the StackObserver cannot
    run: faulthandler needs no lock. SIGURG, because it is ignored if the application has removed
    the handler."""
    os.lseek(file, 0, os.SEEK_END)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGURG, file=file, all_threads=True)


class _Ledger:
    """The ledger on a machine with another byte order."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    def __getitem__(self, index: int) -> int:
        return int(struct.unpack_from("<I", self._memory, 4 * index)[0])

    def __setitem__(self, index: int, value: int) -> None:
        struct.pack_into("<I", self._memory, 4 * index, value)


def _settle_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Otherwise the application's output would appear only when the pipe's buffer is full.
        cast(Any, stream).reconfigure(
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    # The acceptor sends SIGABRT to a worker that exceeds its time: Python prints the stacks, and
    # the process ends.
    faulthandler.enable(file=2, all_threads=True)


def _settle_signals() -> None:
    # A Ctrl-C reaches the whole process group, but the acceptor decides when a worker ends. The
    # handlers do nothing; SIG_IGN would be inherited by programs that the application starts.
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), _do_nothing)


def _do_nothing(number: int, frame: object) -> None:
    return None
