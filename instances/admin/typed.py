"""What has to be typed before that which cannot be taken back."""

from django import forms
from django.http import QueryDict

from instances.models import ServiceInstance

TAIL = 6


class TypedForm(forms.Form):
    """A guid's end, or how many service instances are meant."""

    confirmation = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def __init__(
        self,
        data: QueryDict | None,
        chosen: list[ServiceInstance],
        *,
        of_many: str = "service instances are meant",
    ) -> None:
        super().__init__(data)
        if len(chosen) == 1:
            self._expected = chosen[0].guid[-TAIL:].strip()
            self._asked = f"the last {TAIL} characters of its GUID"
        else:
            self._expected = str(len(chosen))
            self._asked = f"how many {of_many}"
        self.fields["confirmation"].label = f"Type {self._asked}"

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._expected:
            raise forms.ValidationError(f"This is not {self._asked}. Look again.")
        return typed
