"""Settings of the server: the command `monoceros` reads this file in its folder."""

wsgi_app = "files:create_app()"
workers = 2
threads = 2
accesslog = "-"
# Flask names the file, and the server sends it.
raw_env = ["FLASK_USE_X_SENDFILE=true"]

# What Gunicorn does not have.
monoceros = {
    "sendfile_root": ["./instance/files"],
    # Refused before it reaches a worker.
    "limit_request_body": "100M",
    "security_headers": True,
}
