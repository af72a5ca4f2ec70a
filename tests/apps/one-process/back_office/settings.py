"""Settings of the back office: those of ../django_project, and what they need under a mount."""

from mysite.settings import *  # noqa: F403

ROOT_URLCONF = "back_office.urls"
WSGI_APPLICATION = "back_office.wsgi.application"

# The cookies are nobody else's: other applications of the host have theirs.
SESSION_COOKIE_PATH = "/admin"
CSRF_COOKIE_PATH = "/admin"

# Links to static files are made when there is no request yet, so the mount is part of their
# setting. WhiteNoise uses PATH_INFO, which does not have it.
STATIC_URL = "/admin/static/"
WHITENOISE_STATIC_PREFIX = "/static/"

# Errors of views go on to the server, so that errorHandler in app.ts answers and logs for all
# applications.
DEBUG_PROPAGATE_EXCEPTIONS = True
