"""What a listing is asked for, and the fields it can be asked by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum, auto

from erpsync.domain.filter_nodes import Everything, Node
from erpsync.store.connection import ms


class Sort(Enum):
    """What a field holds, and so how it is compared."""

    TEXT = auto()
    NUMBER = auto()
    MONEY = auto()  # minor units beside ``currency``
    AGE = auto()  # a moment column, asked for as the time since
    MOMENT = auto()
    FLAG = auto()


@dataclass(frozen=True)
class Field:
    """One field of a filter: the SQL it stands for, and what that holds. ``currency``: where a MONEY column's stands.

    ``words``: what may be typed where only some words can be there, each with the value it stands for. ``exact``: of a
    field that holds keys, how those with one whole key are found by index; in it stand ``{record}``, the id of that key's record (NULL
    where there is none), ``{kind}`` and ``{number}``; it is true or false, never NULL. ``equal``: the same of a field that holds no
    keys; one ``?`` stands for the value. ``among``: of a name that stands in a small table, how the rows are found by those that fit;
    ``{names}`` stands for the condition on the name.
    """

    sql: str
    sort: Sort = Sort.TEXT
    currency: str = "''"
    words: Callable[[], Mapping[str, str]] | None = None
    exact: str = ""
    equal: Callable[[], str] | None = None
    among: str = ""


@dataclass(frozen=True)
class Selection:
    """What a listing is asked for. ``limit`` 0 is all; ``sort`` is a field, with ``-`` in front turned round."""

    company: str
    now: datetime
    where: Node = field(default_factory=Everything)
    limit: int = 50
    sort: str = ""
    zone: tzinfo = UTC

    @property
    def at(self) -> int:
        """``now`` in milliseconds."""
        return ms(self.now)
