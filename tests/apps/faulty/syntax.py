"""Not Python: the syntax error is what it is for."""

def app(environ, start_response)
    return []
