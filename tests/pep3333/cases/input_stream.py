"""PEP 3333, "Input and Error Streams": ``wsgi.input``."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, List

from .environ import json_answer
from .registry import TEXT, Environ, StartResponse, case, read_all


def in_pieces(read: Callable[[int], bytes], size: int) -> List[bytes]:
    """Every piece that ``read(size)`` gives, until it gives an empty one."""
    pieces = []
    while True:
        piece = read(size)
        if not piece:
            return pieces
        pieces.append(piece)


#: What an application does with its input stream, by name.
READERS: Dict[str, Callable[[Any], object]] = {
    "read()": lambda stream: stream.read(),
    "read(-1)": lambda stream: stream.read(-1),
    "read(None)": lambda stream: stream.read(None),
    "read(0) read(0) read()": lambda stream: [stream.read(0), stream.read(0), stream.read()],
    "read(3) until empty": lambda stream: in_pieces(stream.read, 3),
    "read(1000) read(1000) read()": lambda stream: [
        stream.read(1000),
        stream.read(1000),
        stream.read(),
    ],
    "readline() until empty": lambda stream: in_pieces(lambda _: stream.readline(), 0),
    "readline(3) until empty": lambda stream: in_pieces(stream.readline, 3),
    "readline(-1) readline(0)": lambda stream: [stream.readline(-1), stream.readline(0)],
    "readlines()": lambda stream: stream.readlines(),
    "readlines(4)": lambda stream: b"".join(stream.readlines(4) + stream.readlines()),
    "for line in input": lambda stream: list(stream),
    "read(2) readline() readlines() read()": lambda stream: [
        stream.read(2),
        stream.readline(),
        *stream.readlines(),
        stream.read(),
    ],
    "read() read() readline() readlines() list": lambda stream: [
        stream.read(),
        stream.read(),
        stream.readline(),
        stream.readlines(),
        list(stream),
    ],
}


@case
def read_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Reads its input as ``X-Reader`` says and answers with the repr of what it got."""
    body = repr(READERS[environ["HTTP_X_READER"]](environ["wsgi.input"])).encode("latin-1")
    start_response("200 OK", TEXT + [("Content-Length", str(len(body)))])
    return [body]


@case
def digest_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Reads everything in blocks; answers with the type of the blocks, their sum and their
    SHA-256."""
    digest = hashlib.sha256()
    length = 0
    types = set()
    while True:
        block = environ["wsgi.input"].read(65536)
        types.add(type(block).__name__)
        if not block:
            break
        digest.update(block)
        length += len(block)
    facts = {"types": sorted(types), "length": length, "sha256": digest.hexdigest()}
    return json_answer(start_response, facts)


@case
def chunked_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """What an application is told of a body that came in chunks, and what it can read."""
    return json_answer(
        start_response,
        {
            "CONTENT_LENGTH": environ.get("CONTENT_LENGTH"),
            "HTTP_TRANSFER_ENCODING": environ.get("HTTP_TRANSFER_ENCODING"),
            "wsgi.input_terminated": repr(environ.get("wsgi.input_terminated")),
            "body": environ["wsgi.input"].read().decode("latin-1"),
        },
    )


@case
def ignore_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Never touches its input."""
    start_response("200 OK", TEXT + [("Content-Length", "7")])
    return [b"ignored"]


@case
def peek_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Reads two bytes of its input and leaves the rest."""
    start_response("200 OK", TEXT + [("Content-Length", "2")])
    return [environ["wsgi.input"].read(2)]


@case
def echo_input(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Answers with the body it was sent."""
    body = read_all(environ)
    start_response("200 OK", TEXT + [("Content-Length", str(len(body)))])
    return [body]
