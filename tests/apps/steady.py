"""The application of the steady-load test.

It cannot be imported if ``$TEST_DATA/broken`` exists.
"""

import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List

if (Path(os.environ["TEST_DATA"]) / "broken").exists():
    raise ImportError("this version is broken")

PIECES = 10
kept: List[bytes] = []


def pieces() -> Iterator[bytes]:
    for number in range(PIECES):
        time.sleep(0.02)
        yield b"%d" % number * 1000


def app(environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain")]
    if path == "/stream":
        start_response("200 OK", headers)
        return pieces()
    if path == "/length":
        body = b"%d" % len(environ["wsgi.input"].read())
    elif path == "/leak":
        kept.append(os.urandom(200_000))
        body = b"kept"
    else:
        body = b"hello"
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]
