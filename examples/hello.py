"""The smallest WSGI application: it takes environ and start_response, and returns bytes."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Hello from Monoceros!\n"]
