"""The pages that are sent: one file each, that asks nobody else for anything and runs nothing but its own."""

from __future__ import annotations

import base64
import re
from hashlib import sha256

import pytest

from spendtop.api.dashboard import pages
from spendtop.api.dashboard.pages import WebPage

PAGES = [pages.dashboard(), pages.sign_in_form(), pages.closed()]


def parts(page: WebPage, tag: str) -> list[str]:
    return re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page.html, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_lets_in_only_what_the_page_itself_holds(page: WebPage) -> None:
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'",) * 3
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        hashes = [f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in parts(page, tag)]
        assert " ".join(hashes) == policy.get(rule, "")


@pytest.mark.parametrize("page", PAGES)
def test_everything_is_in_the_page(page: WebPage) -> None:
    assert re.findall(r"(?:src|href)=\"(?!#|data:|export\.csv)[^\"]*", page.html) == []
    assert re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page.html) == []
    assert "<!-- " not in page.html.replace("<!-- message -->", "")
    assert not re.search(r"<[^>]+ (?:style|on[a-z]+)=", page.html.partition("<script")[0])


def test_the_script_reads_nothing_as_markup() -> None:
    [script] = parts(pages.dashboard(), "script")
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script) == []


def test_a_message_is_text() -> None:
    assert "&lt;b&gt;" in pages.sign_in_form().again("<b>")
