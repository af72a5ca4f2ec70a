"""The shop: Flask. It does not know where it is mounted."""

import os

from flask import Flask, flash, redirect, render_template_string, url_for
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import RadioField

from database import database

PAGE = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Shop</title></head>
  <body>
    <h1>Shop</h1>
    {% for message in get_flashed_messages() %}<p role="status">{{ message }}</p>{% endfor %}
    <form method="post" action="{{ url_for('shop') }}">
      {{ form.csrf_token }} {{ form.article }}
      <button type="submit">Order</button>
    </form>
    <p><a href="/">Home</a></p>
  </body>
</html>
"""

app = Flask(__name__)
app.config.update(
    # A cookie of its own: the other applications are at the same address.
    SESSION_COOKIE_NAME="shop",
    SESSION_COOKIE_SECURE=True,
    SESSION_COOKIE_SAMESITE="Lax",
    # errorHandler of app.ts answers for errors.
    PROPAGATE_EXCEPTIONS=True,
)
app.config.from_prefixed_env()
if not app.secret_key:
    raise RuntimeError("Set FLASK_SECRET_KEY to a long random text: see README.md")
CSRFProtect(app)


class OrderForm(FlaskForm):
    article = RadioField("Article", choices=["Tea", "Coffee", "Cups"], default="Tea")


@app.route("/", methods=["GET", "POST"])
def shop():
    form = OrderForm()
    if form.validate_on_submit():
        with database() as connection:
            connection.execute("INSERT INTO orders (article) VALUES (?)", [form.article.data])
        flash(f"You have ordered: {form.article.data}")
        return redirect(url_for("shop"), 303)
    return render_template_string(PAGE, form=form), 422 if form.errors else 200
