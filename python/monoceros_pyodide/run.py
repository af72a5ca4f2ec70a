"""Runs a program in the embedded interpreter as ``python`` would.

This includes the command line, the standard streams and the exit status."""

from __future__ import annotations

import builtins
import json
import linecache
import os
import re
import runpy
import sys
import types
import warnings
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Protocol, TextIO

from . import absent, event_loop, executor, packages

#: A shell reports this status for a program that SIGINT ended.
EXIT_INTERRUPTED = 130
#: CPython's status if it cannot flush standard output at the end.
EXIT_NOT_WRITTEN = 120

_COMMAND = "monoceros python"


class Host(Protocol):
    """What Node provides (src/runtimes/pyodide/command/command-entry.ts)."""

    def set_echo(self, echo: bool) -> None:
        """Switches the terminal's echo."""

    def is_broken(self) -> bool:
        """Whether standard output is no longer read."""

    def answer(self, text: str) -> None:
        """Takes what a configuration has, as JSON."""


class Program:
    """What to run (``Program`` in src/runtimes/pyodide/command/command-link.ts)."""

    def __init__(self, value: Dict[str, Any]) -> None:
        self.kind: str = value["kind"]
        self.name: str = value["name"]
        self.source: Optional[str] = value["source"]
        self.args: List[str] = value["args"]
        self.cwd: str = value["cwd"]
        self.folders: List[str] = value["folders"]
        self.pythonpath: List[str] = value["pythonpath"]
        self.terminals: Dict[str, bool] = value["terminals"]
        flags: Dict[str, Any] = value["flags"]
        self.unbuffered: bool = flags["unbuffered"]
        self.inspect: bool = flags["inspect"]
        self.quiet: bool = flags["quiet"]
        self.safe_path: bool = flags["safePath"]
        self.no_byte_code: bool = flags["noByteCode"]
        self.warnings: List[str] = flags["warnings"]
        self.options: List[str] = flags["options"]


def main(program: str, host: Host) -> int:
    """Runs a program, given as JSON, to its end. Returns the exit status."""
    return run(Program(json.loads(program)), host)


def run(program: Program, host: Host) -> int:
    """Runs a program to its end. Returns the exit status."""
    if program.kind == "version":
        print(f"Python {'.'.join(map(str, sys.version_info[:3]))}")
        return _finish(0, host)
    _prepare(program, host)
    if program.kind == "configuration":
        host.answer(json.dumps(_configuration(program)))
        return _finish(0, host)
    status = _guard(lambda: _start(program), host)
    if program.inspect and program.kind != "prompt":
        status = _guard(lambda: _prompt(""), host)
    exit_functions = sys.modules.get("atexit")
    if exit_functions is not None:
        exit_functions._run_exitfuncs()  # type: ignore[attr-defined]
    return _finish(status, host)


# Before the program.


def _prepare(program: Program, host: Host) -> None:
    os.chdir(program.cwd)
    # There is no path. A program's messages show how it was started.
    sys.executable = _COMMAND
    for stream, terminal, errors in (
        (sys.stdin, program.terminals["input"], "strict"),
        (sys.stdout, program.terminals["output"], "strict"),
        (sys.stderr, True, "backslashreplace"),
    ):
        _adapt(stream, terminal, errors, program.unbuffered)
    for option in program.options:
        name, equals, value = option.partition("=")
        sys._xoptions[name] = value if equals else True
    sys.path[:] = [entry for entry in sys.path if entry]
    for folder in reversed(program.folders):
        packages.enable(folder, program.pythonpath if folder == program.folders[0] else [])
    if program.no_byte_code:
        sys.dont_write_bytecode = True
    if "dev" in sys._xoptions:
        warnings.simplefilter("default")
    sys.warnoptions.extend(program.warnings)
    warnings._processoptions(program.warnings)  # type: ignore[attr-defined]
    _read_passwords_unseen(host)
    absent.install()
    event_loop.install()
    executor.install()


def _adapt(stream: Optional[TextIO], terminal: bool, errors: str, unbuffered: bool) -> None:
    if stream is None:
        return
    # Pyodide makes the streams before it is known what they are.
    stream.reconfigure(  # type: ignore[attr-defined]
        encoding="utf-8",
        errors=errors,
        line_buffering=terminal,
        write_through=unbuffered and stream is not sys.stdin,
    )


