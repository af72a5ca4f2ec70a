"""The API: Flask with SQLite. It does not know where it is mounted."""

import os
import sqlite3

from flask import Flask, current_app, g, request

SCHEMA = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"


def create_app(config=None):
    app = Flask(__name__)
    app.config.update(
        DATABASE=os.path.join(app.instance_path, "notes.sqlite3"), MAX_CONTENT_LENGTH=64 * 1024
    )
    app.config.from_prefixed_env()
    app.config.update(config or {})
    app.teardown_appcontext(close_database)

    os.makedirs(os.path.dirname(app.config["DATABASE"]), exist_ok=True)
    with app.app_context():
        database().execute(SCHEMA)
        database().execute("PRAGMA journal_mode = WAL")

    app.add_url_rule("/notes", view_func=newest)
    app.add_url_rule("/notes", view_func=add, methods=["POST"])
    return app


def newest():
    notes = database().execute("SELECT id, text FROM note ORDER BY id DESC LIMIT 100")
    return [dict(note) for note in notes]


def add():
    # A body of another type is refused (415). Forms of other sites cannot send this one.
    body = request.get_json()
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= 200:
        return {"error": "A note has 1 to 200 characters."}, 422
    with database() as connection:
        id = connection.execute("INSERT INTO note (text) VALUES (?)", (text.strip(),)).lastrowid
    return {"id": id, "text": text.strip()}, 201


def database():
    """The connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["DATABASE"], timeout=10)
        g.database.row_factory = sqlite3.Row
    return g.database


def close_database(_error):
    if "database" in g:
        g.pop("database").close()
