"""The page in a real browser: read, by keyboard and on a phone, live, with hostile names, and its figures."""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from spendtop.domain.clock import MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.percent import percent_of
from spendtop.domain.requests.request import BodyState, Status, Usage
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import parse_window
from spendtop.services import tokens
from spendtop.store.engine import Store
from spendtop.tui import formats
from tests.api.listening import Live, settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = "an-api-key-that-is-long"
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe\u0007\u200b"
LONG = "W" * 300
BODY = b'{"messages":[{"role":"user","content":"a secret question"}]}'
LIMITS = (
    Limit(name="daily", window=parse_window("day"), amount=Usd.of(4)),
    Limit(name="each user", window=parse_window("day"), amount=Usd.of("2.50"), each=Each.USER),
)


def fill(recorded: Recorded, now: int) -> None:
    """A priced request, an unpriced one and one that failed, under names that are hostile."""
    whole: dict[str, Any] = {"request_body": BODY, "response_body": BODY, "body_state": BodyState.STORED}
    usage = Usage(prompt=1_200, completion=85)
    recorded.add(
        [
            recorded.request(now - MINUTE, 2_345_678_900, user_id=HOSTILE, model="gpt-4o", usage=usage, **whole),
            recorded.request(now - 2 * MINUTE, None, user_id=LONG, model=HOSTILE, token=HOSTILE, session_id=LONG),
            recorded.request(now - 3 * MINUTE, 10**9, user_id="אבג", model=LONG, status=Status.ERROR, http_status=429),
        ],
        LIMITS,
    )
    with recorded.store.writing() as connection:
        tokens.create(connection, "<b>web</b>", now)


@asynccontextmanager
async def opened(
    chromium: Browser, live: Live, width: int = 1440, scheme: Any = "dark", **options: Any
) -> AsyncIterator[Page]:
    """A page that must not run anything but its own script, nor ask anybody else."""
    context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    context.set_default_timeout(DEADLINE * 1000)
    page = await context.new_page()
    amiss: list[str] = []
    page.on("pageerror", lambda error: amiss.append(str(error)))
    page.on("console", lambda said: amiss.append(said.text) if "Content Security" in said.text else None)
    page.on("dialog", lambda dialog: amiss.append(dialog.message))
    page.on("request", lambda asked: None if asked.url.startswith((base(live), "data:")) else amiss.append(asked.url))
    try:
        await page.goto(f"{base(live)}/dashboard")
        yield page
        assert amiss == []
    finally:
        await context.close()


def base(live: Live) -> str:
    return f"http://127.0.0.1:{live.port}"


async def sign_in(page: Page, key: str = KEY) -> None:
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")


async def test_signing_in_reading_by_keyboard_and_signing_out(
    readable_store: Store, clock: SettableClock, chromium: Browser
) -> None:
    recorded = Recorded(readable_store)
    fill(recorded, clock())
    async with (
        recording(readable_store, clock, settings_of({"api_key": KEY}, time={"zone": "UTC"}), LIMITS) as (live, _),
        opened(chromium, live) as page,
    ):
        await expect(page.get_by_label("API key")).to_be_focused()
        await sign_in(page, "a guess")
        await expect(page.get_by_role("alert")).to_contain_text("This is not the api key")
        await sign_in(page)
        await expect(page.locator("#spent")).to_have_text("$3.35 + 1 unpriced")
        await expect(page.locator("#lamp")).to_have_text("● LIVE")
        user = page.locator("#users tr").first
        assert [await cell.inner_text() for cell in await user.locator("th, td").all()] == [
            clean_line(HOSTILE),
            "$2.35",
            "",
            "70%",
        ]
        limits = page.locator("#limits")
        await expect(limits.locator("tr").first).to_contain_text("$2.35 of $2.50")
        await expect(limits.locator("tr").first).to_contain_text("approaching")
        row = page.locator("#feed tr").nth(1)
        assert LONG[:250] in await row.inner_text()
        await expect(row.locator(".cost")).to_have_text("unpriced")
        await expect(page.locator("#feed tr").nth(2).locator(".end")).to_contain_text("!429")
        await page.locator("#feed button").nth(1).focus()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(clean_line(HOSTILE))
        await expect(dialog).to_contain_text("Prompts and responses are not shown here.")
        assert "secret question" not in await page.content()
        await page.keyboard.press("Escape")
        await expect(page.locator("#feed button").first).to_be_focused()
        async with page.expect_download() as download:
            await page.get_by_text("CSV of these requests").click()
        assert (await download.value).suggested_filename.endswith(".csv")
        await page.get_by_text("Sign out").click()
        await expect(page.get_by_label("API key")).to_be_visible()


async def test_what_comes_in_is_shown_until_the_key_is_another_one(
    readable_store: Store, clock: SettableClock, chromium: Browser
) -> None:
    recorded = Recorded(readable_store)
    settings = settings_of({"api_key": KEY, "dashboard_bodies": True}, time={"zone": "UTC"})
    async with recording(readable_store, clock, settings) as (live, _), opened(chromium, live) as page:
        await sign_in(page)
        await expect(page.locator("#feed-empty")).to_be_visible()
        await expect(page.locator("#lamp")).to_have_text("● LIVE")
        fill(recorded, clock())
        await expect(page.locator("#feed tr")).to_have_count(3)
        await page.locator("#feed button").first.click()
        await expect(page.get_by_role("dialog")).to_contain_text("a secret question")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#lamp")).to_have_text("‖ PAUSED")
        recorded.add([recorded.request(clock(), 10**9, user_id="late")])
        await expect(page.locator("#feed-note")).to_have_text("paused; 1 report since")
        await expect(page.locator("#feed tr")).to_have_count(3)
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#feed tr").first).to_contain_text("late")
        live.settings.append(settings_of({"api_key": "another-key-that-is-long"}))
        await page.get_by_text("7 days").click()
        await expect(page.get_by_label("API key")).to_be_visible()


