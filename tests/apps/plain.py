"""A bare WSGI application whose path selects its behaviour, for tests that observe and control it.

It communicates with the test through files in $TEST_DATA: `KEY.begun` appears when a request has
begun (its content is the worker's pid), `KEY.closed` gets a line for every close() of its response,
and `KEY.go`, made by the test, lets a waiting request go on.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple
from urllib.parse import parse_qs

DATA = Path(os.environ["TEST_DATA"])
Environ = Dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]

try:
    # Tests of reloading change it. If it is not a number, the module cannot be imported.
    GENERATION = int((DATA / "generation").read_text())
except FileNotFoundError:
    GENERATION = 0


class Body:
    """An iterable that reports its close()."""

    def __init__(self, key: str, chunks: Iterable[bytes]) -> None:
        self._key = key
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        with open(DATA / f"{self._key}.closed", "a", encoding="ascii") as file:
            file.write("closed\n")


def begin(key: str) -> None:
    """Tells the test that this request has begun."""
    with open(DATA / f"{key}.begun", "a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


def wait_for_go(key: str) -> None:
    """Waits until the test says go on."""
    while not (DATA / f"{key}.go").exists():
        time.sleep(0.005)


def answer(start_response: StartResponse, body: bytes, status: str = "200 OK") -> List[bytes]:
    """A small plain text answer with its length."""
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def hello(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    return answer(start_response, b"hello\n")


def pid(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    return answer(start_response, str(os.getpid()).encode())


def generation(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    return answer(start_response, str(GENERATION).encode())


def echo(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """Gives back what it got: the environ's strings, and the body as latin-1."""
    body = environ["wsgi.input"].read()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    return answer(
        start_response, json.dumps({"environ": seen, "body": body.decode("latin-1")}).encode()
    )


def length(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Reads the whole body in pieces and says how long it was."""
    total = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            return answer(start_response, str(total).encode())
        total += len(piece)


def ignore_body(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    return answer(start_response, b"not read\n")


def wait(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """Begins, waits for go, answers with the pid. Its response reports its close()."""
    begin(query["key"])
    wait_for_go(query["key"])
    return Body(query["key"], answer(start_response, str(os.getpid()).encode()))


def nap(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """Takes some milliseconds of the application's time. Answers the text, or its process id."""
    time.sleep(float(query["ms"]) / 1000)
    return answer(start_response, query.get("text", str(os.getpid())).encode())


def raise_before(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    raise ValueError("raised before start_response")


def raise_first(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Has called start_response, but nothing is sent before the first chunk is there."""

    def chunks() -> Iterator[bytes]:
        yield b""
        raise ValueError("raised before the first byte")

    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Half", "done")])
    return Body(query["key"], chunks())


def raise_after(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Raises when its first chunk is out; with ?length= under a Content-Length."""

    def chunks() -> Iterator[bytes]:
        yield b"part"
        wait_for_go(query["key"])
        raise ValueError("raised after the head")

    headers: List[Tuple[str, str]] = [("Content-Type", "text/plain")]
    if "length" in query:
        headers.append(("Content-Length", query["length"]))
    start_response("200 OK", headers)
    return Body(query["key"], chunks())


def endless(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Streams until somebody stops it."""

    def chunks() -> Iterator[bytes]:
        begin(query["key"])
        while True:
            yield b"x" * 16384

    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body(query["key"], chunks())


def big(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """?size= bytes in chunks of 64 KiB; with ?sized under a Content-Length."""
    size = int(query["size"])

    def chunks() -> Iterator[bytes]:
        left = size
        block = bytes(range(256)) * 256
        while left > 0:
            yield block[:left]
            left -= len(block)

    headers = [("Content-Type", "application/octet-stream")]
    if "sized" in query:
        headers.append(("Content-Length", str(size)))
    start_response("200 OK", headers)
    return Body(query.get("key", "big"), chunks())


def whole(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """?size= bytes as one chunk."""
    return answer(start_response, b"w" * int(query["size"]))


def written(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """?size= bytes by write(), 64 KiB at a time."""
    left = int(query["size"])
    write = start_response(
        "200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(left))]
    )
    while left > 0:
        write(b"v" * min(left, 65536))
        left -= 65536
    return []


def events(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """?count= events, each when the test has said go to the one before."""

    def chunks() -> Iterator[bytes]:
        for number in range(int(query["count"])):
            yield b"event %d\n" % number
            wait_for_go(f"{query['key']}{number}")

    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return chunks()


def file(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """?name= of a file that the test has made in $TEST_DATA."""
    path = DATA / query["name"]
    start_response("200 OK", [("Content-Length", str(path.stat().st_size))])
    wrapper: Callable[[Any], Iterable[bytes]] = environ["wsgi.file_wrapper"]
    return wrapper(open(path, "rb"))


def chunked(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([b"one,", b"", b"two,", b"three"])


def status(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Any status, without a body."""
    start_response(query["line"], [("X-Header", "kept")])
    return []


def own_headers(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    start_response(
        "200 OK",
        [
            ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Server", "the application's"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Content-Length", "2"),
        ],
    )
    return [b"ok"]


# Their names are looked for in the stacks that a timeout writes to the log.
def stuck_in_the_first_place(key: str) -> None:
    begin(key)
    while True:
        time.sleep(0.01)


def stuck_in_another_place(key: str) -> None:
    begin(key)
    threading.Event().wait()


def stuck(
    environ: Environ, start_response: StartResponse, query: Dict[str, str]
) -> Iterable[bytes]:
    """Never answers."""
    if query["where"] == "first":
        stuck_in_the_first_place(query["key"])
    else:
        stuck_in_another_place(query["key"])
    return []


def deaf(environ: Environ, start_response: StartResponse, query: Dict[str, str]) -> Iterable[bytes]:
    """Never answers, holding the GIL for seconds at a time."""
    begin(query["key"])
    while True:
        sum(range(100_000_000))


ROUTES = {
    "/": hello,
    "/pid": pid,
    "/generation": generation,
    "/echo": echo,
    "/length": length,
    "/ignore-body": ignore_body,
    "/wait": wait,
    "/nap": nap,
    "/raise-before": raise_before,
    "/raise-first": raise_first,
    "/raise-after": raise_after,
    "/endless": endless,
    "/big": big,
    "/whole": whole,
    "/written": written,
    "/file": file,
    "/events": events,
    "/chunked": chunked,
    "/status": status,
    "/own-headers": own_headers,
    "/stuck": stuck,
    "/deaf": deaf,
}


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    route = ROUTES.get(environ["PATH_INFO"])
    if route is None:
        return answer(start_response, b"not here\n", "404 Not Found")
    query = {
        key: values[0]
        for key, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()
    }
    return route(environ, start_response, query)
