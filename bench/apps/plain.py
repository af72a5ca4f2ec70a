"""What a server costs by itself: plain PEP 3333 answers of several sizes, and an echo."""

from __future__ import annotations

import os
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Tuple

Headers = List[Tuple[str, str]]
Environ = Dict[str, Any]

BODIES: Dict[str, bytes] = {
    "/hello": b"Hello, world!\n",
    "/10k": b"0123456789abcde\n" * 640,
    "/1m": b"0123456789abcde\n" * 65536,
}
HEADERS: Dict[str, Headers] = {
    path: [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    for path, body in BODIES.items()
}
# The same with a lifetime, for caches.
BODIES["/cached"] = BODIES["/10k"]
HEADERS["/cached"] = [*HEADERS["/10k"], ("Cache-Control", "max-age=3600")]

BLOCK = 65536


def blocks_of(file: IO[bytes], size: int) -> Iterator[bytes]:
    """What ``wsgi.file_wrapper`` gives, for servers without it (FastPySGI 0.6)."""
    with file:
        while block := file.read(size):
            yield block


def application(
    environ: Environ, start_response: Callable[[str, Headers], object]
) -> Iterable[bytes]:
    """Answer /hello, /10k and /1m with their bodies, /file with the file that BENCH_FILE names, and
    /echo with the body of the request."""
    path = environ["PATH_INFO"]
    if path == "/file":
        file = open(os.environ["BENCH_FILE"], "rb")
        size = os.fstat(file.fileno()).st_size
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(size))])
        # A server need not have it: PEP 3333, "Optional Platform-Specific File Handling".
        return environ.get("wsgi.file_wrapper", blocks_of)(file, BLOCK)
    if path == "/echo":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(
            "200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        )
        return [body]
    known = BODIES.get(path)
    if known is None:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]
    start_response("200 OK", HEADERS[path])
    return [known]
