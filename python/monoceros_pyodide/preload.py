"""Imports beforehand what most applications import, in the interpreter that a snapshot is made
of."""

from __future__ import annotations

import gc
import importlib
import random
import sys
from typing import List

from . import wake

# What Flask 3.1 and Django 5.2 import of the standard library, and their usual companions. Not
# among them: what keeps something of the process that imports it (multiprocessing makes a key), and
# what nobody can use here.
STANDARD = """
    argparse base64 bisect calendar codecs colorsys concurrent.futures.thread configparser contextvars copy csv
    dataclasses datetime decimal difflib email.charset email.encoders email.generator email.header
    email.headerregistry email.message email.mime.base email.mime.message email.mime.multipart email.mime.text
    email.parser email.policy email.utils encodings.idna encodings.latin_1 encodings.unicode_escape
    fractions functools getpass gettext glob graphlib gzip hashlib hmac html html.parser http http.client
    http.cookies http.server importlib.metadata importlib.resources inspect io ipaddress itertools json logging.config
    logging.handlers mimetypes numbers pathlib pickle pkgutil platform pprint queue quopri random secrets
    shutil socketserver sqlite3 statistics string stringprep tempfile textwrap typing unicodedata urllib.parse
    urllib.request uuid wsgiref.handlers wsgiref.util zipfile zoneinfo
""".split()

# The gateway with all that embedded.py imports, and what every start does before it.
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
    """Imports everything; ``directory`` holds our packages, and is not in ``sys.path`` afterwards.

    Raises UnfitError when something was imported that ``wake`` cannot put right.
    """
    sys.dont_write_bytecode = True
    sys.path.append(directory)
    try:
        for name in STANDARD + GATEWAY:
            importlib.import_module(name)
    finally:
        sys.path.remove(directory)
        sys.dont_write_bytecode = False
    # loadPyodide() puts one there at every start, and would put a second one in front of the
    # snapshot's.
    sys.path[:] = [entry for entry in sys.path if entry]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(directory)]:
        del sys.path_importer_cache[entry]
    seeded = _seeded_generators()
    if seeded:
        raise UnfitError(f"generators that a restored interpreter would share: {seeded}")
    wake.restored = True
    gc.collect()


def _seeded_generators() -> List[str]:
    """The random generators whose state would be in the snapshot, but for the one that ``wake``
    seeds anew.
    """
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
