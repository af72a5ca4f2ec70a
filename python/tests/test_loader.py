"""Finding the application, and what is said when it cannot be found."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import tempfile
import textwrap
import unittest
from typing import Any

from monoceros.loader import LoadError, load


class Loading(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.path, self.modules = list(sys.path), set(sys.modules)
        sys.path.insert(0, self.directory)
        self.addCleanup(self.restore)
        self.dont_write = sys.dont_write_bytecode
        sys.dont_write_bytecode = True

    def restore(self) -> None:
        sys.path[:] = self.path
        sys.dont_write_bytecode = self.dont_write
        for name in set(sys.modules) - self.modules:
            del sys.modules[name]

    def write(self, name: str, source: str) -> None:
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))

    def refuse(self, reference: str, *words: str, lines: bool = False) -> str:
        with self.assertRaises(LoadError) as caught:
            load(reference)
        text = str(caught.exception)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual("\n" in text, lines, text)
        self.assertEqual("Traceback" in text, lines, text)
        self.assertNotIn("importlib", text)
        self.assertNotIn("loader.py", text)
        return text

    def test_an_attribute_a_dotted_attribute_and_default_names(self) -> None:
        self.write(
            "one.py",
            "def application(e, s): 'application'\n"
            "def app(e, s): 'app'\nclass Site:\n wsgi = app\n",
        )
        self.write("two.py", "def app(e, s): 'app'\n")
        self.write("package/__init__.py", "")
        self.write("package/wsgi.py", "def application(e, s): 'inner'\n")
        for reference, doc in {
            "one:app": "app",
            "one:Site.wsgi": "app",
            "one": "application",
            "two": "app",
            "package.wsgi:application": "inner",
            "package.wsgi": "inner",
        }.items():
            self.assertEqual(load(reference).__doc__, doc, reference)

    def test_a_factory_with_literal_arguments(self) -> None:
        self.write(
            "made.py",
            """
            def create(*args, **kwargs):
                def app(environ, start_response): ...
                app.seen = (args, kwargs)
                return app
            class Site:
                create = staticmethod(create)
            """,
        )
        for reference, seen in {
            "made:create()": ((), {}),
            'made:create("a", -1, [1, None], key={"x": True})': (
                ("a", -1, [1, None]),
                {"key": {"x": True}},
            ),
            "made:Site.create(b'x')": ((b"x",), {}),
        }.items():
            application: Any = load(reference)
            self.assertEqual(application.seen, seen)

    def test_a_module_that_does_not_exist(self) -> None:
        text = self.refuse(
            "nowhere_at_all:app", "there is no module 'nowhere_at_all'", self.directory
        )
        self.assertIn("nowhere_at_all:app", text)
        self.assertIn(f"with {sys.executable} (Python ", text)
        self.assertIn("--python", text)
        self.assertIn("activated virtual environment", text)

    def test_a_file_whose_name_python_has_taken(self) -> None:
        # Python imports its own at every start.
        self.write("site.py", "def app(environ, start_response): ...")
        before = os.getcwd()
        os.chdir(self.directory)
        self.addCleanup(os.chdir, before)
        hidden = os.path.join(os.path.realpath(self.directory), "site.py")
        self.refuse("site:app", "has no attribute 'app'", f"{hidden} cannot be imported")

    def test_objects_that_raise_when_they_are_looked_at(self) -> None:
        self.write(
            "shy.py",
            """
            class Local:
                def __getattribute__(self, name): raise RuntimeError("working outside of a request")
                def __repr__(self): raise SystemExit(1)
                def __call__(self): ...
                __len__ = __bool__ = __dir__ = __eq__ = __hash__ = __str__ = __repr__
            class Framework:
                __module__ = "framework"
                def __call__(self, environ, start_response): ...
            class Proxy:
                __class__ = Framework
                def __call__(self, environ, start_response): ...
            request = session = Local()
            proxy = Proxy()
            server = Framework()
            Framework.__module__ = Proxy.__module__ = Local.__module__ = "framework"
            inner = Local()
            """,
        )
        text = self.refuse("shy", "neither 'application' nor 'app'")
        self.assertIn("callable there: server;", text)
        self.assertTrue(
            self.refuse("shy:app", "no attribute 'app'").endswith(
                "callable there: server [MONO2002]"
            )
        )
        self.refuse("shy:inner.app", "working outside of a request", lines=True)

    def test_modules_that_are_none(self) -> None:
        self.write(
            "strange1.py",
            """
            import sys
            class Module:
                def __getattr__(self, name): raise AttributeError(name)
                def __dir__(self): return [5, "wsgi"]
            sys.modules[__name__] = Module()
            """,
        )
        self.write("strange2.py", "def __getattr__(name):\n    raise OSError(f'no {name} here')\n")
        self.write("strange3.py", "raise ModuleNotFoundError('what?', name=5)\n")
        self.refuse("strange1", "module 'strange1' has neither 'application' nor 'app'")
        self.refuse("strange1:app", "module 'strange1' has no attribute 'app'")
        self.refuse("strange2", "strange2.py", "OSError: no application here", lines=True)
        self.refuse("strange2:app", "strange2.py", "OSError: no app here", lines=True)
        self.refuse("strange3", "strange3.py", "what?", lines=True)

    def test_a_search_path_with_what_is_no_path(self) -> None:
        sys.path.append(pathlib.Path("/somewhere"))  # type: ignore[arg-type]
        sys.path.append(5)  # type: ignore[arg-type]
        self.refuse("nowhere_at_all:app", "there is no module 'nowhere_at_all'", self.directory)

    def test_a_file_of_typescript_is_named_with_its_ending(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.write("greeter.ts", "")
        self.refuse(
            "greeter:app", "no module 'greeter'; to serve greeter.ts, write ./greeter.ts:app"
        )
        self.refuse("greeter", "no module 'greeter'; to serve greeter.ts, write ./greeter.ts (")
        self.refuse("./greeter:app", "is a path; to serve ./greeter.ts, write ./greeter.ts:app; ")

    def test_an_attribute_whose_class_has_no_name_to_show(self) -> None:
        self.write(
            "strange4.py",
            """
            class Meta(type):
                @property
                def __name__(cls): raise RuntimeError
            class Odd(metaclass=Meta): ...
            app = Odd()
            """,
        )
        self.refuse("strange4", "is an Odd, not a callable")
        self.refuse("strange4:app", "is an Odd, not a callable")

    def test_a_submodule_that_does_not_exist(self) -> None:
        self.write("package/__init__.py", "")
        self.refuse(
            "package.web:app",
            "package 'package' has no module 'web'",
            os.path.join(self.directory, "package"),
        )

    def test_a_dot_in_the_place_of_the_colon(self) -> None:
        self.write("single.py", "def app(e, s): ...\n")
        self.refuse("single.app", "'single' is a module, not a package")

    def test_an_attribute_that_does_not_exist_with_near_misses(self) -> None:
        self.write("site1.py", "import os\ndef application(e, s): ...\ndef other(e, s): ...\n")
        self.refuse(
            "site1:aplication",
            "module 'site1' has no attribute 'aplication'",
            "did you mean 'application'?",
        )
        self.refuse("site1:zzz", "callable there: application, other")

    def test_neither_default_name(self) -> None:
        self.write("site2.py", "def wsgi(e, s): ...\n")
        self.refuse("site2", "neither 'application' nor 'app'", "wsgi", "site2:NAME")

    def test_what_is_not_callable(self) -> None:
        self.write("site3.py", "app = 5\nnone = None\ndef make(): return {}\n")
        self.refuse("site3:app", "is an int, not a callable")
        self.refuse("site3:none", "None, not a callable")
        self.refuse("site3:make()", "what make() returned is a dict, not a callable")
        self.refuse("site3:app()", "is an int and cannot be called")

    def test_a_path_in_the_place_of_a_module(self) -> None:
        for reference, better in {
            "pkg/mod.py:app": "pkg.mod:app",
            "./mod.py:app": "mod:app",
            "mod.py": "mod",
            "pkg/mod": "pkg.mod",
        }.items():
            self.assertTrue(
                self.refuse(reference, "is a path").endswith(f"imports it: {better} [MONO2004]"),
                reference,
            )

    def test_references_that_are_no_references(self) -> None:
        self.write("site4.py", "def make(*a): ...\n")
        self.refuse(":app", "no module before the colon")
        self.refuse("site4:", "nothing follows the colon")
        self.refuse("my-site:app", "'my-site' is not the name of a Python module")
        for expression in (
            "make(x)",
            "make()()",
            "a[0]",
            "1",
            "make(**{})",
            "make(",
            "lambda: 0",
            "make(*[])",
        ):
            self.refuse(f"site4:{expression}", "neither a name")

    def test_errors_of_the_applications_own_code_come_with_their_traceback(self) -> None:
        self.write("bad1.py", "def go():\n    raise ValueError('at import')\ngo()\n")
        self.write("bad2.py", "import does_not_exist_either\n")
        self.write("bad3.py", "def broken(:\n")
        self.write("bad4.py", "import bad3\n")
        self.write("bad5.py", "raise SystemExit(1)\n")
        self.write("bad6.py", "def make():\n    raise KeyError('in the factory')\n")
        self.write("bad7.py", "from os import nothing_of_that_name\n")
        self.write("bad8.py", "import bad8.inner\n")
        self.refuse("bad1", "bad1.py", "in go", "ValueError: at import", lines=True)
        text = self.refuse("bad2", "bad2.py", "No module named 'does_not_exist_either'", lines=True)
        first = text.split("\n")[0]
        self.assertIn(
            f"{sys.executable} (Python {'.'.join(map(str, sys.version_info[:3]))}) finds no module",
            first,
        )
        self.assertIn("--python", first)
        self.assertIn("activated virtual environment", first)
        self.assertIn(f"({sys.executable} -m pip install PACKAGE)", first)
        with self.assertRaises(LoadError) as caught:
            load("bad3")
        self.assertIn("bad3.py", str(caught.exception))
        self.assertIn("SyntaxError", str(caught.exception))
        self.refuse("bad4", "bad4.py", "bad3.py", "SyntaxError", lines=True)
        self.refuse("bad5", "bad5.py", "SystemExit", lines=True)
        self.refuse("bad6:make()", "in make", "in the factory", lines=True)
        self.refuse("bad7", "bad7.py", "nothing_of_that_name", lines=True)
        self.refuse("bad8", "bad8.py", "bad8.inner", lines=True)

    def test_a_factory_called_with_the_wrong_arguments(self) -> None:
        self.write("site5.py", "def make(name): ...\n")
        with self.assertRaises(LoadError) as caught:
            load("site5:make()")
        self.assertIn("missing 1 required positional argument", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
