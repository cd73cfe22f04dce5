"""Which of the plans' images a host has at this moment, read from Docker."""

from dataclasses import dataclass, field

from instances.containers import SOURCE_LABEL, ContainerStatus, ImageStatus
from instances.containers.shipped import find_shipped
from instances.models import Broker, Container, DockerHost, HostImage, ServicePlan
from instances.operations import hosts


@dataclass
class PlannedImage:
    """An image that active plans name, as one host has it."""

    reference: str
    plans: list[ServicePlan] = field(default_factory=list)
    wish: HostImage | None = None
    """The last prestage of it on this host."""
    status: ImageStatus | None = None
    containers: list[ContainerStatus] = field(default_factory=list)
    """Those of this broker that were made from it, whatever it was then."""

    @property
    def is_outdated(self) -> bool:
        """Whether it was built from other files than this release ships."""
        shipped = find_shipped(self.reference)
        return (
            self.status is not None
            and shipped is not None
            and self.status.labels.get(SOURCE_LABEL) != shipped.source
        )

    @property
    def is_wanting(self) -> bool:
        """Whether a prestage would bring anything. Only after look()."""
        return self.status is None or self.is_outdated

    @property
    def is_under_way(self) -> bool:
        return self.wish is not None and self.wish.is_under_way

    @property
    def is_lacking(self) -> bool:
        """Whether it is wanting, and nobody brings it yet."""
        return self.is_wanting and not self.is_under_way

    @property
    def older(self) -> list[ContainerStatus]:
        """Containers that run an image which had this name before."""
        if self.status is None:
            return []
        now = self.status.id
        return [row for row in self.containers if row.image_id not in ("", now)]


def planned(host: DockerHost) -> list[PlannedImage]:
    """The images that active plans name, with what has been wished for here."""
    found: dict[str, PlannedImage] = {}
    plans = ServicePlan.objects.filter(active=True, offering__active=True)
    for plan in plans.select_related("offering"):
        image = found.setdefault(plan.image, PlannedImage(plan.image))
        image.plans.append(plan)
    for wish in HostImage.objects.filter(host=host, image__in=found):
        found[wish.image].wish = wish
    return sorted(found.values(), key=lambda image: image.reference)


def look(host: DockerHost, images: list[PlannedImage], *, timeout_s: int) -> None:
    """Ask Docker about each. Raise HostUnreachable."""
    docker = hosts.connect(host, timeout_s=timeout_s)
    listed = docker.list(broker_id=str(Broker.this().broker_id))
    image_of = _image_of(host)
    for image in images:
        image.status = docker.images.find(image.reference)
        image.containers = [
            status for status in listed if image_of.get(status.name) == image.reference
        ]


def _image_of(host: DockerHost) -> dict[str, str]:
    """What each container was made with, by its name: Docker forgets moved names."""
    rows = host.containers.exclude(state=Container.State.GONE).defer("admin_secret")
    return {row.name: row.image for row in rows}


def lacking(host: DockerHost, *, timeout_s: int) -> list[str]:
    """What the host lacks, and nobody brings yet. Raise HostUnreachable."""
    images = planned(host)
    look(host, images, timeout_s=timeout_s)
    return [image.reference for image in images if image.is_lacking]
