"""A row of each model, to be copied: with the model of today, or an earlier one."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models.functions import Now

from instances.models import (
    Backup,
    BackupCopy,
    BackupOverride,
    Broker,
    BrokerCredential,
    BulkItem,
    BulkRun,
    Container,
    ContainerSample,
    Evidence,
    Finding,
    HostImage,
    HostSample,
    Kind,
    LoginAttempt,
    Operation,
    OperatorIdentity,
    PlatformLookup,
    ServiceBinding,
    Tombstone,
    Worker,
)
from tests.fakes import make_host, make_plan
from tests.instances.base import ACTOR, Wishes

MODELS = list(apps.get_app_config("instances").get_models(include_auto_created=True))


def unique_rules(model: type[models.Model]) -> Iterator[tuple[str, ...]]:
    """Column by column, what no two rows of the model may have in common."""
    for field in model._meta.local_concrete_fields:
        if field.unique and not field.primary_key:
            yield (field.column,)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            fields = [model._meta.get_field(name) for name in constraint.fields]
            yield tuple(field.column for field in fields)


def zeros(model: type[models.Model]) -> dict[str, int]:
    """For its numbers that have to be there."""
    return {
        field.attname: 0
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.IntegerField)
        and not (field.primary_key or field.null or field.has_default())
    }


class EveryRow(Wishes):
    """A row of each model, and others like it."""

    def setUp(self) -> None:
        super().setUp()
        plan, host = make_plan(), make_host()
        instance = self.provisioned()
        binding = self.bound(instance)
        container = Container.objects.get()
        operation = Operation.objects.enqueue(
            Kind.BACK_UP, instance, actor=ACTOR, binding=binding
        )
        Backup.objects.create(
            instance=instance,
            operation=operation,
            host=host,
            plan=plan,
            memory_mb=1,
            trigger="operator",
        )
        Container.objects.filter(pk=container.pk).update(succeeds=container)
        ServiceBinding.objects.update(predecessor=binding)
        type(instance).objects.update(restored_from=Backup.objects.get())
        BackupCopy.objects.create(backup=Backup.objects.get(), place="1", host=host)
        BackupOverride.objects.create(instance=instance)
        HostImage.objects.create(host=host, image="i")
        Worker.objects.beat("w")
        BrokerCredential.objects.create(username="platform", password_hash="h")
        Broker.this()
        PlatformLookup.this()
        LoginAttempt.objects.begin("somebody", "10.0.0.1")
        Tombstone.objects.bury("unknown")
        run = BulkRun.objects.create(action=BulkRun.Action.RESTART)
        BulkItem.objects.create(run=run, instance=instance, position=1)
        Evidence.objects.create(operation=operation, text="exit code: 3")
        Finding.objects.create(host=host, kind=Finding.Kind.UNKNOWN, name="c")
        HostSample.objects.create(host=host, at=Now(), **zeros(HostSample))
        ContainerSample.objects.create(
            container=container, at=Now(), **zeros(ContainerSample)
        )
        OperatorIdentity.objects.create(
            key="k", user=get_user_model().objects.create_user("u"), last_login_at=Now()
        )

    def sample(self, model: type[models.Model]) -> models.Model:
        """A row, with a value in all that the rules are about."""
        rows = model._default_manager.all()
        if model._meta.label == "instances.Operation":
            rows = rows.filter(kind=Kind.BACK_UP)
        row = rows.first()
        assert row is not None, f"no {model.__name__} to try it with"
        return row

    def copy(self, row: models.Model, keep: tuple[str, ...] = ()) -> models.Model:
        """The same row again, other in all that must be: but not in what is kept."""
        fields = {f.column: f for f in row._meta.local_concrete_fields}
        values = {f.attname: getattr(row, f.attname) for f in fields.values()}
        key = row._meta.pk
        values[key.attname] = self.other(key, values[key.attname])
        for columns in unique_rules(type(row)):
            if columns != keep:
                field = fields[columns[-1]]
                values[field.attname] = self.other(field, values[field.attname])
        return type(row)(**values)

    def other(self, field: Any, value: Any) -> Any:
        if field.remote_field:
            return self.other_target(field)
        if isinstance(value, int) and not isinstance(value, bool):
            return value + 1000
        return uuid.uuid4() if isinstance(value, uuid.UUID) else uuid.uuid4().hex

    def other_target(self, field: Any) -> Any:
        if field.null and field.model._meta.label != "instances.PortLease":
            return None
        target = field.related_model
        is_container = target is Container
        row = Container.objects.earliest("created_at") if is_container else None
        spare = self.copy(row or self.sample(target))
        spare.save(force_insert=True)
        return spare.pk
