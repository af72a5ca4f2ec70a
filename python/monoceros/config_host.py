"""The config host: runs a Gunicorn configuration in a process beside the arbiter.

It speaks with ``src/config/config-host.ts`` over file descriptor 3, one JSON object on each line.
Standard output and standard error belong to the configuration.

| it receives | it answers |
|---|---|
| ``{"read": LOCATION, "names", "cwd"}`` | ``{"number", "file", "values", "lines", "hooks"}`` |
| ``{"settle": {"directory", "environ", "settings"}}`` | nothing: these are in force |
| ``{"call": HOOK, "args": {...}}`` | ``{}`` when the hook has returned |
| ``{"tell": {"started": {"age", "pid"}}}``, or ``ended`` with ``pid`` | nothing |

``{"log": {"level", "text"}}`` is an entry of the error log, which may come at any time.
A reload reads the configuration again in the same process, as with Gunicorn: what hooks have put
there stays, such as threads and attributes of ``server``. The number tells which configuration is
meant, because a reload may fail.

``{"error": TEXT}`` takes the place of an answer if that failed. The host leaves when the channel is
closed."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import threading
from contextlib import contextmanager
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, cast

from .configuration import Configuration, ConfigurationError, read_configuration
from .configuration_answer import answer_of
from .server_hooks import ServerHooks
from .trace import format_error

_CHANNEL = 3
_turn = threading.Lock()


def main() -> int:
    """Serves the channel until it is closed. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        cast(Any, stream).reconfigure(
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    # The file may hang, and then Ctrl-C ends this process together with the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.set_inheritable(_CHANNEL, False)
    channel = os.fdopen(_CHANNEL, "r+b", buffering=0)
    host = _ConfigHost(lambda answer: _answer(channel, answer))
    for line in _lines(channel):
        answer = host.obey(json.loads(line))
        if answer is None:
            continue
        try:
            _answer(channel, answer)
        except OSError:  # the arbiter is gone
            break
    return 0


class _ConfigHost:
    def __init__(self, send: Callable[[Dict[str, Any]], None]) -> None:
        self._send = send
        #: The configurations that have run, by number. A reload that fails leaves the one before.
        self._configurations: Dict[int, Configuration] = {}
        self._settled: Dict[int, Dict[str, Any]] = {}
        self._hooks: Optional[ServerHooks] = None
        #: The number of the one whose hooks were called last.
        self._in_force = 0
        self._environ = dict(os.environ)
        #: Workers that run, by process, as long as no hook has been called.
        self._started: Dict[int, Dict[str, Any]] = {}

    def obey(self, message: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """The answer to a message."""
        try:
            if "read" in message:
                return self._read(message["read"], message["names"], message["cwd"])
            if "settle" in message:
                self._settled[message["of"]] = message["settle"]
                return None
            if "tell" in message:
                self._tell(message["tell"])
                return None
            return self._call(message["of"], message["call"], message.get("args") or {})
        except ConfigurationError as error:
            return {"error": str(error)}
        # A hook may raise anything.
        except BaseException as error:
            return {"error": format_error(error)}

    def _read(self, location: str, names: List[str], directory: str) -> Dict[str, Any]:
        if self._configurations:
            self._restore(directory)
        number = len(self._configurations) + 1
        with _ending_with_the_command(), _abandonable(bool(self._settled)):
            configuration = self._configurations[number] = read_configuration(location)
        _settle_signals()
        return {"number": number, **answer_of(configuration, names)}

    def _restore(self, directory: str) -> None:
        """Undoes what the settings of the configuration before have changed."""
        os.chdir(directory)
        for name in self._settled.get(self._in_force, {}).get("environ", {}):
            if name in self._environ:
                os.environ[name] = self._environ[name]
            else:
                os.environ.pop(name, None)
        self._in_force = 0

    def _use(self, number: int) -> ServerHooks:
        """The hooks of that configuration, which are in force from now on."""
        if self._hooks is not None and self._in_force == number:
            return self._hooks
        settled = self._settled[number]
        os.chdir(settled["directory"])
        os.environ.update(settled["environ"])
        if self._hooks is None:
            self._hooks = ServerHooks(self._log)
        self._hooks.use(self._configurations[number], settled["settings"])
        self._in_force = number
        for facts in self._started.values():
            self._hooks.started(**facts)
        self._started.clear()
        return self._hooks

    def _log(self, level: int, text: str) -> None:
        try:
            self._send({"log": {"level": level, "text": text}})
        except OSError:  # the arbiter is gone
            pass

    def _tell(self, news: Dict[str, Any]) -> None:
        if self._hooks is not None:
            if "started" in news:
                self._hooks.started(**news["started"])
            else:
                self._hooks.ended(**news["ended"])
        elif "started" in news:
            self._started[news["started"]["pid"]] = news["started"]
        else:
            # There may never be a hook: the file may have on_exit only.
            self._started.pop(news["ended"]["pid"], None)

    def _call(self, number: int, hook: str, args: Dict[str, Any]) -> Dict[str, Any]:
        self._use(number).call(hook, args)
        return {}


@contextmanager
def _ending_with_the_command() -> Iterator[None]:
    """Ends this process if the command ends meanwhile: a file that hangs would leave it behind.

    A signal tells, because a thread would disturb files that fork."""
    watch = select.poll()
    watch.register(_CHANNEL, 0)

    def check(number: int, frame: object) -> None:
        if watch.poll(0):  # only the end of the other side is reported
            os._exit(1)

    signal.signal(signal.SIGIO, check)
    fcntl.fcntl(_CHANNEL, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(_CHANNEL, fcntl.F_GETFL)
    fcntl.fcntl(_CHANNEL, fcntl.F_SETFL, flags | os.O_ASYNC)
    check(0, None)
    try:
        yield
    finally:
        fcntl.fcntl(_CHANNEL, fcntl.F_SETFL, flags)
        signal.signal(signal.SIGIO, signal.SIG_IGN)


class _Abandoned(BaseException):
    """The configuration that runs is not wanted any more: another reload has begun."""


@contextmanager
def _abandonable(has_others: bool) -> Iterator[None]:
    """Makes SIGUSR2 end what runs, so that the hooks of an earlier configuration go on. A process
    without one is killed instead."""

    def abandon(number: int, frame: object) -> None:
        raise _Abandoned

    if not has_others:
        yield
        return
    before = signal.signal(signal.SIGUSR2, abandon)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)


def _settle_signals() -> None:
    # A Ctrl-C reaches the whole process group, but the arbiter decides when this process ends. A
    # handler that the configuration has set stays.
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        number = getattr(signal, name)
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, lambda number, frame: None)


def _lines(channel: BinaryIO) -> Any:
    rest = b""
    while True:
        try:
            data = channel.read(65536)
        except OSError:
            return
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _answer(channel: BinaryIO, answer: Dict[str, Any]) -> None:
    with _turn:  # a thread of the configuration may log
        _write(channel, json.dumps(answer).encode("ascii") + b"\n")


def _write(channel: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[channel.write(view) :]
