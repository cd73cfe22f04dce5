"""Routes of the operators' login at a provider."""

from django.urls import path

from instances.logins import views

app_name = "logins"
urlpatterns = [
    path("begin", views.begin, name="begin"),
    path("callback", views.callback, name="callback"),
]
