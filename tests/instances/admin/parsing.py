"""A page taken apart as a browser would: elements, attributes, links, buttons."""

from html.parser import HTMLParser


class Parsed(HTMLParser):
    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements = []
        """(tag, {attribute: value})"""
        self.links = []
        self.texts = []
        self._forms = {}
        self._form = None
        self._submitting = set()
        self.feed(html)
        self.close()

    @property
    def posts(self):
        """Where the forms lead that have a button."""
        return [
            url
            for key, (method, url) in self._forms.items()
            if method == "post" and key in self._submitting
        ]

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.elements.append((tag, given))
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self._form = given.get("id") or f"form-{len(self._forms)}"
            method = given.get("method", "get").lower()
            self._forms[self._form] = method, given.get("action", "")
        is_input = tag == "input" and given.get("type") == "submit"
        is_button = tag == "button" and given.get("type", "submit") == "submit"
        if is_input or is_button:
            self._submitting.add(given.get("form", self._form))

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None

    def handle_data(self, text):
        self.texts.append(text)
