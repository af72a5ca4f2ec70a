"""Makes an environ of a REQUEST frame: the marshalled variables, those that the worker adds, and
the input stream."""

from __future__ import annotations

import io
import marshal
import struct
from typing import Any, BinaryIO, Callable, Dict, Optional

from . import frames
from .frames import unpack_u32
from .streams import BodyStream, ErrorStream, FileWrapper

Environ = Dict[str, Any]


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


#: Opens the file that holds a request's body. An embedded interpreter does not see the acceptor's
#: files, and replaces this.
open_body_file: Callable[[str], BinaryIO] = _open

#: The first byte of an environ in two parts; see docs/reference/frames.md.
SHARED = 0x53  # 'S'

#: Shared parts that were read, each with the environ that they make over a template. A client's
#: requests have the same one, and so have many clients: to copy a dict costs a fifth of making it
#: again. Bounded in number and size, because clients decide what is in them; if there are too many,
#: those in use are soon added again.
_BASES_LIMIT = 256
_BASE_SIZE_LIMIT = 2048
Bases = Dict[bytes, Environ]


def make_template(
    extra: Dict[str, str], multithread: bool, multiprocess: bool, errors: ErrorStream
) -> Environ:
    """The variables that all environs have in common (PEP 3333 "environ Variables"); ``extra`` is
    from START."""
    return {
        **extra,
        "wsgi.version": (1, 0),
        "wsgi.errors": errors,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        # Only places: the dict that is made of this one does not have to grow again.
        "wsgi.input": None,
        "wsgi.early_hints": None,
    }


#: Only places, as above. Not in the template: a `pythonApp` may send environs without them.
_PLACES = {"RAW_URI": "", "REQUEST_URI": "", "PATH_INFO": "", "REMOTE_PORT": ""}


def _read_in_two(template: Environ, bases: Bases, data: bytes, start: int, end: int) -> Environ:
    """The environ whose shared part is ``data[start:…]``, with its length before it."""
    middle = start + 2 + (data[start] | data[start + 1] << 8)
    if middle > end:
        raise ValueError("the shared part is longer than the environ")
    shared = data[start + 2 : middle]
    base = bases.get(shared)
    if base is None:
        base = {**template, **_PLACES, **marshal.loads(shared)}
        if len(shared) <= _BASE_SIZE_LIMIT:
            if len(bases) >= _BASES_LIMIT:
                bases.clear()
            bases[shared] = base
    environ = base.copy()
    uri, port, path, query, others = marshal.loads(data[middle:end])
    environ["RAW_URI"] = environ["REQUEST_URI"] = uri
    environ["PATH_INFO"] = uri if path is None else path
    environ["REMOTE_PORT"] = port
    if query is not None:
        environ["QUERY_STRING"] = query
    if others is not None:
        environ.update(others)
    return environ


def read_environ(
    template: Environ,
    bases: Bases,
    flags: int,
    data: bytes,
    start: int,
    end: int,
    stream: Optional[BodyStream],
) -> Environ:
    """The environ of the REQUEST whose payload is ``data[start:end]``: a fresh dict that the
    application may change.

    ``bases`` is kept from one request to the next. ``stream`` is the body of a request with
    BODY_STREAM. Raises FrameError for a malformed payload, and OSError if the file that holds the
    body cannot be opened."""
    try:
        body = start + 4 + unpack_u32(data, start)[0]
        if body > end:
            raise ValueError("the environ is longer than its frame")
        if data[start + 4] == SHARED:
            environ = _read_in_two(template, bases, data, start + 5, body)
        else:
            environ = {**template, **marshal.loads(data[start + 4 : body])}
    except (ValueError, EOFError, TypeError, IndexError, struct.error) as error:
        raise frames.FrameError(f"a REQUEST whose environ cannot be read: {error}") from error
    if not flags:
        if body < end:
            environ["wsgi.input"] = io.BytesIO(data[body:end])
        elif type(data) is frames.LargeRequest:
            environ["wsgi.input"] = data.body
        else:
            environ["wsgi.input"] = io.BytesIO()
    elif flags == frames.BODY_FILE:
        environ["wsgi.input"] = open_body_file(data[body:end].decode("utf-8", "surrogateescape"))
    else:
        # read(n) of a BufferedReader waits for n bytes or the end, as applications expect.
        environ["wsgi.input"] = io.BufferedReader(stream, 65536)  # type: ignore[arg-type]
    return environ
