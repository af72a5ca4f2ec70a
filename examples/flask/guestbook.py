"""A guestbook: Flask with SQLite."""

import os
import sqlite3

from flask import Flask, current_app, g, redirect, render_template, url_for
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    written TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""

csrf = CSRFProtect()


class EntryForm(FlaskForm):
    name = StringField("Name", [DataRequired(), Length(max=50)])
    message = TextAreaField("Message", [DataRequired(), Length(max=1000)])


def create_app(config=None):
    """Makes the application. The server calls this, and so do the tests, with their config."""
    app = Flask(__name__)
    app.config.update(
        DATABASE=os.path.join(app.instance_path, "guestbook.sqlite3"),
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    # FLASK_SECRET_KEY of the environment is SECRET_KEY here, and so on.
    app.config.from_prefixed_env()
    app.config.update(config or {})
    if not app.config["SECRET_KEY"]:
        raise RuntimeError("Set FLASK_SECRET_KEY to a long random text: see README.md")
    csrf.init_app(app)
    app.teardown_appcontext(close_database)

    os.makedirs(os.path.dirname(app.config["DATABASE"]), exist_ok=True)
    with app.app_context():
        database().execute(SCHEMA)
        # Readers and a writer do not wait for each other.
        database().execute("PRAGMA journal_mode = WAL")

    app.add_url_rule("/", view_func=entries, methods=["GET", "POST"])
    app.after_request(allow_own_content_only)
    return app


def entries():
    """The newest entries, and the form for another one."""
    form = EntryForm()
    if form.validate_on_submit():
        with database() as connection:
            connection.execute(
                "INSERT INTO entry (name, message) VALUES (?, ?)",
                (form.name.data, form.message.data),
            )
        # A page that is loaded again must not send the form again.
        return redirect(url_for("entries"), 303)
    newest = database().execute("SELECT * FROM entry ORDER BY id DESC LIMIT 50")
    status = 422 if form.errors else 200
    return render_template("entries.html", form=form, entries=newest), status


def database():
    """The connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["DATABASE"], timeout=10)
        g.database.row_factory = sqlite3.Row
    return g.database


def close_database(_error):
    if "database" in g:
        g.pop("database").close()


def allow_own_content_only(response):
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return response
