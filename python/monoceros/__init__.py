"""The Python side of a Monoceros worker: runs one WSGI application for an acceptor (PEP 3333).

This package is the program of a worker process; ``src/runtimes/workers`` is the acceptor's side of
it, and docs/reference/frames.md the protocol between them. The exchange logic (``exchange``,
``response_head``, ``streams``, ``environ``) uses neither sockets nor threads. ``solo`` runs
exchanges in one thread, ``threaded`` in several, ``embedded`` in an embedded interpreter. Standard
library only."""
