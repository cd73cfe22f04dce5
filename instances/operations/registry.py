"""Backups in a registry: pushed where an operator wants them, pulled when missing.

None is by default: whoever reads the registry reads the data (SECURITY S24).
"""

import logging
from collections.abc import Callable

from django.conf import settings

from instances import errors
from instances.containers import RegistryLogin, delete_manifest
from instances.models import Backup, BackupCopy, DockerHost
from instances.operations import backup_places, hosts

logger = logging.getLogger(__name__)

Report = Callable[[str], None]


def login() -> RegistryLogin:
    return RegistryLogin(
        settings.BACKUP_REGISTRY_USERNAME, settings.BACKUP_REGISTRY_PASSWORD
    )


def push(backup: Backup, repository: str, report: Report) -> str:
    """Return the digest under which it is there. Raise ImageFailed, HostUnreachable."""
    host = hosts.connect(backup_places.holder(backup))
    return host.push_image(
        backup.reference, repository, backup.id.hex, login=login(), report=report
    )


def pull(backup: Backup, host: DockerHost, report: Report) -> None:
    """Raise ImageFailed if no registry has it, HostUnreachable."""
    copy = backup.copies.ready().filter(host=None).first()
    if copy is None:
        raise errors.ImageFailed(detail=f"no host that answers has {backup.reference}")
    hosts.connect(host).pull_image(
        copy.registry, copy.digest, backup.reference, login=login(), report=report
    )


def remove(copy: BackupCopy) -> None:
    """Raise ImageFailed if the registry does not let it go."""
    if copy.digest:
        delete_manifest(copy.registry, copy.digest, login())
