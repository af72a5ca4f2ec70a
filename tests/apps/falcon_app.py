"""A Falcon application with the features of real ones, for tests/release/frameworks.test.ts."""

import hashlib
import os
from typing import Iterator

import falcon


class Index:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = "Hello from Falcon"


class Json:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = {"framework": "Falcon", "name": request.get_param("name")}


class Greet:
    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"Hello, {name}"


class Form:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = request.get_media()


class Upload:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        for part in request.get_media():
            if part.name == "file":
                data = part.stream.read()
                response.media = {
                    "filename": part.filename,
                    "size": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }


class Download:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        path = os.path.join(os.environ["TEST_DATA"], "download.bin")
        response.content_type = "application/octet-stream"
        response.downloadable_as = "download.bin"
        # Falcon hands this to wsgi.file_wrapper.
        response.set_stream(open(path, "rb"), os.path.getsize(path))


class Stream:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        def lines() -> Iterator[bytes]:
            for number in range(100):
                yield f"{number} {request.path}?{request.query_string}\n".encode()

        response.content_type = falcon.MEDIA_TEXT
        response.stream = lines()


class Redirect:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        raise falcon.HTTPFound("/greet/Ann")


class Boom:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        raise RuntimeError("boom in Falcon")


app = falcon.App()
for route, resource in {
    "/": Index(),
    "/json": Json(),
    "/greet/{name}": Greet(),
    "/form": Form(),
    "/upload": Upload(),
    "/download": Download(),
    "/stream": Stream(),
    "/redirect": Redirect(),
    "/boom": Boom(),
}.items():
    app.add_route(route, resource)
