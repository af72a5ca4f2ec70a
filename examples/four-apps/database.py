"""What the shop and the office share: a database of SQLite."""

import os
import sqlite3
from contextlib import contextmanager

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    article TEXT NOT NULL,
    placed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""


@contextmanager
def database():
    """A connection, whose changes are kept if nothing is raised."""
    connection = sqlite3.connect(os.environ.get("ORDERS", "orders.sqlite3"), timeout=10)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(SCHEMA)
        with connection:
            yield connection
    finally:
        connection.close()
