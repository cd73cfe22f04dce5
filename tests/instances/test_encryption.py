import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, override_settings

from instances import errors, placement
from instances.encryption import decrypt, encrypt, rotate
from instances.models import Broker, Container, ServiceBinding
from instances.operations.installation import check_readable, rotate_keys
from tests.instances.base import DomainTestCase

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


class EncryptionTest(SimpleTestCase):
    def test_what_is_encrypted_is_read_back(self):
        assert decrypt(encrypt("secret ü")) == "secret ü"

    def test_the_same_text_is_another_token_each_time(self):
        assert encrypt("secret") != encrypt("secret")

    def test_every_key_of_the_ring_decrypts(self):
        """F124."""
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            token = encrypt("secret")
        with override_settings(ENCRYPTION_KEYS=(NEW, OLD)):
            assert decrypt(token) == "secret"

    def test_the_first_key_encrypts(self):
        with override_settings(ENCRYPTION_KEYS=(NEW, OLD)):
            token = encrypt("secret")
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            assert decrypt(token) == "secret"

    def test_rotate_puts_a_secret_under_the_first_key(self):
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            token = encrypt("secret")
        with override_settings(ENCRYPTION_KEYS=(NEW, OLD)):
            token = rotate(token)
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            assert decrypt(token) == "secret"

    def test_a_token_of_a_lost_key_is_unreadable(self):
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            token = encrypt("secret")
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            with pytest.raises(errors.Unreadable) as caught:
                decrypt(token)
        assert "ENCRYPTION_KEYS" in caught.value.detail

    def test_a_token_that_was_tampered_with_is_unreadable(self):
        token = encrypt("secret")
        with pytest.raises(errors.Unreadable):
            decrypt(token[:-4] + "AAA=")


class ColumnTest(DomainTestCase):
    def column(self, model: type, name: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {name} FROM {model._meta.db_table}")
            return str(cursor.fetchone()[0])

    def test_secrets_are_only_there_encrypted(self):
        """S21."""
        binding = self.bound(self.provisioned())
        secrets = [
            (ServiceBinding, "password", binding.password),
            (ServiceBinding, "credentials", binding.password),
            (Container, "admin_secret", Container.objects.get().admin_secret),
        ]
        for model, name, secret in secrets:
            stored = self.column(model, name)
            assert stored and secret not in stored

    def test_empty_stays_empty(self):
        container = placement.place(self.plan)
        Container.objects.mark_gone(container)
        assert self.column(Container, "admin_secret") == ""
        assert Container.objects.get().admin_secret == ""


class RotateKeysTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            self.binding = self.bound(self.provisioned())

    def test_every_secret_is_readable_under_the_new_key_alone(self):
        """F124."""
        with override_settings(ENCRYPTION_KEYS=(NEW, OLD)):
            assert rotate_keys() == 4
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            binding = ServiceBinding.objects.get()
            assert binding.password == self.binding.password
            assert binding.credentials == self.binding.credentials
            assert Container.objects.get().admin_secret
            check_readable()

    def test_it_can_run_twice(self):
        with override_settings(ENCRYPTION_KEYS=(NEW, OLD)):
            rotate_keys()
            rotate_keys()
            assert ServiceBinding.objects.get().password == self.binding.password

    def test_a_lost_key_is_told_and_changes_nothing(self):
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            with pytest.raises(errors.Unreadable):
                rotate_keys()
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            assert ServiceBinding.objects.get().password == self.binding.password


class CheckReadableTest(DomainTestCase):
    def test_the_right_key_passes(self):
        check_readable()
        check_readable()

    def test_another_key_stops_the_start(self):
        """F124: rather than writing garbage."""
        with override_settings(ENCRYPTION_KEYS=(OLD,)):
            Broker.this()
        with override_settings(ENCRYPTION_KEYS=(NEW,)):
            with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
                check_readable()
