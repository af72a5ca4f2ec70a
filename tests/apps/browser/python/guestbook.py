"""A guestbook: two pages, a form, a session, a stylesheet, error pages.

It does not know where it is mounted.
"""

from flask import Flask, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

app = Flask(__name__)
app.secret_key = "only for tests"

TITLE = "Guestbook"


@app.route("/")
def index() -> ResponseReturnValue:
    return render_template("index.html", title=TITLE)


@app.route("/signed")
def signed() -> ResponseReturnValue:
    return render_template("signed.html", title=TITLE, name=session.get("name"))


@app.route("/sign", methods=["POST"])
def sign() -> ResponseReturnValue:
    session["name"] = request.form["name"]
    return redirect(url_for("signed"))


@app.route("/api/visitor")
def visitor() -> ResponseReturnValue:
    return jsonify(name=session.get("name"))


@app.route("/broken")
def broken() -> ResponseReturnValue:
    raise RuntimeError("broken on purpose")


@app.errorhandler(HTTPException)
def on_error(error: HTTPException) -> ResponseReturnValue:
    return render_template("error.html", title=TITLE, error=error), error.code or 500
