"""What a server costs by itself: plain PEP 3333 answers of several sizes, and an echo."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Tuple

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


def application(
    environ: Environ, start_response: Callable[[str, Headers], object]
) -> Iterable[bytes]:
    """Answer /hello, /10k and /1m with their bodies, and /echo with the body of the request."""
    path = environ["PATH_INFO"]
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
