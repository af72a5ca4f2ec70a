"""Lent sockets: a worker sends a large response that exists already to the client itself.

It offers the response to the acceptor, which has written the head. The acceptor then lends it the
client's socket, or declines. Bytes that the worker sends itself are copied twice less, and a file
is not copied into a process at all.

Nothing here waits for a client: one that does not take its response at once, and at some speed,
makes the worker give the socket back. The rest goes by frames, as it does without lending."""

from __future__ import annotations

import os
import socket
import sys
from select import POLLIN, POLLOUT
from signal import SIG_BLOCK, SIGPIPE, pthread_sigmask
from typing import Any, Callable, Dict, Iterator, Optional, Union

from . import frames
from .frames import FrameError, pack, pack_u32
from .native import Socket, allocate_lock, close, perf_counter, sendfile, write, writev
from .outbox import Outbox
from .streams import FilePart

#: The least bytes that are worth it. An offer costs a wake-up of each side.
LEAST = 128 * 1024
#: The most bytes of one offer, so that the acceptor hears of a long response now and then.
_PART = 16 * 1024 * 1024
#: How many offers there may be at once, and how many bytes of memory they may hold together if
#: there are several. The others go by frames.
_OFFERS = 32
_HELD = 32 * 1024 * 1024
#: The most bytes of one system call: others are waiting.
_SEND = 1024 * 1024
#: How many bytes per second a client must take.
_RATE = 6_400_000
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_RECEIVE = socket.MSG_DONTWAIT | _CLOSE_ON_EXEC
_SPACE = socket.CMSG_SPACE(4)
#: The longest head that a LEND brings.
_HEAD = 4096
#: The head goes into the same packet as the beginning of a file.
_MORE = getattr(socket, "MSG_MORE", 0) | socket.MSG_DONTWAIT


class BytesSource:
    """A body in memory, in pieces. No piece is empty, unless it is the last."""

    #: See ``FileSource``.
    part = None

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        #: What is left of the piece that was taken last; None if that is nothing.
        self.rest: Optional[memoryview] = None

    def send(self, client: int, most: int) -> int:
        """Sends some bytes, and returns how many. Raises BlockingIOError if the client takes none,
        and OSError if it is gone."""
        rest = self.rest
        if rest is None:
            rest = self.rest = memoryview(next(self._pieces))
        size = write(client, rest[:most])
        self.rest = rest[size:] if size < len(rest) else None
        return size

    def send_after(self, client: int, head: bytes, most: int) -> int:
        """Sends the head, and then some bytes, as ``send`` does. Returns how many of both."""
        rest = self.rest
        if rest is None:
            rest = self.rest = memoryview(next(self._pieces))
        size = writev(client, (head, rest[:most]))
        of_rest = size - len(head)
        if of_rest > 0:
            self.rest = rest[of_rest:] if of_rest < len(rest) else None
        return size

    def close(self) -> None:
        """Nothing to do: the memory is the exchange's."""


class FileSource:
    """A part of a file, which it has open until ``close``."""

    rest = None

    def __init__(self, number: int, part: FilePart) -> None:
        self._number = number
        #: What was not sent.
        self.part = part

    def send(self, client: int, most: int) -> int:
        """As ``BytesSource.send``. Raises EOFError if the file has become shorter."""
        part = self.part
        size = sendfile(client, self._number, part.offset, min(most, part.length))
        if size == 0:
            raise EOFError
        self.part = part._replace(offset=part.offset + size, length=part.length - size)
        return size

    def send_after(self, client: int, head: bytes, most: int) -> int:
        """As ``BytesSource.send_after``, but some bytes of the head alone."""
        # Of the class alone: with the descriptor, Python does not look at the family.
        whole = Socket(socket.AF_INET, socket.SOCK_STREAM, 0, client)
        try:
            return whole.send(head, _MORE)
        finally:
            whole.detach()

    def close(self) -> None:
        close(self._number)


