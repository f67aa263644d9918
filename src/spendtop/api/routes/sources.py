"""What came in at a source's door, as it was sent."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from spendtop.api.routes import UNKNOWN_ID, context_of
from spendtop.api.shown_posts import ShownPosts
from spendtop.domain.bodies.outlines import PostBody
from spendtop.domain.clock import to_iso
from spendtop.domain.sources.records import pushed_sources


class PostItem(BaseModel):
    """One post."""

    id: int
    """Since the collector started."""
    received_at: str
    size: int
    """Bytes as they were sent."""
    body: str | None
    """Without the secrets that were recognised; an outline where prompts may not be kept, null where it is no text."""
    remark: str | None
    """Why it is not whole."""

    @classmethod
    def of(cls, post: PostBody) -> PostItem:
        return cls(
            id=post.id,
            received_at=to_iso(post.at),
            size=post.size,
            body=post.text or None,
            remark=post.remark or None,
        )


class PostsAnswer(BaseModel):
    """The last posts of a source that were taken, the newest first."""

    source: str
    data: list[PostItem]


def router() -> APIRouter:
    routes = APIRouter(tags=["sources"])
    routes.add_api_route("/sources/{id}/posts", posts, methods=["GET"], responses=UNKNOWN_ID)
    return routes


def posts(request: Request, id: str) -> PostsAnswer:
    """The last posts that a source took, at most 20 and 64 KB of each, as far as the collector remembers them."""
    if id not in {source.name for source in pushed_sources()}:
        raise HTTPException(404, "No source with this name is posted to.")
    context = context_of(request)
    shown = ShownPosts(context.settings(), id)
    return PostsAnswer(source=id, data=[PostItem.of(shown.body_of(post)) for post in context.posts.of(id)])
