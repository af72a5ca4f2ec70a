from methods import methods

notes = []


def show(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{number}. {note}\n".encode() for number, note in enumerate(notes, 1)]


def add(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    note = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    notes.append(note)
    start_response("201 Created", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"Noted: {note}\n".encode()]


app = methods(GET=show, POST=add)
