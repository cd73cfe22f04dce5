"""The product's settings plus the lab's hook; its commands run unchanged."""

from brokersite.settings import *  # noqa: F403
from brokersite.settings import INSTALLED_APPS, STATE_DIRECTORY

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.hook.ChaosConfig"]
SHIPPED_IMAGES = STATE_DIRECTORY / "images"
