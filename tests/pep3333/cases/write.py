"""PEP 3333, "The write() Callable"."""

from __future__ import annotations

from typing import Any, Iterator, List

from .registry import TEXT, Environ, StartResponse, case, note, token_of, wait_for_gate


@case
def writes_all(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """The whole body through write()."""
    write = start_response("200 OK", TEXT)
    write(b"one ")
    write(b"two")
    return []


@case
def writes_then_yields(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """What was written comes before what is yielded; and the list's one chunk is not the whole
    body.
    """
    write = start_response("200 OK", TEXT)
    write(b"written ")
    return [b"yielded"]


@case
def writes_then_generates(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """The same with a generator that is made after the writes."""

    def chunks() -> Iterator[bytes]:
        yield b"three "
        yield b"four"

    write = start_response("200 OK", TEXT)
    write(b"one ")
    write(b"two ")
    return chunks()


@case
def writes_empty(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """An empty write must neither end nor spoil the body."""
    write = start_response("200 OK", TEXT)
    write(b"")
    write(b"a")
    write(b"")
    write(b"b")
    return [b"", b"c"]


@case
def writes_in_step(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """After each write the client has to have that part before it opens the gate."""
    token = token_of(environ)
    write = start_response("200 OK", TEXT)
    for part in (b"first.", b"second.", b"third."):
        write(part)
        wait_for_gate(token, "got-" + part.decode()[:-1])
    return []


@case
def writes_much(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """A mebibyte in one write, and another in many small ones."""
    write = start_response("200 OK", TEXT)
    every = bytes(range(256))
    write(every * 4096)
    for _ in range(256):
        write(every * 16)
    return []


@case
def writes_with_length(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """write() and a Content-Length."""
    write = start_response("200 OK", TEXT + [("Content-Length", "7")])
    write(b"abc")
    write(b"defg")
    return []


@case
def writes_past_length(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """write() of more than the Content-Length allows."""
    token = token_of(environ)
    write = start_response("200 OK", TEXT + [("Content-Length", "3")])
    try:
        write(b"abc")
        write(b"def")
    except Exception:
        note(token, "raised")
        raise
    note(token, "ignored")
    return []


@case
def writes_wrong_type(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """write() of something that is no bytestring."""
    wrong: Any = {"str": "text", "int": 5, "None": None}[environ["HTTP_X_TYPE"]]
    write = start_response("200 OK", TEXT)
    try:
        write(wrong)
    except Exception as error:
        note(token_of(environ), "raised " + type(error).__name__)
        raise
    return []


@case
def writes_and_raises(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """The application fails when part of its body is with the client."""
    token = token_of(environ)
    write = start_response("200 OK", TEXT)
    write(b"part")
    wait_for_gate(token, "seen")
    raise RuntimeError("raised after write " + token)
