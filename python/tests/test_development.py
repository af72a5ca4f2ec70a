"""What a worker does for --reload, in processes of their own: it changes how modules are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from types import SimpleNamespace
from typing import Dict, Tuple

from monoceros.development import under_mounts

_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(code: str, files: Dict[str, str]) -> str:
    """What Python prints in a folder with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        # The interpreter may be told not to write byte code, which is what is tested.
        environment = {**os.environ, "PYTHONPATH": _PACKAGES}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        return result.stdout.decode().strip()


_START = """
import os, sys
from types import SimpleNamespace
from monoceros.startup import read_startup, load_application
from monoceros.loader import LoadError

startup = read_startup(b'{"application": "app:app", "reload": true}')
"""


class LoadingTest(unittest.TestCase):
    def test_byte_code_of_a_fresh_source_is_not_kept(self) -> None:
        code = """
        os.utime("settled.py", (1, 1))
        load_application(startup)
        print(sorted(name.split(".")[0] for name in os.listdir("__pycache__")))
        """
        files = {"app.py": "import settled\napp = print\n", "settled.py": ""}
        self.assertEqual(run(_START + textwrap.dedent(code), files), "['settled']")

    def test_without_reload_byte_code_is_kept(self) -> None:
        code = """
        load_application(startup._replace(reload=False))
        print("monoceros.development" in sys.modules, len(os.listdir("__pycache__")))
        """
        self.assertEqual(
            run(_START + textwrap.dedent(code), {"app.py": "app = print\n"}), "False 1"
        )

    def test_modules_of_requests_are_reported_once_also_broken_ones(self) -> None:
        code = """
        from monoceros.development import ReportingApplication

        sent = []
        carrier = SimpleNamespace(outbox=SimpleNamespace(put=sent.append))
        application = ReportingApplication(load_application(startup), carrier)
        application({"name": "late"}, None)
        application({"name": "late"}, None)
        try:
            application({"name": "broken"}, None)
        except SyntaxError:
            pass
        import json
        files = [json.loads(frame[12:])["files"] for frame in sent]
        print([[os.path.basename(path) for path in some] for some in files])
        """
        files = {
            "app.py": "def app(environ, start_response):\n    __import__(environ['name'])\n",
            "late.py": "",
            "broken.py": "def (:\n",
        }
        self.assertEqual(run(_START + textwrap.dedent(code), files), "[['late.py'], ['broken.py']]")

    def test_url_patterns_of_django_are_loaded_with_the_application(self) -> None:
        code = """
        try:
            load_application(startup)
        except LoadError as error:
            print(error)
        """
        conf = """
            class settings:
                configured = True
                ROOT_URLCONF = "urls"
        """
        urls = """
            class Resolver:
                @property
                def url_patterns(self):
                    raise ValueError("no such view")

            get_resolver = Resolver
        """
        files = {
            "django/__init__.py": "",
            "django/conf.py": textwrap.dedent(conf),
            "django/urls.py": textwrap.dedent(urls),
            "app.py": "import django.conf, django.urls\napp = print\n",
        }
        text = run(_START + textwrap.dedent(code), files)
        self.assertIn("'app:app' could not be loaded", text)
        self.assertIn("ValueError: no such view", text)
        self.assertNotIn("development.py", text)


class StaticFilesTest(unittest.TestCase):
    """Django's handler of static files, in an application that is mounted."""

    def answers(self, static_path: str, mount: str, path: str) -> Tuple[str, str]:
        def handler(environ: Dict[str, str], _start_response: object) -> Tuple[str, str]:
            return "file", environ["SCRIPT_NAME"] + environ["PATH_INFO"]

        def application(environ: Dict[str, str], _start_response: object) -> Tuple[str, str]:
            return environ["SCRIPT_NAME"], environ["PATH_INFO"]

        handler.base_url = SimpleNamespace(path=static_path)  # type: ignore[attr-defined]
        answer = under_mounts(handler, application)
        found: Tuple[str, str] = answer({"SCRIPT_NAME": mount, "PATH_INFO": path}, None)
        return found

    def test_static_url_without_the_mount(self) -> None:
        for mount in ("", "/shop"):
            with self.subTest(mount=mount):
                answer = self.answers("/static/", mount, "/static/a.css")
                self.assertEqual(answer, ("file", "/static/a.css"))

    def test_static_url_with_the_mount(self) -> None:
        answer = self.answers("/shop/static/", "/shop", "/static/a.css")
        self.assertEqual(answer, ("file", "/shop/static/a.css"))

    def test_other_paths_are_the_applications(self) -> None:
        for static_path, mount, path in (
            ("/static/", "/shop", "/cart"),
            ("/static/", "/static", "/cart"),
            ("/shop/static/", "/sho", "p/static/a.css"),
            ("/shop/static/", "/other", "/static/a.css"),
        ):
            with self.subTest(static_path=static_path, mount=mount, path=path):
                self.assertEqual(self.answers(static_path, mount, path), (mount, path))


if __name__ == "__main__":
    unittest.main()
