"""A guest book, and a counter of visits in the session."""

import logging
import secrets

from django.forms import modelform_factory
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from .models import Entry

logger = logging.getLogger(__name__)
EntryForm = modelform_factory(Entry, fields=("name", "photo"))

# Tells one worker from the other: they share nothing but the disk.
worker = secrets.token_hex(8)


def guest_book(request: HttpRequest) -> HttpResponse:
    form = EntryForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        entry = form.save()
        print(f"{entry} signed the guest book")
        logger.warning("%d bytes of %s", entry.photo.size if entry.photo else 0, entry)
        return redirect("guest-book")
    return render(
        request, "guests/book.html", {"form": form, "entries": Entry.objects.order_by("pk")}
    )


def photo(request: HttpRequest, pk: int) -> FileResponse:
    return FileResponse(get_object_or_404(Entry, pk=pk).photo.open("rb"))


def visits(request: HttpRequest) -> JsonResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"], "worker": worker})
