"""An operator's browser in front of the router: logging in to the console."""

import http.client
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.cf.router import Router

Page = tuple[http.client.HTTPResponse, bytes]


def faults(router: Router, username: str, password: str) -> list[str]:
    """Each a sentence; none if the console works as it should behind a router."""
    said = []
    login, page = _get(router, "/admin/login/")
    cookies = _cookies(login)
    if login.status != 200:
        return [f"the login page is answered {login.status}"]
    if login.getheader("Strict-Transport-Security") is None:
        said.append("no HSTS: the forwarded scheme is not believed")
    said += _static_faults(router, page.decode())
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.decode())
    form = {"username": username, "password": password, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = token[1] if token else ""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"https://{router.hostname}",
        "Referer": f"https://{router.hostname}/admin/login/",
        "Cookie": "; ".join(f"{name}={m.value}" for name, m in cookies.items()),
    }
    answer, _ = _ask(router, "POST", "/admin/login/", headers, urlencode(form))
    if answer.status != 302:
        said.append(f"the login is answered {answer.status}")
    cookies.update(_cookies(answer))
    for name, morsel in cookies.items():
        if not (morsel["secure"] and morsel["httponly"]):
            said.append(f"the cookie {name} is not secure")
    return said


def _static_faults(router: Router, page: str) -> list[str]:
    """Files have their content's hash in the name, are compressed and kept for ever."""
    paths = re.findall(r'href="(/static/[^"]+\.css)"', page)
    said = [] if paths else ["the login page has no style sheet"]
    for path in paths:
        answer, _ = _get(router, path)
        kept = answer.getheader("Cache-Control") or ""
        if answer.status != 200 or answer.getheader("Content-Encoding") != "gzip":
            said.append(f"{path} is answered {answer.status}, not compressed")
        if "immutable" not in kept or not re.search(r"\.[0-9a-f]{12}\.css$", path):
            said.append(f"{path} has no content hash, or is not kept: {kept}")
    return said


def _get(router: Router, path: str) -> Page:
    return _ask(router, "GET", path, {"Accept-Encoding": "gzip"})


def _ask(
    router: Router, method: str, path: str, headers: dict[str, str], body: str = ""
) -> Page:
    connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=30)
    connection.request(method, path, body or None, {"Host": router.hostname} | headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def _cookies(response: http.client.HTTPResponse) -> SimpleCookie:
    cookies = SimpleCookie()
    for value in response.headers.get_all("Set-Cookie", []):
        cookies.load(value)
    return cookies
