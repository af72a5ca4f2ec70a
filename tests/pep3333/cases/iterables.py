"""PEP 3333, "Specification Details" and "Buffering and Streaming": what an application returns, and
``close()``.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Iterator, List

from .registry import TEXT, Closing, Environ, StartResponse, case, note, token_of, wait_for_gate

ALL_BYTES = bytes(range(256))

#: One mebibyte: more than a server would put into one frame or one send.
BIG = ALL_BYTES * 4096


class OnlyIter:
    """Nothing but ``__iter__``."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"only ", b"iter"])


class OnlyGetItem:
    """Nothing but ``__getitem__``, the iteration protocol of before Python 2.2."""

    def __getitem__(self, index: int) -> bytes:
        return [b"only ", b"getitem"][index]


class OnlyNext:
    """An iterator of its own."""

    def __init__(self) -> None:
        self.left = [b"next", b"only "]

    def __iter__(self) -> "OnlyNext":
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        return self.left.pop()


class Sized:
    """Iterable once, with a length of one."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"sized"])


class Unsized:
    """Has a ``__len__`` that does not work, so it says nothing."""

    def __len__(self) -> int:
        raise NotImplementedError("no length")

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"un", b"sized"])


class Falsy:
    """An iterable that is false: truth is not among what a server may ask."""

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"falsy but full"])


class StringList(list):  # type: ignore[type-arg]
    """A list whose iteration gives something else than its items."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"from ", b"__iter__"])


class OneOther(list):  # type: ignore[type-arg]
    """The same with one item and one chunk."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"the other"])


RESULTS = {
    "OnlyIter": OnlyIter,
    "OnlyGetItem": OnlyGetItem,
    "OnlyNext": OnlyNext,
    "Sized": Sized,
    "Unsized": Unsized,
    "Falsy": Falsy,
    "StringList": lambda: StringList([b"not", b"this"]),
    "OneOther": lambda: OneOther([b"not this"]),
    "tuple": lambda: (b"tu", b"ple"),
    "set": lambda: {b"set"},
    "dict": lambda: {b"dict": None},
    "map": lambda: map(bytes, [b"ma", b"p"]),
    "list of one": lambda: [b"one chunk"],
    "list of many": lambda: [b"ma", b"", b"ny"],
    "empty list": lambda: [],
    "list of an empty chunk": lambda: [b""],
    "empty generator": lambda: (chunk for chunk in ()),
    "generator of empty chunks": lambda: (chunk for chunk in (b"", b"", b"")),
    "generator": lambda: (chunk for chunk in (b"gene", b"", b"rator")),
    "line ends": lambda: [b"a\nb\r\nc\rd\n\r\n"],
    "every byte": lambda: [ALL_BYTES, ALL_BYTES[::-1]],
    "big list": lambda: [BIG],
    "big tuple": lambda: (BIG[:500_000], BIG[500_000:]),
    "big generator": lambda: (
        BIG[start : start + 100_000] for start in range(0, len(BIG), 100_000)
    ),
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "text",
    "bytes": lambda: b"bytes",
    "list of str": lambda: ["text"],
    "list of int": lambda: [5],
    "list of None": lambda: [None],
    "list of bytearray": lambda: [bytearray(b"bytearray")],
    "list of memoryview": lambda: [memoryview(b"memoryview")],
    "empty str first": lambda: ["", b"bytes"],
}


@case
def returns(environ: Environ, start_response: StartResponse) -> Any:
    """Returns the kind of object that ``X-Result`` names."""
    start_response("200 OK", TEXT)
    return RESULTS[environ["HTTP_X_RESULT"]]()


@case
def str_after_bytes(environ: Environ, start_response: StartResponse) -> Any:
    """A str where bytes must be, when the client has part of the body."""
    token = token_of(environ)

    def chunks() -> Iterator[Any]:
        yield b"part"
        wait_for_gate(token, "seen")
        yield "text"

    start_response("200 OK", TEXT)
    return Closing(token, chunks())


@case
def str_closes(environ: Environ, start_response: StartResponse) -> Any:
    """A str where bytes must be, first of all; its iterable has a close()."""
    start_response("200 OK", TEXT)
    return Closing(token_of(environ), ["text"])


@case
def in_step(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """After each chunk the client has to have it before it opens the gate for the next."""
    token = token_of(environ)
    start_response("200 OK", TEXT)
    for part in (b"first.", b"second.", b"third."):
        yield part
        wait_for_gate(token, "got-" + part.decode()[:-1])


@case
def in_step_open(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """The same three parts without waiting for anybody."""
    start_response("200 OK", TEXT)
    for part in (b"first.", b"second.", b"third."):
        yield part
        time.sleep(0.01)


@case
def in_step_with_length(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """The same with a Content-Length."""
    token = token_of(environ)
    start_response("200 OK", TEXT + [("Content-Length", "19")])
    for part in (b"first.", b"second.", b"third."):
        yield part
        wait_for_gate(token, "got-" + part.decode()[:-1])


class Guarded:
    """Notes every attribute that the server asks it for beyond iteration."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"guar", b"ded"])

    def __getattr__(self, name: str) -> Any:
        note(object.__getattribute__(self, "token"), "asked for " + name)
        raise AttributeError(name)


