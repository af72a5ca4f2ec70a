"""The Flask application that the projects beside this file mount at /shop."""

import time

from flask import Flask, Response, redirect, request, session, url_for

app = Flask(__name__)
app.secret_key = "only for tests"


@app.get("/")
def home():
    return f'<a href="{url_for("cart")}">cart</a>'


@app.get("/cart/")
def cart():
    return f'<ul>{"".join(f"<li>{item}</li>" for item in session.get("cart", []))}</ul>'


@app.post("/add")
def add():
    session["cart"] = [*session.get("cart", []), request.form["item"]]
    return redirect(url_for("cart"))


@app.route("/echo", methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def echo():
    return {"method": request.method, "query": request.query_string.decode()}


@app.post("/length")
def length():
    return str(len(request.get_data()))


@app.get("/stream")
def stream():
    def parts():
        yield "first\n"
        while True:
            time.sleep(0.05)
            yield "more\n"

    return Response(parts(), mimetype="text/plain")


@app.get("/version")
def version():
    return "one"
