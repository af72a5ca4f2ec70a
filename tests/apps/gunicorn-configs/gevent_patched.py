"""Green threads; a driver is made green when a worker starts."""

from events import note

bind = "127.0.0.1:0"
workers = 2
worker_class = "gevent"
worker_connections = 500
keepalive = 75
timeout = 300


def post_fork(server, worker):
    from gevent import monkey

    note("post_fork", monkey.is_module_patched("socket"))
    worker.log.info("Made the driver green")


def post_worker_init(worker):
    note("post_worker_init", callable(worker.wsgi))
