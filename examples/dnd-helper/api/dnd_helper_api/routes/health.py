"""`/health`: whether this code can serve with the present state of the database."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from dnd_helper_api.schema_state import schema_state

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> JSONResponse:
    """Answer 200 if the schema is at this code's head or ahead of it, otherwise 503 with a reason."""
    state = schema_state(request.app.state.engine, request.app.state.revisions)
    body = {
        "status": state.status,
        "revision": ", ".join(sorted(state.found)) or None,
        "version": request.app.state.settings.version,
    }
    if state.reason:
        body["note" if state.serves else "reason"] = state.reason
    return JSONResponse(body, 200 if state.serves else 503)
