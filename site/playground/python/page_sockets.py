"""What stands for sockets in a page: one client, whose request is there already.

A program that listens and accepts runs as it is. It gets one connection; when it waits for another
one, the program ends, because nothing in a page could wait."""

from __future__ import annotations

import io
import socketserver
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Tuple

#: The port that a listener gets for 0, and for one that it asks for.
_PORT = 8000
#: The most that a client takes, in bytes.
_LIMIT = 1024 * 1024


class NoMoreClients(BaseException):
    """The program waits for a client, and there is none."""


class Connection:
    """A client's connection: ``recv`` gives its request, what is sent is kept."""

    def __init__(self, request: bytes) -> None:
        self._request = io.BytesIO(request)
        self._sent: List[bytes] = []
        self._size = 0
        self.closed = False

    def received(self) -> bytes:
        """All that the client has got."""
        return b"".join(self._sent)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self._check()
        return self._request.read(size)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._check()
        sent = bytes(data)
        self._size += len(sent)
        if self._size > _LIMIT:
            raise ConnectionResetError(f"the page takes {_LIMIT} bytes")
        self._sent.append(sent)

    def send(self, data: Any, flags: int = 0) -> int:
        self.sendall(data, flags)
        return len(bytes(data))

    def makefile(self, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
        if "w" in mode:
            raise io.UnsupportedOperation("write with sendall")
        return self._request if "b" in mode else io.TextIOWrapper(self._request)

    def settimeout(self, seconds: Optional[float]) -> None:
        pass

    def setsockopt(self, *options: Any) -> None:
        pass

    def shutdown(self, how: int) -> None:
        pass

    def getpeername(self) -> Tuple[str, int]:
        return ("127.0.0.1", 50000)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.closed:
            raise OSError(9, "Bad file descriptor")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


class Listener:
    """A listening socket."""

    def __init__(self, *options: Any, **more: Any) -> None:
        self._address = ("", _PORT)

    def bind(self, address: Tuple[str, int]) -> None:
        self._address = (address[0], address[1] or _PORT)

    def listen(self, backlog: int = 0) -> None:
        pass

    def getsockname(self) -> Tuple[str, int]:
        return (self._address[0] or "0.0.0.0", self._address[1])

    def accept(self) -> Tuple[Connection, Tuple[str, int]]:
        if not _clients:
            raise NoMoreClients
        connection = _clients.pop()
        return connection, connection.getpeername()

    def setsockopt(self, *options: Any) -> None:
        pass

    def settimeout(self, seconds: Optional[float]) -> None:
        pass

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: Any) -> None:
        pass


_clients: List[Connection] = []


@contextmanager
def client(request: bytes) -> Iterator[Connection]:
    """A client that has sent these bytes, for the program that runs in this context."""
    connection = Connection(request)
    _clients[:] = [connection]
    try:
        yield connection
    finally:
        _clients.clear()


def install(socket: Any) -> None:
    """Puts them into the module ``socket``, and lets socketserver wait for them."""

    def create_server(address: Tuple[str, int], **options: Any) -> Listener:
        listener = Listener()
        listener.bind(address)
        return listener

    socket.create_server = create_server
    socket.socket = Listener
    socket.getfqdn = lambda name="": name or "localhost"

    def serve_forever(server: Any, poll_interval: float = 0.5) -> None:
        # The real one waits with select() for a descriptor.
        while True:
            server._handle_request_noblock()

    socketserver.BaseServer.serve_forever = serve_forever  # type: ignore[method-assign]
