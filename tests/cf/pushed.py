"""The files that `cf push` would upload: the folder less what .cfignore names."""

import subprocess
import tempfile
from pathlib import Path

ALWAYS_IGNORED = (".cfignore", ".DS_Store", ".git", ".gitignore", ".hg", ".svn")
"""What the cf command leaves out unasked."""


def pushed_files(root: Path) -> list[Path]:
    """Relative to the root, sorted. Git itself reads the patterns: they are its own.

    Only the file at the top counts, and only the patterns in it: neither a .gitignore
    nor what git tracks.
    """
    with tempfile.TemporaryDirectory() as empty:
        git = ["git", f"--git-dir={empty}", f"--work-tree={root}"]
        subprocess.run([*git, "init", "--quiet"], check=True, cwd=root)
        patterns = [f"--exclude={name}" for name in ALWAYS_IGNORED]
        if (root / ".cfignore").exists():
            patterns.append(f"--exclude-from={root / '.cfignore'}")
        listing = subprocess.run(
            [*git, "ls-files", "--others", "-z", *patterns],
            check=True,
            cwd=root,
            capture_output=True,
        )
    names = listing.stdout.decode().split("\0")
    return sorted(Path(name) for name in names if name)
