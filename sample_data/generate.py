"""Makes the sample traffic: a month of LLM requests of a made-up company and the hours after it, the same for the same
seed.

    python sample_data/generate.py --out sample_data

writes `stream.jsonl.gz` (what comes after the month), `runaway.jsonl.gz` (a session apart) and `live.jsonl` (some
webhooks); record.py writes the month itself. Who calls what is in workloads.toml, what they talk about in
material.toml.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from uuid import UUID

from conversations import Conversation, Material, Turn
from genai_prices import Usage, calc_price
from shapes import Json, Tokens, error_body, random_id, request_body, response_body, webhook_body

HERE = Path(__file__).parent
END = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
"""The end of the month: a Friday afternoon, at a full hour. Readers shift it to the last full hour of their own."""
STREAM_HOURS = 2
SEED = 7

_FIELDS = (
    *("age_s", "source", "external_id", "response_id", "provider", "model", "status", "http_status", "usage"),
    *("reported_cost", "user_id", "session_id", "session_path", "token", "properties", "latency_ms", "ttft_ms"),
    *("cached", "request_body", "response_body"),
)
_FAILURES = ((429, 0.016), (500, 0.005), (504, 0.003))
_BROKEN = 0.004
"""Share of answers that break off after the provider has worked, and charges for it."""
_CANCELLED = 0.007
_FIRST_ID = UUID("8b21f6d4-90c3-4e57-a1d8-300000000000").int
"""Ids of requests without bodies follow each other, which takes little room."""
_BODIES_S = 12 * 3600
_BODIES_BEFORE = 0.01
"""Share of the older requests that have theirs."""
_WEBHOOK_ONLY_S = 300
_SMALLEST_CACHED_PROMPT = 1024
_CACHE_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Model:
    """A model as it is asked for, and the name with which it answers."""

    provider: str
    answers_as: str
    speed: int
    thinking: float = 0.0

    @property
    def reported_provider(self) -> str | None:
        """The provider as a gateway knows it: a private model has none."""
        return None if self.provider == "custom" else self.provider


@dataclass(frozen=True)
class Workload:
    """One way in which the company uses models; fields are explained in workloads.toml."""

    name: str
    users: list[str]
    models: list[str]
    steps: list[tuple[str, str]]
    token: str
    properties: dict[str, str]
    calls: tuple[int, int]
    gap: tuple[float, float]
    attachment: tuple[int, int]
    hours: str = "always"
    sessions: tuple[float, float] = (0, 0)
    growth: float = 1.0
    once: float | None = None
    staged: bool = False
    continues: bool = False
    prompt_caching: bool = True
    gateway_cache: float = 0.0
    source: str = "helicone-api"


@dataclass(frozen=True)
class Session:
    """Some calls of one workload in a row. `id` None: the application sends no session."""

    starts: datetime
    workload: Workload
    id: str | None
    user: str | None
    model: str


@dataclass
class Thread:
    """What one session has said in one kind of conversation, and what the provider's prompt cache holds of it."""

    conversation: Conversation
    attachment: int = 0
    file_id: str | None = None
    cached_tokens: int = 0
    cached_until: datetime = field(default=datetime.min.replace(tzinfo=UTC))


