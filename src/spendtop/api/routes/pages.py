"""Pages for people and programs that hold no data: the dashboard's stand-in and the API's description."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

_DASHBOARD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>spendtop</title>
<h1>spendtop</h1>
<p>The dashboard lives in a terminal. On the machine that runs this service:</p>
<pre>spendtop attach</pre>
<p>From elsewhere: <code>ssh -t HOST spendtop attach</code></p>
</html>
"""


def dashboard_router() -> APIRouter:
    """`/dashboard`, for everybody."""
    routes = APIRouter(tags=["pages"])
    routes.add_api_route("/dashboard", dashboard, methods=["GET"], response_class=HTMLResponse)
    return routes


def description_router() -> APIRouter:
    """`/openapi.json`."""
    routes = APIRouter(tags=["pages"])
    routes.add_api_route("/openapi.json", description, methods=["GET"])
    return routes


async def dashboard() -> HTMLResponse:
    """How to open the dashboard in a terminal; a page without data."""
    return HTMLResponse(_DASHBOARD, headers={"Content-Security-Policy": "default-src 'none'"})


def description(request: Request) -> dict[str, Any]:
    """This description."""
    described: dict[str, Any] = request.app.openapi()
    return described
