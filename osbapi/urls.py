"""The routes of OSB 2.17. Ids are any strings; there are no trailing slashes."""

from urllib.parse import quote, unquote

from django.urls import path, re_path, register_converter

from osbapi import views


class EncodedId:
    """A segment of the path as it was sent: decoded once, slashes and all."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value, errors="surrogateescape")

    def to_url(self, value: str) -> str:
        return quote(value, safe="")


register_converter(EncodedId, "id")

_INSTANCE = "service_instances/<id:instance_id>"
_BINDING = f"{_INSTANCE}/service_bindings/<id:binding_id>"

urlpatterns = [
    path("catalog", views.Catalog.as_view()),
    path(_INSTANCE, views.Instance.as_view()),
    path(f"{_INSTANCE}/last_operation", views.LastOperation.as_view()),
    path(_BINDING, views.Binding.as_view()),
    path(f"{_BINDING}/last_operation", views.LastBindingOperation.as_view()),
    re_path("", views.Unknown.as_view()),
]
