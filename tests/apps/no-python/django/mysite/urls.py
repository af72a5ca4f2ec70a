"""Routes of the site."""

from django.contrib import admin
from django.urls import path

from guests import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.guest_book, name="guest-book"),
    path("photos/<int:pk>", views.photo, name="photo"),
    path("visits", views.visits),
]