def _read_passwords_unseen(host: Host) -> None:
    """Replaces ``getpass``, which uses the terminal driver that Emscripten does not have."""
    import getpass

    def read(
        prompt: str = "Password: ",
        stream: Optional[TextIO] = None,
        *,
        echo_char: Optional[str] = None,
    ) -> str:
        if not sys.stdin.isatty():
            return ask(prompt, stream)
        out = stream or sys.stderr
        host.set_echo(False)
        try:
            out.write(prompt)
            out.flush()
            line = sys.stdin.readline()
        finally:
            host.set_echo(True)
            out.write("\n")
            out.flush()
        if not line:
            raise EOFError
        return line[:-1] if line.endswith("\n") else line

    ask: Callable[..., str] = getpass.fallback_getpass  # type: ignore[attr-defined]
    read.__name__ = read.__qualname__ = "getpass"
    read.__doc__ = getpass.getpass.__doc__
    getpass.getpass = read  # type: ignore[assignment]


# The program.


def _start(program: Program) -> None:
    name = program.name
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    if program.kind == "script":
        if os.path.basename(name) == "manage.py" and program.args[:1] == ["runserver"]:
            raise SystemExit(_NO_RUNSERVER.format("manage.py"))
        sys.argv[:] = [name, *program.args]
        if program.source is None and _is_package(name):
            sys.path.insert(0, os.path.abspath(name))
            runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
            return
        _search_first(program, os.path.dirname(os.path.realpath(name)))
        module.__file__ = os.path.abspath(name)
        module.__dict__["__cached__"] = None
        _execute(_source_of(program), name if program.source is not None else os.path.abspath(name))
    elif program.kind == "module":
        if name == "django" and program.args[:1] == ["runserver"]:
            raise SystemExit(_NO_RUNSERVER.format("django"))
        # The pip of a .venv would try for a minute to reach an index.
        if name == "pip" and {"install", "download", "wheel"} & set(program.args):
            raise SystemExit(
                "monoceros python: pip has no network here; "
                "use monoceros install instead of pip install"
            )
        sys.argv[:] = ["-m", *program.args]
        _search_first(program, os.getcwd())
        _run_module(name)
    elif program.kind == "code":
        sys.argv[:] = ["-c", *program.args]
        _search_first(program, "")
        _execute(_remember(name, "<string>"), "<string>")
    elif program.kind == "input":
        sys.argv[:] = ["-" if name == "-" else "", *program.args]
        _search_first(program, "")
        _execute(_remember(sys.stdin.buffer.read(), "<stdin>"), "<stdin>")
    else:
        sys.argv[:] = ["-" if name == "-" else "", *program.args]
        _search_first(program, "")
        _prompt("" if program.quiet else _banner())


def _configuration(program: Program) -> Dict[str, Any]:
    """Runs a Gunicorn configuration. The arguments are the names that are wanted of it, and after
    them the number of processors: it decides about the whole server, not about one interpreter."""
    from monoceros.configuration import ConfigurationError, read_configuration
    from monoceros.configuration_answer import answer_of

    *names, processors = program.args
    os.cpu_count = lambda: int(processors)
    os.sched_getaffinity = lambda pid: set(range(int(processors)))  # type: ignore[attr-defined]
    sys.argv[:] = ["monoceros"]
    try:
        return answer_of(read_configuration(program.name), names)
    except ConfigurationError as error:
        return {"error": str(error)}


class _NoModuleError(Exception):
    """There is no such module, or it cannot be run."""


#: Modules that install something, and what to do instead.
_INSTALLERS = {
    "pip": "use monoceros install instead of pip install",
    "ensurepip": "monoceros install needs no pip",
    "venv": "no virtual environment is needed: monoceros install puts packages into the folder "
    "python_modules of the project",
}


def _run_module(name: str) -> None:
    # A snapshot contains many imported modules, none of them the program's. If the module were
    # among them, runpy would warn.
    sys.modules.pop(name, None)
    try:
        # type: ignore[attr-defined]
        _, spec, code = runpy._get_module_details(name, _NoModuleError)
    except _NoModuleError as error:
        text = f"monoceros python: {error}"
        if name in _INSTALLERS:
            text += f"; {_INSTALLERS[name]}"
        elif str(error) == f"No module named {name}":
            text += f". {packages.advice(ModuleNotFoundError(name=name))}"
        raise SystemExit(text) from None
    # In the standard library's archive the module is byte code. Programs expect the name of a
    # source file.
    sys.argv[0] = re.sub(r"\.pyc$", ".py", spec.origin)
    # type: ignore[attr-defined]
    runpy._run_code(code, sys.modules["__main__"].__dict__, None, "__main__", spec)


def _is_package(path: str) -> bool:
    """Whether a path is that of a folder or an archive with a ``__main__``."""
    import zipfile

    return os.path.isdir(path) or zipfile.is_zipfile(path)


def _search_first(program: Program, folder: str) -> None:
    if not program.safe_path:
        sys.path.insert(0, folder)


