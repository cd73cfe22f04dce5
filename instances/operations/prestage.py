"""Prestage: build or pull an image on a host before a service instance needs it."""

import logging
import os
import time
from collections.abc import Callable

from django.db import transaction

from instances import errors, transactions
from instances.containers import SOURCE_LABEL, ImageStore, Report
from instances.containers.shipped import (
    NAMESPACE,
    OWN_BASE,
    ShippedImage,
    find_shipped,
)
from instances.models import Actor, AuditEvent, DockerHost, HostImage
from instances.models.leased_work import MOST_CRASHES
from instances.operations import hosts

logger = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 1.0


@transactions.repeated
def accept(host: DockerHost, image: str, *, actor: Actor) -> bool:
    """Record the wish; return whether it was not under way already."""
    with transaction.atomic():
        is_new = HostImage.objects.want(host, image)
        if is_new:
            AuditEvent.objects.create(
                actor_kind=actor.kind,
                actor_name=actor.name[:255],
                action="prestage image",
                target=f"image {image} on Docker host {host.name}",
            )
    return is_new


def perform(row: HostImage, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Make one attempt at a claimed wish. What goes wrong ends in its row."""
    try:
        _attempt(row, _Progress(row, is_stopping))
    except errors.LeaseLost as error:
        logger.warning("image=%s was taken away: %s", row, error.detail)
    except errors.Interrupted:
        HostImage.objects.release(row.owner)


def _attempt(row: HostImage, report: Report) -> None:
    try:
        if row.crashes >= MOST_CRASHES:
            raise errors.ImageFailed(
                detail=f"The worker was interrupted {row.crashes} times at this."
            )
        _bring(row, report)
    except errors.Stopped:
        raise
    except errors.BrokerError as error:
        logger.warning("image=%s: %s", row, error.detail)
        row.fail(error)
    except Exception as error:
        logger.exception("image=%s: prestage crashed", row)
        row.fail(errors.ImageFailed(detail=f"{type(error).__name__}: {error}"))
    else:
        logger.info("image=%s is there", row)
        row.succeed()


def _bring(row: HostImage, report: Report) -> None:
    """Raise ImageFailed, HostUnreachable."""
    store = hosts.connect(row.host).images
    shipped = find_shipped(row.image)
    if shipped is not None:
        _build(store, shipped, report)
    elif row.image.startswith(NAMESPACE):
        # No registry is ours: whoever took the name there could run anything here.
        raise errors.ImageFailed(
            detail=f"{row.image} does not come with this release, and no registry is "
            f"asked for {NAMESPACE}…: correct the plan's image."
        )
    else:
        report(f"pulling {row.image}")
        store.pull(row.image, report=report)
    if store.find(row.image) is None:
        raise errors.ImageFailed(detail=f"{row.image} is not there afterwards")


def _build(store: ImageStore, shipped: ShippedImage, report: Report) -> None:
    found = store.find(shipped.reference)
    if found is not None and found.labels.get(SOURCE_LABEL) == shipped.source:
        return
    base = _base(store, shipped, report)
    proxies = _proxies() if base == OWN_BASE else {}
    report(f"building on {base}")
    store.build(shipped.build_on(base, **proxies), report=report)


def _base(store: ImageStore, shipped: ShippedImage, report: Report) -> str:
    """What it can be built on: the image that the Dockerfile names, or our own."""
    for base in (shipped.base, OWN_BASE):
        if store.find(base) is not None:
            return base
    report(f"pulling {shipped.base}")
    try:
        store.pull(shipped.base, report=report)
    except errors.ImageFailed as error:
        raise errors.ImageFailed(
            detail=f"{shipped.reference} is built on {shipped.base}, which is not on "
            f"the host and cannot be pulled: let the host reach a registry, or bring "
            f"that image with docker load, and try again.\n{error.detail}"
        ) from None
    return shipped.base


def _proxies() -> dict[str, str]:
    """As bin/build-images: a base of our own gets its packages as we get ours."""
    names = ("http_proxy", "https_proxy")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


class _Progress:
    """Writes progress into the row: a new step at once, else once a second."""

    def __init__(self, row: HostImage, is_stopping: Callable[[], bool]) -> None:
        self._row, self._is_stopping = row, is_stopping
        self._step, self._written_at = "", 0.0

    def __call__(self, text: str) -> None:
        """Raise LeaseLost or Interrupted if this attempt must not go on."""
        # What follows on the first line of a step may be minutes of silence.
        step, now = text.partition(":")[0], time.monotonic()
        if step == self._step and now - self._written_at < PROGRESS_INTERVAL_S:
            return
        self._row.note(text)
        self._step, self._written_at = step, now
        if self._is_stopping():
            raise errors.Interrupted
