"""The Telegram bot of the example, which looks up monsters and spells in the API."""
