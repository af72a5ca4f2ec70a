def methods(**table):
    if "GET" in table:
        table.setdefault("HEAD", table["GET"])
    allow = ", ".join(sorted({*table, "OPTIONS"}))

    def by_method(environ, start_response):
        method = environ["REQUEST_METHOD"]
        if method in table:
            return table[method](environ, start_response)
        if method == "OPTIONS":
            start_response("204 No Content", [("Allow", allow)])
            return []
        start_response("405 Method Not Allowed", [("Allow", allow), ("Content-Type", "text/plain")])
        return [b"405 Method Not Allowed\n"]

    return by_method