class Offer:
    """A response that waits for a socket, or that is being sent."""

    def __init__(
        self, exchange: Any, source: Union[BytesSource, FileSource], size: int, held: int
    ) -> None:
        self.exchange = exchange
        self.source = source
        self.held = held
        #: Bytes of the response that were sent.
        self.sent = 0
        self.left = size
        #: What is left of the head, which is sent first.
        self.head = b""
        #: Bytes that this offer, and its socket, are for, and how many of them were sent.
        self.part = 0
        self.part_sent = 0
        #: Guards all above, while somebody sends.
        self.lock = allocate_lock()
        #: The descriptor of the client's socket; -1 if there is none.
        self.client = -1
        self.due = 0.0
        #: The response is to go on by frames.
        self.declined = False
        #: Nothing is sent here any more.
        self.over = False
        #: All of the response was sent, and the acceptor was told.
        self.complete = False

    def begin(self) -> bytes:
        """The frame that offers the next part."""
        self.part = min(self.left, _PART)
        self.part_sent = 0
        payload = pack_u32(self.part) + pack_u32(min(self.held, frames.MAX_U32))
        return pack(frames.OFFER, 0, self.exchange.stream, payload)

    def forget(self) -> None:
        """Lets go of a response that is complete. The exchange leads here, and this led back, so
        the body would wait for the garbage collector: sixty such bodies at once."""
        self.exchange = None
        self.source = BytesSource(iter(()))

    def end(self) -> bytes:
        """The frame that gives the socket back."""
        return pack(frames.SENT, 0, self.exchange.stream, pack_u32(self.part_sent))


