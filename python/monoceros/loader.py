"""Finds the application that a reference such as ``module:attribute`` names."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from .codes import coded
from .stranger import (
    attribute,
    cause_of,
    describe,
    has_type,
    is_callable_here,
    names_of,
)
from .trace import format_error, hide_imports

_DEFAULT_NAMES = ("application", "app")


def interpreter_name() -> str:
    """The path and version of this interpreter, for messages."""
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{sys.executable or 'an interpreter without a path'} (Python {version})"


def _interpreter_advice(error: BaseException) -> str:
    name = missing_module(error)
    top, _, inner = name.partition(".")
    # If the package exists and lacks a module, its version is wrong, not the interpreter.
    if not name or (inner and top in sys.modules):
        return ""
    install = ""
    if not _is_in_its_environment() and sys.executable:
        install = f"Install what has it there ({sys.executable} -m pip install PACKAGE). "
    return f"{interpreter_name()} finds no module {name!r}. {install}{_what_to_do()}"


def _is_in_its_environment() -> bool:
    """In the Python package, the server is for the interpreter that it was installed with."""
    server = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.basename(server) == "_server"


def _what_to_do() -> str:
    if _is_in_its_environment():
        return "Install what has it into the same environment, beside monoceros"
    return (
        "If another interpreter has it, name that one (--python PATH; the option python of "
        "pythonApp), or start in an activated virtual environment"
    )


#: Called with an error of the application. Returns a sentence above its traceback on what to do, or
#: "". An embedded worker, whose modules come from other places, replaces it.
advise: Callable[[BaseException], str] = _interpreter_advice


def missing_module(error: BaseException) -> str:
    """The module whose absence raised ``error`` or its cause; "" if it is another error."""
    seen = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if has_type(current, ModuleNotFoundError):
            name = attribute(current, "name")
            if type(name) is str and name:
                return name
        current = cause_of(current)
    return ""


class LoadError(Exception):
    """The application could not be loaded. ``str(error)`` is for the user: one line if the
    reference is wrong, the Python traceback if the application's own code raised."""

    code = "application-not-loaded"

    def __init__(self, code: str, text: str) -> None:
        super().__init__(coded(code, text))


def load(reference: str) -> Callable[..., Any]:
    """Imports the application that ``reference`` names. Raises LoadError.

    ``module``, ``module:attribute``, ``module:attribute.inner``, ``module:factory()`` and
    ``module:factory("text", key=1)`` (literals only); a module alone stands for its ``application``
    or ``app``."""
    module_name, colon, expression = reference.partition(":")
    _check_module_name(reference, module_name, expression)
    if colon and not expression.strip():
        raise LoadError(
            "MONO2004",
            f"application {reference!r}: nothing follows the colon; "
            f"write {module_name}:application",
        )
    target = _parse(reference, expression) if colon else None
    module = _import(reference, module_name)
    if target is None:
        return _default(reference, module)
    names, call = target
    found: Any = module
    where = f"module {module_name!r}"
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            near = _other_file(module) or _near(found, name, module_name)
            raise LoadError(
                "MONO2002", f"application {reference!r}: {where} has no attribute {name!r}{near}"
            ) from None
        except BaseException as error:
            raise load_failure(reference, error) from None
        where = f"{'.'.join(names[: names.index(name) + 1])!r} of module {module_name!r}"
    if call is not None:
        if not callable(found):
            raise LoadError(
                "MONO2005",
                f"application {reference!r}: {where} is {describe(found)} and cannot be called",
            )
        try:
            found = found(*call[0], **call[1])
        except BaseException as error:
            raise load_failure(reference, error) from None
        where = f"what {'.'.join(names)}() returned"
    if not callable(found):
        raise LoadError(
            "MONO2005",
            f"application {reference!r}: {where} is {describe(found)}, not a callable; "
            "a WSGI application is called with (environ, start_response)",
        )
    return found  # type: ignore[no-any-return]


def _check_module_name(reference: str, name: str, expression: str) -> None:
    if not name:
        raise LoadError(
            "MONO2004",
            f"application {reference!r}: no module before the colon; write module:application",
        )
    if name.endswith(".py") or "/" in name or os.sep in name:
        path = os.path.normpath(name[:-3] if name.endswith(".py") else name)
        dotted = ".".join(part for part in path.split(os.sep) if part not in ("", ".", ".."))
        better = f"{dotted}:{expression}" if expression else dotted
        raise LoadError(
            "MONO2004",
            f"application {reference!r}: {name!r} is a path{_script_file(name, expression)}; "
            f"write the module as Python imports it: {better}",
        )
    if not all(part.isidentifier() for part in name.split(".")):
        raise LoadError(
            "MONO2004", f"application {reference!r}: {name!r} is not the name of a Python module"
        )


