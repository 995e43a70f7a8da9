"""Contents: kept as they are, each with its hash."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erpsync.errors import NotFound
from erpsync.store import payloads
from erpsync.store.store import Store


def test_a_content_is_kept_as_it_is_with_its_hash(store: Store) -> None:
    some, empty = store.writer.call(lambda db: [payloads.put(db, content) for content in (b"a\0b", b"")])
    with store.read() as db:
        assert payloads.get(db, some) == b"a\0b"
        assert payloads.get(db, empty) == b""
        hashes = [bytes(row[0]) for row in db.execute("SELECT hash FROM payloads ORDER BY payload_id")]
        with pytest.raises(NotFound, match="payload 99 is not in the store"):
            payloads.get(db, 99)
    assert hashes == [hashlib.sha256(content).digest() for content in (b"a\0b", b"")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=3), max_size=30))
def test_many_contents_come_back_by_their_ids_in_their_order_and_equal_ones_lie_once(
    store: Store, contents: list[bytes]
) -> None:
    ids = store.writer.call(lambda db: payloads.put_many(db, contents))
    with store.read() as db:
        assert [payloads.get(db, payload_id) for payload_id in ids] == contents
    assert len(set(ids)) == len(set(contents))
