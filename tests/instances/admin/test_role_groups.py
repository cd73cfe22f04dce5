"""The roles as groups: made by a migration, each with what the one below may."""

from django.apps import apps
from django.contrib.auth.models import Group
from django.test import TestCase

from tests.instances.admin.made_roles import EDITOR, MIGRATION, make_roles
from tests.instances.admin.test_roles import ROLES


class Made(TestCase):
    """By the migration, which may run again."""

    def setUp(self):
        make_roles()

    def permissions(self):
        return {
            group.name: set(group.permissions.values_list("codename", flat=True))
            for group in Group.objects.filter(name__in=ROLES)
        }

    def test_twice_changes_nothing_and_keeps_what_was_added(self):
        before = self.permissions()
        assert set(before) == set(ROLES)
        group = Group.objects.get(name="viewer")
        extra = Group.objects.get(name="operator").permissions.exclude(
            pk__in=group.permissions.values("pk")
        )[0]
        group.permissions.add(extra)
        make_roles()
        after = self.permissions()
        assert after.pop("viewer") == before.pop("viewer") | {extra.codename}
        assert after == before

    def test_goes_back_and_comes_again(self):
        before = self.permissions()
        MIGRATION.remove_roles(apps, EDITOR)
        assert self.permissions() == {}
        make_roles()
        assert self.permissions() == before

    def test_each_role_may_what_the_one_below_may(self):
        found = self.permissions()
        assert found["viewer"] < found["operator"] < found["administrator"]
        assert all(name.startswith("view_") for name in found["viewer"])

    def test_no_role_but_the_administrators_may_force_or_reveal(self):
        found = self.permissions()
        for name in ("force_deprovision_serviceinstance", "reveal_servicebinding"):
            holders = [role for role in ROLES if name in found[role]]
            assert holders == ["administrator"], name

    def test_administrators_may_whatever_a_model_of_the_broker_names(self):
        administrator = self.permissions()["administrator"]
        for model in apps.get_app_config("instances").get_models():
            for codename, _ in model._meta.permissions:
                assert codename in administrator, codename
