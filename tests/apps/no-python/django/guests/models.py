"""What guests leave."""

from django.db import models


class Entry(models.Model):
    name = models.CharField(max_length=100)
    photo = models.FileField(upload_to="photos/", blank=True)
    written = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
