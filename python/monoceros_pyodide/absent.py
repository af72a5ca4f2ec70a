"""Says clearly what an embedded interpreter does not have, where Emscripten would pretend, wait for ever or do worse."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, NoReturn

_NO_NETWORK = "the embedded Python has no network; use an installed Python (--runtime cpython)"
_NO_SERVER = (
    "the embedded Python has no network, so that no server can listen in it; "
    "Monoceros itself serves an application: monoceros MODULE:NAME, such as monoceros mysite.wsgi:application"
)


def install() -> None:
    """Makes connections, the resolving of names and commands of a shell raise OSError. For the whole interpreter."""
    # Emscripten's connect() succeeds at once, and what is sent then goes nowhere.
    connection: Any = socket.socket
    for name in ("connect", "connect_ex", "accept", "sendto", "sendmsg"):
        setattr(connection, name, _refuse_connection)
    connection.listen = _refuse_server
    # Its resolver makes an address up for every name.
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, _only_local(getattr(socket, name)))
    os.system = _refuse_command


def _refuse_connection(self: socket.socket, *args: Any, **kwargs: Any) -> NoReturn:
    raise OSError(errno.ENETUNREACH, _NO_NETWORK)


def _refuse_server(self: socket.socket, backlog: int = 0, /) -> NoReturn:
    raise OSError(errno.ENETUNREACH, _NO_SERVER)


def _only_local(resolve: Any) -> Any:
    def resolve_local(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, "", b"", "localhost", b"localhost") and not _is_number(host):
            raise socket.gaierror(socket.EAI_AGAIN, _NO_NETWORK)
        return resolve(host, *args, **kwargs)

    resolve_local.__name__ = resolve_local.__qualname__ = resolve.__name__
    return resolve_local


def _is_number(host: Any) -> bool:
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
            return True
        except OSError:
            pass
    return False


def _refuse_command(command: Any) -> NoReturn:
    raise OSError(errno.ENOSYS, "the embedded Python cannot run other programs")
