"""The use cases, each a function over a transaction. The only code that changes money."""
