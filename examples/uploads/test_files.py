import io
import os
import re

import pytest

from files import create_app


@pytest.fixture
def app(tmp_path):
    return create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "only for tests",
            "SESSION_COOKIE_SECURE": False,
            "FOLDER": str(tmp_path / "files"),
            "DATABASE": str(tmp_path / "files.sqlite3"),
            "SPACE": 1000,
            "MAX_CONTENT_LENGTH": 5000,
        }
    )


@pytest.fixture
def client(app):
    return app.test_client()


def token(client):
    return re.search(r'name="csrf_token"[^>]* value="([^"]+)"', client.get("/").text)[1]


def upload(client, content, name="photo.jpg"):
    data = {"csrf_token": token(client), "file": (io.BytesIO(content), name)}
    return client.post("/", data=data)


def test_a_file_is_kept_sent_and_deleted(app, client):
    assert upload(client, b"content").status_code == 303
    path = re.search(r'href="(/files/[^"]+)">photo.jpg<', client.get("/").text)[1]
    response = client.get(path)
    assert response.data == b"content"
    assert response.headers["Content-Disposition"] == "attachment; filename=photo.jpg"
    assert client.post(f"{path}/delete", data={"csrf_token": token(client)}).status_code == 303
    assert client.get(path).status_code == 404
    assert os.listdir(app.config["FOLDER"]) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "<script>.html"])
def test_a_name_is_never_a_path(app, client, name):
    assert upload(client, b"content", name).status_code == 303
    (kept,) = os.listdir(app.config["FOLDER"])
    assert re.fullmatch(r"[\w-]{22}", kept)
    assert "<script>" not in client.get("/").text


def test_too_much_is_refused_and_leaves_nothing(app, client):
    assert upload(client, b"x" * 6000).status_code == 413
    assert upload(client, b"x" * 1001).status_code == 507
    assert os.listdir(app.config["FOLDER"]) == []


def test_a_form_without_its_token_is_refused(app, client):
    response = client.post("/", data={"file": (io.BytesIO(b"content"), "photo.jpg")})
    assert response.status_code == 400
    assert client.post("/files/x/delete").status_code == 400


def test_the_server_may_send_the_file(app, client):
    upload(client, b"content")
    path = re.search(r'href="(/files/[^"]+)"', client.get("/").text)[1]
    app.config["USE_X_SENDFILE"] = True
    response = client.get(path)
    assert response.headers["X-Sendfile"].startswith(app.config["FOLDER"])
