"""``pwd`` and ``grp`` of the embedded Python, made of what the host tells."""

from __future__ import annotations

import json
import types
import unittest
from typing import Any, Dict, Optional

from monoceros_pyodide import accounts

WEB = {"name": "web", "uid": 1001, "gid": 33, "shell": "/bin/sh"}
GROUPS = [
    {"name": "www", "gid": 33, "members": []},
    {"name": "adm", "gid": 4, "members": ["web", "other"]},
]


class Accounts(unittest.TestCase):
    def module(self, name: str, user: Optional[Dict[str, Any]] = WEB) -> Any:
        finder = accounts._Finder(lambda: json.dumps({"user": user, "groups": GROUPS}))
        self.assertIsNotNone(finder.find_spec(name))
        module = types.ModuleType(name)
        finder.exec_module(module)
        return module

    def test_the_user_is_known_by_number_and_name(self) -> None:
        pwd = self.module("pwd")
        entry = pwd.getpwuid(1001)
        self.assertEqual(
            (entry.pw_name, entry[2], entry.pw_gid, entry.pw_shell), ("web", 1001, 33, "/bin/sh")
        )
        self.assertEqual(pwd.getpwnam("web"), entry)
        self.assertEqual(pwd.getpwall(), [entry])

    def test_its_groups_are_known_likewise(self) -> None:
        grp = self.module("grp")
        self.assertEqual(grp.getgrgid(33).gr_name, "www")
        self.assertEqual(grp.getgrnam("adm").gr_mem, ["web", "other"])
        self.assertEqual([entry.gr_gid for entry in grp.getgrall()], [33, 4])

    def test_others_are_not_there_and_wrong_kinds_are_type_errors(self) -> None:
        for call in (
            lambda: self.module("pwd").getpwuid(0),
            lambda: self.module("grp").getgrnam("root"),
        ):
            with self.assertRaises(KeyError):
                call()
        with self.assertRaises(TypeError):
            self.module("pwd").getpwnam(1001)

    def test_a_user_without_a_name_is_like_one_that_does_not_exist(self) -> None:
        pwd = self.module("pwd", None)
        self.assertEqual(pwd.getpwall(), [])
        with self.assertRaises(KeyError):
            pwd.getpwuid(1001)

    def test_nothing_else_is_made(self) -> None:
        self.assertIsNone(accounts._Finder(str).find_spec("spwd"))


if __name__ == "__main__":
    unittest.main()
