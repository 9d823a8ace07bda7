"""Requests to an API: repetition, authentication, concurrency, redaction."""
