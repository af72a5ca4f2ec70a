"""Files in the cache are there as a whole or not at all, and nothing of those stays that were
killed while they wrote.
"""

from __future__ import annotations

import os
import tempfile
import time
import unittest
from typing import List

from monoceros_pyodide import install_index


class Unfinished(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = directory.name
        self.path = os.path.join(self.folder, "pip.whl")

    def names(self) -> List[str]:
        return sorted(os.listdir(self.folder))

    def put(self, name: str, age: float) -> None:
        path = os.path.join(self.folder, name)
        with open(path, "w"):
            pass
        then = time.time() - age
        os.utime(path, (then, then))

    def test_it_gets_its_name_at_the_end(self) -> None:
        with install_index.unfinished(self.path) as temporary:
            with open(temporary, "w") as file:
                file.write("whole")
            self.assertFalse(os.path.exists(self.path))
        self.assertEqual(self.names(), ["pip.whl"])

    def test_nothing_stays_of_what_failed(self) -> None:
        with self.assertRaises(KeyError):
            with install_index.unfinished(self.path) as temporary:
                with open(temporary, "w"):
                    raise KeyError("x")
        self.assertEqual(self.names(), [])

    def test_what_the_killed_have_left_goes_and_what_others_write_stays(self) -> None:
        for name, age in (
            ("pip.whl.a.new", 7200),
            ("pip.whl.b.new", -7200),
            ("pip.whl.c.new", 60),
            ("other.d.new", 7200),
        ):
            self.put(name, age)
        with install_index.unfinished(self.path) as temporary:
            with open(temporary, "w"):
                pass
        self.assertEqual(self.names(), ["other.d.new", "pip.whl", "pip.whl.c.new"])


if __name__ == "__main__":
    unittest.main()
