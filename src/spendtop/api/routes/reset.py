"""Starting anew."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from spendtop.api.routes import context_of, written
from spendtop.services import store_reset


class ResetAnswer(BaseModel):
    """What a reset did."""

    deleted: int
    """Requests."""
    backup: str
    """The file, on the machine of the collector."""


def router() -> APIRouter:
    """`/reset`."""
    routes = APIRouter(tags=["state"])
    routes.add_api_route("/reset", reset, methods=["DELETE"])
    return routes


def reset(request: Request) -> ResetAnswer:
    """Write a backup, then delete all usage. Duplicate keys, tokens and settings stay."""
    context = context_of(request)
    now = context.clock()
    done = written(request, lambda connection: store_reset.reset(context.store, connection, context.backups, now))
    return ResetAnswer(deleted=done.deleted, backup=str(done.backup))
