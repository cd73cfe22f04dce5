from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin as the product's console."""

    default_site = "instances.console.Console"
