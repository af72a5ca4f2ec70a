"""What start_response lets through, and what it refuses and how it says so."""

from __future__ import annotations

import unittest
from typing import Any, List, Optional, Tuple

from monoceros import response_head
from monoceros.response_head import BadResponseHead, BadResponseType, compose_head


class Accepted(unittest.TestCase):
    def test_status_and_headers_are_written_in_order(self) -> None:
        head, length, bodiless = compose_head("200 OK", [("X-B", "2"), ("X-A", "1"), ("X-B", "3")])
        self.assertEqual(head, b"200 OK\r\nX-B: 2\r\nX-A: 1\r\nX-B: 3\r\n")
        self.assertEqual((length, bodiless), (None, False))

    def test_statuses_of_every_final_class(self) -> None:
        for status in (
            "200 OK",
            "299 ",
            "304 Not Modified",
            "404 Not Found",
            "599 Network Error",
            "999 Message here",
        ):
            self.assertTrue(compose_head(status, [])[0].startswith(f"{status}\r\n".encode()))

    def test_latin1_in_reasons_and_values(self) -> None:
        head = compose_head("200 Tr\xe8s bien", [("X-Name", "J\xfcrgen \x80\xff\xa0")])[0]
        self.assertEqual(head, b"200 Tr\xe8s bien\r\nX-Name: J\xfcrgen \x80\xff\xa0\r\n")

    def test_utf8_bytes_seen_as_latin1(self) -> None:
        value = "\u00c3\u20ac\u4e2d".encode()
        self.assertIn(value, compose_head("200 OK", [("X-Name", value.decode("latin-1"))])[0])

    def test_tabs_and_empty_values(self) -> None:
        self.assertEqual(
            compose_head("200 OK", [("A", ""), ("B", "x\ty")])[0], b"200 OK\r\nA: \r\nB: x\ty\r\n"
        )

    def test_names_of_every_token_character(self) -> None:
        name = "!#$%&'*+-.^_`|~09azAZ"
        self.assertIn(name.encode(), compose_head("200 OK", [(name, "x")])[0])

    def test_str_subclasses_lists_of_a_subclass_and_named_tuples(self) -> None:
        class Text(str):
            def __format__(self, spec: str) -> str:
                return "forged\r\nX: y"

        class Headers(list):  # type: ignore[type-arg]
            pass

        class Pair(tuple):  # type: ignore[type-arg]
            pass

        for _ in range(2):
            self.assertEqual(
                compose_head(Text("200 OK"), Headers([Pair((Text("X-A"), Text("value")))]))[0],
                b"200 OK\r\nX-A: value\r\n",
            )

    def test_content_length_is_read_in_any_case(self) -> None:
        self.assertEqual(compose_head("200 OK", [("cONTENT-lENGTH", "0012")])[1], 12)

    def test_status_204_and_304_have_no_body(self) -> None:
        self.assertEqual(
            compose_head("204 No Content", [("Content-Length", "0")]),
            (b"204 No Content\r\n", 0, True),
        )
        self.assertTrue(compose_head("304 Not Modified", [])[2])

    def test_the_caches_stay_bounded(self) -> None:
        for number in range(2000):
            compose_head(f"200 OK {number}", [(f"X-Name-{number}", "x")])
        self.assertLessEqual(len(response_head._statuses), 512)
        self.assertLessEqual(len(response_head._names), 512)
        # What does not fit any more is still checked.
        with self.assertRaises(BadResponseHead):
            compose_head("200 OK", [("Another Bad-Name", "x")])

    def test_a_head_that_comes_again_is_the_same(self) -> None:
        first = compose_head("200 OK", [("X-Again", "1"), ("Content-Length", "5")])
        self.assertIs(compose_head("200 OK", [("X-Again", "1"), ("Content-Length", "5")]), first)
        for status, headers in (
            ("201 Created", [("X-Again", "1"), ("Content-Length", "5")]),
            ("200 OK", [("X-Again", "2"), ("Content-Length", "5")]),
            ("200 OK", [("Content-Length", "5"), ("X-Again", "1")]),
            ("200 OK", [("X-Again", "1")]),
        ):
            expected = status + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
            self.assertEqual(compose_head(status, headers)[0], expected.encode())

    def test_heads_that_are_remembered_are_bounded_in_number_and_size(self) -> None:
        for number in range(2000):
            compose_head("200 OK", [("X-Number", str(number))])
            self.assertLessEqual(len(response_head._heads), 256)
        response_head._heads.clear()
        compose_head("200 OK", [("X-Large", "x" * 2000)])
        compose_head("200 OK", [("X-Many", "")] * 50)
        self.assertEqual(len(response_head._heads), 0)

    def test_what_is_made_for_one_response_is_not_remembered(self) -> None:
        response_head._heads.clear()
        for name in ("Set-Cookie", "SET-COOKIE", "ETag", "Date", "Last-Modified"):
            self.assertIn(b"secret", compose_head("200 OK", [("X-A", "1"), (name, "secret")])[0])
        self.assertEqual(len(response_head._heads), 0)


