import hello


class Append:
    def __init__(self, app, text):
        self.app = app
        self.text = text

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
            return start_response(status, kept, exc_info)

        return Appended(self.app(environ, start), self.text)


class Appended:
    def __init__(self, body, text):
        self.body = body
        self.text = text

    def __iter__(self):
        yield from self.body
        yield self.text.encode()

    def close(self):
        if hasattr(self.body, "close"):
            self.body.close()


app = Append(hello.app, "Greeted by WSGI.\n")
