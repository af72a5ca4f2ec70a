"""PEP 3333, "The Application/Framework Side" and "Application Configuration": every kind of
application object.

Loaded by name on the server's command line (``cases.callables:function``), one server each.
"""

from __future__ import annotations

import functools
from typing import Any, Iterator, List

from .registry import TEXT, Environ, StartResponse, case


def answer(start_response: StartResponse, text: str) -> List[bytes]:
    """A 200 that says which application answered."""
    start_response("200 OK", TEXT)
    return [text.encode()]


def function(environ: Environ, start_response: StartResponse) -> List[bytes]:
    return answer(start_response, "function")


class AppClass:
    """The class is the application; its instances are the iterables."""

    def __init__(self, environ: Environ, start_response: StartResponse) -> None:
        self.start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        yield from answer(self.start_response, "class")


class Site:
    """An instance with ``__call__``, and with a method that is an application too."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> List[bytes]:
        return answer(start_response, "instance")

    def method(self, environ: Environ, start_response: StartResponse) -> List[bytes]:
        return answer(start_response, "method")


instance = Site()
partial = functools.partial(
    lambda text, environ, start_response: answer(start_response, text), "partial"
)


def factory(name: str = "factory") -> Any:
    """Makes an application."""
    return lambda environ, start_response: answer(start_response, name)


class Opaque:
    """Callable, and nothing else may be asked of it."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> List[bytes]:
        return answer(start_response, "opaque")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("an application is to be called, not introspected upon: " + name)


opaque = Opaque()


@case
def positional(*args: Any, **kwargs: Any) -> List[bytes]:
    """How many arguments it is called with."""
    args[1]("200 OK", TEXT)
    return [b"%d positional, %d by keyword" % (len(args), len(kwargs))]
