"""Take the pictures in docs/: make screenshots. Needs root, as the walk does.

A site of its own is filled through the broker's API and the console itself; only the
past is made up, see tests/browser/past.py.
"""

import re
import uuid
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.chromium import chromium
from tests.browser.console_site import ConsoleSite
from tests.browser.visitor import Visitor
from tests.system.docker_lab import Lab
from tests.system.site import NUMBERS, OFFERING, PLAN, ROOT, connect

FOLDER = ROOT / "docs"
MOST_BYTES = 200 * 1024
SIZE = {"width": 1280, "height": 860}
HEIGHTS = {"logs": 540, "force": 1050}
"""Text fills a file sooner, and a confirmation is read as a whole."""
WISHES = [
    ("orders", "mariadb", "shop", "production"),
    ("catalogue", "postgres", "shop", "production"),
    ("sessions", "redis", "shop", "production"),
    ("invoices", "postgres", "finance", "production"),
    ("subscribers", "mariadb", "newsletter", "production"),
    ("subscribers", "mariadb", "newsletter", "staging"),
    ("feature-flags", "redis", "platform", "production"),
    ("build-cache", "redis", "platform", "ci"),
]
"""Name, engine, organization, space."""
LOST = ("wiki", "mariadb", "platform", "production")
ROWS = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(80));
CREATE TABLE orders (id INT PRIMARY KEY, customer INT, total DECIMAL(10, 2));
INSERT INTO customers SELECT seq, CONCAT('Customer ', seq) FROM seq_1_to_800;
INSERT INTO orders SELECT seq, seq % 800, seq / 7 FROM seq_1_to_12000;
"""


def guid_of(*words: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, ".".join(words)))


def create(site: ConsoleSite, name: str, engine: str, org: str, space: str) -> str:
    number = NUMBERS[engine]
    guid = guid_of(name, space, org)
    ids = {
        "service_id": f"{OFFERING[:-1]}{number}",
        "plan_id": f"{PLAN[:-2]}{number}1",
    }
    site.create(guid, name, organization=org, space=space, ids=ids)
    app = guid_of("app", name, space, org)
    answer = site.bind_app(guid, app, ids=ids)
    if (name, engine) == ("orders", "mariadb"):
        with connect(answer.body["credentials"]) as session:
            for statement in ROWS.strip().split("\n"):
                session.cursor().execute(statement)
    return guid


def fill(site: ConsoleSite, lab: Lab) -> None:
    site.execute("UPDATE instances_dockerhost SET name = 'rack-1'")
    lab.add(site, lab.hosts[0], "rack-2")
    with site.only("rack-1"):
        for wish in WISHES:
            create(site, *wish)
    with site.only("rack-2"):
        create(site, *LOST)


def backups(site: ConsoleSite, ada: Visitor) -> None:
    for number, note in enumerate(("before release 41", "before release 42", ""), 1):
        ada.back_up("orders", note=note)
        site.wait_until_verified(number)
    ada.back_up("invoices")
    site.wait_until_verified(number + 1)


def take(browser: Browser, site: ConsoleSite) -> None:
    with Visitor(browser, site.url, viewport=SIZE) as ada:
        ada.log_in()
        for name, go in PICTURES.items():
            height = HEIGHTS.get(name, SIZE["height"])
            ada.page.set_viewport_size({**SIZE, "height": height})
            go(ada)
            for scheme in ("light", "dark"):
                ada.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                save(ada.page, FOLDER / f"{name}-{scheme}.png")


def save(page: Page, path: Path) -> None:
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    page.screenshot(path=path)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
    assert size < MOST_BYTES, path


def overview(ada: Visitor) -> None:
    ada.visit("/admin/")


def tab(name: str) -> Callable[[Visitor], None]:
    def go(ada: Visitor) -> None:
        ada.find("orders")
        if name:
            tabs = ada.page.get_by_role("navigation", name="Service instance")
            tabs.get_by_role("link", name=name, exact=True).click()
            ada.page.wait_for_load_state()

    return go


def force(ada: Visitor) -> None:
    ada.find("wiki")
    ada.page.get_by_role("link", name="Force deprovision…").click()
    ada.page.get_by_label("Reason").fill("The machine is broken for good")
    typed = ada.page.get_by_label(re.compile("^Type the last"))
    typed.fill(guid_of("wiki", "production", "platform")[-6:])


PICTURES: dict[str, Callable[[Visitor], None]] = {
    "overview": overview,
    "instance": tab(""),
    "live": tab("Live"),
    "logs": tab("Logs"),
    "backups": tab("Backups"),
    "force": force,
}


def main() -> None:
    with Lab(1) as lab, ConsoleSite() as site, chromium() as browser:
        fill(site, lab)
        with Visitor(browser, site.url) as ada:
            ada.log_in()
            backups(site, ada)
        site.manage("shell", "-c", "from tests.browser import past; past.make()")
        lab.hosts[0].kill()
        with Visitor(browser, site.url) as ada:
            ada.log_in()
            ada.visit("/admin/instances/dockerhost/")
            ada.look_until("not reached")
        take(browser, site)


if __name__ == "__main__":
    main()
