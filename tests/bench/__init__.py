"""What it costs, measured in one run: `python -m tests.bench`."""
