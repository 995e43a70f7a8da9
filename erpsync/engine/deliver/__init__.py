"""Delivery: claim, build, look, send, finish; and settling what is unknown."""