class Generator:
    """Generates the lines of one seed. A line is a dict with the fields that README.md lists."""

    def __init__(self, seed: int, days: float = 30, hours_after: float = 0) -> None:
        """Of so many days before END, and so many hours after it."""
        self._rng = Random(seed)
        self._start = END - timedelta(days=days)
        self._until = END + timedelta(hours=hours_after)
        table = tomllib.loads((HERE / "workloads.toml").read_text("utf-8"))
        self._models = {name: Model(**model) for name, model in table["models"].items()}
        self._hours: dict[str, list[int]] = table["hours"]
        self._workloads = [Workload(**workload) for workload in table["workload"]]
        self._material = Material(HERE / "material.toml")
        self._last_answered: dict[str, Json] = {}

    def lines(self) -> list[Json]:
        """All requests of the period, oldest first, every one with its bodies."""
        sessions = sorted(self._sessions(), key=lambda session: session.starts)
        lines = [line for session in sessions for line in self._session_lines(session)]
        return sorted(lines, key=lambda line: (-line["age_s"], line["external_id"]))

    def staged(self) -> list[Json]:
        """The requests of the session that is apart from the others, as if it began at END."""
        workload = next(workload for workload in self._workloads if workload.staged)
        session = Session(END, workload, workload.name, workload.users[0], workload.models[0])
        return list(self._session_lines(session))

    def _sessions(self) -> Iterator[Session]:
        number = 1000
        for workload in self._workloads:
            if workload.staged:
                continue
            number += self._rng.randint(400, 2000)
            for starts in self._starts_of(workload):
                number += 1
                session_id = f"{workload.name}-{number}" if workload.name else None
                user, model = self._rng.choice(workload.users) or None, self._rng.choice(workload.models)
                yield Session(starts, workload, session_id, user, model)

    def _starts_of(self, workload: Workload) -> Iterator[datetime]:
        if workload.once is not None:
            yield END - timedelta(hours=workload.once)
            return
        midnight = self._start.replace(hour=0, minute=0)
        while midnight < self._until:
            elapsed = max(0.0, (midnight - self._start) / (END - self._start))
            wanted = workload.sessions[midnight.weekday() >= 5] * (1 + (workload.growth - 1) * elapsed)
            count = int(wanted * self._rng.uniform(0.75, 1.25) + self._rng.random())
            for hour in self._rng.choices(range(24), self._hours[workload.hours], k=count):
                yield midnight + timedelta(hours=hour, seconds=self._rng.uniform(0, 3600))
            midnight += timedelta(days=1)

    def _session_lines(self, session: Session) -> Iterator[Json]:
        at, threads = session.starts, dict[str, Thread]()
        for number in range(self._rng.randint(*session.workload.calls)):
            path, kind = session.workload.steps[number % len(session.workload.steps)]
            if self._start <= at < self._until:
                yield self._as_known_by_now(self._line(session, at, path, kind, threads))
            at += timedelta(seconds=self._rng.uniform(*session.workload.gap))

    def _line(self, session: Session, at: datetime, path: str, kind: str, threads: dict[str, Thread]) -> Json:
        workload = session.workload
        line = self._envelope(session, at, path)
        repeated = self._last_answered.get(workload.name)
        if repeated and self._rng.random() < workload.gateway_cache:
            return line | repeated | self._from_gateway_cache()
        if kind not in threads:
            threads[kind] = Thread(self._material.begin(self._rng, kind, workload.prompt_caching))
        thread = threads[kind]
        self._ask(thread, workload, kind)
        model = self._models[session.model]
        body = request_body(model.provider, session.model, thread.conversation, thread.file_id)
        line |= {"provider": model.reported_provider, "model": model.answers_as, "request_body": body}
        usual = workload.once is None and not workload.staged
        status = self._failure() if usual else None
        if status:
            thread.conversation.turns.pop()
            return line | self._failed(model, status)
        answered = self._answered(thread, model, at, kind)
        if usual and self._rng.random() < _BROKEN:
            return line | answered | self._broken_off(model, answered)
        if workload.source in ("ingest", "otlp"):
            answered["reported_cost"] = None
        if answered["status"] == "ok":
            repeatable = ("provider", "model", "request_body")
            self._last_answered[workload.name] = {key: line[key] for key in repeatable} | answered
        return line | answered

    def _envelope(self, session: Session, at: datetime, path: str) -> Json:
        return {
            "age_s": round((END - at).total_seconds(), 3),
            "source": session.workload.source,
            "external_id": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "user_id": session.user,
            "session_id": session.id,
            "session_path": path or None,
            "token": session.workload.token or None,
            "properties": session.workload.properties or None,
            "cached": False,
        }

    def _ask(self, thread: Thread, workload: Workload, kind: str) -> None:
        fresh = not thread.conversation.turns or not workload.continues
        if fresh:
            thread.conversation.turns.clear()
            thread.cached_tokens = 0
            thread.attachment = self._rng.randint(*workload.attachment)
            thread.file_id = random_id(self._rng, "file-", 22) if thread.attachment else None
        self._material.ask(self._rng, thread.conversation, kind)

    def _answered(self, thread: Thread, model: Model, at: datetime, kind: str) -> Json:
        prompt = thread.conversation.tokens + thread.attachment
        self._material.answer(self._rng, thread.conversation, kind, lambda: random_id(self._rng, "call_", 24))
        answer = thread.conversation.turns[-1]
        cancelled = answer.tool is None and self._rng.random() < _CANCELLED
        if cancelled:
            answer = Turn("assistant", answer.text[: len(answer.text) // 3])
        visible = len(answer.text) // 4 + 4
        reasoning = int(visible * model.thinking * self._rng.uniform(0.3, 3)) // 64 * 64
        read, write = self._prompt_cache(thread, model.provider, prompt, at)
        thoughts = None if model.provider == "anthropic" else reasoning
        tokens = Tokens(prompt, visible + reasoning, read, write, thoughts)
        ttft = int(self._rng.uniform(180, 700) + (prompt - (read or 0)) / 40 + 1000 * reasoning / model.speed)
        body = response_body(self._rng, model.provider, model.answers_as, answer, tokens, int(at.timestamp()))
        return {
            "response_id": body.get("id") or body.get("responseId"),
            "status": "cancelled" if cancelled else "ok",
            "http_status": None if cancelled else 200,
            "usage": vars(tokens),
            "reported_cost": reported_cost(model, tokens),
            "latency_ms": ttft + int(1000 * visible / model.speed * self._rng.uniform(0.8, 1.4)),
            "ttft_ms": ttft,
            "response_body": body,
        }

    def _prompt_cache(self, thread: Thread, provider: str, prompt: int, at: datetime) -> tuple[int | None, int | None]:
        caches = thread.conversation.prompt_caching and provider != "custom" and prompt >= _SMALLEST_CACHED_PROMPT
        writes = 0 if provider == "anthropic" else None
        if not caches:
            return 0, writes
        hit = at < thread.cached_until and (provider == "anthropic" or self._rng.random() < 0.8)
        read = min(thread.cached_tokens, prompt) // 128 * 128 if hit else 0
        thread.cached_tokens, thread.cached_until = prompt, at + _CACHE_LIFETIME
        return read, (max(0, prompt - read - 20) if provider == "anthropic" else None)

    def _failed(self, model: Model, status: int) -> Json:
        took = 60_000 if status == 504 else 120
        return {
            "response_id": None,
            "status": "error",
            "http_status": status,
            "usage": vars(Tokens()),
            "reported_cost": "0",
            "latency_ms": took + self._rng.randint(0, 400),
            "ttft_ms": None,
            "response_body": error_body(model.provider, model.answers_as, status),
        }

    def _broken_off(self, model: Model, answered: Json) -> Json:
        """The provider read the prompt and wrote, and then the connection ended: that costs what it costs."""
        usage = answered["response_body"].get("usage") or answered["response_body"]["usageMetadata"]
        name = "usageMetadata" if model.provider == "google" else "usage"
        body = error_body(model.provider, model.answers_as, 502) | {name: usage}
        return {"response_id": None, "status": "error", "http_status": 502, "response_body": body}

    def _from_gateway_cache(self) -> Json:
        return {"cached": True, "usage": vars(Tokens()), "latency_ms": self._rng.randint(9, 60), "ttft_ms": None}

    def _as_known_by_now(self, line: Json) -> Json:
        """The last minutes and a few others are known by webhook only, which tells less."""
        unconfirmed = line["age_s"] < _WEBHOOK_ONLY_S or self._rng.random() < 0.02
        if line["source"] != "helicone-api" or line["age_s"] < 0 or line["cached"] or not unconfirmed:
            return line
        unknown = dict.fromkeys(("session_id", "session_path", "token", "properties", "ttft_ms"))
        return line | unknown | {"source": "helicone"}

    def _failure(self) -> int | None:
        chance = self._rng.random()
        for status, share in _FAILURES:
            if chance < share:
                return status
            chance -= share
        return None


def reported_cost(model: Model, tokens: Tokens) -> str | None:
    """The list price in USD with nine decimals, as Helicone stores it; None for a model without a price."""
    if model.provider == "custom":
        return None
    read, write = tokens.cache_read or 0, tokens.cache_write or 0
    counts = (tokens.prompt - read - write, tokens.completion, read, write)
    rates = _rates(model.provider, model.answers_as)
    cost = sum((count * rate for count, rate in zip(counts, rates, strict=True)), Decimal(0))
    return str(cost.quantize(Decimal("1e-9")))


@cache
def _rates(provider: str, model: str) -> tuple[Decimal, ...]:
    """USD for a token of input, output, cache read and cache write."""
    units = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    return tuple(_price(provider, model, {unit: 1000}) / 1000 for unit in units)


def _price(provider: str, model: str, counts: dict[str, int]) -> Decimal:
    whole = Usage(**{"input_tokens": counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)} | counts)
    return calc_price(whole, model, provider_id=provider, genai_request_timestamp=END).total_price


def traffic(seed: int, days: float = 30) -> list[Json]:
    """The month and what comes after it: all bodies of its last hours and of what follows, few of the time before."""
    rng = Random(seed)
    lines = Generator(seed, days, STREAM_HOURS).lines()
    for number, line in enumerate(lines):
        old = line["age_s"] > _BODIES_S and rng.random() > _BODIES_BEFORE
        if old or line["source"] == "ingest":
            line["request_body"] = line["response_body"] = line["response_id"] = None
            line["external_id"] = str(UUID(int=_FIRST_ID + number))
    return [_in_order(line) for line in lines]


def runaway(seed: int) -> list[Json]:
    """The lines of `runaway.jsonl.gz`: an agent that repeats itself."""
    return [_in_order(line) for line in Generator(seed, hours_after=STREAM_HOURS).staged()]


def _in_order(line: Json) -> Json:
    return {name: line[name] for name in _FIELDS}


def month(lines: list[Json]) -> list[Json]:
    """What happened before END."""
    return [line for line in lines if line["age_s"] > 0]


def stream(lines: list[Json]) -> list[Json]:
    """The lines of `stream.jsonl.gz`: what happens from END on; with the webhook where Helicone sends one."""
    coming = [line for line in lines if line["age_s"] <= 0]
    return [line | {"webhook": _webhook(line) if line["source"] == "helicone-api" else None} for line in coming]


def live(seed: int) -> list[Json]:
    """The bodies of `live.jsonl`: webhooks of every kind."""
    rng = Random(seed)
    lines = [line for line in Generator(seed, days=4).lines() if not line["cached"] and "helicone" in line["source"]]
    rng.shuffle(lines)
    calm = [line for line in lines if line["session_path"] not in ("/lab/agent/step", "/finance/reconcile")]
    failed = [line for line in calm if line["status"] == "error"]
    served = [line for line in calm if line["status"] == "ok"]
    unpriced = [line for line in served if line["provider"] is None]
    nobody = [line for line in served if line["user_id"] is None]
    others = [line for line in served if line["provider"] and line["user_id"]]
    dear = [line for line in lines if line["session_path"] == "/finance/reconcile"]
    chosen = [*failed[:4], *unpriced[:5], *nobody[:6], *others[:44]]
    rng.shuffle(chosen)
    return [_webhook(line) for line in [*chosen[:40], *dear, *chosen[40:]]]


def _webhook(line: Json) -> Json:
    url = "https://s3.us-west-2.amazonaws.com/request-response-storage/requests/{}/request_response_body"
    return webhook_body(line, url.format(line["external_id"]))


def write_lines(path: Path, lines: list[Json]) -> None:
    """Writes one compact JSON object per line; a name that ends in .gz is compressed, the same for the same lines."""
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    data = text.encode()
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description="Makes the sample traffic.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    lines = stream(traffic(options.seed, options.days))
    write_lines(options.out / "stream.jsonl.gz", lines)
    write_lines(options.out / "runaway.jsonl.gz", runaway(options.seed))
    write_lines(options.out / "live.jsonl", live(options.seed + 1))
    sys.stdout.write(f"{len(lines)} requests in {options.out}\n")


if __name__ == "__main__":
    main()
