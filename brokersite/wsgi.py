"""The WSGI entry point that gunicorn serves."""

import os
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from brokersite.prefix import below
from brokersite.traced import traced

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brokersite.settings")
django_application = get_wsgi_application()

from brokersite.traffic import note  # noqa: E402  (once Django is set up)
from osbapi.ready import with_catalog  # noqa: E402

application = below(
    urlsplit(settings.PUBLIC_URL).path,
    with_catalog(traced(django_application), answered=partial(note, "v2/catalog")),
)
