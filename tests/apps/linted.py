"""An echo within WebTest's checks of the contract.

If the server breaks the contract, they raise an AssertionError, which becomes a 500.
"""

from webtest import lint


def echo(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    environ["wsgi.errors"].write("echoed\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body] if environ["REQUEST_METHOD"] != "HEAD" else []


app = lint.middleware(echo)
