"""One model, with a file."""

from django.db import models


class Note(models.Model):
    title = models.CharField(max_length=100)
    text = models.TextField(blank=True)
    attachment = models.FileField(upload_to="attachments/", blank=True)

    def __str__(self) -> str:
        return self.title
