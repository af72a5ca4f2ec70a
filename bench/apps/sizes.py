"""Bodies of any size, both ways: ``GET /N`` answers with N bytes, ``POST /`` reads the body and
says how long it was.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Tuple

Headers = List[Tuple[str, str]]
Environ = Dict[str, Any]

KNOWN: Dict[str, bytes] = {}
LARGEST = 16 * 1024 * 1024


def application(
    environ: Environ, start_response: Callable[[str, Headers], object]
) -> Iterable[bytes]:
    """Answer with as many bytes as the path says, or with the number of bytes that came."""
    if environ["REQUEST_METHOD"] == "POST":
        # In one read, as frameworks read a form or JSON.
        body = b"%d\n" % len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    else:
        path = environ["PATH_INFO"]
        known = KNOWN.get(path)
        if known is None:
            size = int(path[1:]) if path[1:].isdecimal() else LARGEST + 1
            if size > LARGEST:
                start_response(
                    "404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")]
                )
                return [b""]
            # Made once: what making it costs is not the server's.
            known = KNOWN[path] = b"0123456789abcde\n" * (size // 16) + b"x" * (size % 16)
        body = known
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
