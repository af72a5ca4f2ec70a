import sys
import traceback

import fragile


class ErrorHandler:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        try:
            return Guarded(self.app(environ, start_response), environ, start_response)
        except Exception:
            return answer(environ, start_response)


class Guarded:
    def __init__(self, body, environ, start_response):
        self.body = body
        self.environ = environ
        self.start_response = start_response

    def __iter__(self):
        try:
            yield from self.body
        except Exception:
            yield from answer(self.environ, self.start_response)

    def close(self):
        if hasattr(self.body, "close"):
            self.body.close()


def answer(environ, start_response):
    traceback.print_exc(file=environ["wsgi.errors"])
    headers = [("Content-Type", "text/plain")]
    # This raises the error again if the head was sent.
    start_response("500 Internal Server Error", headers, sys.exc_info())
    return [b"500 Internal Server Error\n"]


app = ErrorHandler(fragile.app)