class _Judge:
    """Forgives everything and keeps what."""

    def __init__(self) -> None:
        self.rules: List[str] = []

    def forgive(self, rule: str, error: Exception, instead: str) -> None:
        self.rules.append(rule)


class Forgiven(unittest.TestCase):
    def forgive(
        self, rule: str, status: Any, headers: Any, head: bytes, length: Optional[int] = None
    ) -> None:
        # Twice: what was forgiven is not remembered as right.
        for _ in range(2):
            judge = _Judge()
            given = headers() if callable(headers) else headers
            self.assertEqual(compose_head(status, given, judge)[:2], (head, length))
            self.assertEqual(judge.rules, [rule])
            with self.assertRaises((BadResponseHead, BadResponseType)):
                compose_head(status, headers() if callable(headers) else headers)

    def test_hop_by_hop_headers_are_left_out(self) -> None:
        for name in sorted(response_head._HOP_BY_HOP):
            for spelt in (name, name.title(), name.upper()):
                self.forgive(
                    f"hop-by-hop {name}",
                    "200 OK",
                    [("X-A", "1"), (spelt, "close")],
                    b"200 OK\r\nX-A: 1\r\n",
                )

    def test_any_iterable_of_headers_is_taken(self) -> None:
        head = b"200 OK\r\nX-A: 1\r\n"
        for headers in ((("X-A", "1"),), {"X-A": "1"}.items()):
            self.forgive("headers-not-a-list", "200 OK", headers, head)
        self.forgive("headers-not-a-list", "200 OK", lambda: iter([("X-A", "1")]), head)

    def test_a_list_in_the_place_of_a_tuple(self) -> None:
        self.forgive("header-not-a-tuple", "200 OK", [["X-A", "1"]], b"200 OK\r\nX-A: 1\r\n")

    def test_a_status_without_a_reason_and_with_white_space_around_it(self) -> None:
        self.forgive("status-without-reason", "204", [], b"204 \r\n")
        self.forgive("status-white-space", "200  OK  then ", [], b"200 OK  then\r\n")
        self.assertTrue(compose_head("204", [], _Judge())[2])

    def test_a_content_length_that_is_repeated_or_surrounded(self) -> None:
        head = b"200 OK\r\nContent-Length: 5\r\n"
        self.forgive(
            "content-length-repeated",
            "200 OK",
            [("Content-Length", "5"), ("content-length", "5")],
            head,
            5,
        )
        self.forgive("content-length-white-space", "200 OK", [("Content-Length", " 5\t")], head, 5)

    def test_what_could_split_or_forge_is_never_forgiven(self) -> None:
        cases: List[Tuple[Any, Any]] = [
            ("200 OK\r\nX: y", []),
            ("200\n", []),
            ("200 O\x00K", []),
            ("101", []),
            ("099", []),
            ("2000", []),
            (200, []),
            (b"200 OK", []),
            ("200 OK", None),
            ("200 OK", {"X-A": "1"}),
            ("200 OK", "ab"),
            ("200 OK", ["ab"]),
            ("200 OK", [["X-A"]]),
            ("200 OK", [["X-A", "1", "2"]]),
            ("200 OK", [("X-A", "1\r\nX-B: 2")]),
            ("200 OK", [("X-A", "1\n")]),
            ("200 OK", [("X-A", "1\x00")]),
            ("200 OK", [("X A", "1")]),
            ("200 OK", [("Connection\r\nX", "1")]),
            ("200 OK", [("Connection", "close\r\nX: 1")]),
            ("200 OK", [("X-A", 1)]),
            ("200 OK", [("X-A", "\u20ac")]),
            ("200 OK", [("Content-Length", "5"), ("Content-Length", "6")]),
            ("200 OK", [("Content-Length", "5, 5")]),
            ("200 OK", [("Content-Length", "+5")]),
            ("200 OK", [("Content-Length", " ")]),
            ("200 OK", [("Content-Length", "\u0665")]),
            ("200 OK", [("Content-Length", "-1")]),
        ]
        for status, headers in cases:
            with self.subTest(status=status, headers=headers):
                with self.assertRaises((BadResponseHead, BadResponseType)) as caught:
                    compose_head(status, headers, _Judge())
                self.assertTrue(caught.exception.__cause__ is None)
                self.assertTrue(
                    caught.exception.__context__ is None or caught.exception.__suppress_context__
                )

    def test_what_says_that_it_is_a_str_or_a_tuple_is_not_believed(self) -> None:
        class Liar:
            def __init__(self, kind: type) -> None:
                self.kind = kind

            @property
            def __class__(self) -> Any:
                return self.kind

            def __iter__(self) -> Any:
                return iter(("X-A", "1"))

            def __len__(self) -> int:
                return 2

            def isprintable(self) -> bool:
                return True

            def __str__(self) -> str:
                return "1\r\nX-B: 2"

            def __format__(self, spec: str) -> str:
                return str(self)

            __hash__ = object.__hash__

        for status, headers in (
            (Liar(str), []),
            ("200 OK", [Liar(tuple)]),
            ("200 OK", [(Liar(str), "1")]),
            ("200 OK", [("X-A", Liar(str))]),
        ):
            with self.assertRaises(BadResponseType):
                compose_head(status, headers, _Judge())  # type: ignore[arg-type]

    def test_what_raises_when_it_is_compared_is_refused_for_what_it_is(self) -> None:
        class Raising:
            def __hash__(self) -> int:
                raise OSError

            def __repr__(self) -> str:
                raise SystemExit

        with self.assertRaisesRegex(BadResponseType, "X-A must be a str, not Raising: <Raising>"):
            compose_head("200 OK", [("X-A", Raising())])


