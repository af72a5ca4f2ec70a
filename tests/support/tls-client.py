"""Says how a server ends a connection with TLS, for tests: Node.js does not tell its clients.

Usage: tls-client.py HOST PORT REQUEST [SECONDS]. Prints the length of what came and one of

- ``closed``: close_notify came, so this is the end of the answer;
- ``cut``: the connection ended without it, by a reset or otherwise. (Python takes some resets for
  the one, and some for the other.)
"""

import socket
import ssl
import sys

host, port, request = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
received = 0
with socket.create_connection((host, port), timeout=20) as connection:
    with context.wrap_socket(connection, suppress_ragged_eofs=False) as client:
        client.sendall(request.encode("latin-1").decode("unicode_escape").encode("latin-1"))
        try:
            while True:
                data = client.recv(65536)
                if not data:
                    print(received, "closed")
                    break
                received += len(data)
        except (ssl.SSLEOFError, ConnectionResetError):
            print(received, "cut")
