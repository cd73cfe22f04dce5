"""What a memory container's server counts, over the network and in a proof."""

from typing import Any

from instances.engines.base import COMPLETE, our_name, our_witness

WITNESS = "brokersite"
"""The database of the administrator's that holds the witness: a commit carries it."""
ADMIN = "brokersite-admin"
"""Another one, for the administrator's verifier once it has been changed by SQL, and
before it that of the environment under which that was."""


def proof(database: str, witness: str) -> str:
    return f"{our_name(database)} {our_witness(witness)}"


def inventory(container: Any, proof: str) -> dict[str, int]:
    """A database's rows are one table, as in a session of the engine contract."""
    database, witness = proof.split()
    return {
        "databases": len(container.databases.keys() - {WITNESS, ADMIN}),
        "tables": int(bool(container.databases.get(database))),
        "witness": container.databases.get(WITNESS, []).count(witness),
    }


def log_of(container: Any, proof: str) -> str:
    """What its image prints that was started with this in PROVE."""
    counts = inventory(container, proof).items()
    lines = [f"inventory {name} {number}" for name, number in counts]
    return "".join(f"{line}\n" for line in [*lines, COMPLETE])
