"""An application made by a function: npx monoceros 'factory:create_app("Good evening")'

The arguments must be literals. Each worker calls the function once, before the first request.
"""


def create_app(greeting="Hello"):
    body = f"{greeting}!\n".encode()

    def application(environ, start_response):
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        start_response("200 OK", headers)
        return [body]

    return application
