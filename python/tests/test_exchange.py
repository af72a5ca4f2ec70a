"""One exchange, case by case (PEP 3333)."""

from __future__ import annotations

import array
import contextvars
import gc
import io
import os
import sys
import tempfile
import unittest
from typing import Any, Dict, Iterator, List

from monoceros import frames, streams
from monoceros.exchange import Exchange
from monoceros.streams import ClientGone
from tests.gateway import Gateway, run

OK = "200 OK"
TEXT = [("Content-Type", "text/plain")]


class Closing:
    """An iterable that counts how often it is closed and can do so loudly."""

    def __init__(self, chunks: Any, error: BaseException | None = None, loud: bool = False) -> None:
        self.chunks = iter(chunks)
        self.error = error
        self.loud = loud
        self.closed = 0
        self.asked = 0

    def __iter__(self) -> Closing:
        return self

    def __next__(self) -> bytes:
        self.asked += 1
        for chunk in self.chunks:
            return chunk
        if self.error is not None:
            raise self.error
        raise StopIteration

    def close(self) -> None:
        self.closed += 1
        if self.loud:
            raise ValueError("loud close")


def simple(result: Any, status: str = OK, headers: Any = None) -> Any:
    """An application that answers with ``result``."""

    def app(environ: Dict[str, Any], start_response: Any) -> Any:
        start_response(status, TEXT if headers is None else headers)
        return result

    return app


class ContentLength(unittest.TestCase):
    def test_a_list_of_one_chunk_gets_a_content_length_and_is_one_frame(self) -> None:
        response = run(simple([b"hello"]))
        self.assertEqual((response.status, response.body), (OK, b"hello"))
        self.assertEqual(response.header("Content-Length"), "5")
        self.assertEqual([(f.kind, f.flags) for f in response.frames], [(frames.HEAD, frames.LAST)])

    def test_a_list_or_a_tuple_of_several_chunks_is_summed_and_is_one_frame(self) -> None:
        for result in ([b"ab", b"", b"cde"], (b"ab", b"cde")):
            response = run(simple(result))
            self.assertEqual((response.body, response.header("Content-Length")), (b"abcde", "5"))
            self.assertEqual(len(response.frames), 1)

    def test_an_empty_body_gets_content_length_0(self) -> None:
        for result in ([], (), [b""], iter(()), Closing([b"", b""])):
            response = run(simple(result))
            self.assertEqual((response.body, response.header("Content-Length")), (b"", "0"))
            self.assertFalse(response.broken)

    def test_the_given_content_length_is_kept_as_it_is(self) -> None:
        response = run(simple([b"hello"], headers=[("content-length", "5")]))
        self.assertEqual(response.headers, [("content-length", "5")])

    def test_a_generator_gets_no_content_length(self) -> None:
        response = run(simple(iter([b"a", b"b"])))
        self.assertIsNone(response.header("Content-Length"))
        self.assertEqual(response.body, b"ab")

    def test_an_iterable_of_length_1_gets_the_length_of_its_only_chunk(self) -> None:
        class One:
            def __len__(self) -> int:
                return 1

            def __iter__(self) -> Iterator[bytes]:
                return iter([b"", b"four"])

        self.assertEqual(run(simple(One())).header("Content-Length"), "4")

    def test_an_iterable_that_lies_about_its_length_of_1_is_cut_not_sent_past_the_length(
        self,
    ) -> None:
        class Liar:
            def __len__(self) -> int:
                return 1

            def __iter__(self) -> Iterator[bytes]:
                return iter([b"four", b"more"])

        gateway = Gateway(simple(Liar()))
        response = gateway.get()
        self.assertEqual((response.body, response.header("Content-Length")), (b"four", "4"))
        self.assertIn("produced more", gateway.log[0])

    def test_a_large_list_gets_a_content_length_and_goes_in_pieces(self) -> None:
        chunk = bytes(range(256)) * 400
        response = run(simple([chunk, chunk, chunk, chunk]))
        self.assertEqual(response.body, chunk * 4)
        self.assertEqual(response.header("Content-Length"), str(4 * len(chunk)))
        for frame in response.frames:
            limit = frames.DATA_PIECE if frame.kind == frames.DATA else frames.BODY_PIECE + 200
            self.assertLessEqual(len(frame.payload), limit)

    def test_a_large_list_of_small_chunks_goes_in_few_pieces(self) -> None:
        gateway = Gateway(simple([b"%09d\n" % number for number in range(20_000)]))
        response = gateway.get()
        self.assertEqual(response.body, b"".join(b"%09d\n" % number for number in range(20_000)))
        self.assertLess(gateway.sends, 10)

    def test_what_exceeds_the_content_length_is_not_sent_and_logged(self) -> None:
        for result in ([b"hello world"], iter([b"hell", b"o wo", b"rld"]), [b"hello", b"x"]):
            gateway = Gateway(simple(result, headers=[("Content-Length", "5")]))
            response = gateway.get(RAW_URI="/long?x")
            self.assertEqual((response.body, response.broken), (b"hello", False))
            self.assertEqual(len(gateway.log), 1)
            self.assertRegex(gateway.log[0], r"^30 GET /long\?x: .*Content-Length: 5.*more")

    def test_iteration_stops_when_the_content_length_is_exceeded(self) -> None:
        body = Closing(b"x" for _ in iter(int, 1))
        response = run(simple(body, headers=[("Content-Length", "3")]))
        self.assertEqual(response.body, b"xxx")
        self.assertEqual((body.asked, body.closed), (4, 1))

    def test_a_body_shorter_than_its_content_length_is_ended_as_broken_and_logged(self) -> None:
        for result in ([b"hel"], iter([b"h", b"el"]), [], iter(())):
            gateway = Gateway(simple(result, headers=[("Content-Length", "5")]))
            response = gateway.get()
            self.assertTrue(response.broken)
            self.assertEqual(response.header("Content-Length"), "5")
            self.assertRegex(
                gateway.log[0], r"^40 .*Content-Length: 5 and produced [03] bytes.*MONO4004"
            )

    def test_a_streamed_body_that_meets_its_content_length_is_one_frame(self) -> None:
        for chunks in ([b"hello"], [b"hello", b""]):
            body = Closing(chunks)
            response = run(simple(body, headers=[("Content-Length", "5")]))
            self.assertEqual(
                [(f.kind, f.flags) for f in response.frames], [(frames.HEAD, frames.LAST)]
            )
            self.assertEqual((response.body, body.closed), (b"hello", 1))

    def test_a_response_that_is_complete_goes_out_before_a_slow_close(self) -> None:
        class Slow(Closing):
            def close(self) -> None:
                super().close()
                gateway.slow_tail = True
                seen.append(len(gateway.received))

        seen: List[int] = []
        gateway = Gateway(
            lambda e, s: simple(Slow([b"hello"]), headers=[("Content-Length", "5")])(e, s)
        )
        gateway.slow_tail = True
        response = gateway.get()
        self.assertEqual(seen, [1])
        self.assertEqual([f.kind for f in response.frames], [frames.HEAD, frames.END])


