from __future__ import annotations

import subprocess
import sys
import types
import unittest
from unittest import mock

from monoceros import process_title


class ProcessTitle(unittest.TestCase):
    def test_setproctitle_is_used_if_it_is_installed(self) -> None:
        titles = []
        module = types.SimpleNamespace(setproctitle=titles.append)
        with mock.patch.dict(sys.modules, setproctitle=module):
            process_title.set_process_title("worker", "shop")
        self.assertEqual(titles, ["monoceros: worker [shop]"])

    def test_another_module_of_that_name_does_no_harm(self) -> None:
        with mock.patch.dict(sys.modules, setproctitle=types.SimpleNamespace()):
            with mock.patch.object(process_title, "_COMM", "/nonexistent/comm"):
                process_title.set_process_title("worker", "shop")

    @unittest.skipUnless(sys.platform == "linux", "needs /proc")
    def test_without_it_the_short_name_changes(self) -> None:
        script = (
            "import sys; sys.modules['setproctitle'] = None\n"
            "from monoceros.process_title import set_process_title\n"
            "set_process_title('worker', 'a-very-long-name')\n"
            "print(open('/proc/self/comm').read(), end='')"
        )
        shown = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        self.assertEqual(shown.stdout, b"worker [a-very-\n")
