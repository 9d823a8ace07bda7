"""compose-init: the container's life, from settings to exit code."""

__version__ = "0.1.0"
