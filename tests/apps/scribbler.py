"""Writes to a descriptor that belongs to the server."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable

BODY = b"s" * 1_000_000


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    body = BODY
    if environ["PATH_INFO"] == "/scribble":
        os.write(6, b"this is no JSON\n" * 100)
        body = b"scribbled"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
