"""The two kinds of target: tables and endpoints."""
