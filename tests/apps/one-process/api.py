"""The API of the shop, in Flask; app.ts mounts it at /api. No code here depends on the mount."""

import hashlib
import os
import time
from typing import Iterator

from flask import Flask, jsonify, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue

app = Flask(__name__)
app.config.update(
    SECRET_KEY="only for tests",
    # Its cookie is nobody else's: the other applications of the host have theirs.
    SESSION_COOKIE_PATH="/api",
    # Errors of views go on to the server, so that errorHandler in app.ts answers and logs for all
    # applications.
    PROPAGATE_EXCEPTIONS=True,
)

BLOCK = 64 * 1024
PAGE = """<!doctype html>
<title>Flask</title>
<a href="{{ url_for('form') }}">form</a> <a href="{{ url_for('facts', _external=True) }}">facts</a>
{% for number in range(60) %}<p>Paragraph {{ number }} of a page that is worth compressing.</p>
{% endfor %}"""


def note(event: str) -> None:
    """Tells the test what happened: one line of a file for each."""
    with open(os.path.join(os.environ["TEST_DATA"], "events"), "a", encoding="utf-8") as events:
        events.write(f"{event}\n")


@app.get("/")
def index() -> ResponseReturnValue:
    return render_template_string(PAGE)


@app.get("/facts")
def facts() -> ResponseReturnValue:
    return jsonify(
        application="Flask",
        mount=request.script_root,
        path=request.path,
        query=request.args.get("name"),
        requestId=request.headers.get("X-Request-ID"),
        pid=os.getpid(),
    )


@app.route("/form", methods=["GET", "POST"])
def form() -> ResponseReturnValue:
    if request.method == "POST":
        session["name"] = request.form["name"]
        return redirect(url_for("greeting"), 303)
    return '<form method="post"><input name="name"></form>'


@app.get("/greeting")
def greeting() -> ResponseReturnValue:
    return f"Flask greets {session.get('name', 'nobody')}", {
        "Content-Type": "text/plain; charset=utf-8"
    }


@app.post("/upload")
def upload() -> ResponseReturnValue:
    file = request.files["file"]
    data = file.read()
    return jsonify(filename=file.filename, size=len(data), sha256=hashlib.sha256(data).hexdigest())


@app.get("/boom")
def boom() -> ResponseReturnValue:
    raise RuntimeError("boom in Flask")


@app.get("/boom-later")
def boom_later() -> ResponseReturnValue:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise RuntimeError("late boom in Flask")

    return app.response_class(pieces(), mimetype="application/octet-stream")


@app.get("/stream")
def stream() -> ResponseReturnValue:
    """Gives its second piece when the test says so."""
    key = request.args["key"]

    def pieces() -> Iterator[str]:
        yield "data: one\n\n"
        while not os.path.exists(os.path.join(os.environ["TEST_DATA"], f"{key}.go")):
            time.sleep(0.01)
        yield "data: two\n\n"

    return app.response_class(pieces(), mimetype=request.args["type"])


@app.get("/endless")
def endless() -> ResponseReturnValue:
    """Gives pieces until its client has gone."""
    key = request.args["key"]

    def pieces() -> Iterator[str]:
        try:
            while True:
                yield "data: again\n\n"
                time.sleep(0.01)
        finally:
            note(f"closed {key}")

    return app.response_class(pieces(), mimetype="text/event-stream")


@app.post("/echo")
def echo() -> ResponseReturnValue:
    # The stream itself: there is no request any more when the body is asked for.
    stream = request.stream
    body = iter(lambda: stream.read(BLOCK), b"")
    return app.response_class(body, mimetype="application/octet-stream")


@app.get("/export")
def export() -> ResponseReturnValue:
    size = request.args.get("size", type=int, default=0)

    def pieces() -> Iterator[bytes]:
        block = b"name;price;in stock\r\n" * 3000
        left = size
        while left > 0:
            yield block[:left]
            left -= len(block)

    return app.response_class(pieces(), mimetype="text/csv")
