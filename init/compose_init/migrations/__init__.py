"""The application's Alembic migrations: where a database stands, and how it gets to the heads."""
