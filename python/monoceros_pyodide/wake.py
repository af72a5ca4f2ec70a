"""Puts right in an interpreter what its memory snapshot froze.

A snapshot is the memory of an interpreter that was started with an empty environment, at another
time, by another process. ``wake`` runs in every interpreter before anything of the application
does, restored or not.

What stays as it was, and why that is right:

- The seed of ``hash()``: it is in every dict. It is made at random when the snapshot is made, and
  the snapshot lies in a file that only its owner can read; interpreters that start from one
  snapshot share it, as the children of a fork do.
- The time zone and the standard library's archive: a snapshot is only used where they are what they
  were.
- ``os.urandom``, ``secrets``, ``uuid4``, OpenSSL's and SQLite's generators: the first asks the host
  each time, the others are seeded from it at their first use, and nothing has used them when a
  snapshot is made (``preload`` checks).
"""

from __future__ import annotations

import os
import sys
import time
from importlib.machinery import FileFinder
from typing import Mapping, Optional, Sequence

# Where the interpreter has what is its own. Emscripten's prefix is the root of the disk, so that
# everything would pass for installed with Python: Flask would take /var/app-instance, in memory,
# for the folder of an application's data.
_PREFIX = "/lib/python{}.{}".format(*sys.version_info[:2])

# True in an interpreter that was restored: ``preload`` sets it just before the snapshot is made.
restored = False


def wake(
    environment: Mapping[str, str], argv: Sequence[str] = ("",), executable: Optional[str] = None
) -> None:
    """Gives the interpreter its environment, arguments and randomness.

    ``environment`` becomes the whole of ``os.environ``. The host does not restore a snapshot for an
    environment whose ``PYTHON…`` variables could only be obeyed at the start of an interpreter;
    those that can be obeyed later are here."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = argv
    if executable is not None:
        sys.executable = executable
    # All four: where they differ, pip takes it for a virtual environment, and removes nothing
    # outside of it.
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = _PREFIX
    if not restored:
        return
    _reseed()
    _forget_files()
    _obey(environment)
    logging = sys.modules.get("logging")
    if logging is not None:
        # Nanoseconds; a LogRecord's relativeCreated counts from it.
        logging._startTime = time.time_ns()  # type: ignore[attr-defined]


def _reseed() -> None:
    """Every generator that was seeded in the snapshot gets a seed of its own."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)


def _forget_files() -> None:
    """The folders that were listed then are others now. The standard library's archive is the
    same."""
    for path, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[path]
        elif isinstance(finder, FileFinder):
            finder.invalidate_caches()


def _obey(environment: Mapping[str, str]) -> None:
    """Does what the interpreter's start would have done with these variables."""
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        sys.dont_write_bytecode = True
    if environment.get("PYTHONUNBUFFERED"):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    search = environment.get("PYTHONPATH")
    if search:
        # In front of the standard library, behind the place of the script.
        at = 1 if sys.path[:1] == [""] else 0
        sys.path[at:at] = search.split(os.pathsep)
