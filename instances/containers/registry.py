"""What Docker's API cannot do with a registry: delete."""

from dataclasses import dataclass, field

import requests

from instances import errors
from instances.addresses import is_insecure

LIMIT_S = 20


@dataclass(frozen=True)
class RegistryLogin:
    """Empty: nobody has to log in."""

    username: str = ""
    password: str = field(default="", repr=False)


def delete_manifest(repository: str, digest: str, login: RegistryLogin) -> None:
    """Delete what no other tag needs, or do nothing if it is gone. Raise ImageFailed.

    OCI distribution specification, Content Management; many registries refuse it.
    """
    address, _, name = repository.partition("/")
    # As Docker does: without TLS only on this machine.
    scheme = "https" if is_insecure(f"tcp://{address}") else "http"
    url = f"{scheme}://{address}/v2/{name}/manifests/{digest}"
    auth = (login.username, login.password) if login.username else None
    try:
        # A redirect would carry the password elsewhere.
        response = requests.delete(
            url, auth=auth, timeout=LIMIT_S, allow_redirects=False
        )
    except requests.RequestException as error:
        raise errors.ImageFailed(
            detail=f"{repository}@{digest} stays: {type(error).__name__}"
        ) from None
    if response.status_code not in (200, 202, 404):
        raise errors.ImageFailed(
            detail=f"{repository}@{digest} stays, remove it there by hand: "
            f"the registry has answered {response.status_code}"
        )
