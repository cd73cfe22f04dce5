"""Django settings, made from the typed environment."""

import dataclasses
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
from csp.constants import NONE, SELF

from brokersite import environment, logs
from instances.redaction import known_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = environment.load(os.environ, root=BASE_DIR)

pymysql.install_as_MySQLdb()

SECRET_KEY = ENVIRONMENT.secret_key
ENCRYPTION_KEYS = ENVIRONMENT.encryption_keys
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
ROOT_URLCONF = "brokersite.urls"
WSGI_APPLICATION = "brokersite.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "instances",
    "osbapi",
    "csp",
    "rest_framework",
    "brokersite.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# The browser's middleware stays off /v2: platforms poll, and need none of it.
MIDDLEWARE = [
    "brokersite.middleware.HealthMiddleware",
    "brokersite.traffic.TrafficMiddleware",
    "brokersite.middleware.ClientAddressMiddleware",
    "brokersite.middleware.EncodedPathMiddleware",
    "brokersite.middleware.ForgetMiddleware",
    "brokersite.middleware.SecurityMiddleware",
    "brokersite.middleware.WhiteNoiseMiddleware",
    "brokersite.middleware.CSPMiddleware",
    "brokersite.middleware.SessionMiddleware",
    "brokersite.middleware.CommonMiddleware",
    "brokersite.middleware.CsrfViewMiddleware",
    "brokersite.middleware.IdleMiddleware",
    "brokersite.middleware.AuthenticationMiddleware",
    "brokersite.middleware.MessageMiddleware",
    "brokersite.middleware.XFrameOptionsMiddleware",
    "brokersite.visible.VisibleMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        **ENVIRONMENT.database,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

PATH_PREFIX = urlsplit(ENVIRONMENT.public_url).path
STATIC_URL = f"{PATH_PREFIX}/static/"
WHITENOISE_STATIC_PREFIX = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# The checks look for Django's classes by name; brokersite.middleware has them.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_AGE = ENVIRONMENT.session_hours * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = ENVIRONMENT.session_ends_with_browser
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
if ENVIRONMENT.is_https:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = True
    CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.public_url]

# The rest is said where it is used, in osbapi.views.
REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}

LOGGING_CONFIG = "brokersite.logs.configure"
LOGGING = logs.configuration(
    log_format=ENVIRONMENT.log_format,
    level=ENVIRONMENT.log_level,
    secrets={SECRET_KEY, *ENCRYPTION_KEYS, *known_secrets(os.environ)},
)

METRICS_USERNAME = ENVIRONMENT.metrics_username
METRICS_PASSWORD = ENVIRONMENT.metrics_password
SHIPPED_IMAGES = BASE_DIR / "images"
STATE_DIRECTORY = ENVIRONMENT.state_directory
PUBLIC_URL = ENVIRONMENT.public_url
DASHBOARD_URL = f"{PUBLIC_URL}/dashboard" if ENVIRONMENT.is_public else ""
LOGINS = ENVIRONMENT.logins
PLATFORM_LOGIN: dict[str, Any] = (
    dataclasses.asdict(LOGINS.platform) if LOGINS.platform else {}
)
OPERATOR_LOGIN: dict[str, Any] = (
    dataclasses.asdict(LOGINS.operators) if LOGINS.operators else {}
)
CLOUD_CONTROLLER: dict[str, Any] = (
    dataclasses.asdict(ENVIRONMENT.cloud_controller)
    if ENVIRONMENT.cloud_controller
    else {}
)
LOCAL_LOGIN = LOGINS.is_local_allowed
SESSION_IDLE_S = LOGINS.idle_minutes * 60
FIRST_DOCKER_HOST = dataclasses.asdict(ENVIRONMENT.docker)
FIRST_OPERATOR = dataclasses.asdict(ENVIRONMENT.operator)
FIRST_BROKER_LOGIN = dataclasses.asdict(ENVIRONMENT.broker_login)
ALLOW_INSECURE_DOCKER = ENVIRONMENT.allow_insecure_docker
OPERATION_LEASE_S = ENVIRONMENT.operation_lease_s
BACKUP_UPLOAD_LIMIT_MB = ENVIRONMENT.backups.upload_limit_mb
BACKUP_REGISTRY = ENVIRONMENT.backups.registry
BACKUP_REGISTRY_USERNAME = ENVIRONMENT.backups.registry_username
BACKUP_REGISTRY_PASSWORD = ENVIRONMENT.backups.registry_password
FORWARDED_HOPS = ENVIRONMENT.forwarded_hops
WORKER_THREADS = ENVIRONMENT.worker_threads
WATCHDOG_S = ENVIRONMENT.watchdog_s
