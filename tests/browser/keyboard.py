"""Hands on the keyboard alone: where Tab leads, and whether that is seen."""

from dataclasses import dataclass

from playwright.sync_api import Page

MOST_STOPS = 120
REMEMBER = """() => {
  window.looks = (element) => {
    const style = getComputedStyle(element);
    return [style.outline, style.boxShadow, style.border, style.backgroundColor].join();
  };
  document.activeElement.blur();
  const stops = document.querySelectorAll(
    "a, button, input, select, [tabindex], summary",
  );
  window.before = new Map([...stops].map((stop) => [stop, window.looks(stop)]));
}"""
STOP = """() => {
  const stop = document.activeElement;
  const label = stop.labels?.[0] ?? stop;
  const name = label.textContent.trim() || stop.ariaLabel || stop.value || "page";
  const box = stop.getBoundingClientRect();
  const onScreen = box.width && box.height && box.top < innerHeight && box.bottom > 0;
  const changed = window.looks(stop) !== window.before.get(stop);
  return { name: name.replace(/:$/, ""), isSeen: Boolean(onScreen && changed) };
}"""
SKIP = "Skip to main content"


@dataclass
class Keyboard:
    page: Page

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def go_to(self, name: str, *, skips_menu: bool = False) -> None:
        """Press Tab until what has that name has the focus; each stop must show it."""
        self.page.evaluate(REMEMBER)
        passed: list[str] = []
        if skips_menu:
            self._tab(passed)
            assert passed == [SKIP], passed
            self.page.keyboard.press("Enter")
        while not passed or passed[-1] != name:
            assert len(passed) < MOST_STOPS, f"no {name} among {passed}"
            self._tab(passed)

    def enter(self) -> None:
        """What has the focus leads to another page."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def _tab(self, passed: list[str]) -> None:
        self.page.keyboard.press("Tab")
        stop = self.page.evaluate(STOP)
        passed.append(stop["name"])
        assert stop["isSeen"], f"the focus is not seen on the last of {passed}"
