"""What is raised in an application whose request has run out of time, and where it may be."""

from __future__ import annotations

from types import CodeType
from typing import Any, Callable, Set, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The functions of this package that call an application's code.
CALLERS: Set[CodeType] = set()


class RequestTimedOut(BaseException):
    """Raised in an application whose request has run out of time.

    Not an Exception, so that ``except Exception`` in the application does not catch it.
    """

    code = "request-timed-out"


TIMED_OUT = "the request ran longer than the timeout"


def calls_application(function: _Function) -> _Function:
    """Marks a function of this package that calls an application's code: in what it calls, an
    embedded interpreter may raise."""
    CALLERS.add(function.__code__)
    return function
