"""Early hints, an extension that Gunicorn has too: ``wsgi.early_hints``."""

from __future__ import annotations

from typing import Any, Iterator, List

from .registry import TEXT, Environ, StartResponse, case, note, token_of


@case
def hints_twice(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Hints before start_response, and between it and the body."""
    hints = environ["wsgi.early_hints"]
    hints([("Link", "</a.css>; rel=preload"), ("X-More", "caf\xe9")])
    start_response("200 OK", TEXT)
    hints([("Link", "</b.js>; rel=preload")])
    return [b"done"]


@case
def hints_late(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Hints when the head of the response is on its way."""
    start_response("200 OK", TEXT)
    yield b"a"
    environ["wsgi.early_hints"]([("Link", "</late.css>; rel=preload")])
    yield b"b"


@case
def hints_wrong(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Hints that would split the response."""
    wrong: Any = {
        "value": [("X", "a\r\nX-Forged: b")],
        "name": [("X: y\r\nX-Forged", "b")],
    }[environ["HTTP_X_WRONG"]]
    try:
        environ["wsgi.early_hints"](wrong)
    except Exception:
        note(token_of(environ), "raised")
    start_response("200 OK", TEXT)
    return [b"done"]