class Refused(unittest.TestCase):
    def refuse(self, status: Any, headers: Any, kind: type, *words: str) -> None:
        # Twice: what was refused must not be remembered as good.
        for _ in range(2):
            with self.assertRaises(kind) as caught:
                compose_head(status, headers)
            message = str(caught.exception)
            for word in words:
                self.assertIn(word, message)
            self.assertNotIn("\n", message)

    def test_statuses_that_are_not_of_the_form(self) -> None:
        for status in (
            "200",
            "200OK",
            "2000 OK",
            "20 OK",
            "abc OK",
            "",
            " 200 OK",
            "-20 OK",
            "000 x",
            "099 x",
            "\u0662\u0660\u0660 OK",
            "200\tOK",
        ):
            self.refuse(status, [], BadResponseHead, "bad status", "three digits")

    def test_1xx_statuses(self) -> None:
        self.refuse("101 Switching Protocols", [], BadResponseHead, "1xx")

    def test_control_characters_in_a_status(self) -> None:
        for status in (
            "200 OK\r\n",
            "200 OK\n",
            "200 O\rK",
            "200 O\x00K",
            "200 OK\x7f",
            "200 O\tK",
        ):
            self.refuse(status, [], BadResponseHead, "control characters")

    def test_statuses_that_are_not_str(self) -> None:
        for status, name in ((b"200 OK", "bytes"), (200, "int"), (None, "None"), ([], "list")):
            self.refuse(status, [], BadResponseType, "status must be a str", name)

    def test_headers_that_are_not_a_list_of_tuples(self) -> None:
        for headers, name in (
            (None, "None"),
            ((("X", "1"),), "tuple"),
            ({"X": "1"}, "dict"),
            (iter([]), "list_iterator"),
        ):
            self.refuse("200 OK", headers, BadResponseType, "must be a list", name)
        for field in (["X", "1"], "ab", None, ("X",), ("X", "1", "2"), 7):
            self.refuse("200 OK", [field], BadResponseType, "(name, value) tuple")

    def test_names_that_are_not_tokens(self) -> None:
        for name in (
            "",
            "X A",
            "X:",
            "X-A ",
            " X",
            "X\r\nY",
            "X\n",
            "X\x00",
            "X\xe9",
            "X\u0130",
            "(X)",
            "X\x7f",
        ):
            self.refuse("200 OK", [(name, "1")], BadResponseHead, "not a token")

    def test_names_and_values_that_are_not_str(self) -> None:
        self.refuse("200 OK", [(b"X-A", "1")], BadResponseType, "bytes")
        self.refuse("200 OK", [([], "1")], BadResponseType, "list")
        self.refuse("200 OK", [("X-A", b"1")], BadResponseType, "X-A", "bytes")
        self.refuse("200 OK", [("X-A", 1)], BadResponseType, "X-A", "int")
        self.refuse("200 OK", [("X-A", None)], BadResponseType, "X-A", "None")

    def test_objects_that_are_equal_to_what_was_let_through_before(self) -> None:
        class Equal:
            def __init__(self, value: Any) -> None:
                self.value = value

            def __eq__(self, other: object) -> bool:
                return self.value == other

            def __hash__(self) -> int:
                return hash(self.value)

            def __iter__(self) -> Any:
                return iter(self.value)

        compose_head("200 OK", [("X-A", "1")])
        self.refuse(
            Equal("200 OK"), [("X-A", "1")], BadResponseType, "status must be a str", "Equal"
        )
        self.refuse("200 OK", [(Equal("X-A"), "1")], BadResponseType, "must be a str", "Equal")
        self.refuse("200 OK", [("X-A", Equal("1"))], BadResponseType, "X-A", "Equal")
        self.refuse(
            "200 OK", [Equal(("X-A", "1"))], BadResponseType, "(name, value) tuple", "Equal"
        )

    def test_control_characters_in_values(self) -> None:
        for code in [*range(0, 9), *range(10, 32), 127]:
            for value in (f"a{chr(code)}b", f"{chr(code)}", f"ab{chr(code)}"):
                self.refuse("200 OK", [("X-A", value)], BadResponseHead, "X-A", "control character")

    def test_characters_that_latin1_cannot_hold(self) -> None:
        self.refuse(
            "200 OK", [("X-B", "fine"), ("X-A", "\u20ac")], BadResponseHead, "X-A", "latin-1"
        )
        self.refuse("200 \u20ac", [], BadResponseHead, "status", "latin-1")

    def test_hop_by_hop_headers_in_any_case(self) -> None:
        for name in (
            "Connection",
            "Keep-Alive",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "TE",
            "Trailer",
            "Trailers",
            "Transfer-Encoding",
            "Upgrade",
            "tRANSFER-eNCODING",
            "connection",
        ):
            self.refuse("200 OK", [(name, "x")], BadResponseHead, name, "hop-by-hop")

    def test_content_lengths_that_are_not_digits(self) -> None:
        for value in (
            "",
            "+5",
            "-1",
            "5 ",
            " 5",
            "5,5",
            "0x5",
            "5.0",
            "\xb2",
            "99999999999999999999",
        ):
            self.refuse(
                "200 OK", [("Content-Length", value)], BadResponseHead, "Content-Length", "digits"
            )

    def test_two_content_lengths_even_equal_ones(self) -> None:
        for other in ("5", "6"):
            self.refuse(
                "200 OK",
                [("Content-Length", "5"), ("content-length", other)],
                BadResponseHead,
                "more than once",
            )

    def test_an_object_whose_repr_raises_does_not_hide_the_rule(self) -> None:
        class Nasty:
            def __repr__(self) -> str:
                raise ValueError

        self.refuse("200 OK", [("X-A", Nasty())], BadResponseType, "X-A", "Nasty")


if __name__ == "__main__":
    unittest.main()
