from django.apps import AppConfig


class OSBAPIConfig(AppConfig):
    name = "osbapi"
    verbose_name = "Open Service Broker API"