class NoBody(unittest.TestCase):
    def test_head_gets_no_body_and_the_content_length_of_one_chunk(self) -> None:
        for result in ([b"hello"], [b"he", b"llo"], (b"hello",)):
            response = run(simple(result), REQUEST_METHOD="HEAD")
            self.assertEqual((response.body, response.header("Content-Length")), (b"", "5"))
            self.assertEqual(len(response.frames), 1)

    def test_head_keeps_the_given_content_length_and_complains_of_nothing(self) -> None:
        for result in ([], [b"hello"], [b"12345678"], iter([b"a", b"b"])):
            gateway = Gateway(simple(result, headers=[("Content-Length", "5")]))
            response = gateway.get(REQUEST_METHOD="HEAD")
            self.assertEqual((response.body, response.header("Content-Length")), (b"", "5"))
            self.assertEqual((response.broken, gateway.log), (False, []))

    def test_head_with_an_empty_iterable_does_not_claim_length_0(self) -> None:
        for result in ([], [b""], iter(())):
            self.assertIsNone(run(simple(result), REQUEST_METHOD="HEAD").header("Content-Length"))

    def test_head_closes_an_endless_iterable_after_its_first_chunk(self) -> None:
        body = Closing(b"x" for _ in iter(int, 1))
        run(simple(body), REQUEST_METHOD="HEAD")
        self.assertEqual((body.asked, body.closed), (1, 1))

    def test_204_and_304_have_no_body_and_get_no_content_length(self) -> None:
        for status in ("204 No Content", "304 Not Modified"):
            for result in ([], [b"dropped"], iter([b"dropped"])):
                response = run(simple(result, status=status, headers=[("X-A", "1")]))
                self.assertEqual((response.status, response.headers), (status, [("X-A", "1")]))
                self.assertEqual((response.body, response.broken), (b"", False))

    def test_a_content_length_stays_with_304_and_goes_with_204(self) -> None:
        headers = [("Content-Length", "5")]
        self.assertEqual(run(simple([], "304 Not Modified", headers)).header("Content-Length"), "5")
        self.assertIsNone(run(simple([], "204 No Content", headers)).header("Content-Length"))

    def test_write_sends_nothing_for_head(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)(b"hello")
            return [b"more"]

        response = run(app, REQUEST_METHOD="HEAD")
        self.assertEqual((response.status, response.body, len(response.frames)), (OK, b"", 1))


