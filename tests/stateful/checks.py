"""What holds after every step, and what holds once all is well again."""

from collections import Counter
from typing import Any

from instances.models import Backup, Container, Operation, PortLease, ServiceInstance
from tests.stateful.client import Client
from tests.stateful.trouble import CHANGING, LOOKS_FIRST


def check_step(client: Client) -> None:
    _check_ports(client)
    assert not client.stage.bugs.found, client.stage.bugs.found[0]
    for guid, told in client.told.items():
        if told.is_steady:
            for known in told.bound():
                assert _works(client, known.credentials), f"I4: {guid}'s do not work"
    if not (client.has_echoes or _is_restoring()):
        for credentials in client.revoked:
            assert not client.stage.accepts(credentials), "I5: they work again"


def _works(client: Client, credentials: Any) -> bool:
    return client.stage.accepts(credentials)


def _is_restoring() -> bool:
    """It declares a window in which the users of the data are made equal."""
    return Operation.objects.unfinished().filter(kind="restore").exists()


def _check_ports(client: Client) -> None:
    """I1, I2: one container listens for an instance, on the port that is its own."""
    owners: Counter[Any] = Counter()
    for container in client.stage.world.containers():
        if container.state != "running" or container.spec.publish_port is None:
            continue
        row = Container.objects.filter(pk=container.spec.name[-32:]).first()
        assert row is not None, f"{container.spec.name} has no row"
        if row.pk in client.forgotten:
            continue
        instance = ServiceInstance.objects.filter(container=row.succeeds or row).first()
        owners[instance and instance.pk] += 1
        lease = PortLease.objects.filter(
            host=row.host_id, number=container.spec.publish_port
        ).first()
        family = {row.pk, row.succeeds_id}
        is_late = client.has_echoes and lease and lease.container_id is None
        is_own = lease and lease.container_id in family - {None}
        assert is_own or is_late, f"{row}: the port is another's, or nobody's"
    owners.pop(None, None)
    assert set(owners.values()) <= {1}, "two containers answer for one instance"


def settle(client: Client) -> None:
    """End all trouble, and see that nothing has been lost, and nothing is left."""
    stage, machine = client.stage, client.stage.world.machine
    stage.faults.clear()
    stage.faults.deliver()
    machine.is_down = stage.world.engine.is_down = False
    machine.strangers.clear()
    machine.deaf_images.clear()
    stage.come_to_rest()
    _ask_again(client)
    stage.come_to_rest()
    for guid in client.told:
        client.poll(guid)
        client.poll_change(guid)
        client.give_up_change(guid)
    client.look_at_backups()
    for told in client.told.values():
        told.is_disturbed = False
    client.revoked += client.owed
    client.owed, client.forgotten = [], set()
    client.has_trouble = client.has_echoes = False
    _check_all(client)
    _check_quiet(client)


def _ask_again(client: Client) -> None:
    """As Cloud Controller does where it does not know what came of it."""
    for guid, told in client.told.items():
        if told.state == "unknown" or (told.state == "deleting" and not told.operation):
            client.delete(guid)
        client.poll(guid)
        unclear = [n for n, known in told.bindings.items() if known.state != "bound"]
        if told.state != "deleting":
            for name in unclear:
                client.unbind(guid, name)


def _check_all(client: Client) -> None:
    """I1 to I12, as far as they can be seen at rest."""
    stage = client.stage
    left = Operation.objects.unfinished()
    assert not left.exists(), f"I8: {left.first()} has not ended"
    rows = stage.container_rows()
    names = {c.spec.name for c in stage.world.containers()}
    lost = _lost_names(client)
    assert names - rows.keys() == set(), "I1: a container is left"
    assert rows.keys() - names <= lost, "I1: a container is missing"
    states = {row.state for name, row in rows.items() if name not in lost}
    assert states <= {"in_use", "standby"}, f"I1: there is one that is {states}"
    _check_standbys(client)
    leased = PortLease.objects.filter(container__isnull=False)
    owners = {lease.container_id for lease in leased}
    assert owners == {row.pk for row in rows.values()}, "I2: a port is leaked"
    assert stage.images() == stage.wanted_images(), "I1, I12: images and rows differ"
    for guid, told in client.told.items():
        _check_instance(client, guid)
        assert told.state not in ("asked", "deleting", "unknown"), f"I8: {told.state}"
    for credentials in client.revoked:
        assert not stage.accepts(credentials), "I5: they work again"
    _check_backups(client)


def _check_standbys(client: Client) -> None:
    """As many as the plan wants, in nobody's use before and now."""
    stage = client.stage
    stage.plan.refresh_from_db()
    names = {row.name for row in Container.objects.filter(state="standby")}
    assert len(names) == stage.plan.standby, f"{len(names)} standbys"
    for container in stage.world.containers():
        if container.spec.name in names:
            assert container.state == "running", f"a standby is {container.state}"
            assert not (container.databases or container.users), "it has been in use"


def _lost_names(client: Client) -> set[str]:
    lost = [guid for guid, told in client.told.items() if told.is_lost]
    rows = Container.objects.filter(instance__guid__in=lost)
    return {row.name for row in rows}


def _check_instance(client: Client, guid: str) -> None:
    told, stage = client.told[guid], client.stage
    row = ServiceInstance.objects.find_live(guid)
    assert (row is None) == (told.state == "absent"), f"I3: {guid} is {told.state}"
    if row is None or told.is_lost or told.state != "ready":
        return
    assert row.state == "ready", f"I3: {row.state}"
    container = stage.world.container_of(row)
    assert container.state == "running", f"I3: it is {container.state}"
    assert container.spec.memory_mb == row.container.memory_mb == row.plan.memory_mb
    assert set(container.databases) == {row.database}, "a witness is left"
    least, most = told.rows
    found = len(container.databases[row.database])
    assert least <= found <= most, f"I11: {found} rows, not {told.rows}"
    told.rows = (found, found)
    names = {known.credentials["username"] for known in told.bound()}
    assert set(stage.world.users_of(row)) == names, "I6: ghosts, or users are missing"
    for known in told.bound():
        assert stage.accepts(known.credentials), "I4: they do not work"


def _check_backups(client: Client) -> None:
    """I12: what is called verified holds what it held."""
    images = client.stage.world.machine.backups
    for kept in client.kept:
        row = Backup.objects.get(pk=kept.pk)
        if row.state == "verified":
            assert row.reference in images, "its image is gone"
        else:
            assert row.state in ("failed", "gone", "expiring"), f"I12: {row.state}"


def _check_quiet(client: Client) -> None:
    """I15: a pass with nothing to do does nothing."""
    calls = client.stage.faults.calls
    calls.clear()
    before = _moments()
    client.stage.look_after()
    client.stage.replenish()
    assert client.stage.work() is None
    changing = set(calls) & CHANGING - LOOKS_FIRST
    assert not changing, f"I15: a quiet pass calls {changing}"
    assert _moments() == before, "I15: a quiet pass changes rows"


def _moments() -> list[Any]:
    models = (Container, ServiceInstance, Operation, Backup, PortLease)
    return [
        sorted((row.pk, str(vars(row).get("state"))) for row in model.objects.all())
        for model in models
    ]
