"""A shop of one page: links, a redirect, a form, a session, uploads and a stream.

It does not know where it is mounted.
"""

import hashlib
import time
from typing import Iterator

from flask import Flask, Response, jsonify, redirect, render_template_string, request, session
from flask import url_for
from flask.typing import ResponseReturnValue

app = Flask(__name__)
app.secret_key = "only for tests"

TITLE = "Shop one"
closed = 0

PAGE = """<!doctype html>
<title>{{ title }}</title>
<h1>{{ title }}</h1>
<p id="name">{{ name or "nobody" }}</p>
<a href="{{ url_for('signed') }}">signed</a>
<form method="post" action="{{ url_for('sign') }}">
<input name="name"><button>Sign</button>
</form>
"""


@app.route("/")
def index() -> ResponseReturnValue:
    return render_template_string(PAGE, title=TITLE, name=None)


@app.route("/signed")
def signed() -> ResponseReturnValue:
    return render_template_string(PAGE, title=TITLE, name=session.get("name"))


@app.route("/sign", methods=["POST"])
def sign() -> ResponseReturnValue:
    session["name"] = request.form["name"]
    return redirect(url_for("signed"))


@app.route("/old/")
def old() -> ResponseReturnValue:
    return redirect(url_for("signed", _external=True))


@app.route("/upload", methods=["POST"])
def upload() -> ResponseReturnValue:
    data = request.get_data()
    return jsonify(length=len(data), sha256=hashlib.sha256(data).hexdigest())


@app.route("/stream")
def stream() -> ResponseReturnValue:
    def ticks() -> Iterator[str]:
        global closed
        try:
            for count in range(600):
                yield f"tick {count}\n"
                time.sleep(0.05)
        finally:
            closed += 1

    return Response(ticks(), mimetype="text/plain")


@app.route("/closed")
def streams_closed() -> ResponseReturnValue:
    return jsonify(closed=closed)


@app.route("/broken")
def broken() -> ResponseReturnValue:
    raise RuntimeError("broken on purpose")
