import uuid

import hello
from append import Append


def with_request_id(app):
    def with_id(environ, start_response):
        request_id = environ.get("HTTP_X_REQUEST_ID") or str(uuid.uuid4())
        environ["app.request_id"] = request_id

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Request-ID", request_id)], exc_info)

        return app(environ, start)

    return with_id


app = with_request_id(Append(hello.app, "Greeted by WSGI.\n"))
