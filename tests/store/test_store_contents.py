"""Contents lie once, by hash."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erpsync.errors import NotFound
from erpsync.store import payloads
from erpsync.store.store import Store


def test_the_same_content_is_kept_once(store: Store) -> None:
    def write(db: object) -> list[int]:
        return [payloads.put(db, content) for content in (b"a", b"b", b"a", b"")]  # type: ignore[arg-type]  # a Connection

    a, b, again, empty = store.writer.call(write)
    assert a == again
    assert len({a, b, empty}) == 3
    with store.read() as db:
        assert payloads.get(db, a) == b"a"
        assert payloads.get(db, empty) == b""
        with pytest.raises(NotFound, match="payload 99 is not in the store"):
            payloads.get(db, 99)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=3), max_size=30))
def test_many_contents_come_back_by_their_ids_in_their_order(store: Store, contents: list[bytes]) -> None:
    ids = store.writer.call(lambda db: payloads.put_many(db, contents))
    with store.read() as db:
        assert [payloads.get(db, payload_id) for payload_id in ids] == contents
    assert len(set(ids)) == len(set(contents))
    assert store.writer.call(lambda db: payloads.put_many(db, contents)) == ids
