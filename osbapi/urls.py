"""The routes of OSB 2.17. Ids are any strings; there are no trailing slashes."""

from django.urls import path, re_path

from osbapi import views

_INSTANCE = "service_instances/<str:instance_id>"
_BINDING = f"{_INSTANCE}/service_bindings/<str:binding_id>"

urlpatterns = [
    path("catalog", views.Catalog.as_view()),
    path(_INSTANCE, views.Instance.as_view()),
    path(f"{_INSTANCE}/last_operation", views.LastOperation.as_view()),
    path(_BINDING, views.Binding.as_view()),
    re_path("", views.Unknown.as_view()),
]
