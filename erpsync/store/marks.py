"""Which contents something in the store still names. Rule: whatever names a content is looked through here, all of it.

No index leads from a content to who names it (each row would pay for that), so all rows are read once, without a lock, into
a bit for each id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from erpsync.store.connection import Connection

# Tables with the columns that name contents, but for those that ``pruning`` reads itself: events, messages, attempts.
_NAMING = (
    ("records", ("content_id",)),
    ("pictures", ("content_id",)),
    ("audit", ("before_id", "after_id")),
)
_PRUNED = (
    ("events", ("raw_id", "canonical_id")),
    ("messages", ("own_id",)),
    ("attempts", ("body_id", "content_id")),
)


class Ids:
    """A set of ids, a bit each: a million of them take 125 kB."""

    def __init__(self, most: int = 0) -> None:
        self._bits = bytearray(most // 8 + 1)

    def add(self, number: int) -> None:
        """Put an id in."""
        byte = number >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits) + len(self._bits) // 4))
        self._bits[byte] |= 1 << (number & 7)

    def remove(self, number: int) -> None:
        """Take an id out, where it is in."""
        if number in self:
            self._bits[number >> 3] &= ~(1 << (number & 7))

    def update(self, numbers: Iterable[int | None]) -> None:
        """Put ids in; None is none."""
        for number in numbers:
            if number is not None:
                self.add(number)

    def __contains__(self, number: int) -> bool:
        byte = number >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (number & 7) & 1)

    def __len__(self) -> int:
        return sum(byte.bit_count() for byte in self._bits)

    def __iter__(self) -> Iterator[int]:
        for place, byte in enumerate(self._bits):
            if byte:
                yield from (place << 3 | bit for bit in range(8) if byte >> bit & 1)


def named_by_books(db: Connection, marks: Ids) -> None:
    """Mark what records, pictures and the audit log name."""
    for table, columns in _NAMING:
        _mark(db, marks, table, columns)


def named_by_log(db: Connection, marks: Ids) -> None:
    """Mark what events, messages and tries name."""
    for table, columns in _PRUNED:
        _mark(db, marks, table, columns)


def _mark(db: Connection, marks: Ids, table: str, columns: tuple[str, ...]) -> None:
    for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}"):
        marks.update(row)
