from wsgiref.simple_server import make_server

from append import app

with make_server("", 8000, app) as httpd:
    print(f"Listening at http://localhost:{httpd.server_port}", flush=True)
    httpd.serve_forever()
