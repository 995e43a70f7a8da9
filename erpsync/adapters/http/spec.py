"""The spec file, typed: what a far system's interface looks like, in data.

Expressions are JMESPath (``expressions.py``). In ``path``, ``query`` and ``headers`` a text may hold places like
``{far_id}``; in bodies a text that begins with ``=`` is an expression on the canonical document. Keys that no
version of this page knows are refused, so a misspelt one is never passed over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from erpsync.adapters.http.forms import Duration, Expr, HeaderName, HeaderText, Method, Path, Rate, Size, Statuses
from erpsync.domain.messages import Once


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Auth(_Part):
    """How the system is told who we are; the secret itself is the landscape's."""

    kind: Literal["none", "bearer", "basic", "key"] = "none"
    header: HeaderName = "X-Api-Key"  # of kind key


class LimitsGiven(_Part):
    """What the system bears, where the landscape does not say."""

    rate: Rate | None = None  # requests a second
    concurrency: int | None = Field(default=None, ge=1)
    timeout: Duration | None = None
    deadline: Duration | None = None
    settle_after: Duration | None = None
    max_answer: Size | None = None


class Throttle(_Part):
    """Where a system that wants less says how long it wants to be left alone."""

    headers: tuple[str, ...] = ("Retry-After",)
    longest: Duration = timedelta(hours=1)


class Request(_Part):
    """One request. Entries of ``query`` and ``headers`` that come out empty are left out."""

    method: Method = "GET"
    path: Path
    query: dict[str, str | int | bool] = {}
    headers: dict[HeaderName, HeaderText] = {}
    body: Any = None


class Paging(_Part):
    """How the next page is asked for: ``{page}``, ``{offset}``, ``{next}`` in the request, or a link in the answer."""

    by: Literal["none", "page", "offset", "next", "link"] = "none"
    first: int = 1  # the number of the first page
    next: Expr | None = None  # by next: the word for ``{next}``; by link: the address (None: the Link header)
    more: Expr | None = None  # true while there is another page
    total: Expr | None = None  # how many there are in all
    pages: Expr | None = None  # how many pages there are
    longest: int = Field(default=10_000, ge=1)  # pages; more is taken for a loop


class Since(_Part):
    """Changed-since by a stamp on each document: ``{since}`` is the latest one seen, less the overlap."""

    stamp: Expr
    kind: Literal["time", "number"] = "time"
    overlap: Duration = timedelta(minutes=2)  # longer than the system's longest transaction
    sorted: bool = False  # the answers come in order of the stamp
    send: str = "iso"  # how ``{since}`` is written: iso, local, epoch, epoch_ms or a form of strftime


class Reading(Request):
    """A request for many documents."""

    items: Expr = "@"  # where they stand in the answer
    limit: int = Field(default=100, ge=1)  # ``{limit}``
    paging: Paging = Paging()
    document: Expr | None = None  # where the document stands in one of the items, where it is wrapped
    far_id: Expr | None = None  # of the item, where it differs from the kind's
    number: Expr | None = None
    removed: Expr | None = None
    event_id: Expr | None = None  # the system's own id of what it sent
    revision: Expr | None = None
    at: Expr | None = None
    order: Expr | None = None  # the items of one page are taken in order of this


class Changes(Reading):
    """What changed: by a stamp (``since``), or by a token the system hands out (``cursor``), sent as ``{cursor}``."""

    since: Since | None = None
    cursor: Expr | None = None


class One(Request):
    """A request for one document by its far id."""

    item: Expr = "@"
    gone: Statuses = frozenset({404, 410})


class Find(_Part):
    """How a document of ours is found there; believed is only what says itself that it has the number asked for."""

    by_reference: Reading | None = None
    by_natural_key: Reading | None = None
    parts: str = ""  # a pattern with named groups that takes the number apart: (?P<sku>.+)@(?P<location>.+)


