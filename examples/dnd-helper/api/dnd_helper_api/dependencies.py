"""Dependencies of the routes: a database session, and permission to write."""

import hmac
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from sqlalchemy.orm import Session


def session(request: Request) -> Iterator[Session]:
    """Yield a session for one request; a route that writes commits the session itself."""
    with Session(request.app.state.engine, expire_on_commit=False) as opened:
        yield opened


def may_write(request: Request) -> None:
    """Refuse a request with 401 if a token is set and was not sent."""
    token = request.app.state.settings.token
    sent = request.headers.get("authorization", "")
    if token and not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise HTTPException(
            401, "writing needs Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
        )


Database = Annotated[Session, Depends(session)]
WRITES = [Depends(may_write)]
