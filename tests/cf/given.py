"""What an operator gives the app before the first push: secrets, in a service."""

import base64
import secrets

ADMIN = ("admin", secrets.token_urlsafe(18))
BROKER = ("platform", secrets.token_urlsafe(24))


def secret_values() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ADMIN_PASSWORD": ADMIN[1],
        "BROKER_USERNAME": BROKER[0],
        "BROKER_PASSWORD": BROKER[1],
    }
