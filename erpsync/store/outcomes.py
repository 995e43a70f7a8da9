"""What tries came to: outcomes as they are decided, outside any transaction, and what recording them changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from erpsync.domain.flat import Fields
from erpsync.domain.messages import State
from erpsync.store.cases import Case


@dataclass(slots=True)
class Outcome:
    """What one try came to, decided outside the transaction.

    ``outcome`` is what the try was, for the attempt and the counts (``of_generation``: that of its once_key); ``after`` and
    ``reason`` are where the message goes. ``holds`` is what the target now holds (None: as asked), ``asked`` what we asked
    of it (``asked_id``: where that lies); ``present`` None leaves the picture alone. ``burn`` False gives the try back.
    ``settles``: it answers a question about an unknown message.
    """

    message_id: int
    lease_no: int
    target_id: int
    flow_id: int
    lane_id: int
    record_id: int
    kind: str
    number: str
    stake: int
    currency: str
    after: State
    reason: str
    outcome: str
    try_no: int = 1
    of_generation: int = 1
    worker_id: int | None = None
    claimed_at: int = 0
    due_at: int = 0
    error: str = ""
    error_code: str = ""
    error_field: str = ""
    burn: bool = True
    pin: bool = False
    pinned_id: int | None = None
    generation: int | None = None
    conflict: bool = False
    far_id: str = ""
    far_revision: str | None = None
    far_order: int | None = None
    present: bool | None = None
    holds: Fields | None = None
    asked: Fields = field(default_factory=dict)
    asked_id: int | None = None
    waits: Sequence[tuple[str, str]] = ()
    cases: Sequence[Case] = ()
    status: int | None = None
    answer: bytes = b""
    answer_cut: bool = False
    took_us: int = 0
    sent_at: int | None = None
    settles: bool = False
    unknown_since: int | None = None

    @property
    def key(self) -> str:
        """Its document's key, short form."""
        return f"{self.kind}:{self.number}"

    @property
    def before(self) -> State:
        """How its message stands as long as it is ours to finish."""
        return State.UNKNOWN if self.settles else State.LEASED

    @property
    def lease(self) -> tuple[int, int]:
        """Under which it was tried: two leases of one message may come to their end together, and one of them is late."""
        return self.message_id, self.lease_no


@dataclass
class Finished:
    """What a finish changed: the leases (message id, lease number) that were still ours, how many were late, what it set free."""

    ours: set[tuple[int, int]] = field(default_factory=set)
    late: int = 0
    freed: list[int] = field(default_factory=list)
