"""The console without a mouse, and without scripts."""

from playwright.sync_api import Browser, expect

from tests.browser.console_site import PASSWORD, USERNAME, ConsoleSite
from tests.browser.keyboard import Keyboard
from tests.browser.visitor import Visitor

APP = "app-checkout"


class TestKeyboard:
    def test_from_the_login_to_a_backup(
        self, browser: Browser, site: ConsoleSite
    ) -> None:
        site.fill()
        with Visitor(browser, site.url) as visitor:
            hands = Keyboard(visitor.page)
            visitor.visit("/admin/")
            hands.type(USERNAME)
            hands.go_to("Password")
            hands.type(PASSWORD)
            hands.enter()
            hands.go_to("Service instances", skips_menu=True)
            hands.enter()
            hands.go_to("Search", skips_menu=True)
            hands.type(APP)
            hands.enter()
            # The address still names the main content.
            hands.go_to("orders")
            hands.enter()
            hands.go_to("Back up…", skips_menu=True)
            hands.enter()
            hands.go_to("Note", skips_menu=True)
            hands.type("Without a mouse")
            hands.go_to("Back up")
            hands.enter()
            visitor.said("is recorded")


class TestWithoutScripts:
    def test_what_matters_works(self, browser: Browser, site: ConsoleSite) -> None:
        options = {"java_script_enabled": False}
        with Visitor(browser, site.url, **options) as visitor:
            visitor.log_in()
            page = visitor.page
            expect(page.get_by_role("heading", name="Overview")).to_be_visible()
            visitor.look(APP)
            visitor.back_up(APP)
            self.choose(visitor)

    def choose(self, visitor: Visitor) -> None:
        """Some of the list, and what is to be done with them."""
        page = visitor.page
        visitor.visit("/admin/instances/serviceinstance/")
        page.locator("#result_list tbody input[type=checkbox]").first.check()
        page.get_by_label("Action:").select_option("deprovision_chosen")
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_role("heading", name="Deprovision")).to_be_visible()
        expect(page.get_by_role("button", name="Deprovision")).to_be_visible()
