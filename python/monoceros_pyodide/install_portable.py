"""Packages whose compiled part is only there to be faster: they are installed without it.

Flask needs MarkupSafe, and that has compiled wheels only. The module in it that is compiled is one
of two, the other is Python, and which of them is there is found out at import. So a wheel for any
platform does, when what is compiled is left out. It is the published file, and has the published
hash."""

from __future__ import annotations

import copy
import csv
import os
from typing import Any, Dict, List

from pip._vendor.packaging.tags import Tag, cpython_tags
from pip._vendor.packaging.utils import canonicalize_name

# Each was tried: imported and used in the embedded interpreter without what is compiled.
OPTIONAL_SPEEDUPS = frozenset({"markupsafe", "pyyaml", "zope-interface"})

_COMPILED = (".so", ".pyd", ".dylib")


def is_portable(name: str) -> bool:
    """Whether the package can do without its compiled part."""
    return canonicalize_name(name) in OPTIONAL_SPEEDUPS


def with_foreign_tags(target: Any) -> Any:
    """A copy of pip's TargetPython that takes wheels for Linux, too, after all others.

    One platform, whatever machine this is: the lock file is to be the same everywhere.
    """
    wider = copy.copy(target)
    wider._valid_tags = [*target.get_sorted_tags(), *_foreign_tags(target.py_version_info)]
    wider._valid_tags_set = None
    return wider


def _foreign_tags(version: Any) -> List[Tag]:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(17, 41)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
    return [
        tag
        for tag in cpython_tags(tuple(version[:2]), platforms=platforms)
        if tag.platform in platforms
    ]


def strip(stage: str, distribution: Any) -> bool:
    """Removes what is compiled of a package that was just installed, and says whether there was
    any.

    `distribution` is pip's. What is a source of the compiled part stays: it does no harm.
    """
    record = os.path.join(distribution.info_location, "RECORD")
    with open(record, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows if not row[0].endswith(_COMPILED)]
    if len(kept) == len(rows):
        return False
    for row in rows:
        if row[0].endswith(_COMPILED):
            path = os.path.normpath(os.path.join(stage, row[0]))
            # The file may be linked to from the folder that this one is a copy of; only the name
            # goes.
            if path.startswith(f"{stage}{os.sep}") and os.path.lexists(path):
                os.unlink(path)
    temporary = f"{record}.new"
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(kept)
    os.replace(temporary, record)
    return True


def strip_all(stage: str, environment: Any, names: List[str]) -> List[str]:
    """Strips those of the named packages that are for another platform; returns their names."""
    wanted: Dict[str, str] = {canonicalize_name(name): name for name in names if is_portable(name)}
    stripped = []
    for distribution in environment.iter_all_distributions():
        name = wanted.get(distribution.canonical_name)
        if name is not None and _is_foreign(distribution) and strip(stage, distribution):
            stripped.append(name)
    return stripped


def _is_foreign(distribution: Any) -> bool:
    """A wheel that was made for WebAssembly keeps what it has."""
    text = distribution.read_text("WHEEL")
    return any(line.startswith("Tag:") and "manylinux" in line for line in text.splitlines())
