"""PEP 3333, "Handling the Content-Length Header"."""

from __future__ import annotations

from typing import Any, List

from .registry import TEXT, Closing, Environ, StartResponse, case, token_of


@case
def with_length(environ: Environ, start_response: StartResponse) -> Any:
    """The chunks of ``X-Chunks`` (separated by ``|``) under the Content-Length of ``X-Length``, if
    any.
    """
    headers = list(TEXT)
    if "HTTP_X_LENGTH" in environ:
        headers.append(("content-LENGTH", environ["HTTP_X_LENGTH"]))
    start_response(environ.get("HTTP_X_STATUS", "200 OK"), headers)
    chunks: List[bytes] = environ.get("HTTP_X_CHUNKS", "").encode("latin-1").split(b"|")
    if environ.get("HTTP_X_AS") == "list":
        return chunks
    return Closing(token_of(environ), chunks)
