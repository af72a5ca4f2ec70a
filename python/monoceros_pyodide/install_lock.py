"""The lock file: the installed releases, with the hashes of their wheels (PEP 751).

It is read without pip, so that errors in it are reported before anything is fetched."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Dict, Iterable, List, Optional, Tuple

from monoceros_pyodide.install_index import without_credentials

# These go into a requirements file, in which a blank, a line end or `${NAME}` would have a meaning:
# an option, or a variable of the user's environment.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9.!+_-]+")
_HASH = re.compile(r"[0-9a-f]+")
_ADDRESS = re.compile(r"[!-~]+")
_HASH_KINDS = ("sha256", "sha384", "sha512")


class BadLockFile(Exception):
    """The lock file is invalid. The text says why."""


def read_lock(text: str) -> Dict[str, Dict[str, Any]]:
    """The lock file's packages by name. Raises BadLockFile."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadLockFile(f"it is not TOML: {error}") from None
    if str(document.get("lock-version", "")).partition(".")[0] != "1":
        raise BadLockFile(
            f"its lock-version is {document.get('lock-version')!r}, but only 1.0 is supported"
        )
    packages: Dict[str, Dict[str, Any]] = {}
    listed = document.get("packages", [])
    if not isinstance(listed, list):
        raise BadLockFile("its packages are not a list")
    for package in listed:
        name = package.get("name") if isinstance(package, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise BadLockFile(
                "one of its packages has no name" if not name else f"{name!r} is not a package name"
            )
        packages[_canonical(name)] = package
    return packages


def requirements_of(packages: Dict[str, Dict[str, Any]]) -> str:
    """A requirements file for exactly the locked packages, with their hashes.

    It names wheels by version and hash, not by address, because another machine may use another
    index. Raises BadLockFile."""
    lines: List[str] = []
    for name, package in sorted(packages.items()):
        wheels = package.get("wheels")
        archive = package.get("archive")
        if isinstance(wheels, list) and "version" in package:
            found = [_hashes(wheel, name) for wheel in wheels]
            if not _fits(_VERSION, package["version"]):
                raise BadLockFile(f"{name} has an invalid version: {package['version']!r}")
            lines.append(
                " ".join(
                    [
                        f"{name}=={package['version']}",
                        *(option for some in found for option in some),
                    ]
                )
            )
        elif isinstance(archive, dict) and "url" in archive:
            if not _fits(_ADDRESS, archive["url"]) or "${" in archive["url"]:
                raise BadLockFile(f"{name} has an invalid address: {archive['url']!r}")
            lines.append(" ".join([f"{name} @ {archive['url']}", *_hashes(archive, name)]))
        else:
            raise BadLockFile(f"{name} has no wheel")
    return "".join(f"{line}\n" for line in lines)


def _canonical(name: str) -> str:
    """The normalised form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _fits(form: "re.Pattern[str]", value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _hashes(file: Any, name: str) -> List[str]:
    hashes = file.get("hashes") if isinstance(file, dict) else None
    if not isinstance(hashes, dict) or not hashes:
        raise BadLockFile(f"{name} has no hash")
    for kind, value in hashes.items():
        if kind not in _HASH_KINDS or not _fits(_HASH, value):
            raise BadLockFile(f"{name} has an invalid hash: {kind}:{value!r}")
    return [f"--hash={kind}:{value}" for kind, value in hashes.items()]


def write_lock(
    installed: Iterable[Any],
    present: Iterable[Tuple[str, str]],
    before: Dict[str, Dict[str, Any]],
    folder: str,
) -> Tuple[str, List[str]]:
    """The text of the lock file, and the names of packages that Monoceros did not install.

    `installed` are pip's requirements that were just installed, `present` the names and versions of
    all packages that are there now, `before` the contents of the old lock file."""
    from pathlib import Path

    from pip._internal.utils.pylock import pylock_from_install_requirements
    from pip._vendor import tomli_w

    fresh = pylock_from_install_requirements(installed, base_dir=Path(folder)).to_dict()
    packages = {package["name"]: _presentable(package) for package in fresh.get("packages", [])}
    unknown: List[str] = []
    for name, version in present:
        if name in packages:
            continue
        kept: Optional[Dict[str, Any]] = before.get(name)
        if kept is not None and kept.get("version", version) == version:
            packages[name] = kept
        else:
            unknown.append(name)
    document = {
        "lock-version": "1.0",
        "created-by": "monoceros",
        "packages": [packages[name] for name in sorted(packages)],
    }
    return tomli_w.dumps(document), unknown


def _presentable(package: Dict[str, Any]) -> Dict[str, Any]:
    """Removes the user's name and password for an index from the addresses."""
    for file in [
        *package.get("wheels", []),
        *([package["archive"]] if "archive" in package else []),
    ]:
        if "url" in file:
            file["url"] = without_credentials(file["url"])
    return package
