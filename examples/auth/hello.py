"""A Flask application that knows who has logged in, and nothing of how."""

import os

from flask import Flask, render_template_string, request

from login import Login

PAGE = """<!doctype html>
<title>Flask</title>
<h1>Hello {{ request.remote_user }}, from Flask</h1>
<form method="post" action="/logout"><button type="submit">Log out</button></form>
"""

app = Flask(__name__)


@app.get("/")
def hello():
    return render_template_string(PAGE)


@app.get("/api/me")
def me():
    return {"user": request.remote_user}


def protected():
    """The application with the login around it, for a server without app.ts."""
    return Login(app, os.environ.get("SESSION_SECRET", ""), "users.json")
