"""What a worker does for ``--reload`` only; nothing here is imported without it."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Set

from . import frames
from .loader import load_failure
from .startup import Startup, load_quietly, loaded_files
from .stranger import attribute
from .timed_out import calls_application

if TYPE_CHECKING:
    from .carrier import Carrier

#: Byte code is kept for sources that have not changed for so long, in seconds.
_SETTLED = 3.0

#: The sources of modules that were to be imported, also of those that raised an error.
_sources: Set[str] = set()


def load_while_watching(startup: Startup) -> Callable[..., Any]:
    """Imports the application, and all that it needs for requests. Raises LoadError."""
    _watch_sources()
    application = load_quietly(startup)
    settings = attribute(sys.modules.get("django.conf"), "settings")
    if attribute(settings, "configured") is not True:
        return application
    try:
        return _as_runserver_does(application, settings)
    except BaseException as error:
        raise load_failure(startup.application, error) from None


def _watch_sources() -> None:
    """Notes the sources of all modules that are imported from now on, and stores no byte code of a
    source that was changed a moment ago.

    Python compares the time of a source in whole seconds, and its size. So a module that is edited,
    imported and edited again within a second would be taken from the byte code of the first edit.
    """
    loader: Any = importlib.machinery.SourceFileLoader
    get_code = loader.get_code
    cache = getattr(loader, "_cache_bytecode", None)

    def get_noted_code(self: Any, name: str) -> Any:
        _sources.add(self.path)
        return get_code(self, name)

    def cache_settled(self: Any, source: str, bytecode: str, data: Any) -> None:
        try:
            settled = time.time() - os.stat(source).st_mtime > _SETTLED
        except OSError:
            return
        if settled:
            cache(self, source, bytecode, data)

    loader.get_code = get_noted_code
    if cache is not None:  # another Python may have no such method
        loader._cache_bytecode = cache_settled


def _as_runserver_does(application: Callable[..., Any], settings: Any) -> Callable[..., Any]:
    """Does for a Django application what its own server does while it is developed. Raises what
    the application raises.

    The URL patterns, and with them the views, are imported at the start. Otherwise the first
    request imports them, and a mistake there would be noticed only then. Static files are served if
    DEBUG is true and ``django.contrib.staticfiles`` is installed.
    """
    urls: Any = sys.modules.get("django.urls")
    if urls is not None and attribute(settings, "ROOT_URLCONF") is not None:
        _ = urls.get_resolver().url_patterns
    installed = attribute(settings, "INSTALLED_APPS", ())
    if (
        attribute(settings, "DEBUG") is not True
        or "django.contrib.staticfiles" not in installed
        # whitenoise's way to say that it does that itself
        or "whitenoise.runserver_nostatic" in installed
    ):
        return application
    handlers: Any = importlib.import_module("django.contrib.staticfiles.handlers")
    return under_mounts(handlers.StaticFilesHandler(application), application)


def under_mounts(handler: Any, application: Callable[..., Any]) -> Callable[..., Any]:
    """Makes Django's handler of static files work in an application that is mounted (``pythonApp``,
    ``monoceros/vite``): it compares the path without the mount, and looks for the file with it.

    STATIC_URL may have the mount (``/shop/static/``), or be without it (``static/``).
    """
    base: str = handler.base_url.path

    @calls_application
    def application_with_files(environ: Any, start_response: Any) -> Any:
        mount, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        # `/static/` may be the mount itself.
        if base.startswith(f"{mount}/") and base != f"{mount}/" and not path.startswith(base):
            path = mount + path
        if not path.startswith(base):
            return application(environ, start_response)
        return handler({**environ, "SCRIPT_NAME": "", "PATH_INFO": path}, start_response)

    return application_with_files


class ReportingApplication:
    """Calls an application, and reports modules that it has imported meanwhile."""

    def __init__(self, application: Callable[..., Any], carrier: Carrier) -> None:
        self._application = application
        self._carrier = carrier
        self._count = len(sys.modules) + len(_sources)
        # The acceptor knows these from READY.
        self._known: Set[str] = set(loaded_files())

    @calls_application
    def __call__(self, environ: Any, start_response: Any) -> Any:
        self._report()
        try:
            return self._application(environ, start_response)
        finally:
            self._report()

    def _report(self) -> None:
        count = len(sys.modules) + len(_sources)
        if count == self._count:
            return
        self._count = count
        files = set(loaded_files())
        files.update(map(os.path.abspath, list(_sources)))
        new = sorted(files - self._known)
        self._known |= files
        if new:
            self._carrier.outbox.put(frames.pack_json(frames.FILES, 0, {"files": new}))
