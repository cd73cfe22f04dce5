"""Broken products, by name: each is what a slip of the pen would make of it.

The histories must find every one. What they cannot see from outside is not here: a
reconciliation that repairs a mistake within a minute makes it none.
"""

from tests.stateful.mutants import (
    backups,
    clones,
    containers,
    credentials,
    deletions,
    operations,
    standbys,
)
from tests.stateful.mutants.base import Mutant, found_in

BY_PART: dict[str, dict[str, Mutant]] = {
    "credentials": found_in(credentials),
    "ports and containers": found_in(containers),
    "operations": found_in(operations),
    "backups and restores": found_in(backups),
    "clones": found_in(clones),
    "standbys": found_in(standbys),
    "deletions": found_in(deletions),
}
"""What each breaks."""
MUTANTS = {name: make for part in BY_PART.values() for name, make in part.items()}
