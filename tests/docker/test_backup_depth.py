"""Layers: Docker ends at 125, and no chain of backups and restores comes near."""

from tests.docker.real_instances import RealInstances

ROUNDS = 5


class DepthTest(RealInstances):
    def test_it_stays_the_same_however_often_a_database_is_restored(self):
        """F95: a restore copies the data into the plan's image of today."""
        instance = self.provisioned("redis")
        binding = self.bound("b-1")
        depths, sizes = [], []
        for number in range(ROUNDS):
            self.session(binding).add(number)
            backup = self.verified(instance)
            depths.append(backup.layers)
            sizes.append(backup.size_bytes)
            self.restored(backup, is_safe=False)
            instance.refresh_from_db()
        assert self.session(binding).numbers() == set(range(ROUNDS))
        plain = self.docker.images.get(self.container().image).attrs
        assert set(depths) == {len(plain["RootFS"]["Layers"]) + 1}
        assert max(sizes) - min(sizes) < 2**20, "nor does the image"
