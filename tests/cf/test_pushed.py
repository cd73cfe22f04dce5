import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.cf.pushed import pushed_files

ROOT = Path(__file__).resolve().parents[2]


class PatternTest(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def push(self, patterns: str, *names: str) -> list[str]:
        for name in names:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("")
        (self.root / ".cfignore").write_text(patterns)
        return [str(path) for path in pushed_files(self.root)]

    def test_without_patterns_all_is_pushed(self):
        assert self.push("", "a", "b/c") == ["a", "b/c"]

    def test_the_rules_of_gitignore(self):
        files = ("a.log", "keep.log", "x/y/a.log", "doc/a", "x/doc/b", "top", "x/top")
        patterns = "# logs\n*.log\n!keep.log\ndoc/\n/top\n"
        assert self.push(patterns, *files) == ["keep.log", "x/top"]

    def test_gitignore_counts_for_nothing(self):
        assert self.push("", ".gitignore", "a") == ["a"]
        (self.root / ".gitignore").write_text("a\n")
        assert self.push("", "a") == ["a"]


class OwnFilesTest(SimpleTestCase):
    def setUp(self):
        self.files = {str(path) for path in pushed_files(ROOT)}

    def test_the_site_is_pushed_with_what_staging_looks_for(self):
        needed = {"manage.py", "requirements.txt", "runtime.txt", "Procfile"}
        assert needed <= self.files
        assert {"catalog.yml", "images/mariadb/Dockerfile"} <= self.files
        assert "instances/migrations/0001_initial.py" in self.files

    def test_state_secrets_and_tests_are_not(self):
        tops = {name.partition("/")[0] for name in self.files}
        unwanted = {"var", ".git", ".venv", "tests", "bench", "docs", "staticfiles"}
        assert not tops & unwanted
        assert not [name for name in self.files if name.endswith((".sqlite3", ".pyc"))]

    def test_no_folder_is_taken_for_offline_wheels(self):
        """FACTS 9: the buildpack installs from a top-level vendor/ and nothing else."""
        assert not [name for name in self.files if name.startswith("vendor/")]
