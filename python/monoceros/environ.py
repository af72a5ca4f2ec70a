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


def read_environ(
    template: Environ, flags: int, data: bytes, start: int, end: int, stream: Optional[BodyStream]
) -> Environ:
    """The environ of the REQUEST whose payload is ``data[start:end]``: a fresh dict that the
    application may change.

    ``stream`` is the body of a request with BODY_STREAM. Raises FrameError for a malformed
    payload, and OSError if the file that holds the body cannot be opened."""
    try:
        body = start + 4 + unpack_u32(data, start)[0]
        if body > end:
            raise ValueError("the environ is longer than its frame")
        environ: Environ = {**template, **marshal.loads(data[start + 4 : body])}
    except (ValueError, EOFError, TypeError, struct.error) as error:
        raise frames.FrameError(f"a REQUEST whose environ cannot be read: {error}") from error
    if not flags:
        environ["wsgi.input"] = io.BytesIO(data[body:end]) if body < end else io.BytesIO()
    elif flags == frames.BODY_FILE:
        environ["wsgi.input"] = open_body_file(data[body:end].decode("utf-8", "surrogateescape"))
    else:
        # read(n) of a BufferedReader waits for n bytes or the end, as applications expect.
        environ["wsgi.input"] = io.BufferedReader(stream, 65536)  # type: ignore[arg-type]
    return environ
