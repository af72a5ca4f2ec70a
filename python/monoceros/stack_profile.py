"""The samples of a profile, added up: how long the application was on which stack."""

from __future__ import annotations

import json
from types import CodeType
from typing import Any, Dict, List, Optional, Tuple

from .application_frames import Entry
from .exchange import Exchange

#: What is kept apart, so that no application and no client decides how much memory a profile takes.
MOST_STACKS = 4000
MOST_ROUTES = 100
#: Bytes of stacks in the answer.
MOST_BYTES = 4 * 1024 * 1024
_MOST_PATH = 200

BACKGROUND = "(background threads)"
OTHER_PATHS = "(other paths)"
OTHER_STACKS = "(other stacks)"
UNKNOWN = "(request)"

#: Seconds on one stack: running, waiting, and how often it was seen.
_Times = List[float]


class StackProfile:
    """Adds up samples. Not for several threads."""

    def __init__(self) -> None:
        self._stacks: Dict[Tuple[int, ...], _Times] = {}
        self._routes: Dict[str, int] = {}
        # Keeps the functions, whose addresses are in the keys: the hash of a CodeType is slow,
        # because it hashes what the function consists of.
        self._codes: Dict[int, CodeType] = {}

    def add(self, name: str, entries: List[Entry], running: bool, seconds: float) -> None:
        """Counts ``seconds`` of a route (``route_of``) on that stack, in which it ran or waited."""
        route = self._route(name)
        key = [route]
        for code, line in entries:
            key += (id(code), line)
        times = self._stacks.get(tuple(key))
        if times is None:
            if len(self._stacks) >= MOST_STACKS:
                times = self._stacks.setdefault((route,), [0.0, 0.0, 0])
            else:
                for code, _ in entries:
                    self._codes[id(code)] = code
                times = self._stacks[tuple(key)] = [0.0, 0.0, 0]
        times[0 if running else 1] += seconds
        times[2] += 1

    def _route(self, name: str) -> int:
        routes = self._routes
        number = routes.get(name)
        if number is None:
            if len(routes) >= MOST_ROUTES:
                name = OTHER_PATHS
            number = routes.setdefault(name, len(routes))
        return number

    def answer(self) -> Dict[str, Any]:
        """The profile as JSON has it: ``functions`` are name, file and first line; ``stacks`` are
        route, microseconds running and waiting, samples, and then function and line from the
        outermost call to the innermost."""
        functions: List[Tuple[str, str, int]] = []
        numbers: Dict[int, int] = {}
        stacks: List[List[int]] = []
        rest: Dict[int, _Times] = {}
        size = 0
        ordered = sorted(self._stacks.items(), key=lambda item: -(item[1][0] + item[1][1]))
        for (route, *places), times in ordered:
            row = [route, round(times[0] * 1e6), round(times[1] * 1e6), int(times[2])]
            for at in range(len(places) - 2, -1, -2):
                address = places[at]
                number = numbers.get(address)
                if number is None:
                    number = numbers[address] = len(functions)
                    functions.append(_describe(self._codes[address]))
                    size += len(functions[-1][1]) + len(functions[-1][0])
                row += (number, places[at + 1])
            size += len(json.dumps(row))
            if size > MOST_BYTES or not places:
                sums = rest.setdefault(route, [0.0, 0.0, 0])
                for index in range(3):
                    sums[index] += times[index]
            else:
                stacks.append(row)
        if rest:
            number = len(functions)
            functions.append((OTHER_STACKS, "", 0))
            for route, (runs, waits, count) in rest.items():
                row = [route, round(runs * 1e6), round(waits * 1e6), int(count), number, 0]
                stacks.append(row)
        return {"routes": list(self._routes), "functions": functions, "stacks": stacks}


def route_of(exchange: Optional[Exchange]) -> str:
    """What a request is called in a profile: its method and its path, without the query."""
    if exchange is None:
        return BACKGROUND
    environ = exchange._environ
    if environ is None:
        return UNKNOWN
    try:
        path = "".join(
            value for value in map(environ.get, ("SCRIPT_NAME", "PATH_INFO")) if type(value) is str
        )
        method = environ.get("REQUEST_METHOD")
        text = f"{method if type(method) is str else '?'} {path}"
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    except BaseException:  # the application may have put anything there
        return UNKNOWN
    text = "".join(each if each.isprintable() else "\ufffd" for each in text[: _MOST_PATH + 1])
    return text if len(text) <= _MOST_PATH else text[:_MOST_PATH] + "\u2026"


def _describe(code: CodeType) -> Tuple[str, str, int]:
    name = getattr(code, "co_qualname", code.co_name)
    return str(name), code.co_filename, code.co_firstlineno