def _source_of(program: Program) -> Any:
    if program.source is not None:
        return _remember(program.source, program.name)
    with open(program.name, "rb") as file:
        return file.read()


def _remember(source: Any, name: str) -> Any:
    """Makes tracebacks show the lines of source code that is not in a file."""
    text = source if isinstance(source, str) else source.decode("utf-8", "replace")
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    return source


def _execute(source: Any, name: str) -> None:
    code = compile(source, name, "exec", dont_inherit=True)
    exec(code, sys.modules["__main__"].__dict__)


def _banner() -> str:
    series = sys.version.split(" ", 1)[0]
    return (
        f"Python {series} as WebAssembly, in Monoceros\n"
        'Type "help", "copyright" or "license" for more information.'
    )


def _prompt(banner: str) -> None:
    import code

    class Console(code.InteractiveConsole):
        def showtraceback(self) -> None:
            error = sys.exc_info()[1]
            if error is not None and error.__traceback__ is not None:
                # The first frame is the console's.
                error.__traceback__.tb_next = _without_own_frames(error.__traceback__.tb_next)
                _clear_chain(error)
            super().showtraceback()
            advice = "" if error is None else _advice(error)
            if advice:
                self.write(f"\nmonoceros python: {advice}\n")

    sys.ps1, sys.ps2 = getattr(sys, "ps1", ">>> "), getattr(sys, "ps2", "... ")
    Console(sys.modules["__main__"].__dict__).interact(banner=banner, exitmsg="")


# After the program.


def _guard(action: Callable[[], None], host: Host) -> int:
    """Runs ``action``, shows the error that it ends with, and returns the exit status."""
    try:
        action()
        return 0
    except SystemExit as error:
        return _status_of(error)
    except BaseException as error:  # noqa: B036
        if isinstance(error, BrokenPipeError) and host.is_broken():
            return 1
        _show(error)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def _status_of(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    _flush(sys.stdout)
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    error = error.with_traceback(_without_own_frames(error.__traceback__))
    _clear_chain(error)
    sys.last_exc = error  # type: ignore[attr-defined]
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    _flush(sys.stdout)
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as second:  # noqa: B036
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(second), second, _without_own_frames(second.__traceback__))
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)
    advice = _advice(error)
    if advice:
        print(f"\nmonoceros python: {advice}", file=sys.stderr)


_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def _without_own_frames(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback without Monoceros' own frames at its beginning and its end."""
    while traceback is not None and _is_own(traceback):
        traceback = traceback.tb_next
    last = traceback
    entry = traceback
    while entry is not None:
        if not _is_own(entry):
            last = entry
        entry = entry.tb_next
    if last is not None:
        last.tb_next = None
    return traceback


def _is_own(traceback: TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_filename.startswith(_HERE)


def _clear_chain(error: BaseException) -> None:
    """Removes Monoceros' own frames from the causes of an error too."""
    seen = {id(error)}
    waiting = [error.__cause__, error.__context__]
    while waiting:
        other = waiting.pop()
        if other is None or id(other) in seen:
            continue
        seen.add(id(other))
        other.__traceback__ = _without_own_frames(other.__traceback__)
        waiting += [other.__cause__, other.__context__]


_NO_RUNSERVER = (
    "monoceros python: {} runserver is not possible on the embedded Python, which has no network. "
    "Serve the project itself: monoceros MODULE:NAME with the value of its WSGI_APPLICATION, "
    "such as monoceros mysite.wsgi:application"
)
_ELSEWHERE = (
    "A program that needs them must run on an installed Python. To serve an application, use "
    "monoceros MODULE:NAME"
)


def _advice(error: BaseException) -> str:
    """Advice about an error that has its cause in the embedded interpreter; ``""`` for others."""
    try:
        text = str(error)
    except BaseException:
        return ""
    if isinstance(error, OSError) and "does not support processes" in text:
        return f"the embedded Python cannot run other programs. {_ELSEWHERE}"
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return f"the embedded Python has no threads. {_ELSEWHERE}"
    return packages.advice(error)


def _flush(stream: Optional[TextIO]) -> Optional[Exception]:
    """Flushes a stream. Returns the error, if there was one."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return None
    except (OSError, ValueError) as error:
        return error


def _finish(status: int, host: Host) -> int:
    failure = _flush(sys.stdout)
    _flush(sys.stderr)
    if failure is None:
        return status
    if not host.is_broken():
        why = failure.strerror if isinstance(failure, OSError) else failure
        print(f"monoceros python: cannot write to standard output: {why}", file=sys.stderr)
    return status or EXIT_NOT_WRITTEN


__all__ = ["Host", "Program", "main", "run"]
