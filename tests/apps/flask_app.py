"""A Flask application with the features of real ones, for tests/release/frameworks.test.ts."""

import asyncio
import hashlib
import io
import os
import threading
from typing import Iterator

from flask import (
    Blueprint,
    Flask,
    abort,
    g,
    jsonify,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue

app = Flask(__name__)
app.secret_key = "only for tests"
app.config["MAX_CONTENT_LENGTH"] = 8 * 1024 * 1024

members = Blueprint("members", __name__, url_prefix="/members")


@members.route("/<name>")
def member(name: str) -> ResponseReturnValue:
    return f"{name} of {request.blueprint}"


app.register_blueprint(members)


@app.before_request
def remember_path() -> None:
    g.path = request.path


@app.route("/")
def index() -> ResponseReturnValue:
    return "Hello from Flask"


@app.route("/json")
def as_json() -> ResponseReturnValue:
    return jsonify(framework="Flask", name=request.args.get("name"))


@app.route("/greet/<name>")
def greet(name: str) -> ResponseReturnValue:
    return f"Hello, {name}"


@app.route("/form", methods=["POST"])
def form() -> ResponseReturnValue:
    return jsonify(request.form.to_dict())


@app.route("/upload", methods=["POST"])
def upload() -> ResponseReturnValue:
    file = request.files["file"]
    data = file.read()
    return jsonify(filename=file.filename, size=len(data), sha256=hashlib.sha256(data).hexdigest())


@app.route("/download")
def download() -> ResponseReturnValue:
    return send_file(os.path.join(os.environ["TEST_DATA"], "download.bin"), as_attachment=True)


@app.route("/download-memory")
def download_memory() -> ResponseReturnValue:
    return send_file(io.BytesIO(b"from memory"), mimetype="text/plain", download_name="memory.txt")


@app.route("/stream")
def stream() -> ResponseReturnValue:
    def lines() -> Iterator[str]:
        for number in range(100):
            # Needs the application context and the request context of this request while streaming.
            yield f"{number} {g.path}?{request.query_string.decode()}\n"

    return app.response_class(stream_with_context(lines()), mimetype="text/plain")


@app.route("/redirect")
def to_greeting() -> ResponseReturnValue:
    return redirect(url_for("greet", name="Ann"))


@app.route("/absolute")
def absolute() -> ResponseReturnValue:
    return url_for("greet", name="Zoë", _external=True)


@app.route("/async/<name>")
async def asynchronous(name: str) -> ResponseReturnValue:
    async def after(seconds: float, value: str) -> str:
        await asyncio.sleep(seconds)
        return f"{value} at {request.path}, {g.path}"

    return jsonify(await asyncio.gather(after(0.02, name), after(0.01, "second")))


@app.route("/async-boom")
async def asynchronous_boom() -> ResponseReturnValue:
    await asyncio.sleep(0)
    raise RuntimeError("async boom in Flask")


@app.route("/login", methods=["POST"])
def login() -> ResponseReturnValue:
    session["user"] = request.form["user"]
    return redirect(url_for("whoami"))


@app.route("/whoami")
def whoami() -> ResponseReturnValue:
    if "user" not in session:
        abort(401)
    return str(session["user"])


@app.route("/logout", methods=["POST"])
def logout() -> ResponseReturnValue:
    session.clear()
    return "", 204


@app.route("/teapot")
def teapot() -> ResponseReturnValue:
    abort(418)


@app.errorhandler(418)
def on_teapot(error: Exception) -> ResponseReturnValue:
    return jsonify(error="short and stout"), 418


@app.route("/boom")
def boom() -> ResponseReturnValue:
    raise RuntimeError("boom in Flask")


@app.route("/threads")
def threads() -> ResponseReturnValue:
    return threading.current_thread().name
