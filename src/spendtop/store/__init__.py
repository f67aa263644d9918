"""The one place where everything meets: SQLModel tables, migrations, the single writer, and the reads."""
