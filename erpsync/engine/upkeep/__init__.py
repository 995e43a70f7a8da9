"""Upkeep: probes, resuming, cases, and what waits for something else to be settled."""
