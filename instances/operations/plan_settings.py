"""A plan's settings, checked by the engine of its offering: models know no engines."""

from collections.abc import Iterator

from instances import errors
from instances.engines import find_configurable
from instances.models import ServicePlan
from instances.models.backup_policy import BackupMethod
from instances.models.disk import WhenFull
from instances.operations import hot_backup


def mistakes(plan: ServicePlan) -> Iterator[tuple[str, str]]:
    """The settings that are wrong, with a sentence each. clean() comes first."""
    engine = find_configurable(plan.offering.engine)
    is_hot = plan.backup_method == BackupMethod.HOT
    if is_hot and not hot_backup.is_possible(plan.offering.engine):
        yield "backup_method", "Give auto or paused: this engine has no hot method."
    if not isinstance(plan.settings, dict):
        return
    if engine is not None:
        yield from engine.mistakes(plan.settings)
        if plan.disk_mb is not None and plan.when_disk_full != WhenFull.STOP:
            sentence = "Give stop: this engine cannot make a database read-only."
            yield "when_disk_full", sentence
        clock = {"backup_interval_h": plan.backup_interval_h}
        for name, value in {**clock, "backup_cron": plan.backup_cron}.items():
            if value:
                yield name, "Remove it: no backup could be proved."
    elif plan.settings:
        names = ", ".join(plan.settings)
        yield names, f"Remove it: engine {plan.offering.engine} takes no settings."


def check(plan: ServicePlan) -> None:
    """Raise InvalidRequest that names everything that is wrong."""
    found = " ".join(f"{name}: {sentence}" for name, sentence in mistakes(plan))
    if found:
        raise errors.InvalidRequest(f"settings: {found}")
