"""The worker in a browser's page: the server's own gateway, with a page instead of an acceptor.

It is in the package whose frames tracebacks leave out. ``site/playground/python-worker.ts`` calls
it, and passes texts and bytes only."""

from __future__ import annotations

import importlib
import io
import json
import os
import runpy
import socket
import sys
import wsgiref.validate
from typing import Any, Callable, Dict, List, Optional, Tuple

from monoceros import frames, loader, trace
from monoceros.channel import Service
from monoceros.environ import make_template
from monoceros.loader import LoadError
from monoceros.serial import SerialWorker
from monoceros.streams import ErrorStream

from . import page_sockets

#: Where the reader's files are.
FOLDER = "/tutorial"
#: The most of a response that the page takes, in bytes. An endless body ends here.
RESPONSE_LIMIT = 1024 * 1024
#: The most of a log, in characters.
LOG_LIMIT = 64 * 1024

# The validator's own frames say nothing to the author of an application.
trace._SERVER += (
    wsgiref.validate.validator.__code__.co_filename,
    runpy.run_path.__code__.co_filename,
)


def _advise(error: BaseException) -> str:
    name = loader.missing_module(error)
    if not name:
        return ""
    return f"The page has no module {name!r}: only your files, the standard library and werkzeug"


loader.advise = _advise


class Log:
    """What is written, in order, with who has written it."""

    def __init__(self) -> None:
        self.entries: List[List[str]] = []
        self._size = 0

    def add(self, origin: str, text: str) -> None:
        """Adds text to the last entry if it is from the same origin."""
        if self._size > LOG_LIMIT:
            return
        space = LOG_LIMIT - self._size
        self._size += len(text)
        if len(text) > space:
            text = text[:space] + "\n… (the rest of the log is left out)\n"
        if self.entries and self.entries[-1][0] == origin:
            self.entries[-1][1] += text
        else:
            self.entries.append([origin, text])

    def take(self) -> List[List[str]]:
        """The entries since the last call."""
        taken, self.entries, self._size = self.entries, [], 0
        return taken


class LogWriter(io.TextIOBase):
    """A text stream into the log."""

    def __init__(self, log: Log, origin: str) -> None:
        self._log = log
        self._origin = origin

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._log.add(self._origin, text)
        return len(text)


log = Log()


