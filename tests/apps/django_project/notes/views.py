"""Views of the test project: function views over forms, files and streams."""

import asyncio
import hashlib
from typing import Iterator

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .forms import NoteForm
from .models import Note


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello from Django", content_type="text/plain")


def as_json(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"framework": "Django", "name": request.GET.get("name")})


def greet(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"Hello, {name}", content_type="text/plain; charset=utf-8")


@csrf_exempt
@require_POST
def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.POST.dict())


@csrf_exempt
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"filename": file.name, "size": file.size, "sha256": digest.hexdigest()})


def download(request: HttpRequest) -> HttpResponse:
    return FileResponse(open(settings.DATA_DIR / "download.bin", "rb"), as_attachment=True)


def stream(request: HttpRequest) -> HttpResponse:
    def lines() -> Iterator[str]:
        for number in range(100):
            yield f"{number} {request.path}?{request.META['QUERY_STRING']}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def to_greeting(request: HttpRequest) -> HttpResponse:
    return redirect("greet", name="Ann")


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom in Django")


def note_list(request: HttpRequest) -> HttpResponse:
    return render(request, "notes/list.html", {"notes": Note.objects.order_by("pk")})


def note_new(request: HttpRequest) -> HttpResponse:
    form = NoteForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("notes")
    return render(request, "notes/new.html", {"form": form})


def note_attachment(request: HttpRequest, pk: int) -> HttpResponse:
    note = get_object_or_404(Note, pk=pk)
    return FileResponse(note.attachment.open("rb"), as_attachment=True)


async def asynchronous(request: HttpRequest, name: str) -> HttpResponse:
    """Queries from a coroutine, from a transaction within it, and from a coroutine within that."""

    async def rename(note: Note) -> None:
        note.title = f"{note.title} renamed"
        await note.asave()

    @transaction.atomic
    def rename_in_transaction(note: Note) -> None:
        async_to_sync(rename)(note)

    note = await Note.objects.acreate(title=name)
    await sync_to_async(rename_in_transaction)(note)
    await asyncio.sleep(0.01)
    titles = [note.title async for note in Note.objects.filter(title__startswith=name)]
    await note.adelete()
    return JsonResponse(
        {"titles": titles, "left": await Note.objects.filter(title__startswith=name).acount()}
    )
