"""Cannot be imported."""


def read_settings() -> None:
    raise RuntimeError("the database is not configured")


read_settings()
