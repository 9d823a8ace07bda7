"""Desired, applied and live to a plan: staging, the comparison, the ledger."""
