import pytest

from notes import create_app


@pytest.fixture
def client(tmp_path):
    app = create_app({"TESTING": True, "DATABASE": str(tmp_path / "notes.sqlite3")})
    return app.test_client()


def test_a_note_is_kept(client):
    added = client.post("/notes", json={"text": " Learn WSGI "})
    assert added.status_code == 201
    assert client.get("/notes").json == [added.json] == [{"id": 1, "text": "Learn WSGI"}]


@pytest.mark.parametrize("body", [{}, [], {"text": " "}, {"text": "x" * 201}, {"text": 1}])
def test_what_is_no_note_is_refused(client, body):
    assert client.post("/notes", json=body).status_code == 422
    assert client.get("/notes").json == []


def test_a_form_of_another_site_is_refused(client):
    assert client.post("/notes", data={"text": "forged"}).status_code == 415
