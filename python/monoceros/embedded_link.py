"""The link of an embedded interpreter to node, in the place of sockets, the ledger and files."""

from __future__ import annotations

import errno
import io
import os
from typing import Any, MutableSequence, Protocol, cast

from . import frames
from .channel import TakenBack
from .frames import Frame
from .outbox import Bytes

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
        """Passes the areas on."""

    def receive(self, patient: bool) -> int:
        """Puts the next bytes into the incoming area and returns how many; 0 if there are none, or
        if a signal is due.
        """

    def waiting(self) -> bool:
        """True if ``receive`` would not wait. Cheap."""

    def send(self, size: int) -> None:
        """Takes that many bytes from the outgoing area."""

    def claim(self, stream: int) -> bool:
        """True if that request may begin; False if the acceptor has taken it back."""

    def begun(self) -> int:
        """The last stream that was claimed or taken back."""

    def late(self) -> int:
        """The stream that ran out of time."""

    def shown(self) -> int:
        """The stream whose stack is to be logged."""

    def shown_after(self) -> int:
        """The milliseconds for which it has run."""

    def sampled(self) -> int:
        """The profile that is being taken, or was taken last; its number in INSPECT."""

    def sampling(self) -> bool:
        """Whether it is still being taken."""

    def hertz(self) -> int:
        """Its samples a second."""

    def interrupted(self, stream: int) -> None:
        """The application has been interrupted in that stream."""

    def again(self) -> None:
        """Asks for the signal again, a little later."""

    def open(self, path: str) -> int:
        """Opens one of the acceptor's files for reading. Raises OSError."""

    def read(self, file: int, offset: int, size: int) -> int:
        """Reads from such a file into the incoming area."""

    def size(self, file: int) -> int:
        """Its length."""

    def close(self, file: int) -> None:
        """Closes it."""

    def on_disk(self, descriptor: int) -> bool:
        """True if an open file of the interpreter is on the disk, at the path that it has here."""

    def report_stack(self, stack: str) -> None:
        """Reports where the application is while it is being loaded."""

    def serves(self) -> None:
        """The application is loaded."""

    def exit(self, status: int) -> None:
        """Ends the thread; does not return."""


class Port:
    """Bytes and frames over a link."""

    def __init__(self, link: Link, incoming: memoryview, outgoing: memoryview) -> None:
        self.link = link
        self.incoming = incoming
        self._outgoing = outgoing
        # Looking up a method of a node object costs more than calling it.
        self._receive = link.receive
        self._send = link.send

    def first(self) -> Frame:
        """The first frame. Nothing else is sent before READY."""
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


class Claims:
    """The ledger of an embedded worker. Writing a stream claims it."""

    def __init__(self, link: Link) -> None:
        self._begun = link.begun
        self._claim = link.claim

    def __getitem__(self, index: int) -> int:
        return self._begun()

    def __setitem__(self, index: int, stream: int) -> None:
        if not self._claim(stream):
            raise TakenBack(stream)


def make_ledger(link: Link) -> MutableSequence[int]:
    return cast("MutableSequence[int]", Claims(link))


class AcceptorFile(io.RawIOBase):
    """A request body in a file of the acceptor, which the interpreter does not see."""

    def __init__(self, port: Port, path: str) -> None:
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
