"""The frame protocol between an acceptor and a worker, which docs/reference/frames.md defines.

``src/runtimes/workers/frames.ts`` is the other side, with the same names."""

from __future__ import annotations

import io
import json
import struct
from typing import Any, List, Optional, Tuple

from .codes import coded

#: The version of the protocol, which READY carries.
PROTOCOL_VERSION = 4

# Acceptor to worker.
REQUEST = 0x01
BODY = 0x02
WINDOW = 0x03
CANCEL = 0x04
RECALL = 0x05
STOP = 0x06
START = 0x07
GET_STACKS = 0x08
PRINT_STACKS = 0x09
FORK = 0x0A
INTERRUPT = 0x0B
LEND = 0x0C
DECLINE = 0x0D
INSPECT = 0x0E

# Worker to acceptor.
READY = 0x81
HEAD = 0x82
DATA = 0x83
FILE = 0x84
END = 0x85
FAIL = 0x86
BODY_WINDOW = 0x87
RETURNED = 0x88
LOG = 0x89
SUSPENDED = 0x8A
STACKS = 0x8B
VIOLATION = 0x8C
FORKED = 0x8D
ENDED = 0x8E
FILES = 0x8F
INTERRUPTED = 0x90
INFORM = 0x91
OFFER = 0x92
SENT = 0x93
FINDINGS = 0x94
PRINTED = 0x95

# Flags.
BODY_FILE = 1  # REQUEST: the payload has the path of a file that holds the body
BODY_STREAM = 2  # REQUEST: the body follows in BODY frames
LAST = 1  # BODY, HEAD, DATA: these are the last bytes
ABORT = 2  # BODY: the body will never be complete
BROKEN = 1  # END: the response is not complete

# Levels of LOG.
DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40
CRITICAL = 50

HEADER_SIZE = 12
#: The maximum length of a payload.
MAX_PAYLOAD = 16 * 1024 * 1024
#: The largest number in a frame's field.
MAX_U32 = 0xFFFFFFFF
#: The most bytes of body in a HEAD, because the acceptor waits for the whole frame. A known body of
#: this size or more is written by the worker itself, if it is lent the socket (lending.LEAST).
BODY_PIECE = 128 * 1024
#: The most bytes of body in a DATA, which the acceptor passes on as it arrives.
DATA_PIECE = 256 * 1024
#: The most bytes of early hints that an exchange may send, and how many each INFORM counts in
#: addition to its payload.
HINTS_SIZE = 64 * 1024
HINTS_COST = 32

_header = struct.Struct("<IBBHI")
_head = struct.Struct("<IBBHII")
_u32 = struct.Struct("<I")
_words = struct.Struct("<III")
_FLAGS = {
    REQUEST: BODY_FILE | BODY_STREAM,
    BODY: LAST | ABORT,
    WINDOW: 0,
    CANCEL: 0,
    RECALL: 0,
    STOP: 0,
    START: 0,
    GET_STACKS: 0,
    PRINT_STACKS: 0,
    FORK: 0,
    INTERRUPT: 0,
    LEND: 0,
    DECLINE: 0,
    INSPECT: 0,
}
_ABOUT_THE_WORKER = frozenset((RECALL, STOP, START, GET_STACKS, PRINT_STACKS, INSPECT))
_EMPTY = frozenset((CANCEL, RECALL, STOP, GET_STACKS, PRINT_STACKS, INTERRUPT, LEND, DECLINE))

unpack_header = _header.unpack_from
_unpack_words = _words.unpack_from
unpack_u32 = _u32.unpack_from
pack_u32 = _u32.pack
#: (payload length, HEAD, flags, 0, stream, length of the head) -> the frame's first 16 bytes.
pack_head = _head.pack

#: A received frame: type, flags, stream, and where its payload is: bytes, start, end.
Frame = Tuple[int, int, int, bytes, int, int]


class LargeRequest(bytes):
    """The bytes of a large REQUEST but for its body, which is in ``body``: it was received where it
    stays, so that it is not copied any more. ``read()`` returns these very bytes."""

    body: io.BytesIO


#: From this size on (bytes), the body of a REQUEST that comes in parts is kept apart.
_LARGE = 16 * 1024


class FrameError(Exception):
    """The other side broke the frame protocol. The worker ends; it never guesses."""

    code = "bad-frame"


def protocol_error(process: str, error: FrameError) -> str:
    """What a process prints before it ends. ``process`` is its name: ``worker``."""
    return coded("MONO5011", f"monoceros {process}: the acceptor sent {error}")


