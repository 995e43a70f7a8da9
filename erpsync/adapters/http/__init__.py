"""The adapter made of data: a spec file says how one kind of system is spoken to, this room does it over HTTP.

One rule: what differs between systems stands in the spec file; no code here names a system.
"""
