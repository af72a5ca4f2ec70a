"""Routes of the notes."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("json", views.as_json),
    path("greet/<str:name>", views.greet, name="greet"),
    path("form", views.form),
    path("upload", views.upload),
    path("download", views.download),
    path("stream", views.stream),
    path("redirect", views.to_greeting),
    path("boom", views.boom),
    path("async/<str:name>", views.asynchronous),
    path("notes/", views.note_list, name="notes"),
    path("notes/new", views.note_new, name="note-new"),
    path("notes/<int:pk>/attachment", views.note_attachment, name="note-attachment"),
]
