import subprocess

import jwt
import pytest
from werkzeug.test import Client

from hello import app
from login import Login

SECRET = "only for tests, but long enough for every algorithm"
BROWSER = {"base_url": "https://localhost", "headers": {"Accept": "text/html"}}


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    return str(tmp_path_factory.mktemp("users") / "users.json")


@pytest.fixture(scope="module")
def password(users):
    command = ["node", "add-user.js", "ada", users]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def client(users):
    return Client(Login(app, SECRET, users))


def test_somebody_logs_in_and_out(client, password):
    assert client.get("/", **BROWSER).location == "/login?next=%2F"
    form = {"name": "ada", "password": password}
    assert client.post("/login?next=/api/me", data=form, **BROWSER).location == "/api/me"
    assert client.get("/api/me", **BROWSER).json == {"user": "ada"}
    client.post("/logout", **BROWSER)
    assert client.get("/api/me", **BROWSER).status_code == 303


def test_wrong_passwords_and_names_are_refused_alike(client, password):
    forms = [{"name": "ada", "password": "x"}, {"name": "eve", "password": password}, {}]
    answers = [client.post("/login", data=form, **BROWSER) for form in forms]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize("key, algorithm", [("x" * 32, "HS256"), (None, "none"), (SECRET, "HS384")])
def test_a_cookie_that_somebody_else_made_is_nobody(client, key, algorithm):
    client.set_cookie("session", jwt.encode({"sub": "ada"}, key, algorithm))
    assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_led_to_another_site(client, password, after):
    form = {"name": "ada", "password": password}
    response = client.post("/login", data=form, query_string={"next": after}, **BROWSER)
    assert response.location == "/"


def test_a_form_of_another_site_does_nothing(client):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post("/logout", headers=headers).status_code == 403


def test_a_short_secret_is_refused_at_the_start(users):
    with pytest.raises(ValueError, match="SESSION_SECRET"):
        Login(app, "short", users)
