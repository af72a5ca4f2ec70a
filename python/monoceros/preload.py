"""The preload parent: it loads the application once, and forks a worker whenever its acceptor asks.

docs/reference/frames.md has its frames. What a worker shares with the others is the memory of this
process, so nothing is done here after the application is loaded that would write to it."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import warnings
from os import fork  # before the application can replace it
from select import POLLIN, poll
from signal import set_wakeup_fd
from signal import signal as set_handler
from typing import Any, Dict, Optional, Union

from . import exit_status, frames
from .channel import receive_some
from .codes import coded
from .entries import Entries
from .forked import settle_after_fork
from .frames import Frame, FrameError, FrameReader, protocol_error
from .loader import LoadError
from .native import Socket
from .preparation import prepare
from .stacks import StackObserver
from .startup import Startup, introduce, load_application, loaded_files
from .thread_starts import ThreadStarts
from .worker import (
    CONTROL,
    DATA,
    LEDGER,
    Channels,
    Preloaded,
    keep_stacks,
    load,
    patch,
    receive_startup,
    run,
    settle,
    show_title,
)


def main() -> int:
    """Runs the parent on the descriptors of a worker. Returns in a worker too, at its end: the exit
    status."""
    settle()
    channels = Channels.of(DATA, CONTROL, LEDGER)
    keep_stacks(channels.ledger)
    try:
        startup = receive_startup(channels.control)
        if startup is None:
            return exit_status.ACCEPTOR_GONE
        show_title("preload", startup)
        with ThreadStarts() as starts:
            preloaded = _load(startup, channels)
        if preloaded is None:
            return exit_status.NOT_LOADED
        channels.send(
            frames.pack_json(frames.READY, 0, introduce(startup, os.getpid(), preloaded.files))
        )
        warning = starts.warning()
        if warning is not None:
            channels.send(frames.pack_log(frames.WARNING, 0, coded("MONO5007", warning)))
        gc.collect()
        end = _Parent(channels).serve()
    except FrameError as error:
        text = protocol_error("preload parent", error)
        print(text, file=sys.__stderr__)
        return exit_status.PROTOCOL_ERROR
    if isinstance(end, int):
        return end
    return run(end, lambda startup, channels: load(startup, channels, preloaded))


def _load(startup: Startup, channels: Channels) -> Optional[Preloaded]:
    """Loads the application, after the configuration if that has hooks, which run in the workers.
    None if that fails; then the acceptor has been told why."""
    try:
        patch(startup)
        with StackObserver(channels.data, channels.control):
            configuration = prepare(startup, Entries(channels.send))
            application = load_application(startup)
            return Preloaded(application, loaded_files(), configuration)
    except LoadError as error:
        channels.send(frames.pack_fail(0, str(error)))
        return None


class _Parent:
    """Forks workers, and reports how they end; see ``serve``."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._children: Dict[int, int] = {}  # the numbers of the workers, by process
        self._stopping = False
        self._deaths = _ChildSignal()

    def serve(self) -> Union[int, Channels]:
        """Returns in the parent when its work is over, with the exit status, and in each forked
        worker, with its channels."""
        control = self._channels.control
        reader = FrameReader()
        waiting = poll()
        waiting.register(control.fileno(), POLLIN)
        waiting.register(self._deaths.number, POLLIN)
        while True:
            if self._stopping and not self._children:
                return exit_status.STOPPED
            for number, _ in waiting.poll():
                if number == self._deaths.number:
                    self._deaths.drain()
                    self._reap()
                    continue
                received = receive_some(control, reader)
                if received is None:
                    return exit_status.ACCEPTOR_GONE  # which the workers see for themselves
                for frame in received:
                    channels = self._handle(frame)
                    if channels is not None:
                        return channels

    def _handle(self, frame: Frame) -> Optional[Channels]:
        kind, _, stream, data, start, end = frame
        if kind == frames.FORK:
            return self._fork(stream, _read_fork(data[start:end]))
        if kind == frames.STOP:
            self._stopping = True
        elif kind != frames.GET_STACKS:
            raise FrameError(f"a frame of type 0x{kind:02x} to a preload parent")
        return None

    def _fork(self, number: int, request: Dict[str, str]) -> Optional[Channels]:
        """Returns the channels of the worker in the worker, and None in the parent."""
        ends = _Ends()
        try:
            ends.open(request["socket"], request["ledger"], request.get("lending"))
            _flush()
            gc.freeze()
            with warnings.catch_warnings():
                # Python 3.12 warns if there are threads, which ThreadStarts has done better.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = fork()
        except OSError as error:
            ends.close()
            text = f"the preload parent cannot fork: {error.strerror or error}"
            self._channels.send(frames.pack_fail(number, text))
            return None
        if pid == 0:
            self._deaths.restore()
            channels = ends.take()
            settle_after_fork()
            return channels
        ends.close()
        self._children[pid] = number
        self._channels.send(frames.pack_json(frames.FORKED, number, {"pid": pid}))
        return None

    def _reap(self) -> None:
        # Only its workers: the application may have started processes, and wait for them.
        for pid, number in list(self._children.items()):
            how: Dict[str, int] = {}
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
                if found == 0:
                    continue
                if os.WIFSIGNALED(status):
                    how["signal"] = os.WTERMSIG(status)
                else:
                    how["status"] = os.WEXITSTATUS(status)
            except ChildProcessError:
                pass  # the application has waited for it
            del self._children[pid]
            self._channels.send(frames.pack_json(frames.ENDED, number, how))


