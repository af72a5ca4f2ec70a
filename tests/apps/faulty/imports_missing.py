"""Cannot be imported: it needs a module that is not there."""

import a_module_that_nobody_has  # noqa: F401


def app(environ, start_response):  # type: ignore[no-untyped-def]
    return []
