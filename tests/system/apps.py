from django.apps import AppConfig


class CrashingConfig(AppConfig):
    name = "tests.system"
    label = "crashing"

    def ready(self) -> None:
        from tests.system.crash_points import install

        install()
