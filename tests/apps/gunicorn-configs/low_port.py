"""Started by root for a low port; the application runs as another user."""

import os

from events import note

bind = os.environ.get("BIND", "127.0.0.1:0")
workers = 2
preload_app = True
user = os.environ.get("RUN_AS", "nobody")
group = os.environ.get("RUN_AS_GROUP", "nogroup")
initgroups = True
umask = 0o027
worker_tmp_dir = "/dev/shm"


def on_reload(server):
    note("on_reload", os.geteuid())


def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", new_value, old_value)


def post_fork(server, worker):
    note("post_fork", os.geteuid())


def post_worker_init(worker):
    note("post_worker_init", os.geteuid())


def on_exit(server):
    note("on_exit")
