"""The phases of a run, each a module; `run.py` calls them in order."""
