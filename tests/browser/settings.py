"""The product's settings; the static files stand with the rest of the site's state."""

from tests.system.settings import *  # noqa: F403
from tests.system.settings import STATE_DIRECTORY

STATIC_ROOT = STATE_DIRECTORY / "static"
