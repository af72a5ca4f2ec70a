"""A JSON route of Flask: a small interface as most are, with a path parameter and a query
argument."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

application = Flask(__name__)


@application.get("/items/<int:number>")
def item(number: int) -> Response:
    """Answer with one item as JSON; ``?tag=`` comes back in it."""
    return jsonify(
        id=number,
        name="Item %d" % number,
        tag=request.args.get("tag", "none"),
        price=12.5,
        sizes=["S", "M", "L"],
        available=True,
    )
