"""A module with both of the names that a server may look for."""

from .callables import factory

application = factory("application")
app = factory("the wrong one")
