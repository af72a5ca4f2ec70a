"""Settings of the server: the command `monoceros` reads this file in its folder."""

wsgi_app = "guestbook:create_app()"
workers = 2
threads = 4
accesslog = "-"

# What Gunicorn does not have.
monoceros = {
    # The server sends these files itself, without a worker.
    "static": {"/static": "./static"},
    "security_headers": True,
    "limit_request_body": "64k",
}
