"""The application of the endurance tests: it counts what it runs.

All workers write to the same file, $TEST_DATA/record, one line for each event (O_APPEND; a line
goes out in one write): `begin ID PID COUNT`, `done ID PID`, `close ID PID`.
"""

import itertools
import os
import time
from typing import Any, Callable, Dict, Iterable, Iterator
from urllib.parse import parse_qs

Environ = Dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]

PID = os.getpid()
RECORD = os.open(
    os.path.join(os.environ["TEST_DATA"], "record"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
)
COUNT = itertools.count(1)

# Byte n of every large body is n % 256, which shows a piece that is lost, doubled or misplaced.
BLOCK = bytes(range(256)) * 256
PIECE = 1024 * 1024


def record(event: str, key: str, more: str = "") -> None:
    """Writes one line."""
    os.write(RECORD, f"{event} {key} {PID}{more}\n".encode("ascii"))


def answer(start_response: StartResponse, body: bytes, status: str = "200 OK") -> Iterable[bytes]:
    """A small answer with its length."""
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def hello(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    return answer(start_response, b"hello\n")


def begin(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Records that ?id= has begun, takes ?ms= of time, and answers `ID PID COUNT`."""
    key = query["id"]
    count = next(COUNT)
    record("begin", key, f" {count}")
    if "ms" in query:
        time.sleep(float(query["ms"]) / 1000)
        record("done", key)
    return answer(start_response, f"{key} {PID} {count}".encode("ascii"))


def nap(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    time.sleep(float(query["ms"]) / 1000)
    return answer(start_response, b"rested\n")


def upload(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Reads all of the body; answers its length, and whether it was as it should be."""
    total = 0
    intact = True
    while True:
        piece = environ["wsgi.input"].read(PIECE)
        if not piece:
            break
        last = total + len(piece) - 1
        intact = intact and piece[0] == total % 256 and piece[-1] == last % 256
        total += len(piece)
    return answer(start_response, f"{total} {'intact' if intact else 'damaged'}".encode("ascii"))


def echo(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    return answer(start_response, environ["wsgi.input"].read())


class Download:
    """?size= bytes in blocks of 64 KiB; records its first block and its close()."""

    def __init__(self, size: int, key: str) -> None:
        self._size = size
        self._key = key

    def __iter__(self) -> Iterator[bytes]:
        record("begin", self._key)
        left = self._size
        while left > 0:
            yield BLOCK if left >= len(BLOCK) else BLOCK[:left]
            left -= len(BLOCK)

    def close(self) -> None:
        record("close", self._key)


def download(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """A generated body; with ?sized under a Content-Length."""
    headers = [("Content-Type", "application/octet-stream")]
    if "sized" in query:
        headers.append(("Content-Length", query["size"]))
    start_response("200 OK", headers)
    return Download(int(query["size"]), query.get("id", "-"))


def file(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """The file at $TEST_DATA/?name= through wsgi.file_wrapper."""
    path = os.path.join(os.environ["TEST_DATA"], query["name"])
    opened = open(path, "rb")
    size = os.fstat(opened.fileno()).st_size
    start_response(
        "200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))]
    )
    body: Iterable[bytes] = environ["wsgi.file_wrapper"](opened, 65536)
    return body


def raise_before(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    raise ValueError("raised before start_response")


def raise_after(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Raises when more than what fits into one frame is out."""

    def blocks() -> Iterator[bytes]:
        yield BLOCK
        yield BLOCK
        raise ValueError("raised in the middle")

    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return blocks()


ROUTES: Dict[str, Callable[[Environ, StartResponse, Dict[str, str]], Iterable[bytes]]] = {
    "/": hello,
    "/begin": begin,
    "/nap": nap,
    "/upload": upload,
    "/echo": echo,
    "/download": download,
    "/file": file,
    "/raise-before": raise_before,
    "/raise-after": raise_after,
}


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    query = {
        key: values[0]
        for key, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()
    }
    return ROUTES[environ["PATH_INFO"]](environ, start_response, query)
