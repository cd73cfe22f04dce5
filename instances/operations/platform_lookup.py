"""The worker's regular questions to Cloud Controller: what it knows, and by what names.

No request of a platform or an operator waits for this, and nothing depends on it.
"""

import logging
from collections.abc import Callable

from django.conf import settings

from instances import cloud_controller, errors
from instances.models import PlatformLookup
from instances.operations import platform_names
from instances.operations.orphans import Comparison

logger = logging.getLogger(__name__)


def look_up_if_due(*, is_stopping: Callable[[], bool]) -> None:
    """By one worker at a time; after failures ever more rarely."""
    if settings.CLOUD_CONTROLLER and PlatformLookup.claim():
        _look_up(is_stopping)


def _look_up(is_stopping: Callable[[], bool]) -> None:
    platform = cloud_controller.configured()
    try:
        report = Comparison(platform, is_stopping=is_stopping).run()
        platform_names.look_up_spaces(platform)
    except errors.Interrupted:
        PlatformLookup.postpone()
    except errors.PlatformUnavailable as error:
        logger.warning("Cloud Controller: %s", error.detail)
        PlatformLookup.fail(error.detail, retry_after_s=error.retry_after_s)
    else:
        PlatformLookup.succeed(
            interval_s=settings.CLOUD_CONTROLLER["interval_s"],
            doubt=report.doubt,
            instances=len(report.instances.known) + len(report.instances.orphans),
            others=report.others,
        )