class PageWorker(SerialWorker):
    """Runs one exchange at a time, and keeps the frames of its response."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._incoming = b""
        self.outgoing = bytearray()

    def ask(self, stream: int, variables: Dict[str, Any], body: bytes) -> bytes:
        """Passes a request to the application. Returns the frames of the response."""
        import marshal

        environ = marshal.dumps(variables, 2)
        payload = frames.pack_u32(len(environ)) + environ + body
        self._incoming = frames.pack(frames.REQUEST, 0, stream, payload)
        self._stopping = False
        self.outgoing.clear()
        while self._incoming or self._queue or self._ready:
            if self.turn() is not None:
                break
        self.outbox.flush()
        return bytes(self.outgoing)

    def _receive(self, waiting: Any = None) -> bool:
        data, self._incoming = self._incoming, b""
        if not data:
            return False
        self._sort(self._reader.receive(data), self._act)
        return True

    def _send(self, data: bytes) -> None:
        self.outgoing += data
        if len(self.outgoing) > RESPONSE_LIMIT and self._current is not None:
            if not self._current.cancelled:
                log.add("server", f"the page takes {RESPONSE_LIMIT} bytes of a response\n")
            self._current.cancelled = True


def read_response(data: bytes, request: str) -> Dict[str, Any]:
    """What a client gets of these frames. Text of LOG, FAIL and VIOLATION frames is logged."""
    response: Dict[str, Any] = {"status": None, "headers": [], "body": b"", "complete": True}
    body = bytearray()
    position = 0
    while position < len(data):
        length, kind, flags, _, _ = frames.unpack_header(data, position)
        start = position + frames.HEADER_SIZE
        position = start + length
        if kind == frames.HEAD:
            size = frames.unpack_u32(data, start)[0]
            lines = data[start + 4 : start + 4 + size].decode("latin-1").split("\r\n")
            response["status"] = lines[0]
            response["headers"] = [line.split(": ", 1) for line in lines[1:] if line]
            body += data[start + 4 + size : position]
        elif kind == frames.DATA:
            body += data[start:position]
        elif kind == frames.END and flags & frames.BROKEN:
            response["complete"] = False
        elif kind == frames.FAIL:
            response["failed"] = True
            log.add(
                "server", f"Error handling request {request}\n{data[start:position].decode()}\n"
            )
        elif kind == frames.LOG:
            if data[start] > frames.DEBUG:
                log.add("server", f"{data[start + 1 : position].decode()}\n")
        elif kind == frames.VIOLATION:
            log.add("server", f"{json.loads(data[start:position])['text']}\n")
    response["body"] = bytes(body)
    return response


class Program:
    """The program that is loaded: an application, or a server."""

    def __init__(self, kind: str, main: str) -> None:
        self.kind = kind
        self.main = main
        self.stream = 0
        self.environ: Optional[Dict[str, Any]] = None
        self.worker: Optional[PageWorker] = None

    def load(self) -> None:
        """Imports the application. Raises LoadError."""
        if self.kind != "application":
            return
        application = self.watched(loader.load(f"{self.main[:-3]}:app"))
        errors = ErrorStream(LogWriter(log, "wsgi.errors"))  # type: ignore[arg-type]
        template = make_template({}, False, False, errors)
        from contextvars import copy_context

        from monoceros.leniency import Leniency

        service = Service(
            application, template, copy_context(), frames.MAX_U32, 0.0, [0], Leniency(False)
        )
        self.worker = PageWorker(service)

    def watched(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """The application between the validator and what notes the environ."""
        validated = wsgiref.validate.validator(application)

        def note(environ: Dict[str, Any], start_response: Any) -> Any:
            if type(environ) is dict:
                self.environ = dict(environ)
            return validated(environ, start_response)

        return note

    def ask(self, variables: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        """One request to the application."""
        assert self.worker is not None
        self.environ = None
        self.stream += 1
        name = f"{variables['REQUEST_METHOD']} {variables['RAW_URI']}"
        return read_response(self.worker.ask(self.stream, variables, body), name)

    def serve(self, request: bytes) -> bytes:
        """Starts the server, which gets one client. Returns what it sends to that client."""
        self.environ = None
        forget_modules()
        # The server finds the application where it imports it from.
        for name in ("append", "hello"):
            if os.path.exists(os.path.join(FOLDER, f"{name}.py")):
                module = importlib.import_module(name)
                module.app = self.watched(module.app)  # type: ignore[attr-defined]
                break
        with page_sockets.client(request) as connection:
            try:
                runpy.run_path(os.path.join(FOLDER, self.main), run_name="__main__")
            except page_sockets.NoMoreClients:
                pass
            except BaseException as error:
                log.add("stderr", f"{trace.format_error(error)}\n")
        return connection.received()

    def variables(self) -> Optional[List[Tuple[str, str]]]:
        """The last environ, for people."""
        if self.environ is None:
            return None
        return [(str(name), _shown(value)) for name, value in self.environ.items()]


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"({type(error).__name__} in its repr())"
    return text if len(text) <= 500 else f"{text[:500]}…"


program: Optional[Program] = None


def forget_modules() -> None:
    """Forgets the modules of the reader, so that they are imported again."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(FOLDER + "/"):
            del sys.modules[name]
    importlib.invalidate_caches()


def load(kind: str, main: str, files: str) -> Optional[str]:
    """Loads a program of these files (JSON). Returns why it cannot be loaded, or None."""
    global program
    program = None
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    if FOLDER not in sys.path:
        sys.path.insert(0, FOLDER)
    for name in os.listdir(FOLDER):
        if name.endswith(".py"):
            os.remove(os.path.join(FOLDER, name))
    for name, text in json.loads(files).items():
        if name.endswith(".py"):
            with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
                file.write(text)
    forget_modules()
    loaded = Program(kind, main)
    try:
        loaded.load()
    except LoadError as error:
        return str(error)
    program = loaded
    return None


def ask(variables: str, body: bytes) -> Any:
    """One request to the application that is loaded: the parts of its response."""
    assert program is not None
    response = program.ask(json.loads(variables), bytes(body))
    return (
        json.dumps({name: value for name, value in response.items() if name != "body"}),
        response["body"],
        json.dumps(program.variables()),
    )


def serve(request: bytes) -> Any:
    """One client of the server that is loaded: the bytes that it gets."""
    assert program is not None
    return (program.serve(bytes(request)), json.dumps(program.variables()))


def take_log() -> str:
    """What was written since the last call."""
    return json.dumps(log.take())


def settle() -> None:
    """Called once."""
    sys.stdout = LogWriter(log, "stdout")
    sys.stderr = sys.__stderr__ = LogWriter(log, "stderr")  # type: ignore[assignment,misc]
    sys.dont_write_bytecode = True
    page_sockets.install(socket)
