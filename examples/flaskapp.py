"""A first Flask application: npx monoceros flaskapp:app"""

from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello from Flask!\n"


@app.post("/upload")
def upload() -> str:
    """curl -F file=@photo.jpg http://127.0.0.1:8000/upload"""
    file = request.files["file"]
    return f"{file.filename}: {len(file.read())} bytes\n"
