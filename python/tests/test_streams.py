"""A request body that is still arriving."""

from __future__ import annotations

import io
import unittest
from typing import Callable, List, Tuple

from monoceros.frames import ABORT, LAST, FrameError
from monoceros.streams import INPUT_WINDOW, BodyStream, ClientGone


class Arriving(unittest.TestCase):
    def open(self, *arrivals: Tuple[bytes, int]) -> Tuple[io.BufferedReader, BodyStream]:
        """A stream to which the next of ``arrivals`` comes whenever it waits."""
        coming = list(arrivals)
        self.granted: List[int] = []

        def wait(ready: Callable[[], bool]) -> None:
            while not ready():
                self.assertTrue(coming, "the stream would wait for ever")
                stream.take(*coming.pop(0))

        stream = BodyStream(wait, self.granted.append)
        return io.BufferedReader(stream, 65536), stream  # type: ignore[arg-type]

    def test_every_way_of_reading(self) -> None:
        body, _ = self.open((b"ab", 0), (b"c\nde", 0), (b"", 0), (b"f\ng", 0), (b"\nh\ni", LAST))
        self.assertEqual(body.read(0), b"")
        self.assertEqual(body.read(3), b"abc")
        self.assertEqual(body.readline(), b"\n")
        self.assertEqual(body.readline(2), b"de")
        self.assertEqual(body.readlines(1), [b"f\n"])
        self.assertEqual(next(body), b"g\n")
        self.assertEqual(body.read(), b"h\ni")
        for _ in range(2):
            self.assertEqual(
                (body.read(), body.read(4), body.readline(), list(body)), (b"", b"", b"", [])
            )

    def test_read_of_a_size_waits_for_all_of_it_or_the_end(self) -> None:
        body, _ = self.open((b"a", 0), (b"b", 0), (b"c", 0), (b"d", 0), (b"", LAST))
        self.assertEqual(body.read(3), b"abc")
        self.assertEqual(body.read(3), b"d")

    def test_an_empty_body(self) -> None:
        body, _ = self.open((b"", LAST))
        self.assertEqual(body.read(), b"")

    def test_no_credit_before_the_first_read(self) -> None:
        body, _ = self.open((b"abc", LAST))
        self.assertEqual(self.granted, [])
        body.read()
        self.assertEqual(self.granted, [INPUT_WINDOW])

    def test_no_credit_for_a_body_that_has_ended_already(self) -> None:
        body, stream = self.open()
        stream.take(b"", LAST)
        self.assertEqual((body.read(), self.granted), (b"", []))

    def test_credit_comes_back_by_halves_and_never_exceeds_what_was_read(self) -> None:
        piece = b"x" * 65536
        arrivals = [(piece, 0)] * 16 + [(b"", LAST)]
        body, _ = self.open(*arrivals)
        total = 0
        while True:
            data = body.read(10_000)
            if not data:
                break
            total += len(data)
            self.assertLessEqual(sum(self.granted), INPUT_WINDOW + total + 65536)
        self.assertEqual(total, 16 * 65536)
        self.assertEqual(self.granted[0], INPUT_WINDOW)
        self.assertEqual(set(self.granted[1:]), {INPUT_WINDOW // 2})

    def test_an_abort_raises_after_what_did_come(self) -> None:
        body, _ = self.open((b"abc\n", 0), (b"d", ABORT))
        self.assertEqual(body.readline(), b"abc\n")
        with self.assertRaises(ClientGone) as caught:
            body.read(10)
        self.assertIsInstance(caught.exception, OSError)
        with self.assertRaises(ConnectionError):
            body.read(10)

    def test_a_cancelled_exchange_raises_instead_of_waiting(self) -> None:
        stream = BodyStream(lambda ready: None, lambda size: None)
        with self.assertRaises(ClientGone):
            io.BufferedReader(stream).read()  # type: ignore[arg-type]

    def test_nothing_may_come_after_the_end(self) -> None:
        for flag in (LAST, ABORT):
            _, stream = self.open()
            stream.take(b"x", flag)
            with self.assertRaises(FrameError):
                stream.take(b"y", 0)


if __name__ == "__main__":
    unittest.main()
