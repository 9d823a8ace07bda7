"""What `deploy/stack` uses on a server: the check of `.env`, HTTP probes, alerts."""
