"""Monoceros, a WSGI server (PEP 3333).

``pip install monoceros`` brings the command ``monoceros``, and for programs :func:`run`. Everything
else here belongs to the server and may change in any release: this package is also the program of
its workers, where ``import monoceros`` gives the same two names.

The parts of a worker: the exchange logic (``exchange``, ``response_head``, ``streams``,
``environ``) uses neither sockets nor threads. ``solo`` runs exchanges in one thread, ``threaded``
in several, ``embedded`` in an embedded interpreter. ``src/runtimes/workers`` is the acceptor's side
of it, and docs/reference/frames.md the protocol between them. Standard library only."""

from __future__ import annotations

__all__ = ["__version__", "run"]

#: That of package.json; a test compares the two.
__version__ = "0.1.0"

#: What the server runs in this process: "worker", "configuration", or "" in a user's program.
_role = ""


def run(application: str, **settings: object) -> None:
    """Serves an application until it is told to stop, as the command ``monoceros`` does.

    ``application`` is its name, such as ``"flaskapp:app"``: workers are processes of their own,
    which import it. ``settings`` have the names that they have in ``gunicorn.conf.py``, and count
    before any other source; ``config="gunicorn.conf.py"`` names a config file. Folders of the
    program are searched for modules, as they are in the program itself.

    Returns when the server has stopped, after SIGTERM for example. Raises KeyboardInterrupt after
    Ctrl-C, when requests in progress are answered; SystemExit with the status of a server that
    could not start, whose message is on standard error; and TypeError for an argument that cannot
    be passed on, such as an application itself or a function. A worker that imports the calling
    module finds it running already: there, the function returns at once.

        if __name__ == "__main__":
            monoceros.run("flaskapp:app", workers=2, bind="0.0.0.0:8000")
    """
    if _role == "worker":
        return
    if _role:
        raise RuntimeError(f"monoceros.run() was called from the {_role} of a server")
    from .program import run_server

    run_server(application, settings)
