"""Somebody at the console; whatever a page does wrong is kept as a sentence."""

from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

from tests.browser.console_site import PASSWORD, USERNAME
from tests.system.site import wait_for

# The policy holds for scripts of the page, not for those of the test.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} ${event.blockedURI}`));
"""
NOTED = ("error", "warning", "assert")
LIMIT_MS = 30_000
expect.set_options(timeout=LIMIT_MS)


class Visitor:
    """Use as a context manager: leaving it fails if there was any fault."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        """The options are Playwright's, of a browser context."""
        self.url = url
        self.faults: list[str] = []
        self._has_scripts = options.get("java_script_enabled", True)
        options = {
            "base_url": url,
            "viewport": {"width": 1280, "height": 900},
        } | options
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(LIMIT_MS)
        self.context.add_init_script(REPORT_VIOLATIONS)
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # What has failed already is the better story.
        faults = [] if kind else self.take_faults()
        self.context.close()
        assert not faults, "\n".join(faults)

    def visit(self, path: str) -> Response | None:
        return self.page.goto(path)

    def log_in(self) -> None:
        self.visit("/admin/")
        self.page.get_by_label("Username").fill(USERNAME)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.is_on("Overview")

    def is_on(self, title: str) -> None:
        """Wait for the page that has this title."""
        expect(self.page.get_by_role("heading", name=title, exact=True)).to_be_visible()

    def find(self, words: str) -> None:
        """Open the one service instance that the search finds."""
        self.visit("/admin/instances/serviceinstance/")
        self.page.get_by_label("Search").fill(words)
        self.page.get_by_role("button", name="Search").click()
        self.page.locator("#result_list tbody th a, #result_list .field-name a").click()

    def look(self, words: str) -> None:
        """From a search to a database's figures and its log."""
        self.find(words)
        self.page.get_by_role("link", name="Live", exact=True).click()
        expect(self.page.get_by_text("Processes")).to_be_visible()
        self.page.get_by_role("link", name="Logs", exact=True).click()
        expect(self.page.locator("pre.log")).to_contain_text("ready for connections")

    def back_up(self, words: str, *, note: str = "") -> None:
        self.find(words)
        self.page.get_by_role("link", name="Back up…").click()
        self.page.get_by_label("Note").fill(note)
        self.page.get_by_role("button", name="Back up").click()
        self.said("is recorded")

    def close_tab(self) -> None:
        """And open another one: whatever was asked for goes on without the first."""
        self.page.close()
        self.page = self.context.new_page()

    def look_until(self, state: str, *, limit_s: float = 90) -> None:
        """Reload the page until a badge on it says that."""

        def is_said() -> bool:
            self.page.reload()
            badges = self.page.locator("#content .badge").all_inner_texts()
            return state.lower() in (text.lower() for text in badges)

        wait_for(is_said, f"a badge that says {state}", limit_s=limit_s)

    def said(self, text: str) -> Locator:
        """The message that the console says after an action."""
        found = self.page.locator(".messagelist").get_by_text(text)
        found.first.wait_for()
        return found

    def take_faults(self) -> list[str]:
        """Those since the last call."""
        if self._has_scripts:
            # After this turn of the page's own loop all has been said.
            self.page.evaluate("new Promise((done) => setTimeout(done))")
        taken, self.faults = self.faults, []
        return taken

    def _watch(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("dialog", self._on_dialog)
        page.on("pageerror", lambda error: self._note(page, f"script: {error}"))
        page.on("request", self._on_request)
        page.on("requestfailed", self._on_failure)
        page.on("response", self._on_response)

    def _note(self, page: Page | None, fault: str) -> None:
        where = page.url.removeprefix(self.url) if page else ""
        self.faults.append(f"{where}: {fault}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in NOTED:
            self._note(message.page, f"console {message.type}: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._note(dialog.page, f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self._note(request.frame.page, f"asks another site: {request.url}")

    def _on_failure(self, request: Request) -> None:
        # What was under way when the person left the page is given up.
        if request.failure != "net::ERR_ABORTED":
            self._note(request.frame.page, f"{request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            request = response.request
            told = f"{request.method} {request.url} is answered {response.status}"
            self._note(request.frame.page, told)
