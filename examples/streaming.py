"""A response that is sent while it is made, and one that is a file: npx monoceros streaming

    curl -N http://127.0.0.1:8000/         a line each second
    curl http://127.0.0.1:8000/source      this file
"""

import time


def count():
    """Each chunk is sent before the next is asked for.

    A slow reader holds up only its own iterable.
    """
    try:
        for number in range(1, 6):
            yield f"{number}\n".encode()
            time.sleep(1)
    finally:
        # This also runs if the client goes away in the middle.
        print("the counter is closed")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    if environ["PATH_INFO"] == "/source":
        # The acceptor reads and sends the file; the worker is free at once.
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    return count()
