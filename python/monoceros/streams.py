"""The streams of an environ (PEP 3333): wsgi.input, wsgi.errors and wsgi.file_wrapper."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections import deque
from typing import Any, Callable, Deque, Iterable, NamedTuple, Optional, TextIO

from .frames import ABORT, BODY_PIECE, LAST, FrameError
from .stranger import has_type

#: How many bytes of a streamed request body the acceptor may send ahead of the application.
INPUT_WINDOW = 256 * 1024


class ClientGone(ConnectionAbortedError):
    """The client went away, or its body will never be complete, while the application worked for
    it.
    """

    code = "client-gone"


class BodyStream(io.RawIOBase):
    """A request body that is still arriving. The worker feeds it; the application reads it and may
    have to wait.

    ``wait(ready)`` blocks until ``ready()`` is true; ``grant(size)`` lets the acceptor send
    ``size`` bytes more. The first read grants INPUT_WINDOW; half of that is granted again
    when it has been read."""

    def __init__(
        self, wait: Callable[[Callable[[], bool]], None], grant: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._wait = wait
        self._grant = grant
        self._pieces: Deque[memoryview] = deque()
        self._ended = False
        self._aborted = False
        self._begun = False
        self._consumed = 0  # since the last grant

    # The reader's side.

    def take(self, data: bytes, flags: int) -> None:
        """Takes the payload and flags of a BODY frame. After an ABORT, reading past what has
        arrived raises ClientGone.

        Raises FrameError if the body has ended already.
        """
        if self._ended or self._aborted:
            raise FrameError("BODY after the end of a request's body")
        if data:
            self._pieces.append(memoryview(data))
        if flags == LAST:
            self._ended = True
        elif flags == ABORT:
            self._aborted = True

    # The application's side.

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Waits for at least one byte; 0 is the end of the body. Raises ClientGone."""
        if not self._begun:
            self._begun = True
            if not self._ended and not self._aborted:
                self._grant(INPUT_WINDOW)
        if not self._pieces and not self._ended:
            if not self._aborted:
                self._wait(self._ready)
            if not self._pieces and not self._ended:
                raise ClientGone("the client went away before its request body was complete")
        if not self._pieces:
            return 0
        piece = self._pieces.popleft()
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size < len(piece):
            self._pieces.appendleft(piece[size:])
        self._consumed += size
        if self._consumed * 2 >= INPUT_WINDOW and not self._ended and not self._aborted:
            self._grant(self._consumed)
            self._consumed = 0
        return size

    def _ready(self) -> bool:
        return bool(self._pieces) or self._ended or self._aborted


class ErrorStream:
    """wsgi.errors: writes text to ``stream``, and each complete line at once. All exchanges share
    it.

    Applications cannot close it, so one of them cannot take the log from the others.
    """

    def __init__(self, stream: Optional[TextIO] = None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text, which must be a str (PEP 3333). Returns how many characters."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors.write needs a str, not {type(text).__name__}")
        stream = self._stream or sys.__stderr__
        if stream is not None:
            stream.write(text)
            if "\n" in text:
                stream.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each str of ``lines``; adds no line ends."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes an incomplete line too."""
        stream = self._stream or sys.__stderr__
        if stream is not None:
            stream.flush()


class FilePart(NamedTuple):
    """A part of a real file. The acceptor can open and send it if it has a path that still exists
    after its close().
    """

    path: Optional[str]
    device: int
    inode: int
    offset: int
    length: int


def _on_disk(number: int) -> bool:
    return True


#: Whether an open file is on the disk, at the same path as here: only then the acceptor can open
#: it. An embedded interpreter, which has files in memory too, replaces this.
on_disk: Callable[[int], bool] = _on_disk


class FileWrapper:
    """wsgi.file_wrapper: an iterable over the blocks of a file-like object, from its position.

    If an application returns it around a real file, the acceptor sends the file itself, without the
    worker (PEP 3333 "Optional Platform-Specific File Handling").

    >>> list(FileWrapper(io.BytesIO(b"abcde"), 2))
    [b'ab', b'cd', b'e']
    """

    def __init__(self, filelike: Any, block_size: int = 8192) -> None:
        self.filelike = filelike
        self.block_size = block_size
        close = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration

    def part(self) -> Optional[FilePart]:
        """The part of the file to send; None if it must be read to know (a pipe, a GzipFile,
        ...)."""
        try:
            return _part_of(self.filelike)
        except Exception:  # a library's file may raise anything
            return None


def _part_of(filelike: Any) -> Optional[FilePart]:
    # Only Python's own binary files: the fileno() of other objects (GzipFile, a socket's makefile)
    # does not have the bytes that read() returns.
    tempfile = sys.modules.get("tempfile")
    # type: ignore[attr-defined]
    temporary = tempfile is not None and type(filelike) is tempfile._TemporaryFileWrapper
    if temporary:
        filelike = filelike.file
    kind = type(filelike)
    if kind is io.BufferedReader or kind is io.BufferedRandom:
        raw = filelike.raw
    elif kind is io.FileIO:
        raw = filelike
    else:
        return None
    if type(raw) is not io.FileIO or not raw.readable():
        return None
    if filelike.writable():
        filelike.flush()
    number = raw.fileno()
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        return None
    offset = filelike.tell()
    length = status.st_size - offset
    # The size of a file whose content is made on reading is not known: it is 0 in /proc and a page
    # in /sys. Files without blocks on a disk are read to their end.
    if length <= 0 or (status.st_blocks == 0 and length > BODY_PIECE):
        return None
    # Closing deletes a temporary file before the acceptor can open it.
    path = None if temporary or not on_disk(number) else _path_of(number, raw.name, status)
    return FilePart(path, status.st_dev, status.st_ino, offset, length)


def _path_of(number: int, name: Any, status: os.stat_result) -> Optional[str]:
    # A file may have been renamed, replaced or deleted since it was opened: the path must lead to
    # the same file.
    candidates = []
    try:
        candidates.append(os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass
    if isinstance(name, (str, bytes)):
        candidates.append(os.path.abspath(os.fsdecode(name)))
    for path in candidates:
        try:
            found = os.stat(path)
            path.encode("utf-8")
        except (OSError, ValueError):
            continue
        if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
            return path
    return None


def is_about_client(error: Optional[BaseException]) -> bool:
    """True when an error or its cause is only that the client has gone: nothing is wrong then."""
    seen = 0
    while error is not None and seen < 100:  # a chain may be a ring
        if has_type(error, ClientGone):
            return True
        # By the class's own slots: an application's class may have anything under these names.
        cause = BaseException.__dict__["__cause__"].__get__(error)
        hidden = BaseException.__dict__["__suppress_context__"].__get__(error)
        if cause is None and not hidden:
            cause = BaseException.__dict__["__context__"].__get__(error)
        error = cause
        seen += 1
    return False
