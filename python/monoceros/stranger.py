"""Looking at an application's objects: whatever they raise when they are looked at, these functions
return.

A stranger's ``__getattr__``, ``__repr__``, ``__len__``, ``__eq__``, ``__class__`` and the rest may
raise anything, a BaseException too, and may lie. werkzeug's ``request`` raises RuntimeError for
every question outside of a request, so that ``hasattr`` raises; a proxy says that its class is
another's. What the loader, the log and an exchange's end look at goes through here, because nobody
is there to whom an error of theirs could be told."""

from __future__ import annotations

from typing import Any, List, Tuple, Union

_class_name = type.__dict__["__name__"].__get__  # a metaclass may have a __name__ of its own
_cause = BaseException.__dict__["__cause__"].__get__
_context = BaseException.__dict__["__context__"].__get__


def attribute(value: Any, name: str, default: Any = None) -> Any:
    """``getattr``, but with the default where looking raises anything at all."""
    try:
        return getattr(value, name, default)
    except BaseException:
        return default


def names_of(value: Any) -> List[str]:
    """What ``dir`` gives, as far as it is names; nothing where it raises."""
    try:
        return [name for name in dir(value) if type(name) is str]
    except BaseException:
        return []


def type_name(value: Any) -> str:
    """The name of a value's own type, whatever it says itself.

    >>> type_name(5)
    'int'
    """
    return str(_class_name(type(value)))


def kind_of(value: Any) -> str:
    """As ``type_name``, with None called by its own name."""
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
    """True for what says that it is of another type than it is, or raises when it is asked."""
    return attribute(value, "__class__") is not type(value)


def is_callable_here(value: Any, module: str) -> bool:
    """True for what can be called and seems to be made in that module, not imported from elsewhere.

    That is what says so, and an instance of a class from elsewhere, such as a framework's
    application. A proxy says what another says, and an object that raises may be anything: neither
    counts."""
    if not callable(value) or is_proxy(value):
        return False
    try:
        if getattr(value, "__module__", module) == module:
            return True
        return not isinstance(value, type) and not hasattr(value, "__name__")
    except BaseException:
        return False


def has_type(value: Any, kind: Union[type, Tuple[type, ...]]) -> bool:
    """``isinstance`` by the type that a value has, not by the class that it says it is of."""
    return issubclass(type(value), kind)


def text_of(value: Any) -> str:
    """A value as text for a log, on one line and in ASCII; what cannot be shown is named by its
    type.
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
    except BaseException:  # an object whose __repr__ raises must not hide which rule it broke
        return f"<{type_name(value)}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def cause_of(error: BaseException) -> Any:
    """What caused an exception, or what it was raised in; None when there is neither."""
    # Not by their truth, nor by the attributes: an exception's class may have a __len__ or a
    # property of its own.
    cause = _cause(error)
    return _context(error) if cause is None else cause
