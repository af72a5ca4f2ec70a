"""Binds a TCP socket with SO_REUSEPORT for a Node.js that cannot set that option, and hands it over.

The arbiter starts this file as a child process with an IPC channel, whose number is in
``NODE_CHANNEL_FD``. On it, Node.js takes lines of JSON, and a descriptor beside a line of the command
``NODE_HANDLE``.
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


def main(arguments: List[str]) -> int:
    """Binds what the JSON in the only argument says, and answers on the channel."""
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    channel.setblocking(True)
    try:
        listener = bind(**json.loads(arguments[0]))
    except OSError as error:
        channel.sendall(_line({"errno": error.errno or 0}))
        return 1
    answer: Dict[str, Any] = {"port": listener.getsockname()[1]}
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
