"""Views beside the admin: links, forms, uploads and streams. None depends on the mount."""

import hashlib
import os
import time
from typing import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt

BLOCK = 64 * 1024
PAGE = """<!doctype html>
<title>Django</title>
<a href="{% url 'form' %}">form</a> <a href="{{ facts }}">facts</a>
{% for number in numbers %}<p>Paragraph {{ number }} of a page that is worth compressing.</p>
{% endfor %}"""


def note(event: str) -> None:
    """Tells the test what happened: one line of a file for each."""
    with open(os.path.join(os.environ["TEST_DATA"], "events"), "a", encoding="utf-8") as events:
        events.write(f"{event}\n")


def page(request: HttpRequest, template: str, **values: object) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(template).render(values, request))


def index(request: HttpRequest) -> HttpResponse:
    return page(
        request, PAGE, facts=request.build_absolute_uri(reverse("facts")), numbers=range(60)
    )


def facts(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "application": "Django",
            "mount": request.META["SCRIPT_NAME"],
            "path": request.path_info,
            "query": request.GET.get("name"),
            "requestId": request.headers.get("X-Request-ID"),
            "pid": os.getpid(),
        }
    )


def form(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        request.session["name"] = request.POST["name"]
        response = redirect("greeting")
        response.status_code = 303
        return response
    return page(request, '<form method="post">{% csrf_token %}<input name="name"></form>')


def greeting(request: HttpRequest) -> HttpResponse:
    name = request.session.get("name", "nobody")
    return HttpResponse(f"Django greets {name}", content_type="text/plain; charset=utf-8")


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"filename": file.name, "size": file.size, "sha256": digest.hexdigest()})


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom in Django")


def boom_later(request: HttpRequest) -> HttpResponse:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise RuntimeError("late boom in Django")

    return StreamingHttpResponse(pieces(), content_type="application/octet-stream")


def stream(request: HttpRequest) -> HttpResponse:
    """Gives its second piece when the test says so."""
    key = request.GET["key"]

    def pieces() -> Iterator[str]:
        yield "data: one\n\n"
        while not os.path.exists(os.path.join(os.environ["TEST_DATA"], f"{key}.go")):
            time.sleep(0.01)
        yield "data: two\n\n"

    return StreamingHttpResponse(pieces(), content_type=request.GET["type"])


def endless(request: HttpRequest) -> HttpResponse:
    """Gives pieces until its client has gone."""
    key = request.GET["key"]

    def pieces() -> Iterator[str]:
        try:
            while True:
                yield "data: again\n\n"
                time.sleep(0.01)
        finally:
            note(f"closed {key}")

    return StreamingHttpResponse(pieces(), content_type="text/event-stream")


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    body = iter(lambda: request.read(BLOCK), b"")
    return StreamingHttpResponse(body, content_type="application/octet-stream")


def export(request: HttpRequest) -> HttpResponse:
    size = int(request.GET["size"])

    def pieces() -> Iterator[bytes]:
        block = b"name;price;in stock\r\n" * 3000
        left = size
        while left > 0:
            yield block[:left]
            left -= len(block)

    return StreamingHttpResponse(pieces(), content_type="text/csv")


urlpatterns = [
    path("", index),
    path("facts", facts, name="facts"),
    path("form", form, name="form"),
    path("greeting", greeting, name="greeting"),
    path("upload", upload),
    path("boom", boom),
    path("boom-later", boom_later),
    path("stream", stream),
    path("endless", endless),
    path("echo", echo),
    path("export", export),
]
