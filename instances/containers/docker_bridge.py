"""The one bridge of all databases of a Docker Engine."""

import contextlib
from typing import Any

import docker
from docker.errors import APIError, NotFound

NETWORK = "brokersite"
"""The bridge of all databases; inter-container traffic is off (SECURITY S12)."""


def ensure_bridge(api: docker.APIClient) -> None:
    """See that it is there, and there once."""
    found = _found(api)
    if not found:
        try:
            api.create_network(
                NETWORK,
                driver="bridge",
                check_duplicate=True,
                options={"com.docker.network.bridge.enable_icc": "false"},
            )
        except APIError as error:
            if error.status_code != 409:
                raise
        found = _found(api)
    # Docker looks for duplicates and creates in two steps: of two processes at once,
    # each may get one, and from then on the name is refused as ambiguous.
    for surplus in found[1:]:
        # One that is used cannot be removed, and stays.
        with contextlib.suppress(APIError):
            api.remove_network(surplus["Id"])


def _found(api: docker.APIClient) -> list[dict[str, Any]]:
    """The used one first, then the oldest: all processes keep the same."""
    rows = [row for row in api.networks(names=[NETWORK]) if row["Name"] == NETWORK]
    if len(rows) < 2:
        return rows
    details = [detail for row in rows if (detail := _inspect(api, row["Id"]))]
    return sorted(details, key=lambda row: (not row["Containers"], row["Created"]))


def _inspect(api: docker.APIClient, key: str) -> dict[str, Any] | None:
    """None if another process has just removed it."""
    try:
        return api.inspect_network(key)  # type: ignore[no-any-return]
    except NotFound:
        return None
