"""The Telegram bot of the example: looks monsters and spells up in the API."""
