"""Runs exchanges in the test's own process, over a list instead of a channel: no sockets, no
threads.
"""

from __future__ import annotations

import io
import json
import marshal
from contextvars import copy_context
from typing import Any, Callable, Dict, List, Optional

from monoceros import frames
from monoceros.environ import make_template
from monoceros.exchange import Exchange
from monoceros.leniency import Leniency
from monoceros.outbox import Outbox
from monoceros.streams import BodyStream, ErrorStream
from tests.acceptor import Received, Response, assemble, make_environ, request_payload


class Gateway:
    """A carrier of exchanges. ``Gateway(app).get()`` runs one request to its end and puts its
    frames together.
    """

    lender = None

    def __init__(
        self,
        application: Callable[..., Any],
        window: int = 262144,
        automatic: bool = True,
        strict: bool = False,
    ) -> None:
        self.application = application
        self.window = window
        self.context = copy_context()
        self.slow_tail = False
        self.leniency = Leniency(strict)
        #: The texts of VIOLATION frames.
        self.notes: List[str] = []
        self.errors = io.StringIO()
        self.template = make_template(
            {"SERVER_SOFTWARE": "test"}, False, True, ErrorStream(self.errors)
        )
        self.bases: Dict[bytes, Dict[str, Any]] = {}
        self.received: List[Received] = []
        self.log: List[str] = []
        self.sends = 0
        self.outbox = Outbox(self._send)
        self.outbox.watched = True  # each test flushes when it looks
        #: True: credit comes back as soon as bytes are sent.
        self.automatic = automatic
        self.waits = 0
        self.on_wait: Callable[[Exchange], None] = lambda exchange: None
        self._stream = 0

    def _send(self, data: bytes) -> None:
        self.sends += 1
        while data:
            length, kind, flags, _, stream = frames.unpack_header(data)
            payload = data[frames.HEADER_SIZE : frames.HEADER_SIZE + length]
            data = data[frames.HEADER_SIZE + length :]
            if kind == frames.VIOLATION:
                self.notes.append(json.loads(payload)["text"])
            elif kind == frames.LOG:
                self.log.append(f"{payload[0]} {payload[1:].decode()}")
            else:
                self.received.append(Received(kind, flags, stream, payload))

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        self.waits += 1
        while not ready() and not exchange.cancelled:
            before = (exchange.granted, exchange.cancelled)
            if self.automatic:
                exchange.granted = exchange.spent + self.window
            self.on_wait(exchange)
            if before == (exchange.granted, exchange.cancelled) and not ready():
                raise AssertionError("this exchange would wait for ever")

    def track(self, exchange: Exchange) -> None:
        exchange.tracked = True

    def open(self, body: Optional[BodyStream] = None) -> Exchange:
        """A new exchange."""
        self._stream += 1
        exchange = Exchange(self, self._stream)
        exchange.body = body
        return exchange

    def begin(self, exchange: Exchange, body: bytes = b"", flags: int = 0, **environ: str) -> bool:
        """Gives the exchange its request; True when it has ended."""
        payload = request_payload(make_environ(**environ), body)
        done = exchange.begin(flags, payload, 0, len(payload))
        self.outbox.flush()
        return done

    def resume(self, exchange: Exchange, credit: int) -> bool:
        """Gives credit and goes on; True when the exchange has ended."""
        exchange.granted += credit
        done = exchange.resume()
        self.outbox.flush()
        return done

    def response(self, exchange: Exchange) -> Response:
        """What has come of that exchange so far."""
        return assemble([frame for frame in self.received if frame.stream == exchange.stream])

    def get(self, body: bytes = b"", flags: int = 0, **environ: str) -> Response:
        """One request, run to its end."""
        exchange = self.open()
        done = self.begin(exchange, body, flags, **environ)
        while not done:
            assert self.automatic, "suspended"
            done = self.resume(exchange, self.window)
        return self.response(exchange)


def run(application: Callable[..., Any], **environ: str) -> Response:
    """The response of an application to one request."""
    return Gateway(application).get(**environ)


def environ_bytes(environ: Dict[str, str]) -> bytes:
    """An environ as it travels."""
    return marshal.dumps(environ, 2)
