"""The application's database: its URL, connections, the advisory lock, roles."""
