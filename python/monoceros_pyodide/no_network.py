"""Makes every attempt to open a connection fail with one sentence: there is no network.

Emscripten would pretend to connect, wait forever or name options of JavaScript. Its ``connect``
succeeds at once, and sent data goes nowhere. Its resolver invents an address for every name.
urllib3 has connections for browsers, and ``ssl`` is a stub."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import types
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn, Optional, Sequence

NO_NETWORK = "the embedded Python has no network; use an installed Python (--runtime cpython)"
_NO_SERVER = (
    "the embedded Python has no network, so no server can listen in it; "
    "Monoceros itself serves an application: monoceros MODULE:NAME, such as "
    "monoceros mysite.wsgi:application"
)
_LOCAL = "127.0.0.1"

#: Missing in Pyodide's ``socket``. Programs use them before they bind, and would fail with
#: AttributeError.
_LINUX_CONSTANTS = {"AF_UNIX": 1, "SO_REUSEADDR": 2, "SO_REUSEPORT": 15}


def install() -> None:
    """Refuses connections in the whole interpreter."""
    for name, value in _LINUX_CONSTANTS.items():
        if not hasattr(socket, name):
            setattr(socket, name, value)
    _refuse_sockets()
    _resolve_nothing()
    _refuse_tls()
    if not any(isinstance(finder, _NoBrowser) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoBrowser())


def unreachable() -> OSError:
    """The error of every attempt to connect."""
    return OSError(errno.ENETUNREACH, NO_NETWORK)


# socket


def _refuse_sockets() -> None:
    connection: Any = socket.socket
    for name in ("connect", "connect_ex", "accept", "sendto", "sendmsg"):
        setattr(connection, name, _refuse_connection)
    for name in ("bind", "listen"):
        setattr(connection, name, _refuse_server)
    make = connection.__init__
    if make is not _make_socket:
        _make_socket.made_by = make  # type: ignore[attr-defined]
        connection.__init__ = _make_socket
    socket.socketpair = _refuse_pair  # type: ignore[assignment]


def _make_socket(
    self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Optional[int] = None
) -> None:
    make = _make_socket.made_by  # type: ignore[attr-defined]
    try:
        make(self, family, type, proto, fileno)
    except OSError:
        # Emscripten has only IPv4. A socket of another family is made all the same, so that its
        # first use raises the error with the reason.
        if fileno is not None or family in (-1, socket.AF_INET):
            raise
        make(self, socket.AF_INET, type, 0, None)


def _refuse_connection(self: socket.socket, *args: Any, **kwargs: Any) -> NoReturn:
    raise unreachable()


def _refuse_server(self: socket.socket, *args: Any) -> NoReturn:
    raise OSError(errno.ENETUNREACH, _NO_SERVER)


def _refuse_pair(*args: Any, **kwargs: Any) -> NoReturn:
    raise unreachable()


def _resolve_nothing() -> None:
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        resolve = getattr(socket, name)
        if not hasattr(resolve, "only_local"):
            setattr(socket, name, _only_local(resolve))


def _only_local(resolve: Any) -> Any:
    by_address = resolve.__name__ == "gethostbyaddr"

    def resolve_local(host: Any, *args: Any, **kwargs: Any) -> Any:
        text = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else host
        own = socket.gethostname()
        if text in ("localhost", own):
            # Emscripten would invent an address for these too.
            host = _LOCAL
        elif text not in (None, "") and not _is_number(text):
            raise socket.gaierror(socket.EAI_AGAIN, NO_NETWORK)
        elif by_address and text != _LOCAL:
            # Emscripten would return the number as the name.
            raise socket.herror(_TRY_AGAIN, NO_NETWORK)
        answer = resolve(host, *args, **kwargs)
        return (own if text == own else "localhost", [], [_LOCAL]) if by_address else answer

    resolve_local.__name__ = resolve_local.__qualname__ = resolve.__name__
    resolve_local.only_local = True  # type: ignore[attr-defined]
    return resolve_local


#: TRY_AGAIN in <netdb.h>, for address lookups.
_TRY_AGAIN = 2


def _is_number(text: Any) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, str(text).partition("%")[0])
            return True
        except (OSError, ValueError):
            pass
    return False


# ssl


def _refuse_tls() -> None:
    import ssl

    # A socket is nearly always connected before it is wrapped, and fails there.
    context: Any = ssl.SSLContext
    for name in ("wrap_socket", "wrap_bio"):
        setattr(context, name, _refuse_connection)
    ssl.get_server_certificate = _refuse_pair


# asyncio


class NoConnections(asyncio.BaseEventLoop):
    """An event loop whose connections raise the same error as those of ``socket``.

    Without it they would raise an empty NotImplementedError."""

    async def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise unreachable()

    sock_connect = sock_accept = sock_sendall = sock_sendto = _refuse  # type: ignore[assignment]
    # type: ignore[assignment]
    sock_recv = sock_recv_into = sock_recvfrom = sock_recvfrom_into = _refuse
    sock_sendfile = create_unix_connection = _refuse  # type: ignore[assignment]
    _create_connection_transport = _refuse

    async def _refuse_server(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise OSError(errno.ENETUNREACH, _NO_SERVER)

    # Without this, asyncio would repeat the message in lower case.
    create_server = create_unix_server = _refuse_server  # type: ignore[assignment]

    def _make_socket_transport(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise unreachable()

    _make_ssl_transport = _make_datagram_transport = _make_socket_transport

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise OSError(errno.ENOSYS, NO_PROGRAMS)


NO_PROGRAMS = "the embedded Python cannot run other programs"


# urllib3


class _NoBrowser:
    """Makes every copy of urllib3 use its usual connections, whose error names the reason.

    Otherwise urllib3 would use its connections for browsers. Their error names flags of Node.js
    that do not help here."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        if not name.endswith("urllib3.contrib.emscripten"):
            return None
        return ModuleSpec(name, self, origin="monoceros")  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        module.inject_into_urllib3 = lambda: None  # type: ignore[attr-defined]


__all__ = ["NO_NETWORK", "NO_PROGRAMS", "NoConnections", "install", "unreachable"]
