"""The kinds of work that there are, and what excludes what."""

from django.db import models


class Kind(models.TextChoices):
    PROVISION = "provision"
    UPDATE = "update"
    BIND = "bind"
    UNBIND = "unbind"
    BACK_UP = "back_up", "back up"
    RESTORE = "restore"
    MOVE = "move"
    UPLOAD = "upload"
    EXPIRE = "expire"
    DEPROVISION = "deprovision"
    RECREATE_USER = "recreate_user", "re-create user"
    ADOPT = "adopt"


EXCLUSIVE = (
    *(Kind.PROVISION, Kind.UPDATE, Kind.BACK_UP, Kind.RESTORE),
    *(Kind.ADOPT, Kind.MOVE, Kind.DEPROVISION),
)
"""One at a time per service instance. Others are per binding, if they have one."""
WISHED = (Kind.PROVISION, Kind.UPDATE, Kind.DEPROVISION)
"""What a platform wishes of an instance; a backup may be its operator's business."""
URGENT = (Kind.DEPROVISION, Kind.UNBIND, Kind.EXPIRE)
"""Claimed first, so that a flood of new instances starves no deletion (F27)."""
