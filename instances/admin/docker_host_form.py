"""The form of a Docker host: each error names what is wrong together with its cure."""

import re
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from instances.models import DockerHost

SECRETS = ("tls_key", "ssh_key")
"""Written, never shown: left empty, what is stored stays."""

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?|::[0-9A-Fa-f:.]+")
_WITH_PORT = re.compile(r"[^:]+:\d+")
_PORT_ERRORS = dict.fromkeys(
    ("required", "invalid", "min_value", "max_value"), "Give a port from 1024 to 65535."
)
_KEEP = "Encrypted when stored, and not shown again. Empty: the stored one stays."


def _pem(rows: int = 4) -> forms.Textarea:
    return forms.Textarea(
        attrs={"rows": rows, "cols": 70, "spellcheck": "false", "autocomplete": "off"}
    )


class DockerHostForm(forms.ModelForm):
    tls_key = forms.CharField(
        required=False,
        widget=_pem(),
        label="Key of the client certificate",
        help_text=f"PEM, without a passphrase (Docker's key.pem). {_KEEP}",
    )
    ssh_key = forms.CharField(
        required=False,
        widget=_pem(),
        label="Private key",
        help_text="Its public half belongs into authorized_keys of a user who may use "
        f"Docker there. {_KEEP}",
    )

    class Meta:
        model = DockerHost
        fields = [
            "name",
            "url",
            "state",
            "labels",
            "tls_ca",
            "tls_certificate",
            "ssh_host_key",
            "database_host",
            "publish_address",
            "port_min",
            "port_max",
            "memory_mb",
            "reserve_mb",
        ]
        widgets = {
            "tls_ca": _pem(),
            "tls_certificate": _pem(),
            "ssh_host_key": _pem(2),
            "url": forms.TextInput(attrs={"size": 60}),
        }
        error_messages = {
            "name": {
                "required": "Give the host a name.",
                "unique": "Another Docker host has this name. Give it one of its own.",
            },
            "url": {
                "required": "Give unix://PATH, tcp://HOST:PORT or ssh://USER@HOST.",
                "unique": "Another Docker host has this URL. A Docker Engine is added "
                "once.",
            },
            "publish_address": {
                "required": "Give one of the host's IP addresses.",
                "invalid": "Give one of the host's IP addresses, such as 10.0.0.5; "
                "127.0.0.1 keeps the databases on the host itself.",
            },
            "port_min": _PORT_ERRORS,
            "port_max": _PORT_ERRORS,
            "reserve_mb": dict.fromkeys(
                ("required", "invalid", "min_value"),
                "Give the MiB that backups leave free, 0 for none.",
            ),
            "memory_mb": dict.fromkeys(
                ("required", "invalid", "min_value"),
                "Give the MiB that all databases together may have, 0 for none.",
            ),
        }
        labels = {
            "port_min": "Lowest port",
            "port_max": "Highest port",
            "tls_ca": "CA",
            "ssh_host_key": "Host key of the machine",
        }
        help_texts = {
            "state": "A cordoned host gets no new databases; those it has run on. Its "
            "standby containers are given up.",
            "url": "tcp://HOST:2376 with the certificates below; ssh://USER@HOST with "
            "the keys below; unix://PATH for Docker on the broker's own machine. It "
            "cannot be changed once the host has had a database.",
            "tls_ca": "PEM: who signed the certificate of dockerd (Docker's ca.pem). "
            "Only what it has signed is trusted.",
            "tls_certificate": "PEM: the broker's own (Docker's cert.pem).",
            "ssh_host_key": "Such as ssh-ed25519 AAAA…: what ssh-keyscan HOST prints, "
            "without the name in front. Compare it on that machine.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            self.initial[name] = ""
        self._limit_states()

    def _limit_states(self) -> None:
        """A drain and a removal have pages of their own."""
        field, state = self.fields.get("state"), DockerHost.State
        if not isinstance(field, forms.ChoiceField):
            return
        if self.instance.state == state.DRAINING:
            field.disabled = True
            field.help_text = "It is being drained: end that on its page."
        else:
            editable = (state.ACTIVE, state.CORDONED)
            field.choices = [(row.value, row.label) for row in editable]

    def clean_database_host(self) -> str:
        text: str = self.cleaned_data["database_host"]
        if not _HOST_NAME.fullmatch(text) or _WITH_PORT.fullmatch(text):
            raise forms.ValidationError(
                "Give a host name or an IP address alone, without scheme and port."
            )
        return text

    def clean_labels(self) -> str:
        return " ".join(self.cleaned_data["labels"].split())

    def clean_url(self) -> str:
        text: str = self.cleaned_data["url"]
        return text.strip().rstrip("/")

    def clean(self) -> dict[str, Any]:
        """Keep what is stored of a secret, unless what it belongs to goes too."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, with_it in (
            ("tls_key", "tls_certificate"),
            ("ssh_key", "ssh_host_key"),
        ):
            cleaned[name] = cleaned.get(name, "").replace("\r\n", "\n").strip()
            if cleaned[name]:
                cleaned[name] += "\n"
            elif cleaned.get(with_it):
                cleaned[name] = getattr(self.instance, name)
            elif self.instance.pk and getattr(self.instance, name):
                self.changed_data.append(name)
            setattr(self.instance, name, cleaned[name])
        return cleaned

    def _update_errors(self, errors: ValidationError) -> None:
        """A rule may speak of a field that is only shown: say it above the form."""
        found: dict[str, list[Any]] = {}
        for name, sentences in errors.error_dict.items():
            place = name if name in self.fields else NON_FIELD_ERRORS
            found.setdefault(place, []).extend(sentences)
        super()._update_errors(ValidationError(found))  # type: ignore[misc]
