"""The API of the example stack: monsters and spells in several languages, kept in PostgreSQL."""
