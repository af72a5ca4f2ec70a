"""A Bottle application with the features of real ones, for tests/release/frameworks.test.ts."""

import hashlib
import os
from typing import Any, Iterator

import bottle
from bottle import request, response

app = bottle.Bottle()


@app.get("/")
def index() -> str:
    return "Hello from Bottle"


@app.get("/json")
def as_json() -> "dict[str, Any]":
    return {"framework": "Bottle", "name": request.query.getunicode("name")}


@app.get("/greet/<name>")
def greet(name: str) -> str:
    return f"Hello, {name}"


@app.post("/form")
def form() -> "dict[str, Any]":
    return {key: request.forms.getunicode(key) for key in request.forms}


@app.post("/upload")
def upload() -> "dict[str, Any]":
    file = request.files["file"]
    data = file.file.read()
    return {
        "filename": file.raw_filename,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@app.get("/download")
def download() -> Any:
    return bottle.static_file("download.bin", root=os.environ["TEST_DATA"], download=True)


@app.get("/stream")
def stream() -> Iterator[str]:
    response.content_type = "text/plain; charset=utf-8"
    for number in range(100):
        yield f"{number} {request.path}?{request.query_string}\n"


@app.get("/redirect")
def to_greeting() -> None:
    bottle.redirect("/greet/Ann", 302)


@app.get("/boom")
def boom() -> None:
    raise RuntimeError("boom in Bottle")


@app.error(404)
def not_found(error: bottle.HTTPError) -> str:
    return f"Bottle finds nothing at {request.path}"
