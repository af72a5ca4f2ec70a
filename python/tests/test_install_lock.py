"""What of a lock file is believed: nothing in it may become an option of pip's, or a variable of
the environment.
"""

from __future__ import annotations

import sys
import unittest
from typing import Any, Dict

HASH = "a" * 64


@unittest.skipIf(sys.version_info < (3, 11), "read by the embedded Python only, which has tomllib")
class Reading(unittest.TestCase):
    def read(self, text: str) -> Dict[str, Dict[str, Any]]:
        from monoceros_pyodide import install_lock

        return install_lock.read_lock(text)

    def requirements(self, *lines: str) -> str:
        from monoceros_pyodide import install_lock

        return install_lock.requirements_of(
            self.read("\n".join(['lock-version = "1.0"', *lines, ""]))
        )

    def package(self, *lines: str, name: str = "x") -> str:
        return self.requirements("[[packages]]", f'name = "{name}"', *lines)

    def refused(self, text: str, call: Any) -> None:
        from monoceros_pyodide.install_lock import BadLockFile

        with self.assertRaisesRegex(BadLockFile, text):
            call()

    def test_each_package_is_asked_for_by_its_version_and_hashes(self) -> None:
        wheels = f'wheels = [{{name = "x.whl", hashes = {{sha256 = "{HASH}", sha512 = "{HASH}"}}}}]'
        self.assertEqual(
            self.package('version = "1.0+cpu"', wheels, name="Some_Name"),
            f"some-name==1.0+cpu --hash=sha256:{HASH} --hash=sha512:{HASH}\n",
        )

    def test_an_archive_is_asked_for_by_its_address(self) -> None:
        archive = f'archive = {{url = "https://index.test/x.whl", hashes = {{sha256 = "{HASH}"}}}}'
        self.assertEqual(
            self.package(archive), f"x @ https://index.test/x.whl --hash=sha256:{HASH}\n"
        )

    def test_an_empty_lock_asks_for_nothing(self) -> None:
        self.assertEqual(self.requirements(), "")

    def test_what_is_no_lock_file(self) -> None:
        for text, reason in [
            ("<<<<<<< mine\n", "it is not TOML"),
            ("", "its lock-version is None"),
            ('lock-version = "2.0"', "its lock-version is '2.0'"),
            ('lock-version = "1.0"\npackages = 1', "its packages are not a list"),
            ('lock-version = "1.0"\npackages = [1]', "one of its packages has no name"),
            (
                'lock-version = "1.0"\n[[packages]]\nname = "--index-url=x"',
                "is not a package name",
            ),
        ]:
            with self.subTest(text):
                self.refused(reason, lambda: self.read(text))

    def test_what_would_become_something_else_in_a_requirements_file(self) -> None:
        wheels = f'wheels = [{{hashes = {{sha256 = "{HASH}"}}}}]'
        for lines, reason in [
            (
                ['version = "1.0\\n--extra-index-url http://index.test"', wheels],
                "x has an invalid version",
            ),
            (['version = "1.0 --trusted-host=*"', wheels], "x has an invalid version"),
            (["version = 1.0", wheels], "x has an invalid version"),
            (
                [
                    'archive = {url = "http://a/${SECRET}/x.whl", '
                    f'hashes = {{sha256 = "{HASH}"}}}}'
                ],
                "x has an invalid address",
            ),
            (
                [f'archive = {{url = "http://a/x.whl --pre", hashes = {{sha256 = "{HASH}"}}}}'],
                "x has an invalid address",
            ),
            (
                [
                    'version = "1.0"',
                    f'wheels = [{{hashes = {{sha256 = "{HASH} --trusted-host=*"}}}}]',
                ],
                "x has an invalid hash",
            ),
            (
                ['version = "1.0"', f'wheels = [{{hashes = {{md5 = "{HASH}"}}}}]'],
                "x has an invalid hash",
            ),
            (['version = "1.0"', "wheels = [{hashes = {}}]"], "x has no hash"),
            (['version = "1.0"', 'wheels = ["x.whl"]'], "x has no hash"),
            (['version = "1.0"'], "x has no wheel"),
        ]:
            with self.subTest(lines):
                self.refused(reason, lambda: self.package(*lines))


if __name__ == "__main__":
    unittest.main()
