"""Every error and warning has a code."""

from __future__ import annotations

import ast
import os
import re
import unittest
from typing import Iterator, Tuple

from monoceros.codes import coded

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "monoceros")
CODE = re.compile(r"MONO\d{4}\Z")
#: Their first argument is a code.
ERRORS = {"LoadError", "ConfigurationError", "CommandError"}
#: What sends an entry of the log. A level stands among the arguments.
LOGS = {"_log", "pack_log", "write"}
LEVELS = {"WARNING", "ERROR", "CRITICAL"}
#: How a text begins that a process prints to standard error by itself.
PRINTED = re.compile(r"monoceros [a-z ]+: ")
METHODS = {"warning", "error", "critical"}


def calls_of(source: str) -> Iterator[Tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            yield node, name


def is_without_code(call: ast.Call, name: str) -> bool:
    if name in ERRORS:
        first = call.args[0] if call.args else None
        return not (isinstance(first, ast.Constant) and CODE.match(str(first.value)))
    levels = {one.attr for one in call.args if isinstance(one, ast.Attribute)}
    is_entry = name in LOGS and bool(levels & LEVELS)
    logger = ast.dump(call.func)
    is_record = name in METHODS and "getLogger" in logger
    if not is_entry and not is_record:
        return False
    return not any(
        isinstance(node, ast.Call) and getattr(node.func, "id", "") == "coded"
        for argument in call.args
        for node in ast.walk(argument)
    )


def nodes_of_coded(tree: ast.AST) -> "set[ast.AST]":
    return {
        below
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "coded"
        for below in ast.walk(node)
    }


def printed_without_code(source: str) -> "list[int]":
    """Lines with a text for standard error that begins with the name of a process, and has no
    code."""
    tree = ast.parse(source)
    with_code = nodes_of_coded(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PRINTED.match(node.value)
        and node not in with_code
    ]


class CodesTest(unittest.TestCase):
    def test_the_code_ends_the_first_line(self) -> None:
        self.assertEqual(coded("MONO2001", "one"), "one [MONO2001]")
        self.assertEqual(coded("MONO2001", "one\ntwo"), "one [MONO2001]\ntwo")

    def test_a_code_stands_before_what_introduces_the_next_lines(self) -> None:
        self.assertEqual(coded("MONO2001", "one:\n  two"), "one [MONO2001]:\n  two")
        self.assertEqual(coded("MONO2001", "1.5 s. At:\n  a. b"), "1.5 s [MONO2001]. At:\n  a. b")
        self.assertEqual(coded("MONO2001", "one. Two:"), "one. Two: [MONO2001]")

    def test_a_text_keeps_the_code_that_it_has(self) -> None:
        for plain in ("one", "one\ntwo", "one:\n  two", "one. At:\n  two"):
            with self.subTest(plain):
                text = coded("MONO2001", plain)
                self.assertEqual(coded("MONO2002", text), text)

    def test_a_code_within_a_line_or_in_a_later_one_is_not_that_of_the_text(self) -> None:
        self.assertEqual(coded("MONO2001", "a [MONO2002] b"), "a [MONO2002] b [MONO2001]")
        self.assertEqual(coded("MONO2001", "a\nb [MONO2002]"), "a [MONO2001]\nb [MONO2002]")

    def test_errors_and_warnings_have_a_code(self) -> None:
        found = []
        for name in sorted(os.listdir(PACKAGE)):
            if not name.endswith(".py"):
                continue
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                source = file.read()
            found += [f"{name}:{line}" for line in printed_without_code(source)]
            found += [
                f"{name}:{call.lineno}"
                for call, called in calls_of(source)
                if is_without_code(call, called)
            ]
        self.assertEqual(found, [])

    def test_a_call_without_a_code_is_found(self) -> None:
        for source in (
            'LoadError("no application")',
            'exchange._log(frames.WARNING, "slow")',
            'logging.getLogger(NAME).error("lost")',
        ):
            ((call, name), *_) = calls_of(source)
            self.assertTrue(is_without_code(call, name), source)
        printing = 'print(f"monoceros worker: {error}", file=sys.stderr)'
        self.assertEqual(printed_without_code(printing), [1])
        self.assertEqual(printed_without_code('coded("MONO5011", "monoceros worker: x")'), [])
        ((call, name), *_) = calls_of('self._log(frames.ERROR, coded("MONO4004", text))')
        self.assertFalse(is_without_code(call, name))


if __name__ == "__main__":
    unittest.main()
