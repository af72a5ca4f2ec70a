"""Connections for the installer. WebAssembly has no sockets, so Node's main thread opens them.

A `HostSocket` has only the methods of a socket that http.client and urllib3 need. TLS is Node's
too, because Pyodide's `ssl` is a stub."""

from __future__ import annotations

import io
import json
import socket
import ssl
from typing import Any, Callable, Optional, Protocol, Tuple, Union

Buffer = Union[bytes, bytearray, memoryview]


class Host(Protocol):
    """What the thread's TypeScript provides (src/packages/install-entry.ts)."""

    def call(self, name: str, arguments: str, data: Any) -> Any:
        """Calls the main thread. Returns its answer, a pair of JSON text and bytes."""

    def tell(self, name: str, arguments: str) -> None:
        """Sends something to the main thread, without an answer."""


_to_host_bytes: Callable[[Buffer], Any] = memoryview
_host: Optional[Host] = None


def use_host(host: Host, to_host_bytes: Callable[[Buffer], Any]) -> None:
    """Sets the host that has the sockets, and how bytes are passed to it."""
    global _host, _to_host_bytes
    _host = host
    _to_host_bytes = to_host_bytes


def _call(name: str, arguments: dict, data: Optional[Buffer] = None) -> Tuple[dict, Any]:
    """Calls the host. Raises what the standard library's sockets would raise."""
    assert _host is not None
    pair = _host.call(name, json.dumps(arguments), None if data is None else _to_host_bytes(data))
    answer = json.loads(pair[0])
    error = answer.get("error")
    if error is None:
        return answer, pair[1]
    message = error["message"]
    if error["kind"] == "name":
        raise socket.gaierror(socket.EAI_NONAME, message)
    if error["kind"] == "timeout":
        raise TimeoutError(message)
    if error["kind"] == "certificate":
        raise ssl.SSLCertVerificationError(1, message)
    if error["kind"] == "tls":
        raise ssl.SSLError(1, message)
    if error["kind"] == "refused":
        raise ConnectionRefusedError(message)
    if error["kind"] == "reset":
        raise ConnectionResetError(message)
    raise OSError(message)


class TLSSettings:
    """How a server's certificate is verified.

    `authorities` is a PEM file or a folder of them; None for the system's."""

    def __init__(
        self,
        verify: bool = True,
        authorities: Optional[str] = None,
        certificate: Optional[str] = None,
        key: Optional[str] = None,
        password: Optional[str] = None,
    ) -> None:
        self.verify = verify
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.password = password
        # urllib.request and http.client read these attributes of an SSLContext.
        self.check_hostname = verify
        self.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE

    def wrap_socket(
        self, sock: HostSocket, server_hostname: Optional[str] = None, **_: Any
    ) -> HostSocket:
        """Like `ssl.SSLContext.wrap_socket`."""
        sock.start_tls(server_hostname, self)
        return sock


class HostSocket:
    """A connection of Node's main thread."""

    def __init__(self, number: int, timeout: Optional[float]) -> None:
        self._number = number
        self._timeout = timeout
        self._closed = False
        self._files = 0
        # urllib3 reads this attribute of TLS sockets, http.client that of any socket.
        self.family = socket.AF_INET

    def start_tls(self, server_hostname: Optional[str], settings: TLSSettings) -> None:
        """Switches to TLS. Raises ssl.SSLError or TimeoutError."""
        _call(
            "tls",
            {
                "id": self._number,
                "servername": server_hostname,
                "verify": settings.verify,
                "authorities": settings.authorities,
                "certificate": settings.certificate,
                "key": settings.key,
                "password": settings.password,
                "timeout": self._timeout,
            },
        )

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        view = memoryview(buffer).cast("B")
        wanted = size or len(view)
        if wanted == 0:
            return 0
        answer, data = _call(
            "receive", {"id": self._number, "size": wanted, "timeout": self._timeout}
        )
        count: int = answer["count"]
        if count:
            view[:count] = data.to_bytes()
        return count

    def recv(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.recv_into(buffer)])

    def sendall(self, data: Buffer) -> None:
        _call("send", {"id": self._number, "timeout": self._timeout}, bytes(data))

    def settimeout(self, timeout: Optional[float]) -> None:
        self._timeout = timeout

    def gettimeout(self) -> Optional[float]:
        return self._timeout

    def setsockopt(self, *_: Any) -> None:
        """Does nothing. The only option is TCP_NODELAY, which Node sets."""

    def readable(self) -> bool:
        """Whether there is data to read, or the other side has closed the connection."""
        return bool(_call("readable", {"id": self._number})[0]["readable"])

    def makefile(self, mode: str = "rb", *_: Any, **__: Any) -> io.BufferedReader:
        assert mode == "rb"
        self._files += 1
        return io.BufferedReader(_HostSocketFile(self), 65_536)

    def file_closed(self) -> None:
        self._files -= 1
        self._close_if_unused()

    def shutdown(self, _how: int) -> None:
        self._files = 0
        self.close()

    def close(self) -> None:
        self._closed = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        # As with the standard library's sockets, files made from it keep it open.
        if self._closed and self._files <= 0 and self._number >= 0:
            number, self._number = self._number, -1
            _call("close", {"id": number})


class _HostSocketFile(io.RawIOBase):
    def __init__(self, sock: HostSocket) -> None:
        self._socket: Optional[HostSocket] = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0 if self._socket is None else self._socket.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            sock, self._socket = self._socket, None
            if sock is not None:
                sock.file_closed()


def create_connection(
    address: Tuple[str, int], timeout: Any = None, source_address: Any = None, **_: Any
) -> HostSocket:
    """Like `socket.create_connection`."""
    seconds = float(timeout) if isinstance(timeout, (int, float)) else None
    host, port = address
    answer, _data = _call("connect", {"host": host.strip("[]"), "port": port, "timeout": seconds})
    return HostSocket(answer["id"], seconds)
