"""State that only changes by compare-and-set."""

from typing import Any, Self

from django.db import models

from instances import errors


class StatefulModel(models.Model):
    """A row with a state that several processes may want to change at once."""

    class Meta:
        abstract = True

    def move(self, to: str, *, only_from: tuple[str, ...], **changes: Any) -> Self:
        """Enter the state if the row still is in one of only_from.

        Raise ConcurrencyError if another process has moved it meanwhile.
        """
        rows = type(self)._default_manager.filter(pk=self.pk, state__in=only_from)
        if not rows.update(state=to, **changes):
            raise errors.ConcurrencyError(
                detail=f"{self} is no longer {' or '.join(only_from)}"
            )
        for name, value in {"state": to, **changes}.items():
            setattr(self, name, value)
        return self