def pack(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame's bytes. ``pack(END, BROKEN, 7)`` ends exchange 7 as incomplete."""
    return _header.pack(len(payload), kind, flags, 0, stream) + payload


def pack_json(kind: int, stream: int, value: Any) -> bytes:
    """One frame whose payload is ``value`` as JSON in UTF-8."""
    return pack(
        kind, 0, stream, json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
    )


def pack_data(flags: int, stream: int, size: int) -> bytes:
    """The header of a DATA frame whose ``size`` bytes of body follow it."""
    return _header.pack(size, DATA, flags, 0, stream)


def pack_log(level: int, stream: int, text: str) -> bytes:
    """A LOG frame. The middle of a text that is too long is left out."""
    return pack(LOG, 0, stream, bytes((level,)) + shorten(text).encode("utf-8", "backslashreplace"))


def pack_fail(stream: int, text: str) -> bytes:
    """A FAIL frame. ``text`` is the traceback, or the reason why the application could not be
    loaded (stream 0)."""
    return pack(FAIL, 0, stream, shorten(text).encode("utf-8", "backslashreplace"))


def shorten(text: str, limit: int = 64 * 1024) -> str:
    """``text`` without its middle if it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


class FrameReader:
    """Cuts a stream of bytes, which comes in any pieces, into frames, and checks them.

    ``receive(data)`` returns the frames completed by ``data``, in order. Raises FrameError.
    If ``space`` is not None, the next bytes can be received there instead; then call ``filled``.
    """

    def __init__(self) -> None:
        #: At least how many bytes the unfinished frame lacks; 0 between frames.
        self.wanted = 0
        #: Memory for the bytes that the unfinished frame lacks, if it is a large REQUEST.
        self.space: Optional[memoryview] = None
        self._parts: List[bytes] = []  # of a frame that is not complete yet
        self._large: Optional[Frame] = None  # what ``space`` completes

    def receive(self, data: bytes) -> List[Frame]:
        """Takes the next bytes of the stream; returns the frames that are complete now."""
        frames: List[Frame] = []
        if self.wanted:
            space = self.space
            if space is not None:
                size = min(len(data), len(space))
                space[:size] = memoryview(data)[:size]
                frames = self.filled(size)
                data = data[size:]
            else:
                self._parts.append(data)
                if len(data) < self.wanted:
                    self.wanted -= len(data)
                    return []
                data = b"".join(self._parts)
                self._parts.clear()
                self.wanted = 0
        position = 0
        size = len(data)
        wanted = start = HEADER_SIZE
        while start <= size:
            # A short check for the usual frame, a REQUEST without flags; all rules for any other.
            length, word, stream = _unpack_words(data, position)
            if word == REQUEST and stream and length <= MAX_PAYLOAD:
                kind, flags = REQUEST, 0
            else:
                kind, flags = _check(length, word & 0xFF, word >> 8 & 0xFF, word >> 16, stream)
            end = start + length
            if end > size:
                wanted = HEADER_SIZE + length
                break
            frames.append((kind, flags, stream, data, start, end))
            position = end
            start = end + HEADER_SIZE
        if position < size:
            self.wanted = position + wanted - size
            if wanted < _LARGE or not self._begin_large(data, position, wanted):
                self._parts.append(data[position:] if position else data)
        return frames

    def filled(self, size: int) -> List[Frame]:
        """Takes the next ``size`` bytes of the stream, which are in ``space``; returns the frames
        that are complete now."""
        space = self.space
        large = self._large
        assert space is not None and large is not None
        self.wanted -= size
        # A stream that somebody has a view of would give a copy of its bytes.
        with space:
            if self.wanted:
                self.space = space[size:]
                return []
        self.space = self._large = None
        return [large]

    def _begin_large(self, data: bytes, position: int, length: int) -> bool:
        """Prepares for the rest of a frame of ``length`` bytes that begins at ``position``, if it
        is a large REQUEST without flags whose environ has come whole."""
        _, word, stream = _unpack_words(data, position)
        start = position + HEADER_SIZE
        if word != REQUEST or len(data) < start + 4:
            return False
        body = start + 4 + unpack_u32(data, start)[0]
        size = position + length - body
        came = len(data) - body
        if came < 0 or size < _LARGE:
            return False
        request = LargeRequest(data[position:body])
        # Nobody else has these bytes, so that getbuffer() does not copy them.
        request.body = io.BytesIO(bytes(size))
        with request.body.getbuffer() as space:
            space[:came] = memoryview(data)[body:]
            self.space = space[came:]
        self._large = (REQUEST, 0, stream, request, HEADER_SIZE, body - position)
        return True


def _check(length: int, kind: int, flags: int, reserved: int, stream: int) -> Tuple[int, int]:
    allowed = _FLAGS.get(kind)
    if allowed is None:
        raise FrameError(f"a frame of unknown type 0x{kind:02x}")
    if flags & ~allowed or flags == 3:
        raise FrameError(f"a frame of type 0x{kind:02x} with flags 0x{flags:02x}")
    if reserved:
        raise FrameError(f"a frame of type 0x{kind:02x} with {reserved} in its reserved field")
    if length > MAX_PAYLOAD:
        raise FrameError(
            f"a frame of type 0x{kind:02x} with {length} bytes (at most {MAX_PAYLOAD})"
        )
    if (stream == 0) != (kind in _ABOUT_THE_WORKER):
        raise FrameError(f"a frame of type 0x{kind:02x} about stream {stream}")
    if (length and kind in _EMPTY) or (length != 4 and kind == WINDOW):
        raise FrameError(f"a frame of type 0x{kind:02x} with {length} bytes of payload")
    return kind, flags
