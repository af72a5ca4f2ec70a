"""Runs a Gunicorn configuration (``gunicorn.conf.py`` or ``python:module``) and reads its names.

The config host, the workers and the parent of preloaded workers all use it. It does what Gunicorn
does: the file is a module named ``__config__``, its folder of reference is the working directory,
and names that are not settings are ignored."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
from types import CodeType, ModuleType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Set

from .codes import coded
from .stranger import describe
from .trace import format_error, hide_imports

#: The hooks of Gunicorn that Monoceros calls, with the number of their arguments.
HOOKS: Mapping[str, int] = {
    "on_starting": 1,
    "on_reload": 1,
    "when_ready": 1,
    "pre_fork": 2,
    "post_fork": 2,
    "post_worker_init": 1,
    "worker_int": 1,
    "worker_abort": 1,
    "pre_exec": 1,
    "pre_request": 2,
    "post_request": 4,
    "child_exit": 2,
    "worker_exit": 2,
    "nworkers_changed": 3,
    "on_exit": 1,
}

_MODULE = "__config__"


class ConfigurationError(Exception):
    """The configuration cannot be used. ``str(error)`` is for the user: one line, or a line and the
    traceback if the file's own code raised."""

    code = "configuration"

    def __init__(self, code: str, text: str) -> None:
        super().__init__(coded(code, text))


class Configuration(NamedTuple):
    """A configuration that has run."""

    #: The absolute path of its file; None if it is a module without one.
    file: Optional[str]
    #: All global names of the module, as in ``vars(module)``.
    namespace: Dict[str, Any]
    #: The hooks that it defines, by name. Each takes as many arguments as ``HOOKS`` says.
    hooks: Dict[str, Callable[..., Any]]


def read_configuration(location: str) -> Configuration:
    """Runs the configuration, in the working directory, which becomes the first folder of sys.path
    as in Gunicorn.

    Call it in the folder in which the command was started, before entering the application's.

    :param location: ``PATH``, ``file:PATH`` or ``python:MODULE``
    :raises ConfigurationError:
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    name = location[len("file:") :] if location.startswith("file:") else location
    try:
        if location.startswith("python:"):
            module = importlib.import_module(location[len("python:") :])
        else:
            module = _run_file(name)
    except ConfigurationError:
        raise
    # The file may call sys.exit(), and raise anything.
    except BaseException as error:
        hide_imports(error)
        raise ConfigurationError(
            "MONO1106", f"{name} could not be read\n{format_error(error)}"
        ) from None
    namespace = vars(module)
    file = getattr(module, "__file__", None)
    return Configuration(
        os.path.abspath(file) if isinstance(file, str) else None,
        namespace,
        {hook: _hook(name, hook, namespace[hook]) for hook in HOOKS if hook in namespace},
    )


def assigned_lines(configuration: Configuration) -> Dict[str, int]:
    """The line at which each global name is assigned last, as far as the source shows it."""
    if configuration.file is None:
        return {}
    try:
        with open(configuration.file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):  # a compiled file
        return {}
    lines: Dict[str, int] = {}
    waiting: List[ast.AST] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            lines[node.name] = node.lineno
            continue  # what is assigned inside is local
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines[node.id] = node.lineno
        if isinstance(node, ast.alias):
            lines[node.asname or node.name] = getattr(node, "lineno", 0)
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return {name: line for name, line in lines.items() if line > 0}


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time. Python's cache compares times in whole seconds, so a reload
    right after a change could run the old file."""

    def get_code(self, fullname: str) -> Optional[CodeType]:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run_file(path: str) -> ModuleType:
    if not os.path.exists(path):
        raise ConfigurationError("MONO1104", f"{path!r} does not exist")
    if os.path.splitext(path)[1] == ".pyc":
        spec = importlib.util.spec_from_file_location(_MODULE, path)
    else:
        loader = _FreshLoader(_MODULE, path)
        spec = importlib.util.spec_from_file_location(_MODULE, path, loader=loader)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _hook(location: str, name: str, value: Any) -> Callable[..., Any]:
    """The function of a hook, which may be given as ``"package.module.function"``."""
    if isinstance(value, str):
        module, dot, attribute = value.rpartition(".")
        try:
            value = getattr(importlib.import_module(module), attribute) if dot else value
        except BaseException as error:
            hide_imports(error)
            raise ConfigurationError(
                "MONO1109", f"{location}: {name}: cannot import {value!r}\n{format_error(error)}"
            ) from None
    if not callable(value):
        raise ConfigurationError(
            "MONO1109", f"{location}: {name} is {describe(value)}, not a function"
        )
    wanted = HOOKS[name]
    counts = _accepted_counts(value)
    if name == "post_request" and wanted not in counts:
        shorter = [count for count in (3, 2) if count in counts]
        if shorter:
            return _shortened(value, shorter[0])
    if counts and wanted not in counts:
        raise ConfigurationError(
            "MONO1109",
            f"{location}: {name} must accept {wanted} argument{'s' if wanted > 1 else ''}",
        )
    return value  # type: ignore[no-any-return]


def _accepted_counts(function: Callable[..., Any]) -> Set[int]:
    """With how many arguments it can be called; empty if that cannot be known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return set()
    counts = set()
    for count in range(1, 5):
        try:
            signature.bind(*range(count))
            counts.add(count)
        except TypeError:
            pass
    return counts or {0}


def _shortened(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """``post_request`` once had only two or three arguments; Gunicorn still accepts that."""

    def post_request(*arguments: Any) -> Any:
        return function(*arguments[:count])

    return post_request
