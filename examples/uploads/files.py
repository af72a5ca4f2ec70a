"""Uploads and downloads: Flask keeps the files on the disk, and the server sends them."""

import os
import secrets
import sqlite3

from flask import Flask, abort, current_app, g, redirect, render_template, send_file, url_for
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.file import FileField, FileRequired
from werkzeug.utils import secure_filename

SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    uploaded TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""

csrf = CSRFProtect()


class UploadForm(FlaskForm):
    file = FileField("File", [FileRequired()])


class NoSpaceError(Exception):
    pass


class DeleteForm(FlaskForm):
    """Only the token."""


def create_app(config=None):
    """Makes the application. The server calls this, and so do the tests, with their config."""
    app = Flask(__name__)
    app.config.update(
        FOLDER=os.path.join(app.instance_path, "files"),
        DATABASE=os.path.join(app.instance_path, "files.sqlite3"),
        # Of all files together, in bytes.
        SPACE=1024 * 1024 * 1024,
        MAX_CONTENT_LENGTH=100 * 1024 * 1024,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    # FLASK_SECRET_KEY of the environment is SECRET_KEY here, and so on.
    app.config.from_prefixed_env()
    app.config.update(config or {})
    if not app.config["SECRET_KEY"]:
        raise RuntimeError("Set FLASK_SECRET_KEY to a long random text: see README.md")
    csrf.init_app(app)
    app.teardown_appcontext(close_database)

    os.makedirs(app.config["FOLDER"], exist_ok=True)
    with app.app_context():
        database().execute(SCHEMA)
        database().execute("PRAGMA journal_mode = WAL")

    app.add_url_rule("/", view_func=files, methods=["GET", "POST"])
    app.add_url_rule("/files/<id>", view_func=download)
    app.add_url_rule("/files/<id>/delete", view_func=delete, methods=["POST"])
    app.after_request(allow_own_content_only)
    return app


def files():
    """The files, and the form for another one."""
    form = UploadForm()
    status = 200
    if form.validate_on_submit():
        try:
            keep(form.file.data)
            return redirect(url_for("files"), 303)
        except NoSpaceError:
            form.file.errors.append("There is no space for this file.")
            status = 507
    elif form.errors:
        status = 422
    listed = database().execute("SELECT * FROM file ORDER BY uploaded DESC LIMIT 100")
    page = render_template("files.html", form=form, delete=DeleteForm(), files=listed)
    return page, status


def keep(upload):
    """Writes a file under a name of our own: the client's is text to show, and never a path."""
    id = secrets.token_urlsafe(16)
    path = path_of(id)
    upload.save(path)
    size = os.path.getsize(path)
    try:
        with database() as connection:
            # A writer waits for its turn here, so that two together cannot exceed the space.
            connection.execute("BEGIN IMMEDIATE")
            used = connection.execute("SELECT coalesce(sum(size), 0) FROM file").fetchone()[0]
            if used + size > current_app.config["SPACE"]:
                raise NoSpaceError
            name = secure_filename(upload.filename) or "file"
            connection.execute(
                "INSERT INTO file (id, name, size) VALUES (?, ?, ?)", (id, name, size)
            )
    except BaseException:
        os.remove(path)
        raise


def download(id):
    """Sends a file. With USE_X_SENDFILE, which the server sets, Flask only names it to the server,
    and the worker is free at once. As an attachment, so that no upload is a page of this site."""
    file = find(id)
    return send_file(
        path_of(file["id"]),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=file["name"],
    )


def delete(id):
    file = find(id)
    with database() as connection:
        connection.execute("DELETE FROM file WHERE id = ?", (file["id"],))
    os.remove(path_of(file["id"]))
    return redirect(url_for("files"), 303)


def find(id):
    file = database().execute("SELECT * FROM file WHERE id = ?", (id,)).fetchone()
    return file or abort(404)


def path_of(id):
    return os.path.join(current_app.config["FOLDER"], id)


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
        "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response
