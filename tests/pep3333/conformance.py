"""The application that the table of PEP 3333 cases runs: the header ``X-Case`` names which of them.

It passes its arguments and the result through untouched, so that what a case sees is what the
server did."""

from __future__ import annotations

from typing import Any

from cases import (
    body_length,
    callables,
    early_hints,
    environ,
    error_stream,
    file_wrapper,
    input_stream,
    iterables,
    start_response,
    validated,
    write,
)
from cases.registry import CASES

#: Importing a module registers its cases; the tuple says that the imports are meant.
MODULES = (
    body_length,
    callables,
    early_hints,
    environ,
    error_stream,
    file_wrapper,
    input_stream,
    iterables,
    start_response,
    validated,
    write,
)


def application(*args: Any, **kwargs: Any) -> Any:
    """Hand the request to the case it names, with exactly the arguments that the server gave."""
    return CASES[args[0]["HTTP_X_CASE"]](*args, **kwargs)
