"""A day of an operator: from the first login to a Docker host that is lost."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console_site import ConsoleSite
from tests.browser.visitor import Visitor
from tests.system.docker_lab import Lab, cannot_run
from tests.system.site import connect

ORDERS, REPORTS = "5a1d0c1e-orders", "5a1d0c1e-reports"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Of one Docker host, beside the one that the tests run on."""
    with Lab(1) as lab:
        yield lab


class App:
    """What has been bound to the database that is looked after."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        self._credentials = credentials

    def run(self, sql: str) -> tuple[Any, ...]:
        with connect(self._credentials) as session, session.cursor() as cursor:
            cursor.execute(sql)
            return tuple(cursor.fetchall())


@pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd")
class TestOperator:
    def test_a_day(self, browser: Browser, site: ConsoleSite, lab: Lab) -> None:
        lab.add(site, lab.hosts[0], "cellar")
        site.create_on("first", ORDERS, "orders")
        site.create_on("cellar", REPORTS, "reports")
        app = App(site.bind_app(ORDERS, "app-checkout").body["credentials"])
        app.run("CREATE TABLE orders (number INT)")
        app.run("INSERT INTO orders VALUES (1), (2), (3)")
        with Visitor(browser, site.url) as ada:
            ada.log_in()
            ada.look("app-checkout")
            self.back_up(ada)
            app.run("DELETE FROM orders")
            self.restore(ada)
            assert app.run("SELECT count(*) FROM orders") == ((3,),)
            lab.hosts[0].kill()
            self.end(ada)
        told = "SELECT state FROM instances_serviceinstance WHERE guid = ?"
        assert site.rows(told, REPORTS) == [("gone",)]

    def back_up(self, ada: Visitor) -> None:
        ada.back_up("app-checkout")
        ada.close_tab()
        ada.visit("/admin/instances/backup/")
        ada.look_until("Verified")

    def restore(self, ada: Visitor) -> None:
        page = ada.page
        page.locator("#result_list tbody").get_by_role("link").first.click()
        page.get_by_role("link", name="Restore…").click()
        typed = page.get_by_label(re.compile("^Type the last"))
        typed.fill("whatever")
        page.get_by_role("button", name="Restore").click()
        expect(page.get_by_text("Look again")).to_be_visible()
        typed.fill(ORDERS[-6:])
        page.get_by_role("button", name="Restore").click()
        ada.said("is recorded").get_by_role("link", name="Restore").click()
        ada.look_until("Succeeded")

    def end(self, ada: Visitor) -> None:
        """What its host cannot be asked for is listed, and owed."""
        page = ada.page
        ada.visit("/admin/instances/dockerhost/")
        ada.look_until("not reached")
        ada.find("reports")
        page.get_by_role("link", name="Force deprovision…").click()
        expect(page.get_by_text("Cannot be removed now")).to_be_visible()
        page.get_by_label("Reason").fill("The machine in the cellar is broken")
        page.get_by_label(re.compile("^Type the last")).fill(REPORTS[-6:])
        page.get_by_role("button", name="Force deprovision").click()
        ada.said("is recorded")
        ada.look_until("Gone")
