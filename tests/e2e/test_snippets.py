"""Every documented way in, as a user pastes it: what it reports stands on the screen of requests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from spendtop.services.snippets import KEY_VARIABLE
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.session import Session
from tests import fake_llm
from tests.e2e.processes import CollectorProcess, collecting, environment, spendtop
from tests.e2e.pushing import INGEST_KEY
from tests.readme import README
from tests.tui.conftest import opened, picture, until
from tests.waiting import DEADLINE, eventually

CONFIG = """\
[server]
port = 0
ingest_keys = {{ apps = "{key}" }}
[ingest]
token_length = 12
[time]
zone = "UTC"
[prices."claude-of-the-tests"]
input = 4
output = 10
"""
LITELLM = """
import json

callbacks = []


def completion(event):
    for callback in callbacks:
        callback.log_success_event({"standard_logging_object": json.loads(event)}, None, None, None)
"""
"""A LiteLLM whose one call reports the event that it is given."""
OTLP_APPLICATION = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("application").start_as_current_span("chat gpt-4o-mini") as span:
    span.set_attributes({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 200, "user.id": "alice",
    })
provider.shutdown()
"""
_FIXTURES = Path(__file__).parents[1] / "fixtures"


class Shown(NamedTuple):
    """What the screen says of a request."""

    user: str
    model: str
    cost: str
    token: str


@dataclass
class Place:
    """A running collector, and a folder for applications."""

    collector: CollectorProcess
    folder: Path

    def token(self, name: str) -> tuple[str, Mapping[str, str]]:
        """The value of a new token, and the snippets, as the command prints them."""
        config = self.collector.folder / "spendtop.toml"
        ended = spendtop(self.collector.folder, "token", "create", name, "--config", config)
        assert ended.code == 0, ended.err
        head, *parts = re.split(r"^--- (\w+) ---\n", ended.out, flags=re.MULTILINE)
        value = head.strip().removeprefix(f"Tracking token {name}: ")
        return value, dict(zip(parts[::2], parts[1::2], strict=True))

    def run(self, *command: str, **variables: str) -> None:
        """Run an application to its end; it has to succeed, and say nothing of a failure."""
        environ = environment(self.folder) | {KEY_VARIABLE: INGEST_KEY} | variables
        done = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, timeout=DEADLINE)
        assert (done.returncode, done.stderr.decode()) == (0, "")

    def run_python(self, source: str, modules: Mapping[str, str], **variables: str) -> None:
        """Run a script beside stand-ins for the packages that it imports."""
        for name, text in modules.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        script = self.folder / "application.py"
        script.write_text(source)
        self.run(sys.executable, str(script), **variables)

    async def shown(self, count: int) -> list[Shown]:
        """The rows of the screen of requests, once there are so many."""
        store = Store(f"sqlite:///{self.collector.folder}/spendtop.db")
        app = SpendtopApp(self._session(store))
        with closing(store):
            async with app.run_test(size=(180, 30)) as pilot:
                await opened(pilot, "2")
                await until(pilot, lambda: len(_rows(picture(pilot))) == count)
                return sorted(_rows(picture(pilot)))

    def _session(self, store: Store) -> Session:
        return Session(
            connect=lambda upgraded: store,
            clock=lambda: int(self.collector.rows("SELECT max(received_at) FROM request")[0][0]),
            collector=lambda: None,
            stop_collector=lambda: None,
            store_name="store",
        )


def _rows(shown: str) -> list[Shown]:
    """Lines such as `21:04:11 alice gpt-4o-mini 1.0k 100 400 $0.00018 ok 1ms - openai <token>`."""
    lines = [line.split() for line in shown.splitlines() if re.search(r"\d\d:\d\d:\d\d +alice", line)]
    found = []
    for words in lines:
        words = words[words.index("alice") :]
        cost = next(index for index, word in enumerate(words) if word.startswith("$"))
        found.append(Shown(words[0], words[1], words[cost], words[cost + 5]))
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    applications = tmp_path / "applications"
    applications.mkdir()
    with collecting(tmp_path / "collector", CONFIG.format(key=INGEST_KEY)) as collector:
        yield Place(collector, applications)


@pytest.mark.replaces("push/snippets")
async def test_the_clients_of_openai_and_anthropic(place: Place) -> None:
    _, snippets = place.token("web")
    with fake_llm.answering() as variables:
        place.run_python(snippets["python"], {}, **variables)
    assert await place.shown(2) == [
        Shown("alice", "claude-of-the-tests", "$0.0007", "web"),
        Shown("alice", "gpt-4o-mini", "$0.0002", "web"),
    ]


@pytest.mark.replaces("push/snippets")
async def test_curl(place: Place) -> None:
    _, snippets = place.token("cron")
    place.run("sh", "-c", snippets["curl"])
    assert await place.shown(1) == [Shown("alice", "your-model", "$0.0002", "cron")]


async def test_the_callback_of_litellm(place: Place) -> None:
    _, snippets = place.token("agents")
    _, _, pasted = snippets["litellm"].partition("#   import litellm")
    code = "import litellm" + re.sub(r"^#( {3})?", "", pasted, flags=re.MULTILINE)
    event = json.loads((_FIXTURES / "litellm_sdk_batch.json").read_bytes())[0]
    place.run_python(
        f"{code}\nlitellm.completion({json.dumps(event)!r})\n",
        {
            "litellm/__init__.py": LITELLM,
            "litellm/integrations/__init__.py": "",
            "litellm/integrations/custom_logger.py": "class CustomLogger:\n    pass\n",
        },
    )
    eventually(lambda: place.collector.rows("SELECT 1 FROM request"))
    assert await place.shown(1) == [Shown("alice", "gpt-4o-mini-2024-07-18", "$0.0002", "agents")]


async def test_the_environment_of_opentelemetry(place: Place) -> None:
    token, _ = place.token("traces")
    filled_in = {
        "http://HOST:8000": place.collector.url,
        "X-Ingest-Key=…": f"X-Ingest-Key={INGEST_KEY}",
        "VALUE": token,
    }
    variables = {}
    for name, value in re.findall(r"`(OTEL_\w+)=([^`]+)`", README.read_text(encoding="utf-8")):
        for blank, content in filled_in.items():
            value = value.replace(blank, content)
        variables[name] = value
    place.run_python(OTLP_APPLICATION, {}, **variables)
    assert await place.shown(1) == [Shown("alice", "gpt-4o-mini", "$0.0003", "traces")]
