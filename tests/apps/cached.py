"""An application that says how long its answers are fresh: Cache-Control is the query string."""

import itertools
import time
from urllib.parse import unquote

numbers = itertools.count(1)


def app(environ, start_response):
    number = next(numbers)
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain"), ("X-Number", str(number))]
    control = unquote(environ["QUERY_STRING"])
    if control:
        headers.append(("Cache-Control", control))
    if environ["REQUEST_METHOD"] == "POST":
        start_response("204 No Content", headers)
        return []
    if path == "/tagged":
        headers.append(("ETag", '"tag"'))
        if environ.get("HTTP_IF_NONE_MATCH") == '"tag"':
            start_response("304 Not Modified", headers)
            return []
    if path == "/cookie":
        headers.append(("Set-Cookie", "session=%d" % number))
    if path == "/language":
        headers.append(("Vary", "Accept-Language"))
    if path == "/fails" and number > 1:
        raise RuntimeError("the application fails")
    start_response("200 OK", headers)
    return body(path, number)


def body(path, number):
    if path == "/slow":
        yield b"begun "
        time.sleep(0.5)
    if path == "/large":
        for _ in range(40):
            yield b"x" * 65536
    if path == "/page":
        yield b"x" * 65536
    if path == "/text":
        yield b"the same words again and again\n" * 200
    yield b"answer %d\n" % number
