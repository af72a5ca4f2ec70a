"""Reads START, and applies it to the process."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from . import greenlets
from .frames import PROTOCOL_VERSION, FrameError
from .loader import LoadError, load
from .stranger import has_type

_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}


class Startup(NamedTuple):
    """The settings of a worker (docs/reference/frames.md, START). Sizes in bytes, times in
    seconds."""

    application: str
    chdir: Optional[str]
    pythonpath: List[str]
    #: Requests at once: the number of threads, or of greenlets with gevent.
    threads: int
    worker_class: str
    window: int
    graceful_timeout: float
    environ: Dict[str, str]
    multiprocess: bool
    strict: bool
    #: Names of response headers for which the server sends a file instead of the body, in lower
    #: case.
    file_headers: List[str] = []
    reload: bool = False
    #: For how many milliseconds a client may take nothing of its response while its socket is lent;
    #: 0 if the acceptor lends no sockets.
    lend: float = 0
    #: Where the configuration is whose hooks run in the worker, and what they get; None if there
    #: are none.
    config: Optional[Dict[str, Any]] = None
    name: Optional[str] = None
    #: The level of the server's error log, and the user's logging configuration; None for a
    #: worker that is not a server's.
    logging: Optional[Dict[str, Any]] = None


def read_startup(payload: bytes) -> Startup:
    """Reads START's JSON. All fields except ``application`` have a default. Raises
    FrameError."""
    try:
        value: Any = json.loads(payload.decode("utf-8"))
        startup = Startup(
            application=value["application"],
            chdir=value.get("chdir") or None,
            pythonpath=value.get("pythonpath") or [],
            threads=value.get("threads", 1),
            worker_class=value.get("worker_class", "sync"),
            window=value.get("window", 256 * 1024),
            graceful_timeout=value.get("graceful_timeout", 30),
            environ=value.get("environ") or {},
            multiprocess=value.get("multiprocess", True),
            strict=value.get("strict", False),
            file_headers=value.get("file_headers") or [],
            reload=value.get("reload", False),
            lend=value.get("lend", 0),
            config=value.get("config"),
            name=value.get("name"),
            logging=value.get("logging"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FrameError(f"cannot read START: {type(error).__name__}: {error}") from error
    for field, kind in (
        ("application", str),
        ("threads", int),
        ("worker_class", str),
        ("window", int),
        ("graceful_timeout", (int, float)),
        ("lend", (int, float)),
    ):
        if not isinstance(getattr(startup, field), kind):
            raise FrameError(f"a START whose {field!r} is {getattr(startup, field)!r}")
    if startup.threads < 1 or startup.window < 1:
        raise FrameError(f"a START with {startup.threads} threads and a window of {startup.window}")
    return startup


def enter_directory(startup: Startup) -> None:
    """Changes the working directory, and puts ``pythonpath`` and the working directory at the
    beginning of sys.path.

    Raises OSError if the directory cannot be entered.
    """
    if startup.chdir:
        os.chdir(startup.chdir)
    first = [os.path.abspath(path) for path in startup.pythonpath]
    first.append(os.getcwd())
    # A .pth file or sitecustomize may have put anything there.
    rest = [
        path for path in sys.path if not has_type(path, str) or (path not in first and path != "")
    ]
    sys.path[:] = list(dict.fromkeys(first)) + rest


def load_application(startup: Startup) -> Callable[..., Any]:
    """Enters the directory and imports the application. Raises LoadError."""
    if startup.reload:
        from .development import load_while_watching

        return load_while_watching(startup)
    return load_quietly(startup)


def load_quietly(startup: Startup) -> Callable[..., Any]:
    """The same without what is done for ``--reload``."""
    enter(startup)
    return load(startup.application)


def enter(startup: Startup) -> None:
    """Enters the directory. Raises LoadError."""
    try:
        enter_directory(startup)
    except OSError as error:
        raise LoadError("MONO2007", f"chdir {startup.chdir!r}: {error.strerror}") from error


def introduce(startup: Startup, pid: int, files: Optional[List[str]] = None) -> Dict[str, Any]:
    """The content of READY: describes a worker whose application is loaded. ``files`` is for one
    that need not look for them."""
    name = sys.implementation.name
    return {
        "protocol": PROTOCOL_VERSION,
        "pid": pid,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": _IMPLEMENTATIONS.get(name, name),
        "application": startup.application,
        "files": loaded_files() if files is None else files,
        "greenlets": greenlets.are_used(),
    }


def loaded_files() -> List[str]:
    """The files of all loaded modules except the worker's own, for a watcher of changes."""
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep
    files = set()
    for module in list(sys.modules.values()):
        path = _file_of(module)
        if path is not None and not path.startswith(own):
            files.add(path)
    return sorted(files)


def _file_of(module: Any) -> Optional[str]:
    # Reads the namespace, not the attribute: that would import a lazy module, and sys.modules may
    # have any object.
    try:
        path = object.__getattribute__(module, "__dict__").get("__file__")
        return os.path.abspath(path) if type(path) is str else None
    except BaseException:
        return None
