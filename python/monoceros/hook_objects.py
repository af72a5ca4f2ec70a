"""The objects that hooks are called with: ``server``, ``worker``, ``req`` and ``resp``.

They have the attributes of Gunicorn's objects that hooks use. A hook may add attributes of its
own, and finds them again in the same process."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

from .environ import Environ
from .hook_config import Address, HookConfig
from .hook_log import HookLog

Header = Tuple[str, str]


class _Described:
    """Says what there is if a hook asks for something else."""

    _kind = "object"
    #: Attributes that Gunicorn's object has and this one has not, with what to use instead.
    _instead: Dict[str, str] = {}

    def __getattr__(self, name: str) -> NoReturn:
        instead = self._instead.get(name)
        if instead is None:
            known = sorted(key for key in dir(self) if not key.startswith("_"))
            instead = f"it has {', '.join(known)}"
        raise AttributeError(f"{self._kind} has no attribute {name!r} here; {instead}")


class HookApp(_Described):
    """``server.app`` and ``worker.app``: the application that is served."""

    _kind = "app"

    def __init__(self, cfg: HookConfig, load: Callable[[], Callable[..., Any]]) -> None:
        self.cfg = cfg
        self.app_uri = getattr(cfg, "wsgi_app", None)
        self.callable: Optional[Callable[..., Any]] = None
        self._load = load

    def wsgi(self) -> Callable[..., Any]:
        """The WSGI callable; the first call loads it in this process."""
        if self.callable is None:
            self.callable = self._load()
        return self.callable


class HookServer(_Described):
    """``server``: the arbiter, as far as a hook may look at it."""

    _kind = "server"
    _instead = {
        "LISTENERS": "the arbiter has the sockets; use server.address",
        "WORKERS": "only hooks of the server have it, such as child_exit",
        "kill_worker": "send the signal to worker.pid",
        "kill_workers": "send SIGTERM to server.pid",
        "reload": "send SIGHUP to server.pid",
        "stop": "send SIGTERM to server.pid",
        "halt": "send SIGTERM to server.pid",
    }

    #: The process of an upgrade (USR2), or 0.
    reexec_pid = 0
    #: The server that this one takes the place of, or 0.
    master_pid = 0
    master_name = "Master"
    systemd = False

    def __init__(self, cfg: HookConfig, log: HookLog, app: HookApp, pid: int) -> None:
        self.cfg = cfg
        self.log = log
        self.app = app
        self.pid = pid
        self.num_workers: int = getattr(cfg, "workers", 1)

    @property
    def address(self) -> List[Address]:
        """Where the server listens."""
        return self.cfg.address

    @property
    def timeout(self) -> float:
        return float(self.cfg.timeout)

    @property
    def proc_name(self) -> Any:
        return self.cfg.proc_name

    @property
    def worker_class(self) -> str:
        return self.cfg.worker_class_str


class WorkerTmp:
    """``worker.tmp``. The server notices a worker that hangs in another way, so it does nothing."""

    def notify(self) -> None:
        pass

    def last_update(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        pass


class HookWorker(_Described):
    """``worker``: one worker. ``pid`` is ``"[booting]"`` until it has a process, and ``age`` counts
    the workers of the server."""

    _kind = "worker"
    _instead = {
        "sockets": "a worker has no listening socket; its acceptor has it",
        "wsgi": "the application has not been loaded yet, see post_worker_init",
        "exitcode": "only child_exit has it",
    }

    booted = False
    aborted = False
    alive = True
    reloader = None

    def __init__(self, age: int, ppid: int, cfg: HookConfig, log: HookLog, app: HookApp) -> None:
        self.age = age
        self.pid: Any = "[booting]"
        self.ppid = ppid
        self.cfg = cfg
        self.log = log
        self.app = app
        self.timeout = float(cfg.timeout) / 2
        self.max_requests: int = getattr(cfg, "max_requests", 0) or sys.maxsize
        self.tmp = WorkerTmp()
        self._count: Callable[[], int] = int

    @property
    def nr(self) -> int:
        """How many requests it has begun."""
        return self._count()

    def count_with(self, count: Callable[[], int]) -> None:
        """From now on, ``nr`` is what ``count`` returns."""
        self._count = count

    def notify(self) -> None:
        pass

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


class HookRequest(_Described):
    """``req``: the request, in the form in which Gunicorn's parser gives it.

    A ``pre_request`` may change it: what it changes of ``method``, ``path``, ``query``, ``uri``,
    ``scheme`` and ``headers`` is in the environ that the application gets."""

    _kind = "req"
    _instead = {
        "environ": "the environ is the third argument of post_request",
        "unreader": "the acceptor has read the request; use req.body",
    }

    fragment = ""
    must_close = False
    proxy_protocol_info = None
    req_number = 1

    def __init__(self, environ: Environ) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.uri: str = environ.get("RAW_URI") or environ.get("PATH_INFO", "")
        path, _, query = self.uri.partition("?")
        self.path = path
        self.query = environ.get("QUERY_STRING", query)
        protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
        self.version = tuple(int(part) for part in protocol[5:].split(".") if part.isdigit())
        self.scheme: str = environ["wsgi.url_scheme"]
        self.headers = _headers_of(environ)
        self.trailers: List[Header] = []
        self.body = environ["wsgi.input"]
        port = environ.get("REMOTE_PORT", "")
        address = environ.get("REMOTE_ADDR", "")
        self.peer_addr = (address, int(port)) if port.isdigit() else address
        self.remote_addr = self.peer_addr

    def should_close(self) -> bool:
        return self.must_close

    def force_close(self) -> None:
        """Has no effect: the acceptor decides about the connection."""
        self.must_close = True

    def _state(self) -> Tuple[Any, ...]:
        return (self.method, self.uri, self.path, self.query, self.scheme, tuple(self.headers))

    def remember(self) -> None:
        """Notes how it is before a hook may change it, for ``apply``."""
        self._before = self._state()

    def apply(self, environ: Environ) -> None:
        """Puts what a hook has changed into the environ."""
        now = self._state()
        if now == self._before:
            return
        method, uri, path, query, scheme, headers = now
        before = self._before
        environ["REQUEST_METHOD"] = method
        environ["wsgi.url_scheme"] = scheme
        environ["QUERY_STRING"] = query
        if uri != before[1]:
            environ["RAW_URI"] = uri
        if path != before[2]:
            environ["PATH_INFO"] = _unquote(path)
        if headers != before[5]:
            for name, _ in before[5]:
                environ.pop(_variable_of(name), None)
            _put_headers(environ, headers)


class HookResponse(_Described):
    """``resp``: the response as far as it was sent."""

    _kind = "resp"
    _instead = {"sock": "the acceptor has the client's socket"}

    version = "gunicorn"
    upgrade = False
    must_close = False

    def __init__(self, req: HookRequest, cfg: HookConfig) -> None:
        self.req = req
        self.cfg = cfg
        #: As the application gave it: ``200 OK``; None before start_response.
        self.status: Optional[str] = None
        self.status_code: Optional[int] = None
        self.headers: List[Header] = []
        #: The Content-Length, or None.
        self.response_length: Optional[int] = None
        self.headers_sent = False
        #: Bytes of body.
        self.sent = 0

    @property
    def chunked(self) -> bool:
        return self.response_length is None and self.status_code not in (204, 304)

    def should_close(self) -> bool:
        return self.must_close

    def force_close(self) -> None:
        """Has no effect: the acceptor decides about the connection."""
        self.must_close = True


_PLAIN = {"CONTENT_TYPE": "CONTENT-TYPE", "CONTENT_LENGTH": "CONTENT-LENGTH"}


def _headers_of(environ: Environ) -> List[Header]:
    headers = []
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            headers.append((key[5:].replace("_", "-"), value))
        elif key in _PLAIN and value:
            headers.append((_PLAIN[key], value))
    return headers


def _variable_of(name: str) -> str:
    variable = name.upper().replace("-", "_")
    return variable if variable in _PLAIN else f"HTTP_{variable}"


def _put_headers(environ: Environ, headers: Tuple[Header, ...]) -> None:
    values: Dict[str, str] = {}
    for name, value in headers:
        variable = _variable_of(name)
        values[variable] = f"{values[variable]},{value}" if variable in values else value
    environ.update(values)


def _unquote(path: str) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path.encode("latin-1", "replace")).decode("latin-1")
