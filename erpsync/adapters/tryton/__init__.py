"""Speaks to Tryton 8: JSON-RPC with Basic authentication, documents found by ``code`` and ``reference``."""

from erpsync.adapters.tryton.adapter import TrytonAdapter

__all__ = ["TrytonAdapter"]
