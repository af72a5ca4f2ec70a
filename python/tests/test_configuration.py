"""Configurations of Gunicorn: how they run, what is read from them, and how mistakes are told."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Any, Dict

from monoceros.configuration import (
    HOOKS,
    ConfigurationError,
    assigned_lines,
    read_configuration,
)
from monoceros.configuration_answer import plain


class InFolder(unittest.TestCase):
    """A test with a folder of its own as working directory."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.folder = os.path.realpath(folder.name)
        os.chdir(self.folder)

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        Path(path).write_text(textwrap.dedent(text))
        return path


class Reading(InFolder):
    def test_a_file_is_a_module_as_in_gunicorn(self) -> None:
        path = self.write(
            "gunicorn.conf.py",
            """
            import sys
            facts = __name__, __file__, sys.modules[__name__].__dict__ is globals()
            path = list(sys.path)
            """,
        )
        configuration = read_configuration(path)
        self.assertEqual(configuration.namespace["facts"], ("__config__", path, True))
        self.assertEqual(configuration.namespace["path"][0], self.folder)
        self.assertEqual(configuration.file, path)

    def test_a_change_counts_even_within_the_same_second(self) -> None:
        path = self.write("conf.py", "workers = 1\n")
        self.assertEqual(read_configuration("file:conf.py").namespace["workers"], 1)
        times = os.stat(path)
        self.write("conf.py", "workers = 2\n")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(read_configuration("conf.py").namespace["workers"], 2)

    def test_a_module_may_be_named(self) -> None:
        self.write("settings_of_a_test.py", "workers = 3\n")
        self.addCleanup(sys.modules.pop, "settings_of_a_test", None)
        configuration = read_configuration("python:settings_of_a_test")
        self.assertEqual(configuration.namespace["workers"], 3)

    def test_the_lines_of_names_are_those_of_their_last_assignment(self) -> None:
        path = self.write(
            "conf.py",
            """\
            workers = 1
            if True:
                workers = 2
            threads, timeout = 3, 4
            def post_fork(server, worker):
                keepalive = 5
            bind: str = ":80"
            """,
        )
        lines = assigned_lines(read_configuration(path))
        expected = {"workers": 3, "threads": 4, "timeout": 4, "post_fork": 5, "bind": 7}
        self.assertEqual(lines, expected)


class Mistakes(InFolder):
    def refusal(self, text: str) -> str:
        path = self.write("conf.py", text)
        with self.assertRaises(ConfigurationError) as caught:
            read_configuration(path)
        return str(caught.exception)

    def test_an_error_has_its_traceback_without_our_frames(self) -> None:
        text = self.refusal("def broken():\n    return 1 / 0\nworkers = broken()\n")
        first, *lines = text.splitlines()
        self.assertIn("conf.py could not be read", first)
        self.assertEqual(lines[0], "Traceback (most recent call last):")
        self.assertIn('conf.py", line 3, in <module>', lines[1])
        self.assertEqual(lines[-1], "ZeroDivisionError: division by zero")
        self.assertNotIn("configuration.py", text)
        self.assertNotIn("importlib", text)

    def test_a_syntax_error_has_its_line(self) -> None:
        text = self.refusal("workers = 1\nthreads = = 2\n")
        self.assertIn('conf.py", line 2', text)
        self.assertIn("SyntaxError", text)

    def test_an_exit_is_an_error(self) -> None:
        self.assertIn(
            "SystemExit: no database", self.refusal("import sys\nsys.exit('no database')")
        )

    def test_a_missing_file_is_told_in_one_line(self) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            read_configuration("missing.py")
        self.assertEqual(str(caught.exception), "'missing.py' does not exist [MONO1104]")

    def test_a_hook_must_be_a_function_with_the_right_arguments(self) -> None:
        self.assertIn("post_fork is an int, not a function", self.refusal("post_fork = 1"))
        self.assertIn(
            "post_fork must accept 2 arguments",
            self.refusal("def post_fork(worker): pass"),
        )
        self.assertIn("cannot import 'nowhere.hook'", self.refusal("on_exit = 'nowhere.hook'"))


class Hooks(InFolder):
    def test_all_hooks_are_found_in_every_form(self) -> None:
        path = self.write(
            "conf.py",
            """
            import functools
            class Called:
                def __call__(self, server):
                    pass
            def two(a, b, c=None):
                pass
            on_starting = Called()
            when_ready = lambda server: None
            pre_fork = two
            post_fork = functools.partial(two, c=1)
            on_exit = "os.path.basename"
            def child_exit(*arguments):
                pass
            """,
        )
        hooks = read_configuration(path).hooks
        self.assertEqual(
            set(hooks),
            {"on_starting", "when_ready", "pre_fork", "post_fork", "on_exit", "child_exit"},
        )
        self.assertIs(hooks["on_exit"], os.path.basename)

    def test_post_request_may_have_two_three_or_four_arguments(self) -> None:
        for count in (2, 3, 4):
            names = ", ".join("abcd"[:count])
            path = self.write("conf.py", f"def post_request({names}):\n    return ({names},)\n")
            hook = read_configuration(path).hooks["post_request"]
            self.assertEqual(hook(1, 2, 3, 4), (1, 2, 3, 4)[:count])

    def test_the_hooks_are_those_of_gunicorn(self) -> None:
        self.assertEqual(len(HOOKS), 15)


class Values(unittest.TestCase):
    def test_what_json_has_stays_as_it_is(self) -> None:
        value = {"a": [1, 2.5, None, True, "é"], "b": {}}
        self.assertEqual(plain(value), value)

    def test_other_values_are_described(self) -> None:
        class Widget:
            pass

        self.assertEqual(plain((1, 2)), [1, 2])
        self.assertEqual(plain(Path("/srv")), "/srv")
        self.assertEqual(plain(len), {"$python": "function", "text": "len"})
        self.assertEqual(plain(ValueError), {"$python": "class", "text": "builtins.ValueError"})
        self.assertEqual(plain(Widget()), {"$python": "object", "text": "a Widget"})
        self.assertEqual(plain(float("inf")), {"$python": "object", "text": "inf"})

    def test_a_value_that_holds_itself_ends(self) -> None:
        value: Dict[str, Any] = {}
        value["self"] = value
        json.dumps(plain(value))
