"""What axe-core finds: of the page as it is, for whoever cannot see or use a mouse."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

IS_THERE = "typeof axe === 'object'"
# Colours fade into each other: they count when they have arrived.
RUN = """async ([without, options]) => {
  await Promise.all(document.getAnimations().map((one) => one.finished));
  return axe.run({ exclude: without }, options);
}"""


def barriers(
    page: Page, *, without: str = "", rules: tuple[str, ...] = ()
) -> list[str]:
    """Each a sentence. By all rules of axe-core, if none are named."""
    if not page.evaluate(IS_THERE):
        page.evaluate(AXE_SCRIPT)
    # It would look for style sheets of other sites.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    violations = page.evaluate(RUN, [[without] if without else [], options])[
        "violations"
    ]
    return [_sentence(each, node) for each in violations for node in each["nodes"]]


def _sentence(violation: dict[str, Any], node: dict[str, Any]) -> str:
    where = " ".join(str(part) for part in node["target"])
    why = [check["message"] for check in (*node["any"], *node["all"], *node["none"])]
    return f"{violation['impact']} {violation['id']} at {where}: {'; '.join(why)}"
