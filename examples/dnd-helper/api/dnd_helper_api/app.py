"""The application: routes, connections and answers to database errors."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import create_engine
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from dnd_helper_api.routes import health, monsters, spells, texts
from dnd_helper_api.schema_state import own_revisions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dnd_helper_api.settings import Settings

CONNECT_TIMEOUT_SECONDS = 3  # less than a health check waits

# An error of the database is the sender's fault, or goes away when tried again: never a 500.
REFUSALS: dict[type[Exception], int] = {DataError: 422, IntegrityError: 409, OperationalError: 503}


def create_app(settings: Settings) -> FastAPI:
    """Create the API with its routes and connections; it starts even if the database is down."""
    engine = create_engine(
        settings.database,
        pool_size=10,
        max_overflow=30,  # FastAPI serves forty requests at a time
        pool_pre_ping=True,  # the database may have been restarted
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(title="D&D helper", version=settings.version, lifespan=lifespan)
    app.state.settings = settings
    app.state.engine = engine
    app.state.revisions = own_revisions()
    for routes in (health, monsters, spells, texts):
        app.include_router(routes.router)
    for error, status in REFUSALS.items():
        app.add_exception_handler(error, _refusal(status))
    return app


def _refusal(status: int) -> Any:
    async def answer(_: Request, error: Exception) -> JSONResponse:
        cause = getattr(error, "orig", None) or error
        return JSONResponse({"detail": str(cause).strip()}, status)

    return answer
