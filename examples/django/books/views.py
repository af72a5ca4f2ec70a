from django.db.models import Q
from django.views.generic import ListView

from books.models import Book


class BookList(ListView):
    """Who has a book is for the admin's eyes alone: this page says only that it is lent."""

    model = Book
    paginate_by = 50

    def get_queryset(self):
        words = self.request.GET.get("q", "")[:100]
        found = Q(title__icontains=words) | Q(author__icontains=words)
        return super().get_queryset().filter(found)
