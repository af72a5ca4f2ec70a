"""What every case shares: the register, notes that the test reads, and gates that the test opens.

A request carries a token of its own in ``X-Token``. Notes and gates are files named after it in the
directory ``PEP3333_NOTES``: they work whichever process runs the application, and after its client
has gone."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Iterable, List, Tuple

Environ = Dict[str, Any]
Headers = List[Tuple[str, str]]
StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[..., Any]

CASES: Dict[str, Application] = {}

TEXT: Headers = [("Content-Type", "text/plain")]


def case(application: Application) -> Application:
    """Register an application under its own name."""
    CASES[application.__name__] = application
    return application


def token_of(environ: Environ) -> str:
    """The request's token; taken before a case changes its environ."""
    return str(environ["HTTP_X_TOKEN"])


def note(token: str, text: str) -> None:
    """Append one line to the notes of that token, for the test to read."""
    path = os.path.join(os.environ["PEP3333_NOTES"], token + ".notes")
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, (text + "\n").encode("utf-8", "backslashreplace"))
    finally:
        os.close(handle)


def wait_for_gate(token: str, name: str, seconds: float = 10.0) -> None:
    """Wait until the test has opened that gate; a TimeoutError when it does not."""
    path = os.path.join(os.environ["PEP3333_NOTES"], token + "." + name)
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError("the test did not open the gate " + name)
        time.sleep(0.002)


def read_all(environ: Environ) -> bytes:
    """The whole request body, asked for by its length as every server must allow."""
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


class Closing:
    """An iterable over ``chunks`` that notes each of its ``close()`` calls, and each chunk it is
    asked for.
    """

    def __init__(self, token: str, chunks: Iterable[Any]) -> None:
        self.token = token
        self.chunks = iter(chunks)

    def __iter__(self) -> "Closing":
        return self

    def __next__(self) -> Any:
        chunk = next(self.chunks)
        note(self.token, "asked")
        return chunk

    def close(self) -> None:
        note(self.token, "closed")
