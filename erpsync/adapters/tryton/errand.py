"""One piece of work at a Tryton: the calls it makes, what they left behind, and how far it got.

One rule: once something was made there, no error says that nothing was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erpsync.adapters.protocol import Receipt
from erpsync.adapters.tryton.envelope import decode
from erpsync.adapters.tryton.faults import Warned
from erpsync.adapters.tryton.footing import Footing, Ground
from erpsync.adapters.tryton.options import Options
from erpsync.adapters.tryton.rpc import Rpc, Trail
from erpsync.adapters.tryton.shelf import Shelf
from erpsync.domain.document import flatten
from erpsync.domain.flat import Fields
from erpsync.errors import CallError, OutcomeUnknown, RetryLater, SystemDown

_MOST_QUESTIONS = 5


@dataclass
class Errand:
    """``far_id`` is known once the document was found or made; ``made``: this errand made it."""

    rpc: Rpc
    ground: Ground
    footing: Footing
    options: Options
    trail: Trail
    far_id: str = ""
    made: bool = False

    async def ask(
        self, model: str, domain: list[Any], fields: list[str], *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The records that a domain finds, inactive ones as well, in order of their ids, decoded."""
        rows = await self.raw(model, domain, fields, limit=limit)
        found: list[dict[str, Any]] = decode(rows)
        return found

    async def raw(
        self, model: str, domain: list[Any], fields: list[str], *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The same as Tryton gave it."""
        context = self.footing.everything
        rows: list[dict[str, Any]] = await self.rpc.call(
            f"model.{model}.search_read", domain, 0, limit, [["id", "ASC"]], fields, context, trail=self.trail
        )
        return rows

    async def act(self, method: str, *params: Any, stamps: dict[str, str] | None = None) -> Any:
        """Change something; questions that the landscape lets us answer are answered with yes."""
        context = {**self.footing.context, "_timestamp": stamps} if stamps else self.footing.context
        for _ in range(_MOST_QUESTIONS):
            try:
                return await self.rpc.call(method, *params, context, trail=self.trail, writes=True)
            except Warned as warned:
                if warned.name not in self.options.acknowledge:
                    raise
                question = warned
            await self.rpc.call(
                "model.res.user.warning.skip", question.key, False, context, trail=self.trail, writes=True
            )
        raise question

    def receipt(
        self, shelf: Shelf, number: str, *, outcome: str, record: dict[str, Any] | None, whole: bool = True
    ) -> Receipt:
        """What became of it; ``record`` is the raw far document as it is now, None when it was not read back."""
        told = shelf.told(record, self.about, self.options) if record else None
        holds: Fields | None = flatten(told.document) if told and told.document else None
        return Receipt(
            outcome=outcome,
            far_id=told.far_id if told else self.far_id,
            far_revision=told.revision if told else None,
            holds=holds,
            number=number,
            evidence=self.trail.evidence(),
            whole=whole,
        )

    def failed(self, number: str, error: CallError) -> Receipt:
        """The receipt of an error, far id and all; after a create, *come back later* hides that something is there."""
        if self.made and isinstance(error, RetryLater | SystemDown):
            error = OutcomeUnknown(f"{error.message}, after it was created", code="half_way", hint=error.hint)
        return Receipt(far_id=self.far_id, number=number, evidence=self.trail.evidence(), error=error)

    @property
    def about(self) -> dict[str, Any]:
        """The company's facts without which a record cannot be read."""
        return {"company": self.footing.company, "currency": self.footing.currency}
