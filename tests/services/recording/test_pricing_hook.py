from __future__ import annotations

import builtins
import threading
from pathlib import Path

import pytest

from spendtop.domain.errors import ConfigError
from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import ServiceLevel, Usage
from spendtop.services.recording import pricing_hook
from tests.services.conftest import request
from tests.waiting import DEADLINE, eventually

ONE = request(1, 5, user_id="alice")


def written(folder: Path, body: str) -> str:
    file = folder / "costs.py"
    file.write_text(f"from decimal import Decimal\n\n\ndef cost(request):\n    {body}\n")
    return f"{file}:cost"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook says is waited for, however busy the machine is."""
    monkeypatch.setattr(pricing_hook, "_LONGEST_SECONDS", DEADLINE)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("return Decimal('0.25')", (Usd(250_000_000), True)),
        ("return Decimal(1) if request.user_id == 'alice' else None", (Usd(1_000_000_000), True)),
        ("return Decimal(1) if request.source == 'helicone' else None", (Usd(1_000_000_000), True)),
        ("return Decimal(1) if request.source != 'otlp' else None", (Usd(1_000_000_000), True)),
        ("return Decimal(1) if request.source in {'litellm', 'helicone'} else None", (Usd(1_000_000_000), True)),
        ("return {'helicone': Decimal(1)}.get(request.source)", (Usd(1_000_000_000), True)),
        ("return 2", (Usd(2_000_000_000), True)),
        ("return Decimal(0)", (Usd(0), True)),
        ("return None", (None, False)),
        ("return Decimal('-0.01')", (None, True)),
        ("return Decimal('NaN')", (None, True)),
        ("return Decimal('1e30')", (None, True)),
        ("return 'much'", (None, True)),
        ("return object()", (None, True)),
        ("raise KeyError('x')", (None, True)),
        ("raise TimeoutError", (None, True)),
        ("raise SystemExit(1)", (None, True)),
        ("raise KeyboardInterrupt", (None, True)),
    ],
)
def test_what_a_hook_says(tmp_path: Path, body: str, answer: tuple[Usd | None, bool]) -> None:
    assert pricing_hook.load(written(tmp_path, body))(ONE) == answer


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise SystemExit", "the pricing hook failed: SystemExit"),
        ("raise KeyboardInterrupt", "the pricing hook failed: KeyboardInterrupt"),
        ("raise StopIteration", "the pricing hook failed: StopIteration"),
        ("return Decimal('-1')", "the pricing hook gave no amount: ValueError"),
    ],
)
def test_what_really_happened_is_in_the_log_and_the_next_request_is_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, body: str, said: str
) -> None:
    hook = pricing_hook.load(written(tmp_path, f"if request.user_id == 'alice': return Decimal(1)\n    {body}"))
    assert hook(request(2, 5, user_id="bob")) == (None, True)
    assert caplog.messages == [said]
    assert hook(ONE) == (Usd(1_000_000_000), True)


def test_nobody_waits_for_a_hook_that_does_not_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The function blocks until this test lets it go on; meanwhile costs are unknown, at once."""
    go_on = threading.Event()
    hook = pricing_hook.load(written(tmp_path, "import builtins; return builtins.hold()"))
    builtins.hold = lambda: 1 if go_on.wait(DEADLINE) else 2  # type: ignore[attr-defined]
    try:
        assert hook(ONE) == (None, True)
        assert hook(ONE) == (None, True)
        assert caplog.messages == [
            "the pricing hook took longer than 50 ms",
            "the pricing hook is still busy with an earlier request",
        ]
        go_on.set()
        eventually(lambda: hook(ONE) == (Usd(1_000_000_000), True))
    finally:
        del builtins.hold  # type: ignore[attr-defined]


@pytest.mark.usefixtures("patient")
def test_a_hook_that_ends_the_program_ends_nothing(tmp_path: Path) -> None:
    hook = pricing_hook.load(written(tmp_path, "import sys; return 1 if request.user_id == 'alice' else sys.exit()"))
    assert [hook(one) for one in (ONE, request(2, 5, user_id="bob"), ONE)] == [
        (Usd(1_000_000_000), True),
        (None, True),
        (Usd(1_000_000_000), True),
    ]


@pytest.mark.usefixtures("patient")
def test_a_hook_sees_what_the_provider_itself_said(tmp_path: Path) -> None:
    one = request(
        1,
        5,
        usage=Usage(prompt=10, completion=1, units={"web_searches": 2}),
        service_level=ServiceLevel.FLEX,
        provider_usage=pack({"searches": 2}),
    )
    body = """return Decimal(
        request.usage.quantities["web_searches"] + request.usage_object["searches"] + (request.service_level == "flex")
    )"""
    assert pricing_hook.load(written(tmp_path, body))(one) == (Usd(5_000_000_000), True)


@pytest.mark.usefixtures("patient")
def test_a_hook_that_fails_is_named_in_the_log_without_what_it_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pricing_hook.load(written(tmp_path, "raise ValueError('alice: sk-123')"))(ONE)
    assert "ValueError" in caplog.text
    assert "sk-123" not in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "def cost(:",
        "import nosuchmodule",
        "raise SystemError",
        "import sys; sys.exit(3)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "raise BaseException",
        "class Silent(Exception):\n    def __str__(self): raise SystemExit\nraise Silent",
        "cost = 5",
        "other = 1",
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "costs.py").write_text(content)
    with pytest.raises(ConfigError, match=r"costs\.py cannot be used"):
        pricing_hook.load(f"{tmp_path / 'costs.py'}:cost")


@pytest.mark.parametrize("reference", ["", "cost", ":cost", "/nosuch/costs.py:cost", "/tmp:cost"])
def test_a_file_that_is_not_there_is_named_with_the_right_form(reference: str) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        pricing_hook.load(reference)
