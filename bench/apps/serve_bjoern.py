"""Start bjoern, which has no command of its own: ``serve_bjoern.py MODULE:NAME PORT WORKERS``.

The socket is opened once; each worker process waits on it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import List

import bjoern


def main() -> None:
    """Fork the workers, and end them when this process is told to end."""
    target, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    module, _, name = target.partition(":")
    application = getattr(importlib.import_module(module), name)
    bjoern.listen(application, "127.0.0.1", port)

    children: List[int] = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            bjoern.run()
            os._exit(0)
        children.append(pid)

    def stop(signum: int, frame: object) -> None:
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    signal.signal(signal.SIGTERM, stop)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
