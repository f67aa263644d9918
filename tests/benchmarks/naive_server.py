"""What is written in an afternoon: FastAPI and SQLModel, a commit per request, a sum over the last hour each time."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

from tests.benchmarks.bare_server import serve
from tests.benchmarks.webhooks import SECRET, SIZE

_OLD = "x" * SIZE


class _Naive(SQLModel, registry=registry()):
    """Tables of its own, which no store of ours shall have."""


class Spent(_Naive, table=True):
    """One request."""

    id: int | None = Field(default=None, primary_key=True)
    request_id: str = Field(unique=True)
    model: str
    user_id: str | None = None
    cost: float
    tokens: int
    timestamp: datetime
    body: str


def fill(path: Path, rows: int) -> None:
    """A database of this server with so many requests of the last month."""
    _Naive.metadata.create_all(create_engine(f"sqlite:///{path}"), [_Naive.metadata.tables["spent"]])
    step = timedelta(days=30) / max(1, rows)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO spent (request_id, model, user_id, cost, tokens, timestamp, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (f"old-{row:012}", "gpt-4o-2024-08-06", f"user-{row % 500}", 0.002, 900, str(_now() - row * step), _OLD)
                for row in range(rows)
            ),
        )
        connection.execute("COMMIT")
    connection.close()


def build(path: str) -> FastAPI:
    """The server."""
    app, engine = FastAPI(), create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

    @app.post("/webhook")
    async def webhook(request: Request, helicone_signature: Annotated[str, Header()]) -> dict[str, Any]:
        raw = await request.body()
        if not hmac.compare_digest(hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest(), helicone_signature):
            raise HTTPException(401)
        event = json.loads(raw)
        metadata = event["metadata"]
        with Session(engine) as session:
            session.add(
                Spent(
                    request_id=event["request_id"],
                    model=event["model"],
                    user_id=event.get("user_id"),
                    cost=metadata["cost"],
                    tokens=metadata["totalTokens"],
                    timestamp=_now(),
                    body=raw.decode(),
                )
            )
            session.commit()
            last_hour = session.exec(
                select(func.sum(Spent.cost)).where(Spent.timestamp > _now() - timedelta(hours=1))
            ).one()
        return {"status": "stored", "last_hour": last_hour}

    return app


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    serve(build(sys.argv[2]), socket.socket(fileno=int(sys.argv[1])))
