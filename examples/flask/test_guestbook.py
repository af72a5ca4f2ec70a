import re

import pytest

from guestbook import create_app


@pytest.fixture
def client(tmp_path):
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "only for tests",
            "SESSION_COOKIE_SECURE": False,
            "DATABASE": str(tmp_path / "guestbook.sqlite3"),
        }
    )
    return app.test_client()


def write(client, **fields):
    page = client.get("/").text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)[1]
    return client.post("/", data={"csrf_token": token, **fields})


def test_an_entry_is_shown_and_escaped(client):
    response = write(client, name="Ada", message="<script>alert(1)</script>")
    assert response.status_code == 303
    page = client.get(response.location).text
    assert "<h2>Ada</h2>" in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_form_without_its_token_is_refused(client):
    response = client.post("/", data={"name": "Eve", "message": "from elsewhere"})
    assert response.status_code == 400
    assert "Eve" not in client.get("/").text


@pytest.mark.parametrize("name", ["", "x" * 51])
def test_a_wrong_name_is_explained(client, name):
    response = write(client, name=name, message="Hello")
    assert response.status_code == 422
    assert "<strong>" in response.text


def test_it_does_not_start_without_a_secret():
    with pytest.raises(RuntimeError, match="FLASK_SECRET_KEY"):
        create_app({"SECRET_KEY": None})
