import json

from django.core.exceptions import ValidationError
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from tasks.models import Task


@ensure_csrf_cookie
@require_http_methods(["GET", "POST"])
def tasks(request):
    if request.method == "GET":
        return JsonResponse({"tasks": [task.as_json() for task in Task.objects.all()[:200]]})
    return save(Task(), request, 201)


@require_http_methods(["PATCH"])
def task(request, id):
    return save(get_object_or_404(Task, id=id), request, 200)


def save(task, request, status):
    """Takes what the body has of the task's fields. Django's middleware has checked the token
    against forgery, which the page sends as X-CSRFToken."""
    try:
        body = json.loads(request.body)
        for name in ("title", "done"):
            if name in body:
                setattr(task, name, body[name])
        task.full_clean()
    except (ValueError, TypeError):
        return JsonResponse({"error": "Send a task as JSON."}, status=400)
    except ValidationError as error:
        return JsonResponse({"error": " ".join(error.messages)}, status=422)
    task.save()
    return JsonResponse(task.as_json(), status=status)
