"""The logs of the server and of the application in one configuration of logging."""

import os

bind = "127.0.0.1:0"
workers = 1
accesslog = "-"
access_log_format = (
    '{"remote": "%(h)s", "request": "%(r)s", "status": "%(s)s", "agent": "%(a)s", "time": "%(L)s"}'
)
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "formatters": {
        "line": {"format": "%(levelname)s|%(name)s|%(message)s", "class": "logging.Formatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "stream": "ext://sys.stdout",
        },
        "file": {
            "class": "logging.FileHandler",
            "formatter": "line",
            "filename": os.environ.get("LOG_FILE", os.devnull),
        },
    },
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["file"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["file"], "propagate": False},
    },
}
