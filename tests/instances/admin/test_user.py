"""Users are the administrators'; superusers are their own."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import AuditEvent
from tests.instances.admin.made_roles import make_roles
from tests.instances.admin.parsing import Parsed
from tests.instances.admin.rows import ConsoleTestCase

PASSWORD = "a-password-for-tests-1"


class UsersTestCase(ConsoleTestCase):
    """An administrator is logged in; olga is the superuser."""

    def setUp(self):
        super().setUp()
        make_roles()
        self.users = get_user_model().objects
        self.administrator = self.users.create_user("ada", is_staff=True)
        self.administrator.groups.add(Group.objects.get(name="administrator"))
        self.client.force_login(self.administrator)

    def sent(self, user, **fields):
        return {
            "username": user.username,
            "is_active": "on",
            "is_staff": "on",
            "groups": [group.pk for group in user.groups.all()],
            "date_joined_0": "2026-11-27",
            "date_joined_1": "08:00:00",
            **fields,
        }


class Administrators(UsersTestCase):
    def test_make_users_with_a_role(self):
        role = Group.objects.get(name="operator")
        url = reverse("admin:auth_user_add")
        boxes = [
            given for tag, given in Parsed(self.text_of(url)).elements if tag == "input"
        ]
        assert any("checked" in box for box in boxes if box.get("name") == "is_staff")
        sent = {
            "username": "otto",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
            "is_staff": "on",
            "groups": role.pk,
        }
        assert self.client.post(url, sent).status_code == 302
        made = self.users.get(username="otto")
        assert made.is_staff and not made.is_superuser
        assert list(made.groups.all()) == [role]
        assert "operator" in self.text_of(list_url(get_user_model()))

    def test_cannot_make_a_superuser_of_themselves_or_others(self):
        """SECURITY S47."""
        for user in (self.administrator, self.users.create_user("otto")):
            sent = self.sent(user, is_superuser="on", user_permissions=[1, 2])
            assert self.client.post(change_url(user), sent).status_code == 302
            user.refresh_from_db()
            assert not user.is_superuser and not user.user_permissions.exists()

    def test_cannot_take_over_a_superuser(self):
        """SECURITY S47."""
        password = reverse("admin:auth_user_password_change", args=[self.user.pk])
        before = self.user.password
        sent = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        assert self.client.post(password, sent).status_code == 403
        changed = self.sent(self.user, username="mine")
        assert self.client.post(change_url(self.user), changed).status_code == 403
        delete = reverse("admin:auth_user_delete", args=[self.user.pk])
        assert self.client.post(delete, {"post": "yes"}).status_code == 403
        self.client.post(
            list_url(get_user_model()),
            {
                "action": "delete_selected",
                "_selected_action": self.user.pk,
                "post": "yes",
            },
        )
        self.user.refresh_from_db()
        assert self.user.username == "olga" and self.user.password == before

    def test_see_the_roles_and_do_not_change_them(self):
        role = Group.objects.get(name="viewer")
        assert "Can view service instance" in self.text_of(change_url(role))
        assert self.client.post(change_url(role), {"name": "x"}).status_code == 403

    def test_leave_audit_events_without_passwords(self):
        """SECURITY S49."""
        otto = self.users.create_user("otto")
        url = reverse("admin:auth_user_password_change", args=[otto.pk])
        sent = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        assert self.client.post(url, sent).status_code == 302
        delete = reverse("admin:auth_user_delete", args=[otto.pk])
        assert self.client.post(delete, {"post": "yes"}).status_code == 302
        events = AuditEvent.objects.order_by("pk")
        assert [(event.action, event.target) for event in events] == [
            ("edit user", "user otto"),
            ("delete user", "user otto"),
        ]
        assert all(event.actor_name == "ada" for event in events)
        assert PASSWORD not in str([event.changes for event in events])


class Superusers(UsersTestCase):
    def test_make_others(self):
        self.client.force_login(self.user)
        sent = self.sent(self.administrator, is_superuser="on")
        url = change_url(self.administrator)
        assert self.client.post(url, sent).status_code == 302
        self.administrator.refresh_from_db()
        assert self.administrator.is_superuser