class StartResponse(unittest.TestCase):
    def test_it_must_have_been_called(self) -> None:
        for result in ([], [b"x"], iter([b"x"]), iter(())):
            response = run(lambda e, s, result=result: result)
            assert response.failure is not None
            self.assertIn("start_response", response.failure)

    def test_a_generator_may_call_it_before_its_first_chunk(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            yield b""
            start_response(OK, TEXT)
            yield b"late"

        self.assertEqual(run(app).body, b"late")

    def test_a_second_call_without_exc_info_is_an_error(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)
            start_response(OK, TEXT)
            return [b""]

        failure = run(app).failure or ""
        self.assertIn("AssertionError: start_response was called twice", failure)
        self.assertIn("in app", failure)
        self.assertNotIn(os.path.join("monoceros", "exchange.py"), failure)

    def test_exc_info_replaces_a_head_that_is_not_out(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(OK, [("Content-Length", "3"), ("X-Old", "1")])
            yield b""
            try:
                raise KeyError("x")
            except KeyError:
                start_response("500 Oops", [("X-New", "1")], sys.exc_info())
            yield b"error"

        response = run(app)
        self.assertEqual(
            (response.status, response.headers, response.body),
            ("500 Oops", [("X-New", "1")], b"error"),
        )

    def test_exc_info_is_raised_again_when_the_head_is_out(self) -> None:
        seen: List[BaseException] = []

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(OK, TEXT)
            yield b"part"
            try:
                raise KeyError("original")
            except KeyError:
                try:
                    start_response("500 Oops", TEXT, sys.exc_info())
                except BaseException as error:
                    seen.append(error)
                    raise

        gateway = Gateway(app)
        response = gateway.get()
        self.assertEqual((response.status, response.body, response.broken), (OK, b"part", True))
        self.assertIsInstance(seen[0], KeyError)
        self.assertIn("KeyError: 'original'", gateway.log[0])

    def test_a_first_call_may_have_exc_info(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            try:
                raise KeyError("x")
            except KeyError:
                start_response("500 Oops", TEXT, sys.exc_info())
            return [b"error"]

        self.assertEqual(run(app).status, "500 Oops")

    def test_a_refused_call_leaves_no_head_and_counts_as_a_call(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            try:
                start_response(OK, [("Bad Name", "x")])
            except ValueError:
                with self.assertRaises(AssertionError):
                    start_response("500 Oops", TEXT)
                start_response("500 Oops", TEXT, sys.exc_info())
            return [b"x"]

        self.assertEqual(run(app).status, "500 Oops")

    def test_nothing_can_be_started_or_written_when_the_exchange_has_ended(self) -> None:
        kept: List[Any] = []

        def app(environ: Any, start_response: Any) -> Any:
            kept.append(start_response)
            kept.append(start_response(OK, TEXT))
            return [b"x"]

        gateway = Gateway(app)
        gateway.get()
        with self.assertRaises(AssertionError):
            kept[0](OK, TEXT)
        with self.assertRaises(AssertionError):
            kept[1](b"late")
        gateway.outbox.flush()
        self.assertEqual(len(gateway.received), 1)

    def test_early_hints_go_before_the_head_and_not_after_it(self) -> None:
        def app(environ: Dict[str, Any], start_response: Any) -> Any:
            hints = environ["wsgi.early_hints"]
            hints([("Link", "</a.css>; rel=preload")])
            start_response(OK, TEXT)
            hints([(b"Link", b"caf\xe9")])
            yield b"a"
            hints([("Link", "late")])
            hints("not even looked at")

        response = run(app)
        self.assertEqual(response.body, b"a")
        informs = [f.payload for f in response.frames if f.kind == frames.INFORM]
        self.assertEqual(informs, [b"Link: </a.css>; rel=preload\r\n", b"Link: caf\xe9\r\n"])
        kinds = [f.kind for f in response.frames]
        self.assertEqual(kinds[:3], [frames.INFORM, frames.INFORM, frames.HEAD])

    def test_early_hints_that_cannot_be_sent_raise(self) -> None:
        wrong: List[Any] = [
            [("X", "a\r\nb")],
            [("X", "a\0b")],
            [("X y", "a")],
            [("X", "\u0416")],
            [("Content-Length", "0")],
            [("X", 5)],
            "Link: a",
        ]
        for headers in wrong:

            def app(environ: Dict[str, Any], start_response: Any, headers: Any = headers) -> Any:
                environ["wsgi.early_hints"](headers)

            response = run(app)
            self.assertEqual([f.kind for f in response.frames], [frames.FAIL], headers)
            self.assertIn(b"wsgi.early_hints: ", response.frames[0].payload)

    def test_early_hints_have_a_bound(self) -> None:
        def app(environ: Dict[str, Any], start_response: Any) -> Any:
            for _ in range(5000):
                environ["wsgi.early_hints"]([])
            start_response(OK, TEXT)
            return [b""]

        response = run(app)
        self.assertEqual([f.kind for f in response.frames].count(frames.INFORM), 2048)
        self.assertEqual(response.status, OK)

    def test_an_exchange_leaves_no_garbage_for_the_collector(self) -> None:
        gc.collect()
        gc.disable()
        try:
            # Other tests may have left a worker with the exchange that it ran last.
            before = sum(isinstance(each, Exchange) for each in gc.get_objects())
            for result in ([b"a"], iter([b"a", b"b"])):
                run(simple(result))
            after = sum(isinstance(each, Exchange) for each in gc.get_objects())
            self.assertEqual(after, before)
        finally:
            gc.enable()

    def test_it_leaves_the_applications_list_of_headers_alone(self) -> None:
        headers = [("X-A", "1")]
        run(simple([b"x"], headers=headers))
        self.assertEqual(headers, [("X-A", "1")])


class Sending(unittest.TestCase):
    def test_the_head_waits_for_the_first_chunk_that_is_not_empty(self) -> None:
        seen: List[int] = []

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(OK, TEXT)
            yield b""
            gateway.outbox.flush()
            seen.append(len(gateway.received))
            yield b"x"
            seen.append(len(gateway.received))

        gateway = Gateway(app)
        gateway.get()
        self.assertEqual(seen, [0, 1])

    def test_each_chunk_is_sent_before_the_next_is_asked_for(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(OK, TEXT)
            for number in range(1, 4):
                yield b"%d" % number
                seen.append(b"".join(frame.payload[-1:] for frame in gateway.received))

        seen: List[bytes] = []
        gateway = Gateway(app)
        gateway.get()
        self.assertEqual(seen, [b"1", b"12", b"123"])

    def test_write_sends_at_once_and_before_the_iterable(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, TEXT)
            write(b"")
            seen.append(len(gateway.received))
            write(b"one ")
            seen.append(len(gateway.received))
            write(b"two ")
            seen.append(len(gateway.received))
            return [b"three"]

        seen: List[int] = []
        gateway = Gateway(app)
        response = gateway.get()
        self.assertEqual((response.body, seen), (b"one two three", [0, 1, 2]))
        self.assertIsNone(response.header("Content-Length"))

    def test_write_refuses_what_is_not_bytes(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)("text")
            return []

        self.assertIn("TypeError: write() needs bytes, not str", run(app).failure or "")

    def test_write_past_the_content_length_raises(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, [("Content-Length", "3")])
            write(b"ab")
            try:
                write(b"cd")
            except ValueError as error:
                errors.append(str(error))
            return []

        errors: List[str] = []
        response = run(app)
        self.assertEqual((response.body, response.broken), (b"abc", False))
        self.assertIn("Content-Length of 3", errors[0])

    def test_write_past_the_content_length_leaves_the_response_whole(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, [("Content-Length", "3")])
            write(b"abc")
            write(b"")
            write(b"d")
            return []

        gateway = Gateway(app)
        response = gateway.get()
        self.assertEqual((response.body, response.broken, response.failure), (b"abc", False, None))
        # Once, and where it was raised.
        self.assertEqual(len(gateway.log), 1)
        self.assertIn(
            "40 GET /: the application raised after its response was complete", gateway.log[0]
        )
        self.assertIn(
            "ValueError: write() past the declared Content-Length of 3 bytes", gateway.log[0]
        )

    def test_to_head_nothing_is_past_the_content_length(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, [("Content-Length", "3")])
            write(b"abc")
            write(b"def")
            return []

        gateway = Gateway(app)
        response = gateway.get(REQUEST_METHOD="HEAD")
        self.assertEqual((response.body, response.failure, gateway.log), (b"", None, []))
        self.assertEqual(response.header("Content-Length"), "3")

    def test_write_waits_for_credit(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)(b"0123456789" * 5)
            return []

        gateway = Gateway(app, window=8)
        response = gateway.get()
        self.assertEqual(response.body, b"0123456789" * 5)
        self.assertTrue(
            all(len(frame.payload) <= 8 for frame in response.frames if frame.kind == frames.DATA)
        )
        self.assertGreater(gateway.waits, 4)

    def test_an_iterable_without_credit_is_suspended_and_resumed(self) -> None:
        body = Closing([b"abcdef", b"gh", b"i"])
        gateway = Gateway(simple(body), window=4, automatic=False)
        exchange = gateway.open()
        self.assertFalse(gateway.begin(exchange))
        self.assertEqual((gateway.response(exchange).body, body.asked), (b"abcd", 1))
        self.assertFalse(gateway.resume(exchange, 1))
        self.assertEqual(gateway.response(exchange).body, b"abcde")
        self.assertFalse(gateway.resume(exchange, 2))
        self.assertEqual(gateway.response(exchange).body, b"abcdefg")
        self.assertTrue(gateway.resume(exchange, 100))
        self.assertEqual((gateway.response(exchange).body, body.closed), (b"abcdefghi", 1))
        self.assertEqual(gateway.waits, 0)

    def test_an_exchange_says_that_it_is_suspended_each_time_after_its_bytes(self) -> None:
        gateway = Gateway(simple(iter([b"abcdef"])), window=4, automatic=False)
        exchange = gateway.open()
        self.assertFalse(gateway.begin(exchange))
        self.assertFalse(gateway.resume(exchange, 1))
        self.assertTrue(gateway.resume(exchange, 1))
        kinds = [frame.kind for frame in gateway.received]
        again = [frames.DATA, frames.SUSPENDED]
        self.assertEqual(kinds, [frames.HEAD, frames.SUSPENDED, *again, frames.DATA, frames.END])
        asides = [(f.flags, f.payload) for f in gateway.received if f.kind == frames.SUSPENDED]
        self.assertEqual(asides, [(0, frames.pack_u32(6))] * 2)

    def test_a_suspended_exchange_says_how_much_of_its_body_exists_already(self) -> None:
        for body, held in [
            ([b"abc", b"defgh"], 8),
            ((b"abcdefgh",), 8),
            (iter([b"abcdef", b"gh"]), 6),
        ]:
            gateway = Gateway(simple(body), window=4, automatic=False)
            exchange = gateway.open()
            self.assertFalse(gateway.begin(exchange))
            asides = [f.payload for f in gateway.received if f.kind == frames.SUSPENDED]
            self.assertEqual(asides, [frames.pack_u32(held)])

    def test_an_exchange_that_has_used_up_its_credit_and_computes_is_not_suspended(self) -> None:
        def body() -> Iterator[bytes]:
            yield b"abcd"
            seen.extend(frame.kind for frame in gateway.received)
            yield b"e"

        seen: List[int] = []
        gateway = Gateway(simple(body()), window=4, automatic=False)
        exchange = gateway.open()
        self.assertFalse(gateway.begin(exchange))
        self.assertEqual(seen, [frames.HEAD])
        self.assertEqual(
            [frame.kind for frame in gateway.received], [frames.HEAD, frames.SUSPENDED]
        )
        self.assertTrue(gateway.resume(exchange, 1))

    def test_write_keeps_its_thread_and_is_not_suspended(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)(b"0123456789")
            return []

        gateway = Gateway(app, window=4)
        response = gateway.get()
        self.assertGreater(gateway.waits, 0)
        self.assertNotIn(frames.SUSPENDED, [frame.kind for frame in response.frames])

    def test_a_whole_response_larger_than_the_window_waits_for_credit(self) -> None:
        gateway = Gateway(simple([b"0123456789"]), window=4, automatic=False)
        exchange = gateway.open()
        self.assertFalse(gateway.begin(exchange))
        self.assertEqual(gateway.response(exchange).header("Content-Length"), "10")
        self.assertEqual(gateway.response(exchange).body, b"0123")
        self.assertTrue(gateway.resume(exchange, 6))
        self.assertEqual(gateway.response(exchange).body, b"0123456789")

    def test_chunks_that_are_not_bytes_are_refused_by_their_type(self) -> None:
        for result, name in (
            (["text"], "str"),
            (["a", "b"], "str"),
            (iter(["text"]), "str"),
            ([None], "NoneType"),
            ([bytearray(b"x")], "bytearray"),
            ([1], "int"),
        ):
            failure = Gateway(simple(result), strict=True).get().failure or ""
            self.assertRegex(failure, f"TypeError: .*produced {name.replace('NoneType', 'None')} ")

    def test_a_result_that_is_not_an_iterable_of_bytes_is_refused(self) -> None:
        for result, name in (
            (None, "None"),
            ("text", "str"),
            (b"bytes", "bytes"),
            (5, "int"),
            (object(), "object"),
        ):
            failure = Gateway(simple(result), strict=True).get().failure or ""
            self.assertRegex(failure, f"TypeError: the application returned .*{name}")

    def test_bytes_of_a_subclass_are_bytes(self) -> None:
        class Mine(bytes):
            pass

        self.assertEqual(run(simple([Mine(b"mine")])).body, b"mine")
        self.assertEqual(run(simple(iter([Mine(b"mine")]))).body, b"mine")

    def test_a_custom_iterable_may_have_getitem_only(self) -> None:
        class Old:
            def __getitem__(self, index: int) -> bytes:
                if index > 2:
                    raise IndexError
                return b"%d" % index

        self.assertEqual(run(simple(Old())).body, b"012")


class Raising(unittest.TestCase):
    def test_an_error_before_the_head_is_a_fail_with_the_applications_traceback(self) -> None:
        def inner() -> None:
            raise RuntimeError("broken")

        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)
            inner()

        response = run(app)
        failure = response.failure or ""
        self.assertTrue(failure.startswith("Traceback (most recent call last):"))
        self.assertIn("in inner", failure)
        self.assertTrue(failure.endswith("RuntimeError: broken"))
        self.assertNotIn(os.path.join("monoceros", "exchange.py"), failure)
        self.assertEqual(len(response.frames), 1)

    def test_an_error_in_the_first_next_is_a_fail(self) -> None:
        body = Closing([], ValueError("lazy"))
        self.assertIn("ValueError: lazy", run(simple(body)).failure or "")
        self.assertEqual(body.closed, 1)

    def test_an_error_after_the_head_ends_the_response_as_broken(self) -> None:
        body = Closing([b"part"], ValueError("lazy"))
        gateway = Gateway(simple(body))
        response = gateway.get(RAW_URI="/x", REQUEST_METHOD="POST")
        self.assertEqual((response.body, response.broken, body.closed), (b"part", True, 1))
        self.assertRegex(
            gateway.log[0], r"(?s)^40 POST /x: .*in the middle.*Traceback.*ValueError: lazy"
        )

    def test_an_error_after_the_last_byte_does_not_hurt_the_response(self) -> None:
        body = Closing([b"whole"], ValueError("late"))
        gateway = Gateway(simple(body, headers=[("Content-Length", "5")]))
        response = gateway.get()
        self.assertEqual((response.body, response.broken, body.closed), (b"whole", False, 1))
        self.assertRegex(gateway.log[0], r"after its response was complete \[MONO4003\]\n")

    def test_an_error_in_close_is_logged_and_does_not_hurt_the_response(self) -> None:
        for headers in (TEXT, [("Content-Length", "5")]):
            body = Closing([b"whole"], loud=True)
            gateway = Gateway(simple(body, headers=headers))
            response = gateway.get()
            self.assertEqual((response.body, response.broken, body.closed), (b"whole", False, 1))
            self.assertIn("loud close", gateway.log[0])

    def test_exits_memory_and_recursion_are_errors_of_that_request_only(self) -> None:
        def recursive(environ: Any, start_response: Any) -> Any:
            return recursive(environ, start_response)

        failure = run(recursive).failure or ""
        self.assertIn("RecursionError", failure)
        self.assertRegex(failure, r"Previous line repeated \d+ more times")
        for error in (
            SystemExit(1),
            KeyboardInterrupt(),
            MemoryError(),
            GeneratorExit(),
            StopIteration(),
        ):

            def app(environ: Any, start_response: Any, error: BaseException = error) -> Any:
                raise error

            self.assertIn(type(error).__name__, run(app).failure or "")

    def test_an_exception_that_cannot_be_shown_is_named_nevertheless(self) -> None:
        class Nasty(Exception):
            def __str__(self) -> str:
                raise ValueError

        def app(environ: Any, start_response: Any) -> Any:
            raise Nasty

        self.assertIn("Nasty", run(app).failure or "")

    def test_a_path_cannot_forge_lines_of_the_log(self) -> None:
        gateway = Gateway(simple([b"xx"], headers=[("Content-Length", "1")]))
        gateway.get(RAW_URI="", PATH_INFO="/a\nb\x1b[0m\xe9")
        self.assertNotIn("\n", gateway.log[0])
        self.assertIn("/a\\nb\\x1b[0m\\xe9", gateway.log[0])

    def test_an_environ_that_lost_its_keys_still_has_its_errors_logged(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            environ.clear()
            start_response(OK, TEXT)
            yield b"x"
            raise ValueError("after clear")

        gateway = Gateway(app)
        gateway.get()
        self.assertIn("after clear", gateway.log[0])


class Closes(unittest.TestCase):
    def test_close_is_called_once_whatever_happens(self) -> None:
        makers = {
            "success": (lambda: Closing([b"a", b"b"]), {}),
            "empty": (lambda: Closing([]), {}),
            "head": (lambda: Closing([b"a"]), {"REQUEST_METHOD": "HEAD"}),
            "error": (lambda: Closing([b"a"], ValueError()), {}),
            "early error": (lambda: Closing([], ValueError()), {}),
            "bad chunk": (lambda: Closing(["text"]), {}),
        }
        for name, (make, environ) in makers.items():
            with self.subTest(name):
                body = make()
                Gateway(simple(body)).get(**environ)
                self.assertEqual(body.closed, 1)

    def test_close_is_called_when_start_response_never_was(self) -> None:
        body = Closing([b"x"])
        run(lambda e, s: body)
        self.assertEqual(body.closed, 1)

    def test_close_is_called_when_iter_raises(self) -> None:
        class Broken(Closing):
            def __iter__(self) -> Closing:
                raise ValueError("no iterator")

        body = Broken([])
        self.assertIn("no iterator", run(simple(body)).failure or "")
        self.assertEqual(body.closed, 1)

    def test_close_is_called_on_what_was_returned_not_on_its_iterator(self) -> None:
        class Body:
            closed = 0

            def __iter__(self) -> Iterator[bytes]:
                return Closing([b"x"], loud=True)

            def close(self) -> None:
                self.closed += 1

        body = Body()
        gateway = Gateway(simple(body))
        gateway.get()
        self.assertEqual((body.closed, gateway.log), (1, []))

    def test_a_list_of_a_subclass_with_close_is_closed(self) -> None:
        class Closeable(list):  # type: ignore[type-arg]
            closed = 0

            def close(self) -> None:
                self.closed += 1

        body = Closeable([b"x"])
        self.assertEqual(run(simple(body)).header("Content-Length"), "1")
        self.assertEqual(body.closed, 1)

    def test_a_generator_is_closed_and_its_finally_runs(self) -> None:
        seen: List[str] = []

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(OK, [("Content-Length", "1")])
            try:
                while True:
                    yield b"x"
            finally:
                seen.append("finally")

        run(app)
        self.assertEqual(seen, ["finally"])


class Cancelling(unittest.TestCase):
    def test_a_cancelled_exchange_is_closed_and_ended_as_broken(self) -> None:
        body = Closing([b"abcdef"] * 10)
        gateway = Gateway(simple(body), window=4, automatic=False)
        exchange = gateway.open()
        self.assertFalse(gateway.begin(exchange))
        exchange.cancelled = True
        self.assertTrue(gateway.resume(exchange, 0))
        self.assertEqual((gateway.response(exchange).broken, body.closed, body.asked), (True, 1, 1))
        self.assertEqual(gateway.log, [])

    def test_what_comes_of_a_client_that_has_gone_is_no_error(self) -> None:
        def gone() -> None:
            raise ClientGone("the client went away before its request body was complete")

        def wraps(environ: Any, start_response: Any) -> Any:
            try:
                gone()
            except ClientGone as error:
                raise RuntimeError("upload failed") from error

        def handles(environ: Any, start_response: Any) -> Any:
            try:
                gone()
            except ClientGone:
                raise KeyError("upload")

        def hides(environ: Any, start_response: Any) -> Any:
            try:
                gone()
            except ClientGone:
                raise KeyError("another mistake") from None

        class Closes(List[bytes]):
            def close(self) -> None:
                gone()

        def plain(environ: Any, start_response: Any) -> Any:
            gone()

        for app in (plain, wraps, handles, simple(Closes([b"a", b"b"]))):
            gateway = Gateway(app)
            response = gateway.get()
            self.assertEqual([line for line in gateway.log if not line.startswith("10 ")], [])
            self.assertIsNone(response.failure)
        self.assertIn("another mistake", Gateway(hides).get().failure or "")

    def test_write_of_a_cancelled_exchange_raises_client_gone(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, TEXT)
            try:
                write(b"0123456789")
            except ClientGone as error:
                seen.append(error)
                raise
            return []

        def cancel(exchange: Exchange) -> None:
            exchange.cancelled = True

        seen: List[ClientGone] = []
        gateway = Gateway(app, window=4, automatic=False)
        gateway.on_wait = cancel
        response = gateway.get()
        self.assertTrue(response.broken)
        self.assertIsInstance(seen[0], ConnectionError)
        self.assertTrue(all(line.startswith("10 ") for line in gateway.log), gateway.log)


class Context(unittest.TestCase):
    def test_interleaved_exchanges_never_see_each_others_context_variables(self) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar(
            "variable", default="outside"
        )

        class Body(Closing):
            def __init__(self, name: str) -> None:
                super().__init__([])
                self.left = 3
                self.name = name

            def __next__(self) -> bytes:
                if not self.left:
                    raise StopIteration
                self.left -= 1
                seen.append((self.name, variable.get()))
                return b"12345678"

            def close(self) -> None:
                seen.append((self.name, variable.get()))

        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)
            name = environ["PATH_INFO"]
            seen.append((name, variable.get().replace("outside", name)))
            variable.set(name)
            return Body(name)

        seen: List[Any] = []
        gateway = Gateway(app, window=8, automatic=False)
        one, two = gateway.open(), gateway.open()
        done = {one: gateway.begin(one, PATH_INFO="one"), two: gateway.begin(two, PATH_INFO="two")}
        while not all(done.values()):
            for exchange in (one, two):
                if not done[exchange]:
                    done[exchange] = gateway.resume(exchange, 8)
        self.assertEqual(len(seen), 10)
        self.assertTrue(all(name == value for name, value in seen), seen)
        self.assertEqual(variable.get(), "outside")


class Environ(unittest.TestCase):
    def test_it_is_a_fresh_dict_with_all_that_the_pep_requires(self) -> None:
        kept: List[Dict[str, Any]] = []

        def app(environ: Any, start_response: Any) -> Any:
            kept.append(dict(environ))
            self.assertIs(type(environ), dict)
            environ["mine"] = 1
            environ["wsgi.version"] = None
            start_response(OK, TEXT)
            return [b""]

        gateway = Gateway(app)
        gateway.get()
        gateway.get()
        environ = kept[1]
        self.assertNotIn("mine", environ)
        self.assertEqual(environ["wsgi.version"], (1, 0))
        self.assertEqual(environ["wsgi.url_scheme"], "http")
        self.assertEqual(environ["SERVER_SOFTWARE"], "test")
        self.assertIs(environ["wsgi.multithread"], False)
        self.assertIs(environ["wsgi.multiprocess"], True)
        self.assertIs(environ["wsgi.run_once"], False)
        self.assertIs(environ["wsgi.input_terminated"], True)
        self.assertTrue(callable(environ["wsgi.file_wrapper"]))

    def test_an_inline_body_is_read_in_every_way_and_ends_for_ever(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            body = environ["wsgi.input"]
            seen.append(
                (body.read(0), body.read(2), body.readline(), body.readline(2), body.readlines(1))
            )
            seen.append(
                (
                    list(body),
                    body.read(),
                    body.read(5),
                    body.readline(),
                    body.readlines(),
                    list(body),
                )
            )
            start_response(OK, TEXT)
            return [b""]

        seen: List[Any] = []
        Gateway(app).get(body=b"abc\ndef\ng\nh\ni")
        self.assertEqual(seen[0], (b"", b"ab", b"c\n", b"de", [b"f\n"]))
        self.assertEqual(seen[1], ([b"g\n", b"h\n", b"i"], b"", b"", b"", [], []))

    def test_a_body_in_a_file_is_read_and_closed_at_the_end(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            kept.append(environ["wsgi.input"])
            start_response(OK, TEXT)
            return [environ["wsgi.input"].read()]

        kept: List[Any] = []
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            for path in (file.name, f"/proc/{os.getpid()}/fd/{file.fileno()}"):
                response = Gateway(app).get(path.encode(), frames.BODY_FILE)
                self.assertEqual(response.body, b"from a file")
                self.assertTrue(kept[-1].closed)

    def test_a_body_file_that_is_missing_fails_the_request(self) -> None:
        response = Gateway(simple([b""])).get(b"/nowhere/at/all", frames.BODY_FILE)
        self.assertIn("FileNotFoundError", response.failure or "")

    def test_an_environ_that_cannot_be_read_is_a_broken_protocol(self) -> None:
        gateway = Gateway(simple([b""]))
        for payload in (
            b"",
            b"\x00\x00",
            b"\xff\xff\x00\x00{0",
            b"\x02\x00\x00\x00!!",
            b"\x01\x00\x00\x00N",
        ):
            with self.assertRaises(frames.FrameError):
                gateway.open().begin(0, payload, 0, len(payload))

    def test_errors_go_to_the_error_stream(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            errors = environ["wsgi.errors"]
            errors.write("one\n")
            errors.writelines(["two ", "thr\xe9\u20ac\n"])
            errors.flush()
            print("four", file=errors)
            with self.assertRaises(TypeError):
                errors.write(b"bytes")
            start_response(OK, TEXT)
            return [b""]

        gateway = Gateway(app)
        self.assertIsNone(gateway.get().failure)
        self.assertEqual(gateway.errors.getvalue(), "one\ntwo thr\xe9\u20ac\nfour\n")


class Files(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "file.bin")
        self.content = bytes(range(256)) * 1024
        with open(self.path, "wb") as file:
            file.write(self.content)

    def serve(
        self, open_file: Any, headers: Any = None, window: int = 262144, **environ: str
    ) -> Any:
        opened: List[Any] = []

        def app(request: Any, start_response: Any) -> Any:
            opened.append(open_file())
            start_response(OK, TEXT if headers is None else headers)
            return request["wsgi.file_wrapper"](opened[0])

        gateway = Gateway(app, window)
        response = gateway.get(**environ)
        self.assertIsNone(response.failure)
        self.assertTrue(opened[0].closed)
        return response, gateway

    def test_a_real_file_is_described_not_read(self) -> None:
        response, _ = self.serve(lambda: open(self.path, "rb"))
        status = os.stat(self.path)
        expected = {"path": self.path, "device": status.st_dev, "inode": status.st_ino, "offset": 0}
        self.assertEqual(response.file, {**expected, "length": len(self.content)})
        self.assertEqual(response.header("Content-Length"), str(len(self.content)))
        self.assertEqual([f.kind for f in response.frames], [frames.HEAD, frames.FILE])

    def test_it_begins_where_the_file_stands(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            file.read(100)
            return file

        response, _ = self.serve(opened)
        self.assertEqual(
            (response.file["offset"], response.file["length"]), (100, len(self.content) - 100)
        )

    def test_a_content_length_shorter_than_the_file_bounds_it(self) -> None:
        response, gateway = self.serve(
            lambda: open(self.path, "rb"), [("Content-Length", "150000")]
        )
        self.assertEqual((response.file["length"], gateway.log), (150000, []))

    def test_a_content_length_longer_than_the_file_is_a_broken_response(self) -> None:
        response, gateway = self.serve(
            lambda: open(self.path, "rb"), [("Content-Length", "999999")]
        )
        self.assertEqual((response.body, response.broken), (self.content, True))

    def test_a_small_part_goes_inline_in_one_frame(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            file.seek(-5, os.SEEK_END)
            return file

        response, _ = self.serve(opened)
        self.assertEqual((response.body, len(response.frames)), (self.content[-5:], 1))
        self.assertEqual(response.header("Content-Length"), "5")

    def test_an_empty_rest_is_an_empty_body(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            file.seek(0, os.SEEK_END)
            return file

        response, _ = self.serve(opened)
        self.assertEqual((response.body, response.header("Content-Length")), (b"", "0"))

    def test_a_file_that_is_not_the_disks_is_read_instead(self) -> None:
        asked: List[int] = []
        # type: ignore[func-returns-value]
        streams.on_disk = lambda number: bool(asked.append(number))
        self.addCleanup(setattr, streams, "on_disk", streams._on_disk)
        response, _ = self.serve(lambda: open(self.path, "rb"))
        self.assertEqual((response.body, response.file), (self.content, None))
        self.assertEqual(len(asked), 1)

    def test_a_deleted_file_is_read_instead(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            os.unlink(self.path)
            return file

        response, _ = self.serve(opened)
        self.assertEqual((response.body, response.file), (self.content, None))

    def test_a_replaced_file_is_read_instead(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            os.unlink(self.path)
            with open(self.path, "wb") as other:
                other.write(b"other" * 50000)
            return file

        response, _ = self.serve(opened)
        self.assertEqual((response.body, response.file), (self.content, None))

    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs /proc")
    def test_a_renamed_file_is_still_described(self) -> None:
        def opened() -> Any:
            file = open(self.path, "rb")
            os.rename(self.path, self.path + ".new")
            return file

        response, _ = self.serve(opened)
        self.assertEqual(response.file["path"], self.path + ".new")

    @unittest.skipUnless(os.path.exists("/proc/self/maps"), "needs /proc")
    def test_files_whose_size_their_system_does_not_know_are_read(self) -> None:
        for path in (
            "/proc/version",
            "/proc/filesystems",
            "/sys/kernel/mm/transparent_hugepage/enabled",
        ):
            if not os.path.exists(path):
                continue
            with open(path, "rb") as file:
                content = file.read()
            response, _ = self.serve(lambda: open(path, "rb"))  # noqa: B023
            self.assertEqual((response.body, response.file), (content, None), path)

    def test_a_large_file_with_nothing_on_the_disk_is_read(self) -> None:
        with open(self.path, "wb") as file:
            file.truncate(200_000)
        if os.stat(self.path).st_blocks:
            self.skipTest("this file system keeps no holes")
        response, _ = self.serve(lambda: open(self.path, "rb"))
        self.assertEqual((response.body, response.file), (bytes(200_000), None))

    def test_a_named_temporary_file_is_read_because_closing_deletes_it(self) -> None:
        def opened() -> Any:
            file = tempfile.NamedTemporaryFile()
            file.write(self.content)
            file.seek(10)
            return file

        response, _ = self.serve(opened)
        self.assertIsNone(response.file)
        self.assertEqual(response.body, self.content[10:])

    def test_files_whose_fileno_is_not_what_read_returns_are_read(self) -> None:
        import gzip

        with gzip.open(self.path, "wb") as file:
            file.write(self.content)
        for opened in (lambda: gzip.open(self.path, "rb"), lambda: io.BytesIO(self.content)):
            response, _ = self.serve(opened)
            self.assertEqual((response.body, response.file), (self.content, None))

    def test_head_gets_the_length_and_no_file(self) -> None:
        response, _ = self.serve(lambda: open(self.path, "rb"), REQUEST_METHOD="HEAD")
        self.assertEqual(response.header("Content-Length"), str(len(self.content)))
        self.assertEqual((response.file, response.body), (None, b""))

    def test_a_wrapper_wrapped_by_a_middleware_is_iterated(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)
            wrapper = environ["wsgi.file_wrapper"](open(self.path, "rb"), 1000)
            try:
                return [chunk.hex().encode() for chunk in wrapper]
            finally:
                wrapper.close()

        self.assertEqual(run(app).body, self.content.hex().encode())

    def test_blocks_are_of_the_size_asked_for(self) -> None:
        wrapper = Gateway(simple([])).template["wsgi.file_wrapper"](
            io.BytesIO(b"abcde"), block_size=2
        )
        self.assertEqual(list(wrapper), [b"ab", b"cd", b"e"])

    def test_a_wrapper_has_a_close_only_when_the_file_has(self) -> None:
        class Reader:
            def read(self, size: int) -> bytes:
                return b""

        wrap = Gateway(simple([])).template["wsgi.file_wrapper"]
        self.assertFalse(hasattr(wrap(Reader()), "close"))
        self.assertTrue(hasattr(wrap(io.BytesIO()), "close"))


class Lenient(unittest.TestCase):
    def test_what_is_as_good_as_bytes_is_sent_and_said_once(self) -> None:
        class Mine(bytes):
            def __len__(self) -> int:
                return 1

        buffers: List[Any] = [
            bytearray(b"abc"),
            memoryview(b"abc"),
            array.array("B", b"abc"),
            memoryview(b"aXbXcX")[::2],
        ]
        for buffer in buffers:
            for make in (
                lambda b: [b],
                lambda b: (b,),
                lambda b: [b"", b],
                lambda b: iter([b]),
                lambda b: iter([b, b""]),
            ):
                gateway = Gateway(lambda e, s: simple(make(buffer))(e, s))
                self.assertEqual([gateway.get().body, gateway.get().body], [b"abc", b"abc"])
                self.assertEqual(len(gateway.notes), 1)
                self.assertIn("where bytes are needed: its bytes are sent", gateway.notes[0])
                self.assertIn("--strict", gateway.notes[0])
                failure = Gateway(simple(make(buffer)), strict=True).get().failure or ""
                self.assertRegex(
                    failure, "^TypeError: the application produced .* where bytes are needed$"
                )
        gateway = Gateway(simple([Mine(b"abc")]))
        self.assertEqual((gateway.get().body, gateway.notes), (b"abc", []))

    def test_a_buffer_that_is_filled_anew_is_sent_as_it_was(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, TEXT)
            buffer = bytearray(3)
            for number in range(3):
                buffer[:] = b"%d%d%d" % (number, number, number)
                yield buffer

        self.assertEqual(run(app).body, b"000111222")

    def test_wider_items_and_text_are_no_bytes(self) -> None:
        for value in (array.array("i", [1]), "text", 5, None, object()):
            self.assertRegex(
                run(simple([value])).failure or "", "TypeError: .* where bytes are needed"
            )

    def test_bytes_in_the_place_of_an_iterable(self) -> None:
        for value in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
            gateway = Gateway(simple(value))
            response = gateway.get()
            self.assertEqual((response.body, response.header("Content-Length")), (b"abc", "3"))
            self.assertEqual(len(gateway.notes), 1)

    def test_write_takes_what_is_as_good_as_bytes(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response(OK, TEXT)
            write(bytearray(b"ab"))
            write(memoryview(b"c"))
            return []

        gateway = Gateway(app)
        self.assertEqual(gateway.get().body, b"abc")
        self.assertIn(f"{__file__}:{app.__code__.co_firstlineno + 2}", gateway.notes[0])
        self.assertIn("write() needs bytes", Gateway(app, strict=True).get().failure or "")

    def test_a_note_says_which_rule_where_and_what_is_done_and_comes_once_for_each(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, (("Connection", "keep-alive"), ["Transfer-Encoding", "chunked"]))
            return [b"x"]

        gateway = Gateway(app)
        for _ in range(3):
            response = gateway.get(RAW_URI="/odd")
            self.assertEqual((response.body, response.header("Connection")), (b"x", None))
        self.assertEqual(len(gateway.notes), 4, gateway.notes)
        hop = next(
            note for note in gateway.notes if "header Connection is a hop-by-hop header" in note
        )
        self.assertTrue(hop.startswith("GET /odd: start_response: "), hop)
        self.assertIn("the header is omitted", hop)
        self.assertIn(f"{__file__}:{app.__code__.co_firstlineno + 1}", hop)

    def test_strict_errors_are_raised_into_the_application_and_show_its_frames_only(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response(OK, [("Connection", "close"), ("X-Name", "v")])

        failure = Gateway(app, strict=True).get().failure or ""
        self.assertRegex(
            failure, r"^Traceback \(most recent call last\):\n  File .*test_exchange.py"
        )
        self.assertNotIn("During handling", failure)
        self.assertNotIn("response_head.py", failure)
        self.assertNotIn("leniency.py", failure)

    def test_refusals_show_the_applications_frames_only(self) -> None:
        for headers in (
            [("X-New-Name\n", "v")],
            [("X-Euro", "\u20ac")],
            [("X", 5)],
            None,
            5,
            [("Content-Length", "x")],
        ):

            def app(environ: Any, start_response: Any) -> Any:
                start_response(OK, headers)

            failure = run(app).failure or ""
            self.assertRegex(
                failure, r"^Traceback \(most recent call last\):\n  File .*test_exchange.py"
            )
            self.assertNotIn("During handling", failure)
            self.assertNotIn("direct cause", failure)
            self.assertNotIn(os.path.join("python", "monoceros"), failure)


class Odd(unittest.TestCase):
    """Objects that raise when they are looked at, and that are not what they say they are."""

    def test_a_chunk_that_says_it_is_bytes(self) -> None:
        class Liar:
            __class__ = bytes  # type: ignore[service]

            def __len__(self) -> int:
                return 3

        for result in ([Liar()], [b"a", Liar()], iter([Liar()])):
            self.assertIn("produced Liar where bytes", run(simple(result)).failure or "")

    def test_a_list_that_says_it_is_one(self) -> None:
        class Liar:
            __class__ = list  # type: ignore[service]

            def __len__(self) -> int:
                return 3

            def __getitem__(self, index: int) -> bytes:
                if index > 2:
                    raise IndexError
                return b"abc"

        self.assertEqual(run(simple(Liar())).body, b"abcabcabc")

    def test_a_result_that_raises_for_every_question_but_can_be_iterated_over(self) -> None:
        class Shy:
            def __init__(self) -> None:
                object.__setattr__(self, "closed", False)

            def __getattribute__(self, name: str) -> Any:
                raise RuntimeError(f"asked for {name}")

            def __iter__(self) -> Iterator[bytes]:
                return iter([b"x", b"y"])

            def __len__(self) -> int:
                raise OSError

        gateway = Gateway(simple(Shy()))
        self.assertEqual(gateway.get().body, b"xy")
        self.assertEqual(len(gateway.log), 1)
        self.assertIn("the application's close() raised [MONO4006]\n", gateway.log[0])

    def test_an_error_that_raises_when_it_is_looked_at(self) -> None:
        class Shy(Exception):
            def __getattribute__(self, name: str) -> Any:
                raise SystemExit(name)

            def __str__(self) -> str:
                raise KeyboardInterrupt

            def __bool__(self) -> bool:
                raise OSError

        def app(environ: Any, start_response: Any) -> Any:
            raise Shy

        self.assertIn("test_exchange.py", run(app).failure or "")
        gateway = Gateway(app)
        exchange = gateway.open()
        exchange.cancelled = True
        self.assertTrue(gateway.begin(exchange))
        self.assertEqual(len(gateway.log), 1)

    def test_whatever_an_application_leaves_in_its_environ_a_failure_is_logged(self) -> None:
        class Shy:
            def __str__(self) -> str:
                raise SystemExit

            def __bool__(self) -> bool:
                raise OSError

            __format__ = __hash__ = __eq__ = __str__  # type: ignore[service]

        def app(environ: Any, start_response: Any) -> Any:
            environ.update(RAW_URI=Shy(), REQUEST_METHOD=Shy(), PATH_INFO="/a\nb", SCRIPT_NAME=None)
            start_response(OK, TEXT)
            yield b"x"
            raise ValueError

        gateway = Gateway(app)
        gateway.get()
        self.assertTrue(gateway.log[0].startswith("40 <Shy> None/a\\nb: "), gateway.log)

    def test_an_input_stream_that_the_application_took_apart(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            environ["wsgi.input"].detach()
            start_response(OK, TEXT)
            return [b"x"]

        gateway = Gateway(app)
        body = streams.BodyStream(lambda ready: None, lambda size: None)
        body.take(b"abc", frames.LAST)
        exchange = gateway.open(body)
        self.assertTrue(gateway.begin(exchange, flags=frames.BODY_STREAM))
        self.assertEqual((gateway.response(exchange).body, gateway.log), (b"x", []))


class Validator(unittest.TestCase):
    def test_an_application_in_the_validator_runs_clean(self) -> None:
        import warnings
        from wsgiref.validate import validator

        def app(environ: Any, start_response: Any) -> Any:
            body = environ["wsgi.input"].read(100)
            environ["wsgi.errors"].write("note\n")
            start_response(OK, [("Content-Type", "text/plain")])
            return [b"got ", body]

        for method in ("GET", "POST", "HEAD"):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                gateway = Gateway(validator(app))
                length = {"CONTENT_LENGTH": "4"} if method == "POST" else {"CONTENT_LENGTH": "0"}
                response = gateway.get(
                    body=b"body", REQUEST_METHOD=method, SCRIPT_NAME="", **length
                )
            self.assertIsNone(response.failure)
            self.assertEqual(gateway.log, [])
            self.assertEqual(response.body, b"" if method == "HEAD" else b"got body")


if __name__ == "__main__":
    unittest.main()
