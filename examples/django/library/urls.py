from django.contrib import admin
from django.urls import path

from books.views import BookList

urlpatterns = [
    path("", BookList.as_view(), name="books"),
    path("admin/", admin.site.urls),
]
