"""A Pyramid application with the features of real ones, for tests/release/frameworks.test.ts."""

import hashlib
import os
from typing import Any, Iterator

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import FileResponse, Response
from pyramid.view import notfound_view_config, view_config


@view_config(route_name="index")
def index(request: Request) -> Response:
    return Response("Hello from Pyramid", content_type="text/plain")


@view_config(route_name="json", renderer="json")
def as_json(request: Request) -> "dict[str, Any]":
    return {"framework": "Pyramid", "name": request.params.get("name")}


@view_config(route_name="greet")
def greet(request: Request) -> Response:
    return Response(f"Hello, {request.matchdict['name']}", content_type="text/plain")


@view_config(route_name="form", request_method="POST", renderer="json")
def form(request: Request) -> "dict[str, Any]":
    return dict(request.POST)


@view_config(route_name="upload", request_method="POST", renderer="json")
def upload(request: Request) -> "dict[str, Any]":
    file = request.POST["file"]
    data = file.file.read()
    return {
        "filename": file.filename,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@view_config(route_name="download")
def download(request: Request) -> Response:
    response = FileResponse(
        os.path.join(os.environ["TEST_DATA"], "download.bin"),
        request=request,
        content_type="application/octet-stream",
    )
    response.content_disposition = 'attachment; filename="download.bin"'
    return response


@view_config(route_name="stream")
def stream(request: Request) -> Response:
    def lines() -> Iterator[bytes]:
        for number in range(100):
            yield f"{number} {request.path}?{request.query_string}\n".encode()

    return Response(app_iter=lines(), content_type="text/plain")


@view_config(route_name="redirect")
def to_greeting(request: Request) -> Response:
    return HTTPFound(request.route_path("greet", name="Ann"))


@view_config(route_name="boom")
def boom(request: Request) -> Response:
    raise RuntimeError("boom in Pyramid")


@notfound_view_config()
def not_found(request: Request) -> Response:
    return Response(
        f"Pyramid finds nothing at {request.path}", status=404, content_type="text/plain"
    )


def main() -> Any:
    """Makes the WSGI application; served as `pyramid_app:main()`."""
    with Configurator() as config:
        config.add_route("index", "/")
        config.add_route("greet", "/greet/{name}")
        for name in ("json", "form", "upload", "download", "stream", "redirect", "boom"):
            config.add_route(name, "/" + name)
        config.scan(__name__)
        return config.make_wsgi_app()
