"""How alembic reaches the store: it is handed an open connection by `store.schema`."""

from alembic import context
from sqlmodel import SQLModel

import spendtop.store.tables  # noqa: F401  (fills SQLModel.metadata)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
