"""An acceptor for tests: it starts a real worker process and speaks frames with it."""

from __future__ import annotations

import fcntl
import json
import marshal
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from monoceros import frames

WORKER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "monoceros-worker"
)

#: Nothing that a test waits for takes this long (seconds). A test that waits in vain fails then.
PATIENCE = 60.0


class Received(NamedTuple):
    """A frame from the worker."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class Response(NamedTuple):
    """What the frames of one exchange amount to."""

    status: str
    headers: List[Tuple[str, str]]
    body: bytes
    broken: bool
    failure: Optional[str]
    file: Optional[Dict[str, Any]]
    frames: List[Received]

    def header(self, name: str) -> Optional[str]:
        """The value of the header of that name, None when it is not there."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


def make_environ(**changes: str) -> Dict[str, str]:
    """The environ of a plain GET, as an acceptor sends it."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "RAW_URI": "/",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "localhost",
    }
    for key, value in changes.items():
        environ[key.replace("__", ".")] = value
    return environ


def request_payload(environ: Dict[str, str], body: bytes = b"") -> bytes:
    """The payload of a REQUEST frame."""
    encoded = marshal.dumps(environ, 2)
    return struct.pack("<I", len(encoded)) + encoded + body


def assemble(received: List[Received]) -> Response:
    """Puts an exchange's frames together; the last one must end it."""
    status, headers, body = "", [], b""
    broken, failure, file = False, None, None
    for frame in received:
        if frame.kind == frames.HEAD:
            length = struct.unpack_from("<I", frame.payload)[0]
            head = frame.payload[4 : 4 + length].decode("latin-1")
            lines = head.split("\r\n")
            assert lines.pop() == "", head
            status = lines[0]
            headers = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines[1:]]
            body += frame.payload[4 + length :]
        elif frame.kind == frames.DATA:
            body += frame.payload
        elif frame.kind == frames.FILE:
            file = json.loads(frame.payload)
        elif frame.kind == frames.END:
            broken = frame.flags == frames.BROKEN
        elif frame.kind == frames.FAIL:
            failure = frame.payload.decode()
    return Response(status, headers, body, broken, failure, file, received)


def ends(frame: Received) -> bool:
    """True when nothing comes after this frame in its exchange."""
    if frame.kind in (frames.HEAD, frames.DATA):
        return frame.flags == frames.LAST
    return frame.kind in (frames.FILE, frames.END, frames.FAIL)


