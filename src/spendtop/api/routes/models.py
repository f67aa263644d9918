"""Which models are used."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from spendtop.api.query import FilterParameters, wrong_search
from spendtop.api.routes import calendar_of, context_of
from spendtop.api.usage_shapes import ModelItem, ModelsAnswer
from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext
from spendtop.store.reads.models import models


def router() -> APIRouter:
    """`/models`."""
    routes = APIRouter(tags=["models"])
    routes.add_api_route("/models", list_models, methods=["GET"])
    return routes


def list_models(request: Request, parameters: Annotated[FilterParameters, Query()]) -> ModelsAnswer:
    """The models of all requests that are kept, or that the query selects, the costliest first."""
    context = context_of(request)
    filters = FilterContext(context.clock(), calendar_of(request))
    query = parameters.query(filters)
    try:
        found = models(context.store, query, filters)
    except UsageError:
        raise wrong_search() from None
    return ModelsAnswer(data=[ModelItem.of(use) for use in found])
