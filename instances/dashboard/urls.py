from django.urls import path

from instances.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("login", views.callback, name="callback"),
    path("logout", views.log_out, name="logout"),
    path("instances/<path:guid>", views.instance, name="instance"),
]
