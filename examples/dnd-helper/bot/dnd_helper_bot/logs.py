"""Logs to stdout: readable lines, or one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnd_helper_bot.settings import Settings


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, service, logger, message, and the traceback of an exception, as JSON."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(settings: Settings) -> None:
    """Send all logs through the root logger."""
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(
        JsonFormatter(settings.log_service)
        if settings.log_json
        else logging.Formatter(
            f"%(asctime)s %(levelname)-7s {settings.log_service} %(name)s: %(message)s"
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[console], force=True)
    if settings.log_level != "DEBUG":
        logging.getLogger("httpx").setLevel("WARNING")  # it logs every request
