"""The second release: the first one's files, a migration more, and another version."""

import re
import shutil
from pathlib import Path

from tests.cf.pushed import pushed_files

COLUMN = "cf_test"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("instances", "{previous}")]
    # The table that web and worker write to all the time.
    operations = [
        migrations.AddField(
            "operation", "{column}", models.CharField(max_length=20, null=True)
        ),
    ]
"""


def make_second(root: Path, target: Path) -> str:
    """Copy what would be pushed and change it; return the migration's name."""
    for path in [*pushed_files(root), Path(".cfignore")]:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, target / path)
    migrations = target / "instances" / "migrations"
    previous = max(path.stem for path in migrations.glob("[0-9]*.py"))
    name = f"{int(previous[:4]) + 1:04}_cf_test"
    text = MIGRATION.format(previous=previous, column=COLUMN)
    (migrations / f"{name}.py").write_text(text)
    project = target / "pyproject.toml"
    version = r'(?m)^version = ".*"$'
    project.write_text(re.sub(version, 'version = "99.0.0"', project.read_text()))
    return name
