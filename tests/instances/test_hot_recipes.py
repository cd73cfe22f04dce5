"""What hot recipes are made of, without servers."""

import io
import tarfile
import unittest

from instances.containers.archives import packed
from instances.engines import ENGINES
from instances.engines.hot import RECIPES, find_recipe


class Archives(unittest.TestCase):
    def test_what_is_packed_is_unpacked(self):
        files = [("a", b"x" * 512), ("b/c", b"x" * 513), ("empty", b"")]
        tar = io.BytesIO(b"".join(packed(files, uid=7, gid=8)))
        with tarfile.open(fileobj=tar) as archive:
            members = list(archive)
            found = [(row.name, archive.extractfile(row).read()) for row in members]
        assert found == files
        for row in members:
            assert (row.uid, row.gid, row.mode) == (7, 8, 0o600)

    def test_nothing_is_a_tar_too(self):
        tar = io.BytesIO(b"".join(packed([], uid=0, gid=0)))
        with tarfile.open(fileobj=tar) as archive:
            assert list(archive) == []


class Recipes(unittest.TestCase):
    def test_each_is_an_engines(self):
        assert RECIPES.keys() <= ENGINES.keys()
        assert find_recipe("generic") is None

    def test_a_script_works_on_the_engines_own_paths(self):
        for name, recipe in RECIPES.items():
            if recipe.script:
                assert f"data={ENGINES[name].data_path}\n" in recipe.script
