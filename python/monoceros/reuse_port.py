"""Binds what a Node.js cannot, and hands it over: a TCP socket with SO_REUSEPORT, or one with an
abstract name.

The arbiter starts this file as a child process with an IPC channel, whose number is in
``NODE_CHANNEL_FD``. On it, Node.js takes lines of JSON, and a descriptor beside a line of the
command ``NODE_HANDLE``.
"""

from __future__ import annotations

import array
import json
import os
import socket
import sys
from typing import Any, Dict, List


def bind(host: str, family: int, port: int, backlog: int, ipv6_only: bool) -> socket.socket:
    """A socket that listens, on an IP address of the family 4 or 6. Raises OSError."""
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    listener = socket.socket(kind, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == 6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(ipv6_only))
    listener.bind((host, port))
    listener.listen(backlog)
    return listener


def bind_abstract(name: str, backlog: int) -> socket.socket:
    """A unix socket that listens, with a name that is no file (unix(7)). Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("\0" + name)
    listener.listen(backlog)
    return listener


def main(arguments: List[str]) -> int:
    """Binds what the JSON in the only argument says, and answers on the channel."""
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    channel.setblocking(True)
    try:
        wanted = json.loads(arguments[0])
        listener = bind_abstract(**wanted) if "name" in wanted else bind(**wanted)
    except OSError as error:
        channel.sendall(_line({"errno": error.errno or 0}))
        return 1
    port = listener.getsockname()[1] if "port" in wanted else 0
    answer: Dict[str, Any] = {"port": port}
    descriptors = array.array("i", [listener.fileno()])
    channel.sendmsg(
        [_line({"cmd": "NODE_HANDLE", "type": "net.Native", "msg": answer})],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
    )
    # Node acknowledges that it has the descriptor, or is gone.
    channel.recv(4096)
    return 0


def _line(message: Dict[str, Any]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
