"""Read which duty of the specification is tested where: docs/osb.md and the tests."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "osb.md"
LAST_ITEM = 157
CHOICES = 8
"""Items 21.1 to 21.8."""
ALL_ITEMS = [str(number) for number in range(1, LAST_ITEM + 1)]
ALL_ITEMS += [f"21.{number}" for number in range(1, CHOICES + 1)]
LEVELS = {"MUST", "SHOULD", "MAY", "choice"}
REASONS = ("Does not apply", "Not built", "Elsewhere")
PLATFORMS_OWN = re.compile(r"^Platform's duties and background: (.+)\.$", re.MULTILINE)

_ITEM = r"\d+(?:\.\d+)?(?:-\d+)?"
_MENTION = re.compile(rf"OSB-CHECKLIST ({_ITEM}(?:,\s+{_ITEM})*)")
_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)*)`")


@dataclass(frozen=True)
class Duty:
    """One row of the table."""

    item: str
    text: str
    level: str
    answer: str

    @property
    def kind(self) -> str:
        """Why there is no test here, else "tested"."""
        start = self.answer.partition(": ")[0]
        return start if start in REASONS else "tested"

    @property
    def tests(self) -> list[str]:
        return _TEST.findall(self.answer)


@dataclass
class Tests:
    """Which items each test's docstring, or its class's, names."""

    items: dict[str, set[str]] = field(default_factory=dict)

    def mentioned(self) -> set[str]:
        return set().union(*self.items.values())


def duties() -> list[Duty]:
    """The rows of the table: those that begin with a number."""
    rows = []
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and cells[0][:1].isdigit():
            rows.append(Duty(*cells))
    return rows


def platforms_own() -> set[str]:
    """The items that the document says are none of a broker's."""
    found = PLATFORMS_OWN.search(DOCUMENT.read_text())
    assert found, "docs/osb.md lists the platform's duties on one line"
    return set(_numbers(found[1]))


def tests() -> Tests:
    """The tests of the API and of the contract."""
    found = Tests()
    for folder in ("osbapi", "contract"):
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
            name = path.relative_to(ROOT).as_posix()
            for test, items in _tests_in(ast.parse(path.read_text())):
                found.items[f"{name}::{test}"] = items
    return found


def _tests_in(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, _mentioned(node)
        elif isinstance(node, ast.ClassDef):
            shared = _mentioned(node)
            for method in node.body:
                is_function = isinstance(method, ast.FunctionDef)
                if is_function and method.name.startswith("test_"):
                    yield f"{node.name}::{method.name}", shared | _mentioned(method)


def _mentioned(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    docstring = ast.get_docstring(node) or ""
    return {
        item
        for mention in _MENTION.finditer(docstring)
        for item in _numbers(mention[1])
    }


def _numbers(text: str) -> Iterator[str]:
    """'63, 65-66, 21.4' as single items."""
    for part in re.split(r",\s+", text):
        first, _, last = part.partition("-")
        if last:
            yield from (str(number) for number in range(int(first), int(last) + 1))
        else:
            yield first
