import socket
import sys
from urllib.parse import unquote

import append


def serve(app, port):
    with socket.create_server(("", port)) as listener:
        port = listener.getsockname()[1]
        print(f"Listening at http://localhost:{port}", flush=True)
        while True:
            connection, _address = listener.accept()
            with connection:
                try:
                    answer(connection, app, port)
                except Exception as error:  # go on with the next client
                    print(f"A request failed: {error!r}", file=sys.stderr)


def answer(connection, app, port):
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(4096)
        if not data:
            return  # the client has left
        head += data
    request_line, *lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, protocol = request_line.split(" ")
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": protocol,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": NoBody(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for line in lines:
        name, _, value = line.partition(":")
        environ["HTTP_" + name.upper().replace("-", "_")] = value.strip()

    start = None
    sent = False

    def start_response(status, headers, exc_info=None):
        nonlocal start
        if exc_info and sent:
            raise exc_info[1]
        if start and not exc_info:
            raise RuntimeError("start_response was called twice")
        start = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        return write

    def write(data):
        nonlocal sent
        if not sent:
            sent = True
            lines = [*start, "Connection: close", "", ""]
            connection.sendall("\r\n".join(lines).encode("latin-1"))
        connection.sendall(data)

    body = app(environ, start_response)
    try:
        for piece in body:
            if piece:  # the head waits for the first piece that is not empty
                write(piece)
        if not sent:
            write(b"")
    finally:
        if hasattr(body, "close"):
            body.close()


class NoBody:
    def read(self, size=-1):
        return b""

    def readline(self, size=-1):
        return b""

    def readlines(self, hint=-1):
        return []

    def __iter__(self):
        return iter([])


serve(append.app, 8000)
