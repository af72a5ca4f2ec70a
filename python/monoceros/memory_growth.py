"""Which lines of the application allocate memory that stays, measured for some seconds."""

from __future__ import annotations

import gc
import os
import tracemalloc
from typing import Any, Callable, Dict, List, Optional

from .native import perf_counter, sleep

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LOOK = 0.05


def measure(seconds: float, top: int, ended: Callable[[], bool]) -> Dict[str, Any]:
    """Compares what there is now with what there is after ``seconds``, or when ``ended()``.

    Allocations are traced in the meantime, which makes the application slower; unless it traces
    them itself, only what is allocated from now on counts. ``lines`` are the ``top`` lines whose
    objects have grown or shrunk most, with sizes in bytes."""
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        gc.collect()
        before = _snapshot()
        resident = _resident()
        begun = perf_counter()
        while perf_counter() - begun < seconds and not ended():
            sleep(min(_LOOK, seconds))
        # What only waits for the collector is no growth.
        gc.collect()
        after = _snapshot()
        took = perf_counter() - begun
    finally:
        if not traced:
            tracemalloc.stop()
    changes = after.compare_to(before, "lineno")
    changes.sort(key=lambda change: -abs(change.size_diff))
    lines: List[Dict[str, Any]] = [
        {
            "file": change.traceback[0].filename,
            "line": change.traceback[0].lineno,
            "grown": change.size_diff,
            "size": change.size,
            "objectsGrown": change.count_diff,
            "objects": change.count,
        }
        for change in changes[:top]
        if change.size_diff != 0
    ]
    return {
        "seconds": round(took, 6),
        "grown": sum(change.size_diff for change in changes),
        "lines": lines,
        "resident": [resident, _resident()],
    }


def _snapshot() -> tracemalloc.Snapshot:
    return tracemalloc.take_snapshot().filter_traces(
        (
            tracemalloc.Filter(False, tracemalloc.__file__),
            tracemalloc.Filter(False, _HERE + "*"),
        )
    )


def _resident() -> Optional[int]:
    """The memory of this process, in bytes; None where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
