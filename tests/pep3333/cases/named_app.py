"""A module whose application is called app."""

from .callables import factory

app = factory("app")
