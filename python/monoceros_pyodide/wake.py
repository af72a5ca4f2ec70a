"""Corrects what is outdated in an interpreter that was restored from a snapshot.

A snapshot is the memory of an interpreter that was started with an empty environment, at another
time, by another process. ``wake`` runs in every interpreter, restored or not, before any code of
the application.

The following is left unchanged:

- The seed of ``hash()``, because every dict depends on it. It is random for each snapshot, and only
  the owner of the snapshot's file can read it. Interpreters that start from one snapshot share the
  seed, as the children of a fork do.
- The time zone and the standard library's archive. A snapshot is used only if they are the same.
- ``os.urandom``, ``secrets``, ``uuid4``, OpenSSL's and SQLite's generators. ``os.urandom`` asks the
  host each time. The others are seeded from it at their first use, which is after the snapshot was
  made (``preload`` checks that).
"""

from __future__ import annotations

import os
import sys
import time
from importlib.machinery import FileFinder
from typing import Mapping, Optional, Sequence

# The folder of the interpreter's own files. Emscripten's prefix is the root of the disk, so that
# all files would appear to be installed with Python: Flask would use /var/app-instance, in memory,
# as the folder for an application's data.
_PREFIX = "/lib/python{}.{}".format(*sys.version_info[:2])

# Whether the interpreter was restored. ``preload`` sets it just before the snapshot is made.
restored = False


def wake(
    environment: Mapping[str, str], argv: Sequence[str] = ("",), executable: Optional[str] = None
) -> None:
    """Gives the interpreter its environment, arguments and randomness.

    ``environment`` becomes the whole of ``os.environ``. The host does not restore a snapshot if the
    environment has ``PYTHON…`` variables that take effect only at the start of an interpreter.
    The others are applied here."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = argv
    if executable is not None:
        sys.executable = executable
    # If the four differ, pip assumes a virtual environment and removes nothing outside of it.
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = _PREFIX
    if not restored:
        return
    _reseed()
    _forget_files()
    _apply_variables(environment)
    logging = sys.modules.get("logging")
    if logging is not None:
        # In nanoseconds. A LogRecord's relativeCreated counts from it.
        logging._startTime = time.time_ns()  # type: ignore[attr-defined]


def _reseed() -> None:
    """Gives every generator that was seeded in the snapshot a new seed."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)


def _forget_files() -> None:
    """Clears the import caches of folders, whose contents may differ now."""
    for path, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[path]
        elif isinstance(finder, FileFinder):
            finder.invalidate_caches()


def _apply_variables(environment: Mapping[str, str]) -> None:
    """Applies variables that an interpreter otherwise reads when it starts."""
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        sys.dont_write_bytecode = True
    if environment.get("PYTHONUNBUFFERED"):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    search = environment.get("PYTHONPATH")
    if search:
        # Before the standard library, after the entry of the script.
        at = 1 if sys.path[:1] == [""] else 0
        sys.path[at:at] = search.split(os.pathsep)
