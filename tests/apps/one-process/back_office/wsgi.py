"""The WSGI application of the back office."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "back_office.settings")

application = get_wsgi_application()
