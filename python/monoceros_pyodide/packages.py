"""Where the embedded interpreter finds packages, and its errors for those that it cannot use.

Site packages are in ``python_modules``, where ``monoceros install`` puts them, and in ``.venv``,
whatever Python made it: pure Python packages run on any. Modules that are compiled for another
platform or another Python cannot be loaded. Their import raises an ImportError that names the
package and what to do. Packages for which such a module is optional work without it."""

from __future__ import annotations

import importlib
import os
import re
import site
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType
from typing import Dict, List, Optional, Sequence, Tuple

MODULES = "python_modules"
VIRTUAL_ENVIRONMENT = ".venv"

#: The packages of modules with another name. Case, ``-`` and ``_`` make no difference to an index.
_DISTRIBUTIONS: Dict[str, str] = {
    "Crypto": "pycryptodome",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "allauth": "django-allauth",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "corsheaders": "django-cors-headers",
    "crispy_forms": "django-crispy-forms",
    "dateutil": "python-dateutil",
    "debug_toolbar": "django-debug-toolbar",
    "decouple": "python-decouple",
    "django_filters": "django-filter",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "environ": "django-environ",
    "git": "GitPython",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "multipart": "python-multipart",
    "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework",
    "serial": "pyserial",
    "slugify": "python-slugify",
    "storages": "django-storages",
    "yaml": "PyYAML",
}

#: Modules that Python has removed since 3.11 but older packages still import, and the packages that
#: replace them.
_DROPPED: Dict[str, str] = {
    "asynchat": "pyasynchat",
    "asyncore": "pyasyncore",
    "audioop": "audioop-lts",
    "cgi": "legacy-cgi",
    "cgitb": "legacy-cgi",
    "distutils": "setuptools",
    "imghdr": "standard-imghdr",
    "mailcap": "standard-mailcap",
    "nntplib": "standard-nntplib",
    "pipes": "standard-pipes",
    "smtpd": "standard-smtpd",
    "sndhdr": "standard-sndhdr",
    "telnetlib": "standard-telnetlib",
    "uu": "standard-uu",
    "xdrlib": "standard-xdrlib",
}

_WASM = b"\0asm"
_ELF_MACHINES = {0x03: "i686", 0x28: "arm", 0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}


def enable(chdir: str, pythonpath: Sequence[str] = ()) -> List[str]:
    """Makes the packages of the application in ``chdir`` importable.

    Afterwards, ``sys.path`` consists of ``pythonpath``, its former entries, the site packages and
    the folders that their ``.pth`` files name. The caller adds the working directory. An error in a
    ``.pth`` file is reported on stderr. Returns the folders of site packages that were found."""
    chdir = os.path.abspath(chdir)
    first = list(dict.fromkeys(os.path.join(chdir, path) for path in pythonpath))
    sys.path[:] = first + [path for path in sys.path if path not in first]
    # Pyodide writes no byte code, because its files are in memory. The application's are on the
    # disk and are read again at the next start.
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    _refuse_foreign_builds()
    folders = site_folders(chdir)
    for folder in folders:
        try:
            site.addsitedir(folder)
        except (Exception, SystemExit) as error:
            print(
                f"monoceros: a .pth file in {folder}: {type(error).__name__}: {error}",
                file=sys.stderr,
            )
    environment = os.path.join(chdir, VIRTUAL_ENVIRONMENT)
    if os.path.isdir(environment):
        # Packages look here for the data files that were installed with them.
        sys.prefix = sys.exec_prefix = environment
        site.PREFIXES[:] = [environment]
    importlib.invalidate_caches()
    return folders


def site_folders(chdir: str) -> List[str]:
    """The folders of site packages of an application in ``chdir``."""
    found = [os.path.join(chdir, MODULES)]
    environment = os.path.join(chdir, VIRTUAL_ENVIRONMENT)
    library = os.path.join(environment, "lib")
    # Usually there is one. If an environment was made again with another Python, the newest
    # contains what was installed last.
    for series in sorted(_names(library), key=_series, reverse=True):
        if re.fullmatch(r"(python|pypy)3\.\d+t?", series):
            found.append(os.path.join(library, series, "site-packages"))
    # The layout on Windows.
    found.append(os.path.join(environment, "Lib", "site-packages"))
    return [folder for folder in found if os.path.isdir(folder)]


def advice(error: BaseException) -> str:
    """What to do about a module that was not found: one line for the end of a traceback, or ``""``.

    The causes of the error are searched too. The last module that was not found counts."""
    seen = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        # An exception's class may have properties that raise, and a __len__. They are not called.
        if issubclass(type(current), ModuleNotFoundError):
            name = _module_name(current)
            if type(name) is str and name:
                return _advice_on(name)
        cause = _cause(current)
        current = _context(current) if cause is None else cause
    return ""


_cause = BaseException.__dict__["__cause__"].__get__
_context = BaseException.__dict__["__context__"].__get__
_module_name = ImportError.__dict__["name"].__get__


def _advice_on(name: str) -> str:
    top, _, inner = name.partition(".")
    if top in getattr(sys, "stdlib_module_names", ()):
        # The compiled part of a module has its name with an underscore.
        name = top[1:] if top[1:] in sys.stdlib_module_names else name
        return (
            f"{name!r} is in the standard library, but not in that of the embedded Python. "
            "A program that needs it must run on an installed Python; to serve with one, use "
            "--runtime cpython"
        )
    if inner and top in sys.modules:
        # The package exists but has no such module. Another version of it may have one.
        return ""
    if top in _DROPPED:
        series = ".".join(map(str, sys.version_info[:2]))
        return (
            f"Python {series} has no {top!r} any more; it is available as a package: "
            f"monoceros install {_DROPPED[top]}"
        )
    text = (
        f"The embedded Python cannot find {top!r}. If it is from a package index: "
        f"monoceros install {distribution_for(top)}"
    )
    unseen = _unseen_folders()
    if unseen:
        file, folder = unseen[0]
        text += (
            f"; if it is in {folder}, which {file} names but which is not mounted: --mount {folder}"
        )
    return text


