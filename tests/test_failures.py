"""docs/failures.md and the tests know of each other."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import TestCase

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"\b[FI]\d{1,3}\b")
ROW = re.compile(r"^\| ([FI]\d+) \| (.+?) \| (.+) \|$", re.M)
CITED = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")
LISTED = [f"I{number}" for number in range(1, 16)]
LISTED += [f"F{number}" for number in range(1, 135)]


@cache
def rows() -> list[tuple[str, str, str]]:
    """Id, title, and where it is tried."""
    return ROW.findall((ROOT / "docs" / "failures.md").read_text())


@cache
def known() -> dict[tuple[str, str], set[str]]:
    """The ids that each test names, its class or module included."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for name, ids in _named(tree, ids_of(tree)):
            key = str(path.relative_to(ROOT)), name
            found[key] = found.get(key, set()) | ids
    return found


def _named(node: ast.AST, ids: set[str]) -> Iterator[tuple[str, set[str]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _named(child, ids | ids_of(child))
        elif isinstance(child, ast.FunctionDef) and child.name.startswith("test_"):
            yield child.name, ids | ids_of(child)


def ids_of(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> set[str]:
    return set(NAMED.findall(ast.get_docstring(node) or ""))


class FailuresTest(TestCase):
    def test_each_id_has_one_row_with_a_title(self):
        assert [name for name, _, _ in rows()] == LISTED
        titles = [title for _, title, _ in rows()]
        assert len(set(titles)) == len(titles)

    def test_each_row_names_a_test_or_says_why_not(self):
        for name, _, where in rows():
            words = CITED.sub("", where).strip(" ,.")
            assert CITED.search(where) or len(words.split()) > 5, name

    def test_each_test_that_is_named_exists_and_names_the_row(self):
        for name, _, where in rows():
            for cited in CITED.findall(where):
                assert cited in known(), f"{name}: there is no {'::'.join(cited)}"
                assert name in known()[cited], f"{'::'.join(cited)} says no {name}"

    def test_each_id_that_a_test_names_has_a_test_in_its_row(self):
        named = set().union(*known().values())
        assert named <= set(LISTED), named - set(LISTED)
        tried = {name for name, _, where in rows() if CITED.search(where)}
        assert named <= tried, f"in a docstring, and in no row: {named - tried}"
