"""The pages as they are sent: each one file with its style, its script and the hashes of both in its policy."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

_STYLE = ("theme.css", "page.css", "panels.css", "tables.css")
_SCRIPT = ("text.js", "wire.js", "elements.js", "chart.js", "panels.js", "feed.js", "detail.js", "tokens.js", "page.js")
"""Parts of one module, in the order in which they need each other."""
_MESSAGE = "<!-- message -->"
_ACTION = 'action="dashboard/login"'
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""Beside the policy. The referrer policy is what lets browsers name the origin when the form is sent."""


@dataclass(frozen=True, slots=True)
class WebPage:
    """One page, and the headers that belong to it."""

    html: str
    headers: Mapping[str, str]

    def again(self, message: str) -> str:
        """The page as the answer to its own form, one level deeper, with a message."""
        return self.html.replace(_MESSAGE, escape(message)).replace(_ACTION, 'action="login"')


@cache
def dashboard() -> WebPage:
    """The dashboard itself; all figures come later, by its script."""
    return _page("dashboard.html", "\n".join(map(_part, _SCRIPT)))


@cache
def sign_in_form() -> WebPage:
    """The sign-in, which needs no script."""
    return _page("sign_in.html")


@cache
def closed() -> WebPage:
    """For whom the dashboard is closed, and a sign-in is no help."""
    return _page("closed.html")


def _page(name: str, script: str = "") -> WebPage:
    style = "\n".join(map(_part, _STYLE))
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    if script:
        policy |= {"script-src": _hash(script), "connect-src": "'self'"}
    html = _part(name).replace("<!-- style -->", f"<style>{style}</style>")
    html = html.replace("<!-- script -->", f'<script type="module">{script}</script>')
    return WebPage(html, {**_HEADERS, "Content-Security-Policy": "; ".join(map(" ".join, policy.items()))})


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")
