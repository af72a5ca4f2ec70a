"""Every setting that matters, most of them at their defaults, and every hook."""

import os
import signal
import sys
import threading
import traceback

from events import note

bind = "127.0.0.1:0"
backlog = 2048
workers = 1
worker_class = "sync"
worker_connections = 1000
timeout = 30
keepalive = 2
spew = False
daemon = False
raw_env = ["SPAM=eggs"]
pidfile = None
umask = 0
user = None
group = None
tmp_upload_dir = None
errorlog = "-"
loglevel = "info"
accesslog = None
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
proc_name = None
proxy_protocol = False
pythonpath = None
statsd_host = None
logconfig = None
paste = None
certfile = None
keyfile = None


def on_starting(server):
    note("on_starting")


def on_reload(server):
    note("on_reload")


def when_ready(server):
    server.log.info("Server is ready. Spawning workers")
    note("when_ready")


def pre_fork(server, worker):
    note("pre_fork", worker.age)


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    note("post_fork", worker.age, os.environ.get("SPAM"))


def post_worker_init(worker):
    note("post_worker_init")


def pre_exec(server):
    server.log.info("Forked child, re-executing.")
    note("pre_exec")


def pre_request(worker, req):
    worker.log.debug("%s %s" % (req.method, req.path))
    note("pre_request", req.method, req.path)


def post_request(worker, req, environ, resp):
    note("post_request", req.path, resp.status)


def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", new_value, old_value)


def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, stack in sys._current_frames().items():
        worker.log.debug("%s\n%s", names.get(ident), "".join(traceback.format_stack(stack)))
    note("worker_int")


def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")
    note("worker_abort", signal.SIGABRT.value)


def child_exit(server, worker):
    note("child_exit")


def worker_exit(server, worker):
    note("worker_exit")


def on_exit(server):
    note("on_exit")