class Lender:
    """The offers of a worker, and the sockets that are lent to it.

    One thread calls the methods that poll and send. ``ended`` is called in it, with an exchange
    that has ended there."""

    def __init__(
        self, channel: Socket, patience: float, outbox: Outbox, ended: Callable[[Any], None]
    ) -> None:
        self._channel = channel
        #: Seconds for which a client may take nothing.
        self._patience = patience
        self._outbox = outbox
        self._ended = ended
        self._offers: Dict[int, Offer] = {}
        self._held = 0
        self._lock = allocate_lock()  # of _held
        self._clients: Dict[int, Offer] = {}  # those that wait for their client, by descriptor
        self._poll: Any = None
        os.register_at_fork(after_in_child=self._close_all)

    # In the threads of exchanges.

    def admits(self, size: int, held: int) -> bool:
        """Whether a response of ``size`` bytes is to be offered, of which ``held`` are in
        memory."""
        offers = self._offers
        return size >= LEAST and (
            not offers or (len(offers) < _OFFERS and self._held + held <= _HELD)
        )

    def bytes_offer(self, exchange: Any, pieces: Iterator[bytes], size: int) -> Offer:
        """An offer of a body in memory."""
        return Offer(exchange, BytesSource(pieces), size, size)

    def file_offer(self, exchange: Any, number: int, part: FilePart) -> Offer:
        """An offer of a part of the file with that descriptor, which is closed afterwards."""
        return Offer(exchange, FileSource(number, part), part.length, 0)

    def offer(self, offer: Offer) -> None:
        """Sends an offer. The head of the response is in the outbox, and the exchange has the
        offer: the answer may come before this returns."""
        with self._lock:
            self._held += offer.held
        frame = offer.begin()
        self._offers[offer.exchange.stream] = offer
        self._outbox.put(frame)
        self._outbox.flush()

    def withdraw(self, offer: Offer) -> None:
        """From now on nothing is sent on the socket, if there is one. In any thread."""
        with offer.lock:
            if not offer.over:
                self._end(offer)

    def _end(self, offer: Offer) -> None:
        """The caller holds the lock of the offer."""
        offer.over = True
        self._drop_client(offer)
        offer.source.close()
        if self._offers.pop(offer.exchange.stream, None) is not None:
            with self._lock:
                self._held -= offer.held

    def _drop_client(self, offer: Offer) -> None:
        client = offer.client
        if client < 0:
            return
        offer.client = -1
        if client in self._clients:
            # In this order: whoever polls with it comes back soon, and only then does the system
            # close it.
            self._poll.unregister(client)
            del self._clients[client]
        close(client)

    # In the thread that polls.

    def poll_with(self, poll: Any) -> None:
        """Has ``poll`` look at the channel, and later at sockets that are lent."""
        self._poll = poll
        # A client that is gone must not end the process if the application wants this signal.
        pthread_sigmask(SIG_BLOCK, (SIGPIPE,))
        poll.register(self._channel.fileno(), POLLIN)

    @property
    def waits(self) -> bool:
        """Whether a client is waited for, so that ``look`` must be called every few
        milliseconds."""
        return bool(self._clients)

    def act(self, number: int) -> bool:
        """Handles an event of a descriptor. False if it is not one of these. Raises FrameError."""
        if number == self._channel.fileno():
            self._receive()
            return True
        offer = self._clients.get(number)
        if offer is None:
            return False
        self._send(offer)
        return True

    def look(self) -> None:
        """Gives back the sockets of clients that are slow."""
        now = perf_counter()
        for offer in list(self._clients.values()):
            if offer.due <= now:
                with offer.lock:
                    if not offer.over:
                        self._give_back(offer)
                self._outbox.flush()

    def cancel(self, stream: int) -> None:
        """The client of an exchange is gone: its socket is closed at once. In any thread."""
        offer = self._offers.get(stream)
        if offer is not None:
            self.withdraw(offer)

    def _receive(self) -> None:
        try:
            size = frames.HEADER_SIZE + _HEAD
            data, ancillary, _, _ = self._channel.recvmsg(size, _SPACE, _RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        if not data:  # the acceptor is gone, as the other channels show too
            self._poll.unregister(self._channel.fileno())
            return
        numbers = [
            int.from_bytes(payload[:4], sys.byteorder)
            for level, kind, payload in ancillary
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS
        ]
        if len(data) < frames.HEADER_SIZE:
            raise FrameError("a part of a header on its channel for sockets")
        # What was sent with a descriptor is received alone, however much follows.
        length, kind, flags, reserved, stream = frames.unpack_header(data[: frames.HEADER_SIZE])
        head = data[frames.HEADER_SIZE :]
        if len(head) != length or kind != frames.LEND or flags or reserved:
            raise FrameError("something else than a LEND on its channel")
        number = numbers[0] if numbers else -1
        if number >= 0 and not _CLOSE_ON_EXEC:
            os.set_inheritable(number, False)
        offer = self._offers.get(stream)
        if offer is None:
            if number >= 0:
                close(number)
            return
        with offer.lock:
            if offer.over:
                if number >= 0:
                    close(number)
                return
            if number < 0:  # there were no descriptors left
                self._give_back(offer)
            else:
                offer.client = number
                offer.head = head
                offer.part += length
                offer.due = perf_counter() + self._patience
        if number >= 0:
            self._send(offer)
        else:
            self._outbox.flush()

    def _send(self, offer: Offer) -> None:
        """Sends what the client takes, and decides how it goes on."""
        with offer.lock:
            client = offer.client
            if offer.over or client < 0:
                return
            before = offer.part_sent
            try:
                while offer.part_sent < offer.part:
                    head = offer.head
                    most = min(_SEND, offer.part - offer.part_sent - len(head))
                    if head:
                        size = offer.source.send_after(client, head, most)
                        offer.head = head[size:]
                        offer.part_sent += min(size, len(head))
                        size = max(size - len(head), 0)
                    else:
                        size = offer.source.send(client, most)
                    offer.part_sent += size
                    offer.sent += size
                    offer.left -= size
            except (BlockingIOError, InterruptedError):
                self._wait(offer, offer.part_sent - before)
                return
            except (OSError, EOFError, StopIteration):
                # The client is gone, or the file is; frames will show which.
                self._give_back(offer)
            else:
                self._part_sent(offer)
        self._outbox.flush()
        if offer.complete:
            exchange = offer.exchange
            offer.forget()
            self._ended(exchange)

    def _wait(self, offer: Offer, progress: int) -> None:
        now = perf_counter()
        more = progress / _RATE
        offer.due = min(max(offer.due, now) + more, now + self._patience)
        if offer.client not in self._clients:
            self._clients[offer.client] = offer
            self._poll.register(offer.client, POLLOUT)

    def _part_sent(self, offer: Offer) -> None:
        sent = offer.end()
        if offer.left > 0:
            self._drop_client(offer)
            self._outbox.put(sent, offer.begin())
            return
        offer.complete = True
        self._end(offer)
        self._outbox.put(sent, pack(frames.END, 0, offer.exchange.stream))

    def _give_back(self, offer: Offer) -> None:
        """The acceptor answers with DECLINE, unless the client is gone."""
        self._end(offer)
        self._outbox.put(offer.end())

    def _close_all(self) -> None:
        """In a process that the application has forked: it must keep no connection open."""
        self._channel.close()
        for offer in list(self._offers.values()):
            if offer.client >= 0:
                close(offer.client)