class Acceptor:
    """Starts a worker for ``source``, the code of an application module, and talks to it.

    ``with Acceptor(source, threads=4) as acceptor: acceptor.get("/path")``
    """

    def __init__(
        self,
        source: str,
        reference: str = "webapp:app",
        start: bool = True,
        preload: bool = False,
        **settings: Any,
    ) -> None:
        self.directory = tempfile.mkdtemp(prefix="monoceros-test-")
        with open(os.path.join(self.directory, "webapp.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        self.data, data = socket.socketpair()
        self.control, control = socket.socketpair()
        #: Where clients' sockets are lent. The worker uses it if START has ``lend``.
        self.lending, lending = socket.socketpair()
        # Blocking, because a socket with a timeout waits for a nearly empty buffer before it
        # sends.
        self._poll = select.poll()
        self._poll.register(self.data.fileno(), select.POLLIN)
        self.ledger = tempfile.TemporaryFile()
        self.ledger.truncate(4)
        self.errors = tempfile.TemporaryFile()
        self.output = tempfile.TemporaryFile()
        high = [
            fcntl.fcntl(end.fileno(), fcntl.F_DUPFD, 20)
            for end in (data, control, self.ledger, lending)
        ]

        def place() -> None:
            for number, source_number in enumerate(high):
                os.dup2(source_number, 3 + number)

        self.process = subprocess.Popen(
            [sys.executable, WORKER, *(["--preload"] if preload else []), reference],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.errors,
            preexec_fn=place,
            pass_fds=(3, 4, 5, 6),
            # As Node.js does.
            env={**os.environ, "NODE_CHANNEL_FD": "6"},
        )
        for number in high:
            os.close(number)
        data.close()
        control.close()
        lending.close()
        self._buffer = b""
        self._kept: List[Received] = []
        self._next = 1
        self.settings: Dict[str, Any] = {
            "application": reference,
            "chdir": self.directory,
            "pythonpath": [],
            "threads": 1,
            "window": 262144,
            "graceful_timeout": 5,
            "environ": {"SERVER_SOFTWARE": "monoceros/test"},
            "multiprocess": True,
            **settings,
        }
        if start:
            self.command(frames.START, json.dumps(self.settings).encode())
            self.first = self.receive()

    def __enter__(self) -> Acceptor:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the worker if it is still there, and leaves nothing behind."""
        self.data.close()
        self.control.close()
        self.lending.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.ledger.close()
        self.errors.close()
        self.output.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Sending.

    def command(self, kind: int, payload: bytes = b"", stream: int = 0) -> None:
        """Sends a frame on the control channel."""
        self.control.sendall(frames.pack(kind, 0, stream, payload))

    def send(self, kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> None:
        """Sends a frame on the data channel."""
        self.data.sendall(frames.pack(kind, flags, stream, payload))

    def request(self, path: str = "/", body: bytes = b"", flags: int = 0, **environ: str) -> int:
        """Sends a REQUEST; its stream number."""
        stream = self._next
        self._next += 1
        environ.setdefault("RAW_URI", path)
        payload = request_payload(make_environ(PATH_INFO=path, **environ), body)
        self.send(frames.REQUEST, stream, payload, flags)
        return stream

    def window(self, stream: int, size: int) -> None:
        """Gives credit for that many bytes of response body."""
        self.send(frames.WINDOW, stream, frames.pack_u32(size))

    def lend(self, stream: int, client: Optional[socket.socket], head: bytes = b"") -> None:
        """Lends a client's socket; None sends the frame without one."""
        frame = frames.pack(frames.LEND, 0, stream, head)
        if client is None:
            self.lending.sendall(frame)
        else:
            rights = struct.pack("i", client.fileno())
            self.lending.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    # Receiving.

    def receive(self) -> Received:
        """The next frame from the worker. Raises EOFError when it has gone."""
        while True:
            if len(self._buffer) >= frames.HEADER_SIZE:
                length, kind, flags, reserved, stream = frames.unpack_header(self._buffer)
                assert reserved == 0
                end = frames.HEADER_SIZE + length
                if len(self._buffer) >= end:
                    payload = self._buffer[frames.HEADER_SIZE : end]
                    self._buffer = self._buffer[end:]
                    return Received(kind, flags, stream, payload)
            if not self._poll.poll(PATIENCE * 1000):
                raise TimeoutError("no frame has come from the worker")
            data = self.data.recv(1 << 20)
            if not data:
                raise EOFError("the worker has closed the data channel")
            self._buffer += data

    def expect(self, wanted: Callable[[Received], bool]) -> Received:
        """The first frame that is wanted, of those set aside and those to come; the others are set
        aside.
        """
        for index, frame in enumerate(self._kept):
            if wanted(frame):
                return self._kept.pop(index)
        while True:
            frame = self.receive()
            if wanted(frame):
                return frame
            self._kept.append(frame)

    def frame_of(self, stream: int, kind: Optional[int] = None) -> Received:
        """The next frame about ``stream`` (of that kind), LOG frames apart."""
        return self.expect(
            lambda frame: (
                frame.stream == stream
                and (frame.kind == kind if kind is not None else frame.kind != frames.LOG)
            )
        )

    def returned(self) -> List[int]:
        """The streams of the next RETURNED."""
        payload = self.expect(lambda frame: frame.kind == frames.RETURNED).payload
        return list(struct.unpack(f"<{len(payload) // 4}I", payload))

    def printed(self) -> Received:
        """The next PRINTED."""
        return self.expect(lambda frame: frame.kind == frames.PRINTED)

    def log(self, stream: Optional[int] = None) -> Tuple[int, str]:
        """The next LOG (about ``stream``): its level and text."""
        frame = self.expect(
            lambda frame: frame.kind == frames.LOG and (stream is None or frame.stream == stream)
        )
        return frame.payload[0], frame.payload[1:].decode()

    def finish(self, stream: int, credit: bool = True) -> Response:
        """Receives until the exchange has ended, giving credit as its bytes arrive."""
        received = []
        while True:
            frame = self.frame_of(stream)
            if frame.kind == frames.BODY_WINDOW:
                continue
            received.append(frame)
            if ends(frame):
                return assemble(received)
            if credit and frame.kind in (frames.HEAD, frames.DATA) and frame.payload:
                self.window(stream, len(frame.payload))

    def get(self, path: str = "/", body: bytes = b"", **environ: str) -> Response:
        """One request and its response."""
        return self.finish(self.request(path, body, **environ))

    # The process.

    def begun(self) -> int:
        """What the ledger says."""
        return int(struct.unpack("<I", os.pread(self.ledger.fileno(), 4, 0))[0])

    def path(self, name: str) -> str:
        """A path in the application's directory."""
        return os.path.join(self.directory, name)

    def await_file(self, name: str) -> str:
        """Waits until the application has written that file; its text."""
        wait_until(
            lambda: os.path.exists(self.path(name)) and os.path.getsize(self.path(name)) > 0, name
        )
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def touch(self, name: str) -> None:
        """Makes a file that an application may be waiting for."""
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write("go")

    def stderr(self) -> str:
        """What the worker has written to its standard error so far."""
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode()

    def stdout(self) -> str:
        """What the worker has written to its standard output so far."""
        return os.pread(self.output.fileno(), 1 << 20, 0).decode()

    def stop(self) -> int:
        """Sends STOP; the worker's exit status."""
        self.command(frames.STOP)
        return self.status()

    def status(self) -> int:
        """Waits for the worker's end; its exit status."""
        return self.process.wait(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        """Sends the worker a signal."""
        self.process.send_signal(number)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Returns when the condition holds; raises AssertionError when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.002)
