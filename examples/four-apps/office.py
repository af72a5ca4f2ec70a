"""The office: Django in one file. It shows how many orders there are, and nothing about anybody."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.template import Context, Engine
from django.urls import path
from django.views.decorators.http import require_safe

from database import database

settings.configure(
    ALLOWED_HOSTS=os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1").split(","),
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
    ROOT_URLCONF=__name__,
    # errorHandler of app.ts answers for errors.
    DEBUG_PROPAGATE_EXCEPTIONS=True,
)

PAGE = Engine().from_string(
    """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Office</title></head>
  <body>
    <h1>Orders</h1>
    <table>
      {% for article, number in orders %}
        <tr><th scope="row">{{ article }}</th><td>{{ number }}</td></tr>
      {% empty %}
        <tr><td>None yet</td></tr>
      {% endfor %}
    </table>
    <p><a href="/">Home</a></p>
  </body>
</html>
"""
)


@require_safe
def orders(request):
    with database() as connection:
        rows = connection.execute(
            "SELECT article, count(*) FROM orders GROUP BY article"
        ).fetchall()
    return HttpResponse(PAGE.render(Context({"orders": rows})))


urlpatterns = [path("", orders)]
application = get_wsgi_application()