class _ChildSignal:
    """Makes a descriptor readable when a child has ended."""

    def __init__(self) -> None:
        self.number, self._writer = os.pipe()
        os.set_blocking(self.number, False)
        os.set_blocking(self._writer, False)
        self._wakeup = set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # A signal that has no handler in Python does not wake anybody. One of the application
        # stays, and is called as well.
        handler = signal.getsignal(signal.SIGCHLD)
        self._replaced = None if callable(handler) else handler
        if self._replaced is not None:
            set_handler(signal.SIGCHLD, lambda _number, _frame: None)

    def drain(self) -> None:
        """Forgets the signals so far."""
        try:
            while os.read(self.number, 4096):
                pass
        except BlockingIOError:
            pass

    def restore(self) -> None:
        """Puts everything back as the application has left it."""
        set_wakeup_fd(self._wakeup)
        if self._replaced is not None:
            set_handler(signal.SIGCHLD, self._replaced)
        os.close(self.number)
        os.close(self._writer)


class _Ends:
    """A worker's ends of its channels and its output, which the parent opens for it."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._ledger = -1
        self._lending: Optional[socket.socket] = None

    def open(self, path: str, ledger: str, lending: Optional[str]) -> None:
        """Connects to the acceptor four times: for the data channel, the control channel, standard
        output and standard error, in this order. With ``lending``, listens there for the acceptor,
        which lends clients' sockets. Raises OSError."""
        for _ in range(4):
            end = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._sockets.append(end)
            end.connect(path)
        self._ledger = os.open(ledger, os.O_RDWR | os.O_CLOEXEC)
        if lending is not None:
            self._lending = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._lending.bind(lending)
            self._lending.listen(1)

    def take(self) -> Channels:
        """In the worker: standard output and standard error are its own from now on."""
        data, control, output, errors = self._sockets
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        output.close()
        errors.close()
        return Channels.of(data.detach(), control.detach(), self._ledger, self._lending)

    def close(self) -> None:
        """In the parent, which does not need them."""
        for end in self._sockets:
            end.close()
        if self._lending is not None:
            self._lending.close()
        if self._ledger >= 0:
            os.close(self._ledger)


def _read_fork(payload: bytes) -> Dict[str, str]:
    try:
        value: Any = json.loads(payload.decode("utf-8"))
        request = {name: str(value[name]) for name in ("socket", "ledger")}
        if "lending" in value:
            request["lending"] = str(value["lending"])
        return request
    except (ValueError, KeyError, TypeError) as error:
        raise FrameError(f"cannot read FORK: {type(error).__name__}: {error}") from error


def _flush() -> None:
    """Writes what is buffered, which otherwise every worker would write again."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except BaseException:  # the application may have put anything there
            pass
