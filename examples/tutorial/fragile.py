def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/early":
        raise RuntimeError("nothing was sent yet")
    return late() if environ["PATH_INFO"] == "/late" else [b"All is well\n"]


def late():
    yield b"Half of the\n"
    raise RuntimeError("the head was sent")
