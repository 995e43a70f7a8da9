"""Repair of messages by people: replay, discard, restore."""
