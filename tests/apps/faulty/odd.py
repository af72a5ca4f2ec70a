"""Can be imported, but holds things that are no applications."""

number = 42


def application_factory() -> int:
    return 42


def needs_arguments(first: str) -> None:
    return None


def raises() -> None:
    raise RuntimeError("the factory failed")


def my_application(environ, start_response):  # type: ignore[no-untyped-def]
    start_response("200 OK", [])
    return [b"mine"]
