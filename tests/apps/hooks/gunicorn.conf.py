"""Every server hook notes what it sees, for a comparison with Gunicorn."""

import json
import logging
import os

workers = 2
# Gunicorn ends a worker that starts for longer, too.
timeout = 6
graceful_timeout = 10
raw_env = ["FROM_RAW_ENV=yes"]


def note(hook, worker=None, **facts):
    """Appends to the notes: which hook, in which process, and what it was given."""
    inside = worker is not None and worker.pid == os.getpid()
    line = {"hook": hook, "where": "worker" if inside else "server", **facts}
    if worker is not None:
        line["age"] = worker.age
    with open(os.environ["HOOK_NOTES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def facts_of(server):
    """What hooks read of ``server``."""
    cfg = server.cfg
    return {
        "num_workers": server.num_workers,
        "timeout": server.timeout,
        "reexec_pid": server.reexec_pid,
        "address": [type(address).__name__ for address in server.address],
        "cfg": [cfg.workers, cfg.timeout, cfg.graceful_timeout, cfg.keyfile, cfg.preload_app],
        "settings": cfg.settings["workers"].get(),
        "worker_class": cfg.worker_class_str,
        "env": cfg.env,
        "app": server.app.cfg.workers,
    }


def on_starting(server):
    server.marked = "by on_starting"
    server.log.info("on_starting with %d workers", server.num_workers)
    server.log.debug("not at this level")
    note("on_starting", facts=facts_of(server))


def when_ready(server):
    note("when_ready", facts=facts_of(server), marked=server.marked)
    logging.getLogger("gunicorn.error").warning("through the logger")


def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", numbers=[new_value, old_value, server.num_workers])


def on_reload(server):
    note("on_reload")


def pre_fork(server, worker):
    worker.prepared = True
    note("pre_fork", worker, pid=worker.pid, booted=worker.booted, ppid=worker.ppid == server.pid)


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    parent = worker.ppid == server.pid
    note("post_fork", worker, facts=[str(worker) == f"<Worker {worker.pid}>", parent])


def post_worker_init(worker):
    application = [callable(worker.wsgi), worker.app.callable is worker.wsgi]
    note("post_worker_init", worker, facts=[*application, worker.booted, worker.alive, worker.nr])


def pre_request(worker, req):
    req.headers.append(("X-BY-HOOK", "yes"))
    headers = sorted(header for header in req.headers if header[0] != "HOST")
    line = [req.method, req.uri, req.path, req.query, req.fragment, req.version, req.scheme]
    note("pre_request", worker, line=line, headers=headers, peer=req.peer_addr[0])


def post_request(worker, req, environ, resp):
    seen = [environ.get(name) for name in ("PATH_INFO", "HTTP_X_BY_HOOK", "FROM_RAW_ENV")]
    if resp is None:
        note("post_request", worker, path=req.path)
        return
    # Gunicorn's has no status_code before start_response.
    code = getattr(resp, "status_code", None)
    answer = [resp.status, code, resp.headers, resp.sent, resp.response_length]
    note("post_request", worker, seen=seen, answer=answer, sent=resp.headers_sent)


def worker_int(worker):
    note("worker_int", worker)


def worker_abort(worker):
    note("worker_abort", worker)


def child_exit(server, worker):
    note("child_exit", worker, known=worker.pid in server.WORKERS, prepared=worker.prepared)


def worker_exit(server, worker):
    note("worker_exit", worker)


def on_exit(server):
    note("on_exit", marked=server.marked, left=len(server.WORKERS))
