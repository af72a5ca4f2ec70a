"""Settings of the back office: those of ../django_project, and what they need under a mount."""

from mysite.settings import *  # noqa: F403

ROOT_URLCONF = "back_office.urls"
WSGI_APPLICATION = "back_office.wsgi.application"

# The cookies are nobody else's: other applications of the host have theirs.
SESSION_COOKIE_PATH = "/admin"
CSRF_COOKIE_PATH = "/admin"

# Links to static files are made when there is no request yet, so they have to know the mount. WhiteNoise goes by
# PATH_INFO, which is without it.
STATIC_URL = "/admin/static/"
WHITENOISE_STATIC_PREFIX = "/static/"

# What a view raises goes on to the server, so that one place answers and logs for all applications: errorHandler in app.ts.
DEBUG_PROPAGATE_EXCEPTIONS = True
