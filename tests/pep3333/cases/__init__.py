"""WSGI applications that each make one sentence of PEP 3333 observable, beside the table that runs
them.
"""
