"""PEP 3333, "The start_response() Callable" and "Error Handling"."""

from __future__ import annotations

import ast
import sys
import weakref
from typing import Any, Callable, Iterable, Iterator, List, Optional

from .environ import json_answer
from .registry import (
    TEXT,
    Closing,
    Environ,
    StartResponse,
    case,
    note,
    read_all,
    token_of,
    wait_for_gate,
)


class CaseError(Exception):
    """An error of the application."""


def note_error(token: str, error: BaseException) -> None:
    """Note what kind of error the server raised into the application."""
    note(token, "raised " + type(error).__name__)


@case
def called_with(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Calls start_response with the arguments that the request body holds as a Python literal."""
    arguments = ast.literal_eval(read_all(environ).decode("utf-8"))
    try:
        start_response(*arguments)
    except Exception as error:
        note_error(token_of(environ), error)
        raise
    note(token_of(environ), "accepted")
    return [b"started"]


@case
def recovers_from_bad_headers(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """An error raised by start_response can still be handled by the application, because it is
    still running.
    """
    try:
        start_response("200 OK", [("Bad", "a\r\nInjected: b"), ("Left-Over", "1")])
    except Exception:
        start_response("400 Recovered", TEXT, sys.exc_info())
        return [b"recovered"]
    return [b"not noticed"]


@case
def never_calls(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Yields a body without ever calling start_response."""
    return [b"no head for this"]


@case
def never_calls_nor_yields(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Neither a head nor a body."""
    return []


@case
def calls_in_first_iteration(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """A generator: nothing of it runs before the server iterates."""
    start_response("200 OK", TEXT + [("X-When", "first iteration")])
    yield b"late head"


@case
def calls_after_empty_chunk(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """An empty chunk is no body yet, so the head may still follow it."""
    yield b""
    start_response("200 OK", TEXT + [("X-When", "after an empty chunk")])
    yield b"late head"


@case
def calls_after_first_chunk(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Too late: the body has begun."""
    yield b"body before head"
    start_response("200 OK", TEXT)


@case
def calls_twice(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """A second call without exc_info."""
    start_response("200 First", TEXT + [("X-Call", "first")])
    try:
        start_response("200 Second", TEXT + [("X-Call", "second")])
    except BaseException as error:
        note_error(token_of(environ), error)
        raise
    return [b"called twice"]


@case
def calls_twice_with_none(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """A second call whose exc_info is None is one without it."""
    start_response("200 First", TEXT, None)
    try:
        start_response("200 Second", TEXT, None)
    except BaseException as error:
        note_error(token_of(environ), error)
        raise
    return [b"called twice"]


@case
def calls_again_after_refusal(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """A first call that raised an error still counts as a call."""
    try:
        start_response("200 OK", [("Bad", "a\nb")])
    except Exception:
        note(token_of(environ), "first refused")
    try:
        start_response("200 Second", TEXT)
    except BaseException as error:
        note_error(token_of(environ), error)
        raise
    return [b"called again"]


@case
def replaces_before_head(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Nothing has been sent, so exc_info replaces status and every header, the Content-Length
    too."""
    start_response(
        "200 OK", [("Content-Type", "text/html"), ("Content-Length", "1000"), ("X-First", "1")]
    )
    try:
        raise CaseError("before the head")
    except CaseError:
        start_response("503 Replaced", TEXT + [("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


@case
def replaces_after_empty_chunk(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """An empty chunk must not have sent the head: it can still be replaced while iterating."""
    start_response("200 OK", [("Content-Type", "text/html"), ("X-First", "1")])
    yield b""
    try:
        raise CaseError("after an empty chunk")
    except CaseError:
        start_response("503 Replaced", TEXT + [("X-Second", "2")], sys.exc_info())
    yield b"replaced"


@case
def exc_info_first(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """exc_info in the first call is a call like any other."""
    try:
        raise CaseError("at once")
    except CaseError:
        start_response("500 Handled", TEXT, sys.exc_info())
    return [b"handled"]


@case
def exc_info_after_head(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """The head has been sent: start_response must raise, and should raise the very error it was
    given.
    """
    token = token_of(environ)
    start_response("200 OK", TEXT)
    yield b"sent"
    wait_for_gate(token, "seen")
    try:
        raise CaseError("after the head")
    except CaseError as error:
        try:
            start_response("500 Too Late", TEXT, sys.exc_info())
        except BaseException as raised:
            note(
                token,
                "raised the same error" if raised is error else "raised " + type(raised).__name__,
            )
            raise
    note(token, "raised nothing")
    yield b"error page"


KEPT: List[Callable[[], Optional[BaseException]]] = []


@case
def exc_info_kept(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Gives an exc_info whose error is then watched through a weak reference."""
    del KEPT[:]
    try:
        raise CaseError("to be let go")
    except CaseError as error:
        KEPT.append(weakref.ref(error))
        start_response("200 OK", TEXT, sys.exc_info())
    return [b"given"]


@case
def exc_info_let_go(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Whether the error of the earlier request is gone by reference counting alone."""
    return json_answer(start_response, "let go" if KEPT and KEPT[0]() is None else "still held")


@case
def returns_write(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """What start_response returns."""
    write = start_response("200 OK", TEXT + [("Content-Length", "8")])
    return [b"callable" if callable(write) else b"not call"]


@case
def head_before_body(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Calls start_response and then waits, so that the test can see whether the head went out by
    itself.
    """
    token = token_of(environ)
    start_response("200 OK", TEXT)
    yield b""
    note(token, "started")
    wait_for_gate(token, "looked")
    yield b"body"


@case
def keeps_headers(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Repeated headers, odd but legal names, and a value of every printable latin-1 character."""
    start_response(
        "299 Fa\xe7on",
        [
            ("Set-Cookie", "a=1; Path=/"),
            ("X-Between", ""),
            ("Set-Cookie", "b=2; Path=/"),
            ("!#$%&'*+-.^_`|~x", "legal name"),
            ("X-Latin", "".join(map(chr, [*range(0x21, 0x7F), *range(0xA0, 0x100)]))),
        ],
    )
    return [b"kept"]


@case
def own_date_and_server(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """An application that supplies what the server would add."""
    start_response("200 OK", [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("sErVeR", "the-case/1")])
    return [b"dated"]


@case
def raises(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Raises before start_response."""
    raise CaseError("raised in the call " + token_of(environ))


@case
def raises_after_start(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Raises after start_response, which has sent nothing yet."""
    start_response("200 OK", TEXT + [("X-Started", "1")])
    raise CaseError("raised after start_response " + token_of(environ))


@case
def raises_system_exit(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """sys.exit() in an application ends its request, not more."""
    sys.exit("leaving " + token_of(environ))


@case
def raises_in_first_iteration(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A lazily raising iterable: the error comes with the first chunk."""
    token = token_of(environ)

    def chunks() -> Iterator[bytes]:
        raise CaseError("raised in the first iteration " + token)
        yield b""

    start_response("200 OK", TEXT)
    return Closing(token, chunks())


@case
def raises_in_later_iteration(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The error comes when the client has part of the body."""
    token = token_of(environ)

    def chunks() -> Iterator[bytes]:
        yield b"part"
        wait_for_gate(token, "seen")
        raise CaseError("raised in a later iteration " + token)

    start_response(
        "200 OK", TEXT + [("Content-Length", "1000")] * (environ.get("HTTP_X_LENGTH") == "1")
    )
    return Closing(token, chunks())


@case
def ends(environ: Environ, start_response: StartResponse) -> List[Any]:
    """An answer without a body, of the status that the request names."""
    start_response(environ["HTTP_X_STATUS"], [])
    return []
