"""The WSGI entry point that gunicorn serves."""

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from brokersite.prefix import below
from brokersite.traced import traced

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brokersite.settings")
application = below(urlsplit(settings.PUBLIC_URL).path, traced(get_wsgi_application()))
