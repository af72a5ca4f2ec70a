"""PEP 3333, "Optional Platform-Specific File Handling"."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from typing import Any, Iterator, List

from .registry import TEXT, Environ, StartResponse, case, note, token_of

#: More than a server would put into one frame or one send.
CONTENT = b"0123456789abcdefghijklmnopqrstuvwxyz" * 5000
TAIL = len(CONTENT) - 10

#: The file that was served last, to be looked at afterwards.
SERVED: List[Any] = []


def real_file(content: bytes = CONTENT) -> Any:
    """A file on disk that has a name and goes away when it is closed."""
    file = tempfile.NamedTemporaryFile()
    file.write(content)
    file.flush()
    file.seek(0)
    return file


class NotingFile(io.FileIO):
    """A real file, opened unbuffered, that notes its close()."""

    token = ""

    def close(self) -> None:
        if not self.closed:
            note(self.token, "closed")
        super().close()


class OnlyRead:
    """File-like in the smallest sense: ``read`` with a size, and no close()."""

    def __init__(self, content: bytes) -> None:
        self.stream = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self.stream.read(size)


class ReadAndClose(OnlyRead):
    """The same with a close() that notes."""

    def __init__(self, content: bytes, token: str) -> None:
        super().__init__(content)
        self.token = token

    def close(self) -> None:
        note(self.token, "closed")


@case
def wraps(environ: Environ, start_response: StartResponse) -> Any:
    """Returns a file wrapper around the kind of file that ``X-File`` names."""
    wrapper = environ["wsgi.file_wrapper"]
    kind = environ["HTTP_X_FILE"]
    token = token_of(environ)
    headers = list(TEXT)
    if "HTTP_X_LENGTH" in environ:
        headers.append(("Content-Length", environ["HTTP_X_LENGTH"]))
    start_response("200 OK", headers)
    if kind == "file":
        return wrapper(real_file())
    if kind == "file with block size":
        return wrapper(real_file(), 100)
    if kind == "empty file":
        return wrapper(real_file(b""))
    if kind == "file at an offset":
        file = real_file()
        file.seek(TAIL)
        return wrapper(file)
    if kind == "file moved after wrapping":
        file = real_file()
        wrapped = wrapper(file)
        file.seek(TAIL)
        return wrapped
    if kind == "buffered file read in part":
        file = real_file()
        file.read(TAIL)
        return wrapper(file)
    if kind == "file growing":
        file = real_file(b"short")
        file.seek(0, os.SEEK_END)
        file.write(b" and more")
        file.flush()
        file.seek(0)
        return wrapper(file)
    if kind == "deleted file":
        file = real_file()
        os.unlink(file.name)
        file.delete = False
        return wrapper(file)
    if kind == "file with most of it left":
        file = real_file()
        file.seek(36)
        return wrapper(file)
    if kind == "plain file":
        with tempfile.NamedTemporaryFile(dir=os.environ["PEP3333_NOTES"], delete=False) as made:
            made.write(CONTENT)
        SERVED[:] = [open(made.name, "rb")]
        return wrapper(SERVED[0])
    if kind == "noting file":
        with tempfile.NamedTemporaryFile(dir=os.environ["PEP3333_NOTES"], delete=False) as made:
            made.write(CONTENT)
        noting = NotingFile(made.name)
        os.unlink(made.name)
        noting.token = token
        return wrapper(noting)
    if kind == "BytesIO":
        return wrapper(io.BytesIO(CONTENT))
    if kind == "BytesIO at an offset":
        stream = io.BytesIO(CONTENT)
        stream.seek(TAIL)
        return wrapper(stream)
    if kind == "only read":
        return wrapper(OnlyRead(b"only read"), 4)
    if kind == "read and close":
        return wrapper(ReadAndClose(b"read and close", token))
    if kind == "gzip":
        # A GzipFile has the fileno() of the compressed file, but read() gives what was compressed.
        return wrapper(gzip.GzipFile(fileobj=real_file(gzip.compress(b"plain"))))
    if kind == "pipe":
        reader, writer = os.pipe()
        os.write(writer, b"through a pipe")
        os.close(writer)
        return wrapper(os.fdopen(reader, "rb"))
    raise LookupError(kind)


@case
def file_was_closed(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Whether the plain file that was served last has been closed."""
    start_response("200 OK", TEXT)
    return [b"closed" if SERVED[0].closed else b"still open"]


@case
def wraps_and_uppercases(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """A middleware that changes what the wrapped file gives: it sees an iterable like any other."""
    token = token_of(environ)
    start_response("200 OK", TEXT)
    wrapped = environ["wsgi.file_wrapper"](ReadAndClose(b"lower case", token), 4)
    try:
        for block in wrapped:
            yield block.upper()
    finally:
        wrapped.close()


@case
def wraps_and_drops(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """A wrapper that is made and never returned must not have sent anything."""
    file = real_file()
    environ["wsgi.file_wrapper"](file)
    start_response("200 OK", TEXT)
    position = file.tell()
    file.close()
    return [b"other body, file at %d" % position]


@case
def wraps_middleware_file(environ: Environ, start_response: StartResponse) -> Any:
    """A middleware that puts a wrapper of its own into the environ: its object is no business of
    the server's.
    """

    class Wrapper:
        """Looks like a server's wrapper: it holds a real file, but gives something else."""

        def __init__(self, filelike: Any, block_size: int = 8192) -> None:
            self.filelike = filelike
            self.fileno = filelike.fileno

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"from the ", b"middleware"])

    environ["wsgi.file_wrapper"] = Wrapper
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](real_file())
