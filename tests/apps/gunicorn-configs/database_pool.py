"""Connections of a preloaded application must not be shared by its workers."""

import os
import random

from events import note

bind = os.environ.get("BIND", "127.0.0.1:0")
workers = 2
preload_app = True
timeout = 60


def post_fork(server, worker):
    random.seed()
    note("post_fork dispose", worker.pid == os.getpid())


def worker_exit(server, worker):
    note("worker_exit close", worker.pid == os.getpid())


def when_ready(server):
    note("when_ready", server.pid > 0, server.address is not None)
    if os.environ.get("READY_FILE"):
        open(os.environ["READY_FILE"], "w").close()
