"""Which layer a folder of `docker save` holds, told before its content is read.

Docker before 25 names the folder by a digest of the chain of layers up to that one
and of the settings in the file `json` beside it; later ones name it by the layer.
"""

import hashlib
import json
from collections.abc import Sequence


class LayerNames:
    """The first layers of an image, by the names that they have in an archive."""

    def __init__(self, layers: Sequence[str]) -> None:
        self._names = {f"blobs/sha256/{layer[7:]}" for layer in layers}
        self._chains = _chains(layers)

    def learn(self, content: bytes) -> None:
        """Take in a folder's `json`: it comes before the layer."""
        try:
            name = json.loads(content)["id"]
            if name in {_v1_id(content, chain) for chain in self._chains}:
                self._names.add(f"{name}/layer.tar")
        except (KeyError, TypeError, ValueError, RecursionError):
            return  # Then the layer is none of those that are known.

    def find(self, name: str) -> bool:
        return name in self._names


def _chains(layers: Sequence[str]) -> list[str]:
    """The OCI image specification's ChainIDs."""
    chains: list[str] = []
    for layer in layers:
        both = f"{chains[-1]} {layer}" if chains else ""
        digest = hashlib.sha256(both.encode()).hexdigest()
        chains.append(f"sha256:{digest}" if both else layer)
    return chains


def _v1_id(content: bytes, chain: str) -> str:
    """What Docker would have named the folder if this were its chain."""
    found = json.loads(content)
    del found["id"]
    found.pop("os", None)
    if "parent" in found:
        found["parent"] = f"sha256:{found['parent']}"
    found["layer_id"] = chain
    # As Go writes it: sorted on the first level, and as it came below.
    text = ",".join(
        f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}"
        for name in sorted(found)
    )
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()
