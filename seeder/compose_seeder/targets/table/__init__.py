"""A table of the application's database as a target."""
