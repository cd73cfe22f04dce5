from datetime import timedelta

from django.utils import timezone

from instances.admin.html import change_url, list_url, moment
from instances.models import ServiceBinding
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class Expiry(ConsoleTestCase):
    def test_list_and_page_say_when_a_binding_ends(self):
        at = timezone.now().replace(microsecond=0) + timedelta(days=40)
        binding = rows.make_binding(
            rows.make_instance(bindings=0), "mortal", expires_at=at
        )
        for url in (list_url(ServiceBinding), change_url(binding)):
            assert f'datetime="{at.isoformat()}"' in self.text_of(url)
        text = self.text_of(change_url(binding))
        assert (
            f'datetime="{binding.renew_before.isoformat(timespec="seconds")}"' in text
        )

    def test_a_moment_to_come_says_how_far_away_it_is(self):
        now = timezone.now()
        assert 'title="in 2 d' in moment(now + timedelta(days=2, minutes=1))
        assert 'title="2 d 0 h ago"' in moment(now - timedelta(days=2, minutes=1))

    def test_one_that_has_expired_says_so(self):
        state = ServiceBinding.State.EXPIRED
        instance = rows.make_instance(bindings=0)
        ServiceBinding.objects.create(instance=instance, guid="old", state=state)
        assert ">Expired</span>" in self.text_of(list_url(ServiceBinding))