async def test_tracking_tokens_on_this_machine_and_a_lost_connection(
    readable_store: Store, clock: SettableClock, chromium: Browser
) -> None:
    async with recording(readable_store, clock) as (live, _), opened(chromium, live, 360, "light") as page:
        await page.get_by_label("Name").fill("<i>app</i>")
        await page.get_by_role("button", name="Make token").click()
        await expect(page.get_by_role("dialog")).to_contain_text("SPENDTOP_INGEST_KEY")
        await page.keyboard.press("Escape")
        row = page.locator("#tokens tr")
        await expect(row).to_contain_text("<i>app</i>")
        await page.get_by_label("Name").fill("<i>app</i>")
        await page.get_by_role("button", name="Make token").click()
        await expect(page.locator("#make-message")).to_contain_text("There is a tracking token with this name")
        await row.get_by_role("button", name="Switch off").click()
        await expect(row).to_contain_text("! off")
        await expect(row.get_by_role("button", name="Switch on")).to_be_focused()
        await row.get_by_role("button", name="Snippet").click()
        await expect(page.get_by_role("dialog")).to_contain_text("curl")
        await page.keyboard.press("Escape")
        await row.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Delete token", exact=True).click()
        await expect(page.locator("#tokens-empty")).to_be_visible()
        await expect(page.get_by_label("Name")).to_be_focused()
        await expect(page.locator("#lamp")).to_have_text("● LIVE")
        live.stop.set()
        await expect(page.locator("#lamp")).to_have_text("■ CONNECTION LOST")


async def test_nothing_keeps_anybody_from_reading_it(
    readable_store: Store, clock: SettableClock, chromium: Browser
) -> None:
    """As far as axe sees it; and no page is wider than its screen."""
    fill(Recorded(readable_store), clock())
    async with recording(readable_store, clock, settings_of(time={"zone": "UTC"}), LIMITS) as (live, _):
        for width, scheme in ((360, "light"), (1440, "dark")):
            async with opened(chromium, live, width, scheme, bypass_csp=True, reduced_motion="reduce") as page:
                await expect(page.locator("#feed tr")).to_have_count(3)
                await expect(page.locator("#tokens tr")).to_have_count(1)
                assert await page.evaluate("document.documentElement.scrollWidth") == width
                found = await Axe().run(page)
                assert found.response["violations"] == [], found.generate_report()


def assigned(code: int) -> bool:
    return unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")


async def test_figures_and_names_read_as_on_the_screens(chromium: Browser) -> None:
    dice = random.Random(20261120)
    codes = [code for code in range(sys.maxunicode) if assigned(code)]
    odd = [0x0A, 0x0D, 0x09, 0x200D, 0x202E, 0x1F468, 0xFE0F, 0x301, 0x300, 0x85, 0x3164, *range(0x20)]
    texts = [HOSTILE, LONG, "👨\u200d👩\u200d👧", "a\u200db", "e" + "\u0301" * 9, "x\r\ny\rz", "\0" * 260, ""]
    for _ in range(300):
        texts.append("".join(chr(dice.choice(dice.choice((codes, odd)))) for _ in range(dice.randrange(300))))
    edges = [0, 1, 499, 500, 99_999, 100_000, 99_999_999, 10**8, 999_999_999, 10**9, 1_005_000_000, 1_015_000_000]
    amounts = [*edges, *(dice.randrange(10 ** dice.randrange(1, 16)) for _ in range(200))]
    amounts += [-amount for amount in amounts]
    shares = [(dice.randrange(10**12), dice.randrange(1, 10**12)) for _ in range(200)] + [(1, 10**6), (0, 5), (5, 5)]
    counts = [0, 999, 1_000, 2_250, 1_150, 99_949, 99_950, 12_500_000, *(abs(amount) for amount in amounts)]
    rules: dict[str, tuple[Callable[..., str], list[Any]]] = {
        "cleanLine": (clean_line, texts),
        "usd": (lambda nano: str(Usd(nano)), amounts),
        "balanceWords": (lambda nano: Usd(nano).floored, amounts),
        "percent": (lambda pair: percent_of(*pair), [list(share) for share in shares]),
        "count": (formats.count, counts),
        "latency": (formats.latency, [count % 10**8 for count in counts]),
    }
    source = files("spendtop.api.dashboard").joinpath("page", "text.js").read_text(encoding="utf-8")
    page = await chromium.new_page()
    for name, (rule, examples) in rules.items():
        spread = "..." if name == "percent" else ""
        written = await page.evaluate(
            f"(all) => {{ {source}\nreturn all.map((one) => {name}({spread}one)); }}", examples
        )
        assert written == [rule(example) for example in examples], name
    await page.close()