class Answer(_Part):
    """What the answer to a write says."""

    item: Expr = "@"
    full: bool = False  # it is the whole document as it is now
    far_id: Expr | None = None
    revision: Expr | None = None
    outcome: Expr | None = None  # created, updated or unchanged, where the system says which
    location: bool = False  # the far id is the last part of the Location header


class Write(Request):
    """A request that writes. ``changed`` sends only the fields that differ, ``all`` all of them."""

    method: Method = "POST"
    send: Literal["all", "changed"] | None = None  # None: changed for PATCH
    whole: tuple[str, ...] = ()  # parts of the body that are sent whole when anything in them changed
    answer: Answer = Answer()


class Writing(_Part):
    """How this kind is written."""

    once: Once
    key_life: Duration | None = None
    upsert: bool = False
    read_back: bool = True  # where the answer is not the whole document, it is read again, if it can be


class Revised(_Part):
    """Where the far revision stands, and whether two of them can be compared."""

    value: Expr
    kind: Literal["number", "time", "opaque"] = "number"


class Column(_Part):
    """A canonical field's place there, with what a null means."""

    value: Expr
    null: Literal["untold", "empty"] | None = None  # None: as the kind says


def _form(given: object) -> str:
    """Which way a field is written, so that a mistake in it is told of that way alone."""
    if isinstance(given, str):
        return "(text)"
    return "(lines)" if isinstance(given, dict) and "each" in given else "(table)"


LineField = Annotated[
    Annotated[Expr, Tag("(text)")] | Annotated[Column, Tag("(table)")],
    Discriminator(lambda given: "(text)" if isinstance(given, str) else "(table)"),
]


class Lines(_Part):
    """The lines of a document: where they stand, and each field of a line."""

    each: Expr
    fields: dict[str, LineField]


DocumentField = Annotated[
    Annotated[Expr, Tag("(text)")] | Annotated[Column, Tag("(table)")] | Annotated[Lines, Tag("(lines)")],
    Discriminator(_form),
]


Means = Literal[
    "ok", "gone", "refused", "retry_later", "system_down", "access_denied", "parent_missing", "conflict", "unknown"
]


class Rule(_Part):
    """What an answer means. The first rule that fits is taken; without one, its status speaks."""

    status: Statuses | None = None
    when: Expr | None = None  # true of the answer's body
    content_type: str = ""
    on: tuple[Literal["read", "write", "find", "probe"], ...] = ("read", "write", "find", "probe")
    means: Means
    text: Expr | None = None
    code: Expr | None = None
    field: Expr | None = None
    after: Expr | None = None  # seconds
    key: Expr | None = None  # of the parent that is missing
    throttled: bool = True


class KindSpec(_Part):
    """One kind of document there."""

    far_id: Expr | None = None  # None: the system knows it by our number
    number: Expr | None = None  # the business number where the document cannot be mapped (removals)
    revision: Revised | None = None
    removed: Expr | None = None
    at: Expr | None = None
    fields: dict[str, DocumentField] = {}
    nulls: Literal["untold", "empty"] = "untold"  # what a null or missing value says of its field
    changes: Changes | None = None
    scan: Reading | None = None
    one: One | None = None
    find: Find | None = None
    write: Writing | None = None
    body: Any = None  # of create and update, where they have none of their own
    create: Write | None = None
    update: Write | None = None
    remove: Write | None = None
    errors: tuple[Rule, ...] = ()


class Probe(Request):
    """A harmless request that shows the system is up and lets us in."""

    text: Expr | None = None


class Spec(_Part):
    """A whole spec file."""

    spec: Literal[1]
    name: str = ""
    zone: str = ""  # what the system's times mean that name no zone
    decimals: Literal["number", "text"] = "number"  # how decimals are written in bodies
    auth: Auth = Auth()
    headers: dict[HeaderName, HeaderText] = {}
    limits: LimitsGiven = LimitsGiven()
    throttle: Throttle = Throttle()
    codes: dict[str, dict[str, str | int | bool]] = {}
    probe: Probe | None = None
    errors: tuple[Rule, ...] = ()
    kinds: dict[str, KindSpec]
