from django.contrib import admin

from books.models import Book


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "lent_to"]
    list_editable = ["lent_to"]
    search_fields = ["title", "author"]
