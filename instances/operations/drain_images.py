"""Images of this broker on a host that is empty: they go, too."""

import logging

from instances import errors
from instances.containers import SOURCE_LABEL
from instances.models import DockerHost, HostImage
from instances.operations import hosts

logger = logging.getLogger(__name__)


def remove(host: DockerHost) -> None:
    """Remove what this broker has built or brought. Running it twice changes nothing.

    One that a stranger's container runs stays, and so does what others have pulled.
    """
    if host.present_images == [] and not host.images.exists():
        return
    try:
        docker = hosts.connect(host)
        brought = set(
            host.images.filter(state=HostImage.State.READY).values_list(
                "image", flat=True
            )
        )
        run = set(host.containers.values_list("image", flat=True).distinct())
        for reference in sorted(brought | run | set(host.present_images or ())):
            found = docker.images.find(reference)
            if found is None:
                continue
            if reference in brought or SOURCE_LABEL in found.labels:
                _remove(host, reference)
    except errors.HostUnreachable as error:
        logger.warning("host=%s keeps its images: %s", host, error.detail)
        return
    host.images.exclude(
        state__in=(HostImage.State.WANTED, HostImage.State.WORKING)
    ).delete()
    DockerHost.objects.filter(pk=host.pk).update(present_images=[])


def _remove(host: DockerHost, reference: str) -> None:
    try:
        hosts.connect(host).remove_image(reference)
    except errors.HostRefused as error:
        logger.warning("host=%s keeps image %s: %s", host, reference, error.detail)
    else:
        logger.info("host=%s has no image %s any more", host, reference)
