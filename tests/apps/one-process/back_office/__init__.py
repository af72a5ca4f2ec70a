"""The back office of the shop: a Django project with its admin and some reports.

app.ts mounts it at /admin.
"""
