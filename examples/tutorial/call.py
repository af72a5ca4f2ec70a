from wsgiref.util import setup_testing_defaults


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"You asked for ", environ["PATH_INFO"].encode("latin-1"), b"\n"]


def start_response(status, headers, exc_info=None):
    print(status)
    for name, value in headers:
        print(f"{name}: {value}")
    print()
    return lambda data: None


environ = {"SCRIPT_NAME": "", "PATH_INFO": "/books"}
setup_testing_defaults(environ)  # all the other variables

for piece in app(environ, start_response):
    print(piece.decode(), end="")
