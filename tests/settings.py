"""The product's settings, with secrets for tests and fast hashes."""

import os

os.environ.setdefault("SECRET_KEY", "tests-" + "0123456789" * 5)
os.environ.setdefault("ENCRYPTION_KEYS", "bm90LWEtc2VjcmV0LWtleS1mb3ItdGVzdHMtb25seSE=")
from brokersite.settings import *  # noqa: F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
