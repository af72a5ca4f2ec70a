"""Shared memory: the application is loaded once, and its objects are left alone."""

import gc

from events import note

bind = "127.0.0.1:0"
workers = 2
preload_app = True
max_requests = 1000
max_requests_jitter = 100


def on_starting(server):
    gc.disable()
    note("on_starting", type(server.log).__name__ != "")


def pre_fork(server, worker):
    gc.freeze()
    note("pre_fork", worker.age)


def post_fork(server, worker):
    gc.enable()
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    note("post_fork", worker.age, worker.pid > 0)
