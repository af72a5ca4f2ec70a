from django.contrib import admin
from django.urls import path

from tasks import views

# Below the mount, /backend: app.ts and vite.config.ts.
urlpatterns = [
    path("api/tasks/", views.tasks),
    path("api/tasks/<int:id>/", views.task),
    path("admin/", admin.site.urls),
]
