"""A page of Django: twenty rows through the ORM from SQLite, rendered by a template.

The database is the file that BENCH_DATABASE names. ``python django_page.py`` makes it.
"""

from __future__ import annotations

import os

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="only for the benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            # Connections last, as in a tuned production setup; otherwise each request opens the
            # file anew.
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    # What `django-admin startproject` sets up, less what needs its own tables.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "books.html": (
                                "<!doctype html><title>Books</title>"
                                "<h1>Books from {{ year }} on</h1><ul>"
                                "{% for book in books %}"
                                "<li>{{ book.title }} by {{ book.author }}, {{ book.year }}</li>"
                                "{% empty %}<li>None.</li>{% endfor %}</ul>"
                            )
                        },
                    )
                ]
            },
        }
    ],
)
django.setup()

from django.db import connection, models  # noqa: E402  (models need the settings)
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402


class Book(models.Model):
    """A row of the page."""

    title = models.CharField(max_length=100)
    author = models.CharField(max_length=100)
    year = models.IntegerField(db_index=True)

    class Meta:
        app_label = "bench"


def books(request: HttpRequest, year: int) -> HttpResponse:
    """The first twenty books from a year on."""
    rows = Book.objects.filter(year__gte=year).order_by("year", "title")[:20]
    return render(request, "books.html", {"books": rows, "year": year})


urlpatterns = [path("books/<int:year>/", books)]


def make_database() -> None:
    """Create the table and its thousand rows."""
    with connection.schema_editor() as editor:
        editor.create_model(Book)
    Book.objects.bulk_create(
        Book(title="Title %04d" % n, author="Author %02d" % (n % 37), year=1900 + n % 120)
        for n in range(1000)
    )


if __name__ == "__main__":
    make_database()
else:
    from django.core.handlers.wsgi import WSGIHandler

    application = WSGIHandler()
