"""The same contract as the standard library sees it: applications under
``wsgiref.validate.validator``.
"""

from __future__ import annotations

from typing import Iterator, List
from wsgiref.validate import validator

from .registry import TEXT, Environ, StartResponse, case, read_all


def plain(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Reads what there is, writes to the error stream, and answers with one chunk."""
    body = read_all(environ)
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    start_response("200 OK", TEXT)
    return [b"valid " + body]


def streaming(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Line by line in, chunk by chunk out."""
    start_response("200 OK", TEXT)
    yield b"valid "
    for line in environ["wsgi.input"]:
        yield line


def writing(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Through write()."""
    write = start_response("200 OK", TEXT)
    write(b"valid ")
    return [b"written"]


@case
def validated_plain(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    return validator(plain)(environ, start_response)


@case
def validated_streaming(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    return validator(streaming)(environ, start_response)


@case
def validated_writing(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    return validator(writing)(environ, start_response)