@case
def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """An iterable of which nothing but iteration, len() and close may be used."""
    start_response("200 OK", TEXT)
    return Guarded(token_of(environ))


class ClosingList(list):  # type: ignore[type-arg]
    """A list with a close(), as some middleware return."""

    token = ""

    def close(self) -> None:
        note(self.token, "closed")


@case
def closes(environ: Environ, start_response: StartResponse) -> Any:
    """A complete answer of two chunks with a close()."""
    start_response(environ.get("HTTP_X_STATUS", "200 OK"), TEXT)
    return Closing(token_of(environ), [b"clo", b"sed"])


@case
def closes_list(environ: Environ, start_response: StartResponse) -> Any:
    """A list subclass of one chunk with a close()."""
    start_response("200 OK", TEXT)
    result = ClosingList([b"closed list"])
    result.token = token_of(environ)
    return result


@case
def closes_without_start(environ: Environ, start_response: StartResponse) -> Any:
    """start_response is never called; the iterable is still to be closed."""
    return Closing(token_of(environ), [b"no head"])


@case
def closes_without_anything(environ: Environ, start_response: StartResponse) -> Any:
    """Neither start_response nor a chunk."""
    return Closing(token_of(environ), [])


class RaisingIter:
    """Cannot even be iterated, but can be closed."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __iter__(self) -> Iterator[bytes]:
        raise RuntimeError("no iterator " + self.token)

    def close(self) -> None:
        note(self.token, "closed")


@case
def closes_raising_iter(environ: Environ, start_response: StartResponse) -> Any:
    """``iter()`` of the result raises."""
    start_response("200 OK", TEXT)
    return RaisingIter(token_of(environ))


class RaisingClose:
    """Its close() raises after a complete body."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"whole"])

    def close(self) -> None:
        note(self.token, "closed")
        raise RuntimeError("raised in close " + self.token)


@case
def close_raises(environ: Environ, start_response: StartResponse) -> Any:
    """The response is complete before close() fails."""
    start_response("200 OK", TEXT + [("Content-Length", "5")])
    return RaisingClose(token_of(environ))


@case
def endless(environ: Environ, start_response: StartResponse) -> Any:
    """Yields until it is closed; a client that goes away has to end it."""
    token = token_of(environ)

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            note(token, "generator finished")

    class Endless:
        """Not a Closing, which would note every chunk."""

        def __init__(self) -> None:
            self.generator = chunks()

        def __iter__(self) -> Iterator[bytes]:
            return self.generator

        def close(self) -> None:
            note(token, "closed")
            self.generator.close()

    start_response("200 OK", TEXT)
    return Endless()


@case
def waits_for_client(environ: Environ, start_response: StartResponse) -> Any:
    """Yields little and slowly until it is closed, so that the server learns late that the client
    has gone.
    """
    token = token_of(environ)

    def chunks() -> Iterator[bytes]:
        for _ in range(2000):
            yield b"tick"
            time.sleep(0.005)

    class Slow:
        """Closes like a generator, and says so."""

        def __init__(self) -> None:
            self.generator = chunks()

        def __iter__(self) -> Iterator[bytes]:
            return self.generator

        def close(self) -> None:
            note(token, "closed")

    start_response("200 OK", TEXT)
    return Slow()


@case
def meets(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Stays inside the application until the test has seen another request in it too."""
    token = token_of(environ)
    note(token, "in")
    wait_for_gate(token, "both")
    start_response("200 OK", TEXT)
    return [b"met"]


@case
def overlaps(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Stays inside the application long enough for another request to overlap if the server lets
    it.
    """
    token = token_of(environ)
    note(token, "in")
    time.sleep(0.1)
    note(token, "out")
    start_response("200 OK", TEXT)
    return [b"done"]
