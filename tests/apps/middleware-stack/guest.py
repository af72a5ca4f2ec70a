"""The guest in Python of tests/e2e/middleware-stack.test.ts: see app.ts for what each path does."""

import json
import os
import time

from flask import Flask, Response, request

app = Flask(__name__)


def note(event):
    with open(os.path.join(os.environ["TEST_DATA"], "events"), "a") as events:
        events.write(event + "\n")


@app.get("/text")
def text():
    return Response("some text " * 500, mimetype="text/plain")


@app.get("/facts")
def facts():
    keys = [
        "REMOTE_ADDR",
        "wsgi.url_scheme",
        "HTTP_HOST",
        "SCRIPT_NAME",
        "PATH_INFO",
        "HTTP_X_REQUEST_ID",
    ]
    return Response(
        json.dumps({key: request.environ[key] for key in keys}), mimetype="application/json"
    )


@app.post("/length")
def length():
    return str(len(request.get_data()))


@app.get("/boom")
def boom():
    app.config["PROPAGATE_EXCEPTIONS"] = True
    raise RuntimeError("boom <b>")


@app.get("/late")
def late():
    time.sleep(3)
    return "late"


@app.get("/endless")
def endless():
    def pieces():
        while True:
            yield b"some text " * 200

    response = Response(pieces(), mimetype="text/plain")
    response.call_on_close(lambda: note("closed /flask"))
    return response
