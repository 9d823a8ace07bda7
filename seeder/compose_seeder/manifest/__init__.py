"""The manifest `seeds.toml`: its models, and how it is parsed."""
