"""``monoceros.run``: a server that a program in Python starts and waits for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from types import FrameType
from typing import Any, Callable, Dict, List, Optional

from .command import CommandError, server_command

#: What the server understands, beside SIGINT. An upgrade would outlive the program, so there is no
#: SIGUSR2.
PASSED_ON = ("TERM", "QUIT", "HUP", "USR1", "TTIN", "TTOU")


def run_server(application: str, settings: Dict[str, object]) -> None:
    """See ``monoceros.run``."""
    given = dict(settings)
    arguments = _config_arguments(given.pop("config", None))
    _check_application(application)
    _check(given)
    given["wsgi_app"] = application
    folder = _program_folder()
    if folder is not None and "pythonpath" not in given:
        given["pythonpath"] = [folder]
    # The server notices by this pipe if this process is killed.
    stays, channel = os.pipe()
    try:
        os.set_inheritable(stays, True)
        command = server_command(arguments, given, stays)
        sys.stdout.flush()
        sys.stderr.flush()

        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(command.arguments, env=command.environment, pass_fds=(stays,))

        status = _serve(start)
    except CommandError as error:
        print(f"monoceros: {error}", file=sys.stderr)
        raise SystemExit(error.status) from None
    finally:
        os.close(stays)
        os.close(channel)
    if status != 0:
        raise SystemExit(status if status > 0 else 128 - status)


def _config_arguments(config: object) -> List[str]:
    if config is None:
        return []
    if not isinstance(config, (str, os.PathLike)):
        raise TypeError(f"config is the path of a config file, not {config!r}")
    return ["--config", os.fspath(config)]  # type: ignore[list-item]


def _check_application(application: object) -> None:
    if not isinstance(application, str):
        name = getattr(application, "__name__", "app")
        raise TypeError(
            "monoceros.run() takes the name of an application, such as "
            f"'flaskapp:{name if isinstance(name, str) and name.isidentifier() else 'app'}', not "
            f"{type(application).__name__}: workers are processes that import it by its name"
        )
    if application.partition(":")[0] == "__main__":
        raise ValueError(
            f"{application!r}: name the module by its file, as another process imports it"
        )


def _check(settings: Dict[str, object]) -> None:
    """Raises TypeError for what JSON cannot hold."""
    for name, value in settings.items():
        try:
            text = json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False)
            text.encode("utf-8", "surrogateescape")
            settings[name] = json.loads(text)
        except (TypeError, ValueError):
            what = "a function" if callable(value) else repr(value)
            raise TypeError(
                f"{name} is {what}, which cannot be passed to the server; put it into a config "
                "file, and name that with config='gunicorn.conf.py'"
            ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError


def _program_folder() -> Optional[str]:
    """The folder of the program's file, which Python searches for modules; None if it does not, or
    if that is the working directory, which workers search anyway."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return None
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    # With -m, Python searches the working directory instead.
    if not isinstance(file, str) or getattr(main, "__spec__", None) is not None:
        return None
    folder = os.path.dirname(os.path.realpath(file))
    return None if folder == os.path.realpath(os.getcwd()) else folder


def _serve(start: "Callable[[], subprocess.Popen[bytes]]") -> int:
    """Starts the server, and passes signals on until it has ended. Returns its status as
    ``wait()`` does."""
    if threading.current_thread() is not threading.main_thread():
        return start().wait()
    server: "Optional[subprocess.Popen[bytes]]" = None
    early: List[int] = []
    interrupted = False

    def pass_on(number: int, _frame: Optional[FrameType]) -> None:
        if server is None:
            early.append(number)
        else:
            server.send_signal(number)

    def interrupt(number: int, frame: Optional[FrameType]) -> None:
        nonlocal interrupted
        interrupted = True
        # The terminal has sent it to the server, too, and a second one would stop it at once.
        if server is None or not _is_in_foreground():
            pass_on(number, frame)

    before: Dict[int, Any] = {}
    try:
        for name in PASSED_ON:
            number = getattr(signal, f"SIG{name}")
            before[number] = signal.signal(number, pass_on)
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
        server = start()
        for number in early:
            server.send_signal(number)
        status = server.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    # It may have come before the server could take it.
    if interrupted and status in (0, -signal.SIGINT):
        raise KeyboardInterrupt
    return status


def _is_in_foreground() -> bool:
    """Whether a Ctrl-C in the terminal reaches this process and its children."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
