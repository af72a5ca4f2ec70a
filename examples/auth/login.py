"""The middleware of login.ts in Python. Both know the same users and the same cookies."""

import json
from datetime import datetime, timedelta, timezone
from urllib.parse import quote
import re

import jwt
from werkzeug import Request, Response
from werkzeug.security import check_password_hash

HOURS = 8
PAGE = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Log in</title></head>
  <body>
    <h1>Log in</h1>
    <form method="post">
      <p><label>Name <input name="name" autocomplete="username" required></label></p>
      <p><label>Password
        <input name="password" type="password" autocomplete="current-password" required></label></p>
      <button type="submit">Log in</button>
    </form>
    <!-- message -->
  </body>
</html>
"""
#: Of no password; so it takes as long for a name that is not known.
NOBODY = "scrypt:32768:8:1$-$00"


class Login:
    """A middleware that lets only those in who have logged in. The application finds the name in
    ``REMOTE_USER``, as behind any server with authentication. /login and /logout are its own.

    :param secret: signs the cookies: at least 32 characters, the same in all processes
    :param users: the path of a JSON file, as add-user.js writes it
    """

    def __init__(self, app, secret, users):
        if len(secret) < 32:
            raise ValueError(
                "Set SESSION_SECRET to a random text of at least 32 characters: see README.md"
            )
        self.app = app
        self.secret = secret
        self.users = users

    def __call__(self, environ, start_response):
        request = Request(environ)
        request.max_content_length = 4096
        if is_forged(request):
            response = Response("This request comes from another site.\n", 403)
        elif request.path == "/login":
            response = self.log_in(request) if request.method == "POST" else page()
        elif request.path == "/logout" and request.method == "POST":
            response = Response(status=303, headers={"Location": f"{request.root_path}/login"})
            set_cookie(response, "", 0)
        elif user := self.user_of(request):
            environ["REMOTE_USER"] = user
            return self.app(environ, start_response)
        elif request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            after = quote(request.root_path + request.path, safe="")
            response = Response(
                status=303, headers={"Location": f"{request.root_path}/login?next={after}"}
            )
        else:
            response = Response(status=401, headers={"WWW-Authenticate": "Session"})
        return response(environ, start_response)

    def user_of(self, request):
        try:
            return jwt.decode(request.cookies.get("session", ""), self.secret, ["HS256"])["sub"]
        except (jwt.InvalidTokenError, KeyError):
            return None

    def log_in(self, request):
        name = request.form.get("name", "")
        with open(self.users, encoding="utf-8") as file:
            known = json.load(file)
        if not check_password_hash(known.get(name, NOBODY), request.form.get("password", "")):
            return page(403, '<p role="alert">Name or password is wrong.</p>')
        now = datetime.now(timezone.utc)
        claims = {"sub": name, "iat": now, "exp": now + timedelta(hours=HOURS)}
        # A path here, and no address of another site.
        after = request.args.get("next", "")
        if not re.fullmatch(r"/(?![/\\])[!-~]*", after):
            after = f"{request.root_path}/"
        response = Response(status=303, headers={"Location": after})
        set_cookie(response, jwt.encode(claims, self.secret, "HS256"), HOURS * 3600)
        return response


def is_forged(request):
    """Whether it changes something, and a page of another site has made it."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and re.sub(r"^https?://", "", origin) != request.host


def set_cookie(response, value, seconds):
    response.set_cookie(
        "session", value, max_age=seconds, httponly=True, secure=True, samesite="Lax"
    )


def page(status=200, message=""):
    response = Response(PAGE.replace("<!-- message -->", message), status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response
