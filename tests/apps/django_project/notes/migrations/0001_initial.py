"""Makes the notes table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies: list = []
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                ("text", models.TextField(blank=True)),
                ("attachment", models.FileField(blank=True, upload_to="attachments/")),
            ],
        ),
    ]
