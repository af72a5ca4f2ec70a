"""Imports what most applications import, in the interpreter of which a snapshot is made."""

from __future__ import annotations

import gc
import importlib
import random
import sys
from typing import List

from . import wake

# The modules of the standard library that Flask 3.1, Django 5.2 and their usual extensions import.
# Left out are modules that keep something of the process that imports them (multiprocessing makes a
# key), and modules that cannot be used in WebAssembly.
STANDARD = """
    argparse base64 bisect calendar codecs colorsys concurrent.futures.thread configparser
    contextvars copy csv dataclasses datetime decimal difflib email.charset email.encoders
    email.generator email.header email.headerregistry email.message email.mime.base
    email.mime.message email.mime.multipart email.mime.text email.parser email.policy email.utils
    encodings.idna encodings.latin_1 encodings.unicode_escape fractions functools getpass gettext
    glob graphlib gzip hashlib hmac html html.parser http http.client http.cookies http.server
    importlib.metadata importlib.resources inspect io ipaddress itertools json logging.config
    logging.handlers mimetypes numbers pathlib pickle pkgutil platform pprint queue quopri random
    secrets shutil socketserver sqlite3 statistics string stringprep tempfile textwrap typing
    unicodedata urllib.parse urllib.request uuid wsgiref.handlers wsgiref.util zipfile zoneinfo
""".split()

# The worker with everything that it imports, and the modules that every start uses before it.
GATEWAY = [
    "monoceros.embedded",
    "monoceros_pyodide.accounts",
    "monoceros_pyodide.host_facts",
    "monoceros_pyodide.host_time",
    "monoceros_pyodide.key_derivation",
]


class UnfitError(Exception):
    """The interpreter's state must not be copied to others."""


def preload(directory: str) -> None:
    """Imports everything.

    ``directory`` contains Monoceros' packages and is not in ``sys.path`` afterwards. Raises
    UnfitError if something was imported that ``wake`` cannot correct."""
    sys.dont_write_bytecode = True
    sys.path.append(directory)
    try:
        for name in STANDARD + GATEWAY:
            importlib.import_module(name)
    finally:
        sys.path.remove(directory)
        sys.dont_write_bytecode = False
    # loadPyodide() adds an empty entry at every start, so the snapshot must not have one.
    sys.path[:] = [entry for entry in sys.path if entry]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(directory)]:
        del sys.path_importer_cache[entry]
    seeded = _seeded_generators()
    if seeded:
        raise UnfitError(f"restored interpreters would share these random generators: {seeded}")
    wake.restored = True
    gc.collect()


def _seeded_generators() -> List[str]:
    """The random generators whose state would be in the snapshot, except the one that ``wake``
    seeds again."""
    found = [
        repr(item)
        for item in gc.get_objects()
        if isinstance(item, random.Random)
        and not isinstance(item, random.SystemRandom)
        and item is not random._inst  # type: ignore[attr-defined]
    ]
    if "multiprocessing.process" in sys.modules:
        found.append("the key of multiprocessing.process")
    return found
