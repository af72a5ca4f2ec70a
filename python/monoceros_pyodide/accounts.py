"""The modules ``pwd`` and ``grp``, which Pyodide does not have.

They contain the user that the server runs as, and that user's groups. Programs import them for a
line in their log, and on all systems except Windows they do so without a check. For other users and
groups KeyError is raised, as if they did not exist."""

from __future__ import annotations

import json
import os
import sys
import types
from collections import namedtuple
from importlib.machinery import ModuleSpec
from typing import Any, Callable, List, Optional, Sequence

struct_passwd = namedtuple(
    "struct_passwd", "pw_name pw_passwd pw_uid pw_gid pw_gecos pw_dir pw_shell"
)
struct_group = namedtuple("struct_group", "gr_name gr_passwd gr_gid gr_mem")
struct_passwd.__module__, struct_group.__module__ = "pwd", "grp"


def install(read: Callable[[], str]) -> None:
    """Makes the modules importable. Called at each start of an interpreter.

    ``read()`` is called when one of them is imported. It returns JSON: ``user``, with ``name``,
    ``uid``, ``gid`` and ``shell``, or null; and ``groups``, each with ``name``, ``gid`` and
    ``members``."""
    if not any(name in sys.builtin_module_names for name in _MAKERS):
        sys.meta_path.append(_Finder(read))


class _Finder:
    """Makes the modules when they are imported and no other finder has them."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        if name not in _MAKERS:
            return None
        return ModuleSpec(name, self, origin="monoceros")  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        _MAKERS[module.__name__](module, json.loads(self._read()))


def _make_pwd(module: Any, known: Any) -> None:
    user = known["user"]
    entries: List[Any] = []
    if user is not None:
        # The user's home on the disk is not visible in the interpreter.
        home = os.environ.get("HOME", "/")
        entries = [
            struct_passwd(user["name"], "x", user["uid"], user["gid"], "", home, user["shell"])
        ]
    module.struct_passwd = struct_passwd
    module.getpwall = lambda: list(entries)
    module.getpwuid = _finder("getpwuid", "uid", entries, 2)
    module.getpwnam = _finder("getpwnam", "name", entries, 0)


def _make_grp(module: Any, known: Any) -> None:
    entries = [
        struct_group(group["name"], "x", group["gid"], group["members"])
        for group in known["groups"]
    ]
    module.struct_group = struct_group
    module.getgrall = lambda: list(entries)
    module.getgrgid = _finder("getgrgid", "gid", entries, 2)
    module.getgrnam = _finder("getgrnam", "name", entries, 0)


_MAKERS = {"pwd": _make_pwd, "grp": _make_grp}


def _finder(function: str, what: str, entries: Sequence[Any], field: int) -> Callable[[Any], Any]:
    kind = str if field == 0 else int

    def find(key: Any, /) -> Any:
        if not isinstance(key, kind):
            raise TypeError(
                f"{function}(): {what} should be {kind.__name__}, not {type(key).__name__}"
            )
        for entry in entries:
            if entry[field] == key:
                return entry
        raise KeyError(f"{function}(): {what} not found: {key!r}")

    find.__name__ = find.__qualname__ = function
    return find


__all__ = ["install", "struct_group", "struct_passwd"]
