"""What every engine does for backups, said once: its facts are run against each."""

import pytest

from instances import errors
from instances.engines import Endpoint
from instances.engines.base import our_witness
from tests.docker.engine_contract import SECRET, EngineContract

FIRST, SECOND = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class BackupContract(EngineContract):
    """Facts beside those of the engine contract."""

    def leave(self, witness: str) -> None:
        self.engine.leave_witness(self.endpoint, "d1", witness)

    def remove(self, witness: str) -> None:
        self.engine.remove_witness(self.endpoint, "d1", witness)

    def counts(self, database: str, witness: str = FIRST) -> dict[str, int]:
        self.engine.create_database(self.endpoint, database)
        return self.engine.inventory(self.endpoint, database, witness)

    def test_the_server_says_where_its_data_is(self):
        """F85: a mount over it would leave the backup empty."""
        assert self.engine.real_data_path(self.endpoint) == self.engine.data_path

    def test_a_witness_is_found_by_its_name_alone(self):
        for _ in range(2):
            self.leave(FIRST)
            assert self.counts("d1", FIRST)["witness"] == 1
            assert self.counts("d1", SECOND)["witness"] == 0

    def test_another_witness_takes_its_place(self):
        """A crash may have left one: a restored database must end with none."""
        self.leave(FIRST)
        self.leave(SECOND)
        assert self.counts("d1", FIRST)["witness"] == 0
        assert self.counts("d1", SECOND)["witness"] == 1

    def test_removing_a_witness_again_is_fine(self):
        self.leave(FIRST)
        for _ in range(2):
            self.remove(FIRST)
            assert self.counts("d1", FIRST)["witness"] == 0

    def test_removing_a_former_witness_leaves_the_newer_one(self):
        """An attempt that has been overtaken cleans up late."""
        self.leave(FIRST)
        self.leave(SECOND)
        self.remove(FIRST)
        assert self.counts("d1", SECOND)["witness"] == 1

    def test_removing_a_witness_that_never_was_is_fine(self):
        self.remove("0" * 32)

    def test_the_witness_is_not_counted(self):
        self.remove(FIRST)
        before = self.counts("d1", FIRST)
        self.leave(FIRST)
        assert self.counts("d1", FIRST) == {**before, "witness": 1}

    def test_what_a_user_makes_is_counted(self):
        user = self.created()
        session = self.session(user)
        session.write(user.database)
        there = self.counts(user.database)
        session.wipe(user.database)
        left = self.counts(user.database)
        assert sum(there.values()) - sum(left.values()) == 1

    def test_the_inventory_says_nothing_else(self):
        for counts in (self.counts("d1"), self.counts("d2")):
            assert counts.keys() in (
                {"databases", "tables", "witness"},
                {"keys", "witness"},
            )

    def test_a_silent_server_is_unreachable_for_a_backup_too(self):
        nobody = Endpoint(self.endpoint.host, 1, SECRET)
        calls = [
            lambda: self.engine.real_data_path(nobody),
            lambda: self.engine.leave_witness(nobody, "d1", FIRST),
            lambda: self.engine.remove_witness(nobody, "d1", FIRST),
            lambda: self.engine.inventory(nobody, "d1", FIRST),
        ]
        for call in calls:
            with pytest.raises(errors.EngineUnreachable):
                call()

    def test_only_a_witness_reaches_a_statement(self):
        """S33."""
        for witness in ("", "x' OR '1", FIRST.upper(), FIRST + "0", FIRST + "\n"):
            calls = [
                lambda witness=witness: self.leave(witness),
                lambda witness=witness: self.remove(witness),
                lambda witness=witness: self.counts("d1", witness),
                lambda witness=witness: self.engine.proof("d1", witness),
                lambda witness=witness: our_witness(witness),
            ]
            for call in calls:
                with pytest.raises(ValueError, match="not a witness"):
                    call()
        with pytest.raises(ValueError, match="not a name"):
            self.engine.proof("d1; DROP", FIRST)

    def test_a_proof_names_the_witness_and_no_secret(self):
        """S18: it stands in a container's environment."""
        proof = self.engine.proof("d1", FIRST)
        assert FIRST in proof
        assert proof == self.engine.proof("d1", FIRST)
        assert proof != self.engine.proof("d1", SECOND)
        assert SECRET not in proof
