"""A small Flask site: templates, a static file, a session, uploads; and pages that never end."""

import hashlib
import secrets
from pathlib import Path
from typing import NoReturn

from flask import Flask, redirect, render_template, request, session, url_for
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response

app = Flask(__name__)
app.secret_key = "only for tests"
uploads = Path(app.root_path, "uploads")

# Tells one worker from the other: they share nothing.
worker = secrets.token_hex(8)


@app.get("/")
def index() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return render_template("index.html", visits=session["visits"], who="<you>")


@app.get("/greet/<name>")
def greet(name: str) -> str:
    return f"Hello, {name}"


@app.post("/upload")
def upload() -> Response:
    file = request.files["file"]
    name = secure_filename(file.filename or "unnamed")
    uploads.mkdir(exist_ok=True)
    file.save(uploads / name)
    digest = hashlib.sha256((uploads / name).read_bytes()).hexdigest()
    return redirect(url_for("greet", name=digest))


@app.get("/worker")
def which_worker() -> str:
    return worker


@app.get("/loop")
def loop() -> NoReturn:
    print("loops", flush=True)
    number = 0
    while True:
        number += 1  # round and round


@app.get("/stubborn")
def stubborn() -> NoReturn:
    while True:
        try:
            loop()
        except:  # noqa: E722
            pass


@app.get("/compiled")
def compiled() -> str:
    print("loops", flush=True)
    return str(sum(iter(int, 1)))
