"""Packages whose compiled part only makes them faster: they are installed without it.

Flask needs MarkupSafe, which has only compiled wheels. It has one module in two versions, compiled
and in Python, and chooses one at import. So a wheel for any platform is suitable if its compiled
files are left out. It is the published file, with the published hash."""

from __future__ import annotations

import copy
import csv
import os
from typing import Any, Dict, List

from pip._vendor.packaging.tags import Tag, cpython_tags
from pip._vendor.packaging.utils import canonicalize_name

# Each was tested: imported and used in the embedded interpreter without its compiled files.
OPTIONAL_SPEEDUPS = frozenset({"markupsafe", "pyyaml", "zope-interface"})

_COMPILED = (".so", ".pyd", ".dylib")


def is_portable(name: str) -> bool:
    """Whether the package works without its compiled part."""
    return canonicalize_name(name) in OPTIONAL_SPEEDUPS


def with_foreign_tags(target: Any) -> Any:
    """A copy of pip's TargetPython that also accepts wheels for Linux, after all others.

    It is the same platform on every machine, so that the lock file is the same everywhere."""
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
    """Removes the compiled files of a package that was just installed.

    `distribution` is pip's. Sources of the compiled part stay, because they do no harm. Returns
    whether there were any compiled files."""
    record = os.path.join(distribution.info_location, "RECORD")
    with open(record, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows if not row[0].endswith(_COMPILED)]
    if len(kept) == len(rows):
        return False
    for row in rows:
        if row[0].endswith(_COMPILED):
            path = os.path.normpath(os.path.join(stage, row[0]))
            # The file may be a hard link of one in the folder that this is a copy of. Only the name
            # is removed.
            if path.startswith(f"{stage}{os.sep}") and os.path.lexists(path):
                os.unlink(path)
    temporary = f"{record}.new"
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(kept)
    os.replace(temporary, record)
    return True


def strip_all(stage: str, environment: Any, names: List[str]) -> List[str]:
    """Strips the named packages that are for another platform, and returns their names."""
    wanted: Dict[str, str] = {canonicalize_name(name): name for name in names if is_portable(name)}
    stripped = []
    for distribution in environment.iter_all_distributions():
        name = wanted.get(distribution.canonical_name)
        if name is not None and _is_foreign(distribution) and strip(stage, distribution):
            stripped.append(name)
    return stripped


def _is_foreign(distribution: Any) -> bool:
    """Whether a package is from a wheel for Linux. A wheel for WebAssembly keeps its files."""
    text = distribution.read_text("WHEEL")
    return any(line.startswith("Tag:") and "manylinux" in line for line in text.splitlines())
