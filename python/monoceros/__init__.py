"""The Python side of a Monoceros worker: runs one WSGI application for an acceptor (PEP 3333).

The exchange logic (``exchange``, ``response_head``, ``streams``, ``environ``) knows neither sockets
nor threads; ``solo`` and ``pool`` carry it over the frames of docs/reference/frames.md. Standard
library only."""
