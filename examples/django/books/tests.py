from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from django.urls import reverse

from books.models import Book

# Tests do not collect static files.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


@override_settings(STORAGES=STORAGES)
class BookTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        Book.objects.create(title="Emma <3", author="Jane Austen", lent_to="Ada")
        Book.objects.create(title="Middlemarch", author="George Eliot")

    def test_the_list_says_that_a_book_is_lent_and_not_to_whom(self):
        page = self.client.get(reverse("books"))
        self.assertContains(page, "<li>Emma &lt;3 by Jane Austen (lent)</li>", html=True)
        self.assertNotContains(page, "Ada")

    def test_books_are_found_by_author(self):
        page = self.client.get(reverse("books"), {"q": "eliot"})
        self.assertContains(page, "Middlemarch")
        self.assertNotContains(page, "Emma")

    def test_only_staff_may_change_books(self):
        changes = reverse("admin:books_book_changelist")
        self.assertRedirects(self.client.get(changes), f"{reverse('admin:login')}?next={changes}")
        self.client.force_login(User.objects.create_superuser("librarian"))
        self.assertContains(self.client.get(changes), "Emma &lt;3")
