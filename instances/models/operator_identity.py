"""Which user of the console a person of an identity provider is."""

from django.conf import settings
from django.db import models

from instances.models.service_instance import digest


class OperatorIdentity(models.Model):
    """By issuer and subject alone: names at a provider are given anew, or chosen."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    """The digest of both."""
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identity"
    )
    last_login_at = models.DateTimeField()

    class Meta:
        verbose_name = "operator's identity"
        verbose_name_plural = "operators' identities"

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"

    @staticmethod
    def key_of(issuer: str, subject: str) -> str:
        return digest("identity", issuer, subject)
