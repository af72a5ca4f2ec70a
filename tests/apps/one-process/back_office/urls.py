"""Routes of the back office. The admin is at its root: the mount is called /admin already."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("reports/", include("back_office.reports")),
    path("", admin.site.urls),
]