def _parse(
    reference: str, expression: str
) -> Tuple[List[str], Optional[Tuple[List[Any], Dict[str, Any]]]]:
    wrong = LoadError(
        "MONO2004",
        f"application {reference!r}: {expression!r} is neither a name (app, package.app) "
        "nor a call with literal arguments "
        '(create_app(), create_app("production", debug=False))',
    )
    try:
        node: ast.expr = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise wrong from None
    call: Optional[Tuple[List[Any], Dict[str, Any]]] = None
    if isinstance(node, ast.Call):
        try:
            arguments = [ast.literal_eval(argument) for argument in node.args]
            keywords: Dict[str, Any] = {}
            for keyword in node.keywords:
                if keyword.arg is None:
                    raise ValueError("**")
                keywords[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            raise wrong from None
        call = (arguments, keywords)
        node = node.func
    names: List[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise wrong
    names.append(node.id)
    names.reverse()
    return names, call


def _import(reference: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself (or a package on the way to it) is missing, not one that it imports.
        missing = missing_module(error)
        if (
            missing
            and (name == missing or name.startswith(missing + "."))
            and not _raised_inside(error)
        ):
            raise LoadError("MONO2001", _missing(reference, name, missing)) from None
        raise load_failure(reference, error) from None
    except BaseException as error:
        raise load_failure(reference, error) from None


def _raised_inside(error: BaseException) -> bool:
    """True if a module's own code raised: there is a frame of neither importlib nor this
    package."""
    hide_imports(error)
    trace = error.__traceback__
    here = os.path.dirname(os.path.abspath(__file__))
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(here):
            return True
        trace = trace.tb_next
    return False


def _missing(reference: str, name: str, missing: str) -> str:
    parent, _, last = missing.rpartition(".")
    if parent:
        package = sys.modules.get(parent)
        path = attribute(package, "__path__")
        if package is not None and path is None:
            return (
                f"application {reference!r}: {parent!r} is a module, not a package, "
                f"so it holds no module {last!r}"
            )
        places = _listed(path) or parent
        return (
            f"application {reference!r}: package {parent!r} has no module {last!r} "
            f"(looked in {places})"
        )
    hint = _script_file(name, reference[len(name) + 1 :])
    if "." in name and ":" not in reference:
        head, _, tail = name.rpartition(".")
        hint = f"; for an attribute of a module write {head}:{tail}"
    places = _listed(sys.path) or "nowhere, sys.path is empty"
    if advise is _interpreter_advice:
        by = f"looked in {places} with {interpreter_name()}). {_what_to_do()}"
    else:
        by = f"looked in {places} with the embedded Python)"
    return f"application {reference!r}: there is no module {missing!r}{hint} ({by}"


def _script_file(name: str, expression: str) -> str:
    """Says how to serve a file of TypeScript or JavaScript of that name, if there is one."""
    for suffix in (".ts", ".mts", ".js", ".mjs"):
        if os.path.isfile(name + suffix):
            path = os.path.join(os.curdir, os.path.normpath(name + suffix))
            return (
                f"; to serve {name + suffix}, write {path}{':' if expression else ''}{expression}"
            )
    return ""


def _listed(places: Any) -> str:
    """The folders of a sys.path or of a package's path, which may have entries of other types."""
    try:
        return ", ".join(str.__str__(path) or "." for path in places if has_type(path, str))
    except BaseException:
        return ""


def _default(reference: str, module: Any) -> Callable[..., Any]:
    for name in _DEFAULT_NAMES:
        try:
            found = getattr(module, name, None)
        # a module's __getattr__ may make the application, and raise anything
        except BaseException as error:
            raise load_failure(reference, error) from None
        if callable(found):
            return found  # type: ignore[no-any-return]
        if found is not None:
            raise LoadError(
                "MONO2005",
                f"application {reference!r}: {name!r} of module {reference!r} "
                f"is {describe(found)}, not a callable",
            )
    near = _other_file(module) or _near(module, "application", reference)
    raise LoadError(
        "MONO2002",
        f"application {reference!r}: module {reference!r} has neither 'application' nor 'app'"
        f"{near}; name the callable, as in {reference}:NAME",
    )


def _other_file(module: Any) -> str:
    """Says so if Python has a module of that name, which hides the file that is meant: site.py."""
    name, file = attribute(module, "__name__"), attribute(module, "__file__")
    if type(name) is not str or type(file) is not str:
        return ""
    meant = os.path.abspath(os.path.join(*name.split(".")) + ".py")
    if not os.path.isfile(meant) or os.path.realpath(meant) == os.path.realpath(file):
        return ""
    return f"; it is {file}, and {meant} cannot be imported by that name: give it another one"


def _near(holder: Any, name: str, module: str) -> str:
    names = [entry for entry in names_of(holder) if not entry.startswith("_")]
    near = difflib.get_close_matches(name, names, 3)
    if near:
        return f"; did you mean {' or '.join(repr(entry) for entry in near)}?"
    found = [entry for entry in names if is_callable_here(attribute(holder, entry), module)]
    return f"; callable there: {', '.join(found[:10])}" if found else ""


def load_failure(reference: str, error: BaseException) -> LoadError:
    """What the user is told when the application's own code has raised."""
    hide_imports(error)
    # The last line is that of the traceback.
    what = [f"application {reference!r} could not be loaded", advise(error)]
    text = ". ".join(line for line in what if line) + "\n" + format_error(error)
    return LoadError("MONO2003", text)
