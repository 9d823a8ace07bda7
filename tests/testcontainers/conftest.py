"""The engine and the images, as in the end-to-end tests; a user's project has its own images."""

from __future__ import annotations

from tests.e2e.conftest import _engine, _images

__all__ = ["_engine", "_images"]
