from django.contrib.auth.models import User
from django.test import Client, TestCase

from tasks.models import Task


class TaskTests(TestCase):
    def test_a_task_is_added_and_done(self):
        added = self.client.post(
            "/api/tasks/", {"title": "Learn WSGI"}, content_type="application/json"
        )
        self.assertEqual(added.status_code, 201)
        path = f"/api/tasks/{added.json()['id']}/"
        changed = self.client.patch(path, {"done": True}, content_type="application/json")
        self.assertTrue(changed.json()["done"])
        self.assertTrue(Task.objects.get().done)

    def test_what_is_no_task_is_refused(self):
        for body, status in ({"title": ""}, 422), ({"title": "x" * 201}, 422), ([], 422):
            answer = self.client.post("/api/tasks/", body, content_type="application/json")
            self.assertEqual(answer.status_code, status)
        answer = self.client.post("/api/tasks/", "{", content_type="application/json")
        self.assertEqual(answer.status_code, 400)

    def test_the_token_is_needed(self):
        client = Client(enforce_csrf_checks=True)
        body = {"title": "forged"}
        answer = client.post("/api/tasks/", body, content_type="application/json")
        self.assertEqual(answer.status_code, 403)
        token = client.get("/api/tasks/").cookies["csrftoken"].value
        answer = client.post(
            "/api/tasks/", body, content_type="application/json", headers={"X-CSRFToken": token}
        )
        self.assertEqual(answer.status_code, 201)

    def test_the_admin_lists_tasks(self):
        Task.objects.create(title="<b>")
        self.client.force_login(User.objects.create_superuser("boss"))
        self.assertContains(self.client.get("/admin/tasks/task/"), "&lt;b&gt;")
