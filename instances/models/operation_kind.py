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
    RESTART = "restart"
    STOP = "stop"
    START = "start"
    ROTATE_SECRET = "rotate_secret", "rotate admin secret"
    DEPROVISION = "deprovision"
    RECREATE_USER = "recreate_user", "re-create user"
    ADOPT = "adopt"


EXCLUSIVE = (
    *(Kind.PROVISION, Kind.UPDATE, Kind.BACK_UP, Kind.RESTORE),
    *(Kind.ADOPT, Kind.MOVE),
    *(Kind.RESTART, Kind.STOP, Kind.START, Kind.ROTATE_SECRET),
    Kind.DEPROVISION,
)
"""One at a time per service instance. Others are per binding, if they have one."""
WISHED = (Kind.PROVISION, Kind.UPDATE, Kind.DEPROVISION)
"""What a platform wishes of an instance; a backup may be its operator's business."""
URGENT = (Kind.DEPROVISION, Kind.UNBIND, Kind.EXPIRE)
"""Claimed first, so that a flood of new instances starves no deletion (F27)."""
CANCELLABLE = (Kind.UPDATE, Kind.BACK_UP, Kind.RESTORE, Kind.RESTART)
"""What an operator may break off: giving it up puts back what there was."""
