"""The stacks of all threads while the application is loaded, for the acceptor's GET_STACKS."""

from __future__ import annotations

import socket
import sys
from _thread import allocate_lock, get_ident, start_new_thread
from select import POLLIN, poll
from types import FrameType
from typing import List, Optional

from . import frames
from .channel import Pipe

#: How many frames of a thread are shown, as by faulthandler: the innermost ones.
_MOST_FRAMES = 100
_MOST_THREADS = 100


class StackObserver:
    """Answers GET_STACKS with STACKS while the application is being loaded, in its own thread.

    It reads the other threads' stacks while it has the interpreter's lock, so that none of them
    moves. It does not disturb them, as a signal would, which ends a waiting system call. It uses
    functions that were imported before the application, which may replace them."""

    def __init__(self, data: socket.socket, control: socket.socket) -> None:
        self._data = data
        self._control = control
        self._main = get_ident()
        self._loaded = Pipe()
        self._ended = allocate_lock()

    def __enter__(self) -> None:
        self._ended.acquire()
        start_new_thread(self._attend, ())

    def __exit__(self, *_error: object) -> None:
        """After this, both channels belong to the caller."""
        self._loaded.wake()
        self._ended.acquire()
        self._loaded.close()

    def _attend(self) -> None:
        try:
            waiting = poll()
            waiting.register(self._control.fileno(), POLLIN)
            waiting.register(self._loaded.number, POLLIN)
            while all(number != self._loaded.number for number, _ in waiting.poll()):
                # Other frames stay in the channel for the worker, which reads it later.
                header = self._control.recv(frames.HEADER_SIZE, socket.MSG_PEEK)
                if (
                    len(header) < frames.HEADER_SIZE
                    or frames.unpack_header(header)[1] != frames.GET_STACKS
                ):
                    break
                self._control.recv(frames.HEADER_SIZE)
                text = describe_threads(self._main, get_ident())
                self._data.sendall(
                    frames.pack(frames.STACKS, 0, 0, text.encode("utf-8", "backslashreplace"))
                )
        except OSError:  # the acceptor is gone
            pass
        finally:
            self._ended.release()


def describe_threads(main: int, hidden: int) -> str:
    """The stacks of all threads except ``hidden``, in the form of faulthandler, with ``main`` as
    the current one."""
    parts: List[str] = []
    for number, frame in list(sys._current_frames().items())[:_MOST_THREADS]:
        if number != hidden:
            what = "Current thread" if number == main else "Thread"
            parts.append(
                f"{what} 0x{number:016x} (most recent call first):\n{describe_stack(frame)}"
            )
    return "\n".join(parts)


def describe_stack(frame: Optional[FrameType]) -> str:
    """A stack in the form of faulthandler: the innermost frame first."""
    lines = []
    while frame is not None and len(lines) < _MOST_FRAMES:
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}\n')
        frame = frame.f_back
    return "".join(lines)
