def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"mounted at '{environ['SCRIPT_NAME']}', asked for '{environ['PATH_INFO']}'\n".encode()]
