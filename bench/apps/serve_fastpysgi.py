"""Start FastPySGI with several workers, which its own command cannot:
``serve_fastpysgi.py MODULE:NAME PORT WORKERS``.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

import fastpysgi


def main() -> None:
    """Serve until this process is told to end; then its workers end with it."""
    target, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    module, _, name = target.partition(":")
    application = getattr(importlib.import_module(module), name)
    parent = os.getpid()

    def stop(signum: int, frame: object) -> None:
        if os.getpid() != parent:
            os._exit(0)
        # The workers are this process's group: served.mjs starts it as the leader of a session.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(parent, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    fastpysgi.run(application, host="127.0.0.1", port=port, workers=workers)


if __name__ == "__main__":
    main()
