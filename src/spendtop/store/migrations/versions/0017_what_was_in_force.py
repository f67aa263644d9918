"""Limits, calendar and accounts as they were in force from an instant on"""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    applied = op.create_table(
        "applied",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    present = op.get_bind().execute(sa.text("SELECT value FROM meta WHERE name = 'applied'")).scalar()
    if present is not None:
        told = json.loads(present)
        kept = {name: told[name] for name in ("limits", "calendar", "accounts", "include_provider") if name in told}
        value = json.dumps(kept, separators=(",", ":"), ensure_ascii=False)
        op.bulk_insert(applied, [{"at": told["at"], "value": value}])
