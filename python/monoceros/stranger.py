"""Inspects an application's objects without raising, whatever these objects do.

An object's ``__getattr__``, ``__repr__``, ``__len__``, ``__eq__`` or ``__class__`` may raise
anything, even a BaseException, and may return anything. werkzeug's ``request`` raises RuntimeError
for every attribute outside of a request, so that ``hasattr`` raises. A proxy has the ``__class__``
of another object. The loader, the log and the end of an exchange use these functions, because they
could not report an error that an object raises there."""

from __future__ import annotations

from typing import Any, List, Tuple, Union

_class_name = type.__dict__["__name__"].__get__  # a metaclass may have a __name__ of its own
_cause = BaseException.__dict__["__cause__"].__get__
_context = BaseException.__dict__["__context__"].__get__


def attribute(value: Any, name: str, default: Any = None) -> Any:
    """Like ``getattr``, but returns the default if that raises anything at all."""
    try:
        return getattr(value, name, default)
    except BaseException:
        return default


def names_of(value: Any) -> List[str]:
    """The names that ``dir`` returns; none if it raises."""
    try:
        return [name for name in dir(value) if type(name) is str]
    except BaseException:
        return []


def type_name(value: Any) -> str:
    """The name of a value's real type, whatever its ``__class__`` is.

    >>> type_name(5)
    'int'
    """
    return str(_class_name(type(value)))


def kind_of(value: Any) -> str:
    """Like ``type_name``, but None for None."""
    return "None" if value is None else type_name(value)


def describe(value: Any) -> str:
    """A value in a sentence.

    >>> describe(5)
    'an int'
    """
    if value is None:
        return "None"
    text = type_name(value)
    return f"{'an' if text[:1].lower() in 'aeiou' else 'a'} {text}"


def is_proxy(value: Any) -> bool:
    """True if a value's ``__class__`` is not its type, or raises."""
    return attribute(value, "__class__") is not type(value)


def is_callable_here(value: Any, module: str) -> bool:
    """True for a callable that seems to be made in that module, not imported from another one.

    That is a callable whose ``__module__`` is that module, or an instance of a class from another
    module, such as a framework's application. Proxies and objects that raise do not count."""
    if not callable(value) or is_proxy(value):
        return False
    try:
        if getattr(value, "__module__", module) == module:
            return True
        return not isinstance(value, type) and not hasattr(value, "__name__")
    except BaseException:
        return False


def has_type(value: Any, kind: Union[type, Tuple[type, ...]]) -> bool:
    """Like ``isinstance``, but by the value's real type instead of its ``__class__``."""
    return issubclass(type(value), kind)


def text_of(value: Any) -> str:
    """A value as text for a log, on one line and in ASCII; the name of its type if it cannot be
    shown.
    """
    try:
        text = value if type(value) is str else str(value)
        return str(text).encode("unicode_escape").decode("ascii")
    except BaseException:
        return f"<{type_name(value)}>"


def quote(value: Any, limit: int = 120) -> str:
    """A value as Python would write it, in ASCII, for a message; shortened to ``limit`` characters.

    >>> quote("é")
    "'\\\\xe9'"
    """
    try:
        text = str.__str__(ascii(value))
    except BaseException:  # a __repr__ that raises must not hide which rule was violated
        return f"<{type_name(value)}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def cause_of(error: BaseException) -> Any:
    """The cause of an exception, or else its context; None if there is neither."""
    # Compares with None and uses the base class's slots: an exception's class may have its own
    # __len__ or properties.
    cause = _cause(error)
    return _context(error) if cause is None else cause
