"""One exchange: passes a request to the application and makes frames of its response (PEP 3333).

An exchange uses neither sockets nor threads. It needs a Carrier: an outbox for its frames, and a
way to wait. It never waits for the client while it iterates over a response. Out of credit, it
returns and is resumed later, so that a slow client occupies nothing but its own iterable."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, List, Optional

from . import frames
from .codes import coded
from .environ import read_environ
from .frames import BODY_PIECE, HEAD, LAST, pack_head
from .native import perf_counter
from .response_head import compose_head, compose_hints
from .response_sender import ResponseSender
from .stranger import attribute, has_type, kind_of
from .streams import BodyStream, ClientGone, FilePart, FileWrapper, is_about_client
from .trace import format_error

#: If the last close() took longer than this (seconds), the next complete response is sent before
#: close() is called.
_SLOW_TAIL = 0.001


class Exchange(ResponseSender):
    """One request. Call ``begin()``, and then ``resume()`` each time there is credit, until one of
    them returns True. In between, the exchange is suspended."""

    # The defaults are on the class: most exchanges need few of them, and the others cost nothing.
    body: Optional[BodyStream] = None
    #: True if the client is gone; set by the code that notices it.
    cancelled = False
    #: For the carrier: True while this exchange waits for credit and no thread runs it.
    suspended = False
    #: For the carrier: the thread that runs it.
    owner: Any = None
    _asked = False  # start_response has been called
    _iterator: Optional[Iterator[bytes]] = None
    _hinted = 0  # bytes of early hints
    _input: Any = None  # of a request whose body is a file or a stream

    # For the application.

    def start_response(
        self, status: str, headers: Any, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333 "The start_response() Callable" and "Error Handling"."""
        if exc_info:
            try:
                if self._started or self._ended:
                    error = exc_info[1]
                    if error is None:
                        raise AssertionError(
                            "start_response: exc_info has no exception, "
                            "and the head has been sent already"
                        )
                    raise error.with_traceback(exc_info[2])
            finally:
                exc_info = None  # no reference cycle through this frame
        elif self._asked:
            raise AssertionError(
                "start_response was called twice; only an error handler may do so, "
                "with exc_info (PEP 3333)"
            )
        elif self._ended:
            raise AssertionError("start_response was called after the exchange had ended")
        self._asked = True  # even if the call is refused
        self._head, self._declared, self._bodiless = compose_head(status, headers, self)
        return self.write

    def write(self, data: bytes) -> None:
        """The write() callable of PEP 3333: returns when the bytes are on their way; waits for a
        slow client.

        Raises ClientGone if the client went away. Past the declared Content-Length it sends what
        is allowed and raises ValueError (PEP 3333 "Handling the Content-Length Header"); the
        response is complete then."""
        if type(data) is not bytes:
            data = self._admit_bytes(data, "write() needs bytes, not {}")
        if self._ended:
            raise AssertionError("write() was called after the exchange had ended")
        if self.cancelled:
            raise ClientGone("the client went away before its response was complete")
        if not data:
            return
        self._put(data)
        self._sealed = None
        while self._rest is not None:
            self.carrier.outbox.flush()
            self.carrier.wait(self, self.has_credit)
            if self.cancelled:
                raise ClientGone("the client went away before its response was complete")
            self._drain()
        self.carrier.outbox.flush()
        if self._surplus:
            raise ValueError(f"write() past the declared Content-Length of {self._declared} bytes")

    def early_hints(self, headers: Any) -> None:
        """``wsgi.early_hints``, as in Gunicorn: sends headers before the response (RFC 8297).

        Does nothing once the head of the response has been sent. The acceptor drops hints for
        clients that speak HTTP/1.0. Raises BadResponseHead or BadResponseType for a header that
        cannot be sent."""
        if self._started or self._ended:
            return
        lines = compose_hints(headers, self)
        size = self._hinted + frames.HINTS_COST + len(lines)
        if size > frames.HINTS_SIZE:
            error = ValueError(
                f"wsgi.early_hints: one request may send {frames.HINTS_SIZE} bytes of early hints"
            )
            self.forgive("early-hints-size", error, "the rest is not sent")
            return
        self._hinted = size
        outbox = self.carrier.outbox
        outbox.put(frames.pack(frames.INFORM, 0, self.stream, lines))
        outbox.flush()

    # For the carrier.

    def begin(self, flags: int, data: bytes, start: int, end: int) -> bool:
        """Runs the request whose REQUEST payload is ``data[start:end]``. True if the exchange has
        ended.
        """
        carrier = self.carrier
        try:
            self._environ = environ = read_environ(
                carrier.template, carrier.bases, flags, data, start, end, self.body
            )
            if environ["REQUEST_METHOD"] == "HEAD":
                self._head_only = True
            if flags:
                self._input = environ["wsgi.input"]
            environ["wsgi.early_hints"] = self.early_hints
            # Each exchange has its own context: interleaved ones do not see each other's variables.
            self._context = context = carrier.context.copy()
            result = context.run(carrier.application, environ, self.start_response)
            kind = type(result)
            if (kind is list or kind is tuple) and self._send_whole(result):
                if flags:
                    return self._end()
                self._environ = None  # its early_hints leads back here
                return True
            self._result = result
            self._open(result)
            if self._offer is not None:
                return False
            return self._advance()
        except frames.FrameError:
            raise
        except BaseException as error:
            return self._fail(error)

    def resume(self) -> bool:
        """Continues a suspended exchange. True if it has ended."""
        try:
            if self._offer is not None:
                ended = self._end_offer()
                if ended is not None:
                    return ended
            return self._advance()
        except BaseException as error:
            return self._fail(error)

    # The response.

    def _send_whole(self, chunks: List[bytes]) -> bool:
        """Sends a response whose body is a list or a tuple as one frame; False if that is not
        possible.
        """
        head = self._head
        if head is None or self._started:
            return False
        if len(chunks) == 1:
            body = chunks[0]
            if type(body) is not bytes:
                body = self._admit_chunk(body)
            size = len(body)
        else:
            size = 0
            for chunk in chunks:
                if type(chunk) is not bytes:
                    # Once more, with bytes only.
                    chunks = [self._admit_chunk(each) for each in chunks]
                    size = sum(map(len, chunks))
                    break
                size += len(chunk)
            body = None
        declared = self._declared
        if (
            size > BODY_PIECE
            or size > self.granted
            or self._bodiless
            or self._head_only
            or (declared is not None and declared != size)
        ):
            self._known = size
            return False
        if declared is None:
            head = b"%bContent-Length: %d\r\n" % (head, size)
        if body is None:
            body = b"".join(chunks)
        length = len(head)
        outbox = self.carrier.outbox
        # In one call, because another thread may flush at any moment.
        outbox.frames += (
            pack_head(4 + length + size, HEAD, LAST, 0, self.stream, length),
            head,
            body,
        )
        outbox.held += length + size
        self._ended = True
        return True

    def _open(self, result: Any) -> None:
        """Prepares to iterate over what the application returned."""
        kind = type(result)
        if kind is FileWrapper and self._send_file(result):
            return
        if has_type(result, str) or result is None:
            raise TypeError(
                f"the application returned {kind_of(result)}; "
                "it must return an iterable of bytes, such as [b'...']"
            )
        if has_type(result, (bytes, bytearray, memoryview)):
            result = [self._admit_bare(result)]
            self._known = len(result[0])
            kind = list
        if kind is list or kind is tuple:
            self._iterator = self._gather(result)
            if self.carrier.lender is not None:
                self._offer_list(result)
            return
        try:
            self._iterator = self._context.run(iter, result)
        except TypeError:
            if attribute(result, "__iter__") is not None:
                raise
            raise TypeError(
                f"the application returned an object of type {kind_of(result)}, "
                "which is not iterable; it must return an iterable of bytes"
            ) from None
        # "If len(iterable) is 1 the server can take the length of the first bytestring for
        # Content-Length". The length of a longer list or tuple is known already.
        if self._known is None and attribute(result, "__len__") is not None:
            try:
                # type() first: __len__ may return anything.
                length = self._context.run(len, result)
                if type(length) is int and length == 1:
                    self._known = -1
            except Exception:  # then the length is not known
                pass

    def _advance(self) -> bool:
        """Takes from the iterable and sends, until it is exhausted (True) or there is no credit
        (False).
        """
        run = self._context.run
        iterator = self._iterator
        assert iterator is not None
        while True:
            if self.cancelled:
                return self._cancel()
            if self._rest is not None:
                self._drain()
                if self._rest is not None:
                    # The acceptor cannot know it otherwise: an application without credit may be
                    # computing.
                    held = min(self._held(), frames.MAX_U32)
                    self.carrier.outbox.put(
                        frames.pack(frames.SUSPENDED, 0, self.stream, frames.pack_u32(held))
                    )
                    self.carrier.outbox.flush()
                    return False
            try:
                chunk = run(next, iterator)
            except StopIteration:
                return self._finish()
            if type(chunk) is not bytes:
                chunk = self._admit_chunk(chunk)
            if not chunk:
                continue
            if self._head_only or self._bodiless:
                if self._known == -1:
                    self._known = len(chunk)
                return self._finish()
            self._put(chunk)
            if self._surplus:
                self._log(
                    frames.WARNING,
                    coded(
                        "MONO4004",
                        f"the application declared Content-Length: {self._declared} "
                        "and produced more; the rest is not sent",
                    ),
                )
                iterator = self._iterator = iter(())
            # "Transmit each bytestring before asking for the next": at once. If the response is
            # complete, the watcher sends it, unless the end of the iterable comes first.
            outbox = self.carrier.outbox
            if self._sealed is None or self.carrier.slow_tail:
                outbox.flush()
            elif not outbox.watched:
                outbox.watch()

    def _held(self) -> int:
        """Bytes of body that exist already and are kept while the client is slow."""
        kind = type(self._result)
        if (kind is list or kind is tuple) and self._known is not None and self._known > 0:
            return self._known
        return 0 if self._rest is None else memoryview(self._rest.obj).nbytes

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Lets the acceptor send a real file; False if the wrapper has to be iterated over."""
        if self._head is None or self._started:
            return False
        part = self._context.run(wrapper.part)
        if part is None:
            return False
        declared = self._declared
        if declared is not None and declared > part.length:
            return False
        size = part.length if declared is None else declared
        self._iterator = iter(())
        if self._head_only or self._bodiless:
            self._known = size
            return True
        if size <= min(frames.BODY_PIECE, self.granted):
            # It fits into the frame of its head, which is cheaper than opening it again.
            self._iterator = iter((self._context.run(wrapper.filelike.read, size),))
            self._known = -1
            return True
        self._known = size
        if part.path is None:
            self._iterator = None
            return False
        part = part._replace(length=size)
        self._send_head(0, b"")
        if self.carrier.lender is None or not self._offer_file(wrapper, part):
            self._send_reference(part)
        return True

    def _send_reference(self, part: FilePart) -> None:
        self.carrier.outbox.put(frames.pack_json(frames.FILE, self.stream, part._asdict()))
        self._ended = True

    # Lent sockets.

    def _offer_list(self, chunks: List[bytes]) -> None:
        """Offers a body that is in memory, if it is large."""
        lender = self.carrier.lender
        size = self._known
        if lender is None or size is None or self._head is None or self._started:
            return
        if (
            self._head_only
            or self._bodiless
            or self._declared not in (None, size)
            or not lender.admits(size, size)
            or not all(type(chunk) is bytes for chunk in chunks)
        ):
            return
        assert self._iterator is not None
        self._send_head(0, b"")
        self._offer = lender.bytes_offer(self, self._iterator, size)
        lender.offer(self._offer)

    def _offer_file(self, wrapper: FileWrapper, part: FilePart) -> bool:
        lender = self.carrier.lender
        if lender is None or not lender.admits(part.length, 0):
            return False
        try:
            number = os.dup(wrapper.filelike.fileno())
        except OSError:  # there are no descriptors left
            return False
        self._close()
        self._offer = lender.file_offer(self, number, part)
        lender.offer(self._offer)
        return True

    def _end_offer(self) -> Optional[bool]:
        """Goes on without a socket. None if the rest is to be sent by frames; otherwise whether the
        exchange has ended."""
        offer = self._offer
        lender = self.carrier.lender
        assert lender is not None
        if not self.cancelled and not self.has_credit():
            return False  # there is more credit, which is not what it waits for
        lender.withdraw(offer)
        if offer.complete:
            return self._end()
        self._offer = None
        if self.cancelled:
            return self._cancel()
        source = offer.source
        if source.part is not None:
            self._send_reference(source.part)
            return self._end()
        self._rest = source.rest
        self._produced = offer.sent + (0 if source.rest is None else len(source.rest))
        return None

    # The end.

    def _finish(self) -> bool:
        """The iterable is exhausted or not needed any more: closes it and ends the response."""
        outbox = self.carrier.outbox
        sealed = self._sealed
        if self._head is None:
            raise AssertionError("the application never called start_response (PEP 3333)")
        if not self._started and not self._ended:
            silent = self._head_only or self._bodiless
            if not silent and (self._known is None or self._known < 0):
                self._known = 0
            if silent or not self._declared:
                self._close()
                self._send_head(frames.LAST, b"")
                return self._end()
            self._send_head(0, b"")
        self._close()
        if self._ended:  # by a FILE frame
            return self._end()
        if sealed is not None:
            outbox.seal(sealed, self.stream)
            self.carrier.slow_tail = perf_counter() - self._complete_at > _SLOW_TAIL
        elif self._declared is not None and self._produced < self._declared:
            if self._produced or not self.carrier.leniency.has_file(self._head):
                self._log(
                    frames.ERROR,
                    coded(
                        "MONO4004",
                        f"the application declared Content-Length: {self._declared} "
                        f"and produced {self._produced} bytes; the response is incomplete",
                    ),
                )
            outbox.put(frames.pack(frames.END, frames.BROKEN, self.stream))
        else:
            outbox.put(frames.pack(frames.END, 0, self.stream))
        return self._end()

    def _cancel(self) -> bool:
        self._rest = None
        self._close()
        if not self._ended:
            self.carrier.outbox.put(frames.pack(frames.END, frames.BROKEN, self.stream))
        return self._end()

    def _fail(self, error: BaseException) -> bool:
        """The application raised, or violated a rule, so that there is no response."""
        outbox = self.carrier.outbox
        self._rest = None
        if self.cancelled or is_about_client(error):
            self._log(frames.DEBUG, f"request abandoned: {type(error).__name__}")
            return self._cancel()
        text = format_error(error)
        # Its stack frames must not live longer than this exchange.
        BaseException.with_traceback(error, None)
        if self._ended:
            text = f"the application raised after its response was complete\n{text}"
            self._log(frames.ERROR, coded("MONO4003", text))
            self._close()
        elif not self._started:
            self._close()
            outbox.put(frames.pack_fail(self.stream, text))
        else:
            complete = self._sealed is not None or self._produced == self._declared
            what = (
                "after its response was complete" if complete else "in the middle of its response"
            )
            code = "MONO4003" if complete else "MONO4002"
            self._log(frames.ERROR, coded(code, f"the application raised {what}\n{text}"))
            self._close()
            outbox.put(frames.pack(frames.END, 0 if complete else frames.BROKEN, self.stream))
        return self._end()

    def _close(self) -> None:
        """Calls close() of the application's iterable once, whatever happened (PEP 3333)."""
        result = self._result
        if result is None:
            return
        self._result = self._iterator = None
        try:
            close = getattr(result, "close", None)
            if close is not None:
                self._context.run(close)
        except BaseException as error:
            if not is_about_client(error):
                text = f"the application's close() raised\n{format_error(error)}"
                self._log(frames.ERROR, coded("MONO4006", text))

    def _end(self) -> bool:
        self._ended = True
        self._iterator = None  # of a response on a lent socket; it may lead back here
        environ = self._environ
        if environ is not None:
            self._environ = None
            if self._input is not None:
                try:
                    self._input.close()
                except (OSError, ValueError):  # the application has detached it
                    pass
        return True

    def _gather(self, chunks: List[bytes]) -> Iterator[bytes]:
        """The chunks of a list in pieces of a frame's size, because none of them has to be waited
        for.
        """
        gathered: List[bytes] = []
        size = 0
        for chunk in chunks:
            if type(chunk) is not bytes:
                chunk = self._admit_chunk(chunk)
            gathered.append(chunk)
            size += len(chunk)
            if size >= frames.BODY_PIECE:
                yield b"".join(gathered)
                gathered.clear()
                size = 0
        yield b"".join(gathered)