def distribution_for(module: str) -> str:
    """The name under which an index most likely has the distribution with a top-level module."""
    return _DISTRIBUTIONS.get(module) or module.replace("_", "-")


def _unseen_folders() -> List[Tuple[str, str]]:
    """Folders that .pth files name and that are not visible, as pairs with the file.

    They are usually the sources of an editable installation."""
    found = []
    for entry in sys.path:
        if not isinstance(entry, str):  # the application may have put anything there
            continue
        for name in sorted(_names(entry)):
            if not name.endswith(".pth"):
                continue
            file = os.path.join(entry, name)
            try:
                with open(file, encoding="utf-8-sig", errors="replace") as lines:
                    stripped = [line.strip() for line in lines]
            except OSError:
                continue
            for line in stripped:
                if line and not line.startswith(("#", "import ", "import\t")):
                    folder = os.path.join(entry, line)
                    if not os.path.exists(folder):
                        found.append((file, folder))
    return found


# Modules that are compiled for another platform.


class ForeignBuildFinder:
    """Finds modules that no other finder has found, because they are for another platform.

    It is the last entry of ``sys.meta_path``."""

    @staticmethod
    def find_spec(
        fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        name = fullname.rpartition(".")[2]
        for entry in sys.path if path is None else path:
            if not isinstance(entry, str):
                continue
            for file in _names(entry or os.curdir):
                if file.startswith(name + ".") and file.endswith((".so", ".pyd")):
                    location = os.path.join(entry, file)
                    return ModuleSpec(fullname, _ForeignBuildLoader(location), origin=location)
        return None


class _ForeignBuildLoader:
    """Raises the error at import. The finder must not, because of ``importlib.util.find_spec``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        raise _foreign(spec.name, self._path)

    def exec_module(self, module: ModuleType) -> None:
        """Is never called."""


def _refuse_foreign_builds() -> None:
    if ForeignBuildFinder not in sys.meta_path:
        sys.meta_path.append(ForeignBuildFinder)  # type: ignore[arg-type]
    create = ExtensionFileLoader.create_module
    if getattr(create, "__module__", None) == __name__:
        return

    def create_module(self: ExtensionFileLoader, spec: ModuleSpec) -> ModuleType:
        # The names ``.abi3.so`` and ``.so`` do not contain a platform.
        if _starts(self.path, 4) not in (_WASM, b""):
            raise _foreign(spec.name, self.path)
        return create(self, spec)

    ExtensionFileLoader.create_module = create_module  # type: ignore[method-assign]


def _foreign(module: str, path: str) -> ImportError:
    """An ImportError. ``from package import module`` would hide a ModuleNotFoundError."""
    entry = os.path.dirname(path)
    for _ in range(module.count(".")):
        entry = os.path.dirname(entry)
    inner = os.path.relpath(path, entry)
    place = re.sub(r"[/\\]lib[/\\][^/\\]+[/\\]site-packages$", "", entry, flags=re.IGNORECASE)
    distribution = _distribution_of(entry, inner)
    if distribution is None:
        what, install = (
            f"{inner} in {place} is compiled for {_platform_of(path)}",
            "Build it for WebAssembly",
        )
    else:
        name, version = distribution
        what = f"{name} {version} in {place} is compiled for {_platform_of(path)} ({inner})"
        install = f"'monoceros install {name}' looks for a build for WebAssembly"
    series = ".".join(map(str, sys.version_info[:2]))
    return ImportError(
        f"{what} and cannot run on the embedded Python {series}, which is WebAssembly. {install}; "
        "or install a Python and serve with it (--runtime cpython)",
        name=module,
        path=path,
    )


def _distribution_of(entry: str, inner: str) -> Optional[Tuple[str, str]]:
    """Name and version of the distribution that installed the file ``inner`` into ``entry``."""
    top = re.split(r"[/\\.]", inner)[0]
    installed = [
        name[: -len(".dist-info")] for name in _names(entry) if name.endswith(".dist-info")
    ]
    parts = [name.partition("-")[::2] for name in installed]
    for name, version in parts:
        if _normalised(name) == _normalised(top):
            return name, version
    record = inner.replace("\\", "/") + ","
    for name, version in parts:
        try:
            with open(
                os.path.join(entry, f"{name}-{version}.dist-info", "RECORD"), encoding="utf-8"
            ) as lines:
                if any(line.startswith(record) for line in lines):
                    return name, version
        except (OSError, UnicodeDecodeError):
            continue
    return None


def _platform_of(path: str) -> str:
    """The platform of a compiled file, from its name or else from its first bytes."""
    tag = re.search(r"\.(?:cpython-|cp)3(\d+)t?-([\w-]+)\.(?:so|pyd)$", path)
    if tag:
        return f"Python 3.{tag[1]} on {tag[2]}"
    start = _starts(path, 20)
    if start.startswith(b"\x7fELF") and len(start) == 20:
        machine = int.from_bytes(start[18:20], "little" if start[5] == 1 else "big")
        return f"{_ELF_MACHINES.get(machine, 'another processor')}-linux"
    if start.startswith(b"MZ"):
        return "Windows"
    if start[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        return "macOS"
    return "another platform"


def _starts(path: str, size: int) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(size)
    except OSError:
        return b""


def _names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _series(name: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


__all__ = ["ForeignBuildFinder", "advice", "distribution_for", "enable", "site_folders"]
