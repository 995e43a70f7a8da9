"""What a front end can reach for: the landscape, the store, adapters and the clock, each opened when first asked for.

One rule: nothing is opened, imported or made before it is needed, and all of it is closed in one place.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from erpsync.domain.nearest import meant
from erpsync.errors import ReadOnly, StoreError, UsageError

if TYPE_CHECKING:
    from erpsync.adapters.protocol import Adapter
    from erpsync.config.landscape import Landscape, System
    from erpsync.engine.context import Context
    from erpsync.store.store import Store

T = TypeVar("T")
_ALLOCATIONS_BETWEEN_COLLECTIONS = 200_000  # a page of 500 orders makes as many objects; Python's own 700 costs a sixth
_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def _now() -> datetime:
    return datetime.now(UTC)


class Workbench:
    """One landscape and its store, for one command or one session.

    ``landscape_file`` as given (None: looked for), ``clock`` is lent to all who need the time.
    """

    def __init__(
        self,
        *,
        landscape_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        read_only: bool = False,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.landscape_file = landscape_file
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.folder = folder
        self.clock = clock
        self.debug = False
        self.command = "erpsync"
        self._read_only = read_only
        self._store: Store | None = None
        self._writes = False
        self._context: Context | None = None
        self._adapters: dict[str, Adapter] = {}

    def now(self) -> datetime:
        """The time, UTC."""
        return self.clock()

    @property
    def read_only(self) -> bool:
        """Whether changes are refused: by ``--read-only`` or ERPSYNC_READ_ONLY; raises UsageError when that says neither."""
        said = self.environ.get("ERPSYNC_READ_ONLY", "").strip().lower()
        if said not in (*_YES, *_NO):
            raise UsageError(f"ERPSYNC_READ_ONLY is {said!r}", hint="1 refuses every change, 0 or nothing allows them")
        return self._read_only or said in _YES

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._read_only = value

    def refuse_change(self, what: str) -> None:
        """Raise ReadOnly when changes are refused here; ``what`` is the act's name (``replay``)."""
        if self.read_only:
            raise ReadOnly(f"{what} is refused: this is read-only", hint="leave --read-only and ERPSYNC_READ_ONLY out")

    @cached_property
    def actor(self) -> str:
        """Who does it: the operating system's user, for the audit log."""
        import getpass  # noqa: PLC0415  (only for acts)

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"uid {os.getuid()}"

    @cached_property
    def landscape(self) -> Landscape:
        """The landscape, read and checked; raises LandscapeError or UsageError."""
        from erpsync.config.reading import read_landscape  # noqa: PLC0415  (not before it is needed)

        return read_landscape(self.landscape_path, environ=self.environ)

    @cached_property
    def landscape_path(self) -> Path:
        """Where the landscape file is; raises UsageError when there is none."""
        from erpsync.config.reading import find_landscape  # noqa: PLC0415  (as above)

        return find_landscape(self.landscape_file, environ=self.environ, folder=self.folder or Path.cwd())

    @property
    def store(self) -> Store:
        """The store, open for reading; raises StoreError when there is none yet, or it cannot be used."""
        if self._store is None:
            from erpsync.store.store import Store  # noqa: PLC0415  (help and --version open none)

            path = self.landscape.store
            if not path.exists():
                if self._was_here(path):
                    raise StoreError(
                        f"store {path.name} is gone: what lies beside it says that it was here",
                        hint=f"look: ls -la {path.parent}; to begin anew, move {path.name}.epoch away too",
                    )
                flows = {flow.kind: None for flow in self.landscape.flows}
                raise StoreError(
                    f"store {path.name} does not exist yet: nothing was synchronised here",
                    hint=f"{' '.join(['erpsync sync', *flows])} makes it" if flows else "erpsync check",
                )
            self._store = Store.open(path, now=self.now(), write=False)
        return self._store

    @staticmethod
    def _was_here(path: Path) -> bool:
        """Whether a store was at a path and is not any more."""
        from erpsync.store.whereabouts import files  # noqa: PLC0415  (only where there is none)

        return files(path).was_here

    def open_to_write(self, what: str, *, create: bool = False) -> Store:
        """The store, open for writing; ``create`` makes it when there is none. Raises ReadOnly and StoreError."""
        self.refuse_change(what)
        if self._store is not None and self._writes:
            return self._store
        from erpsync.store.store import Store  # noqa: PLC0415  (help and --version open none)

        path = self.landscape.store
        if not path.exists() and (not create or self._was_here(path)):
            return self.store  # raises: there is none, or it is gone, and none is made in its place
        self._close_store()
        now = self.now()
        self._store = Store.open_or_create(path, now=now) if create else Store.open(path, now=now, write=True)
        self._writes = True
        return self._store

    def context(self) -> Context:
        """What the engine works with: the store open for writing, every system's adapter, the routes. Opened once."""
        if self._context is None:
            from random import Random  # noqa: PLC0415  (only for what moves documents)

            from erpsync.adapters.opening import with_limits_of_spec  # noqa: PLC0415  (as above)
            from erpsync.engine.context import Context  # noqa: PLC0415  (as above)
            from erpsync.engine.routes import compile_routes  # noqa: PLC0415  (as above)

            store = self.open_to_write("a change", create=True)
            systems = {name: with_limits_of_spec(system) for name, system in self.landscape.systems.items()}
            landscape = replace(self.landscape, systems=systems)
            adapters = {name: self.adapter(name) for name in systems}
            routes = compile_routes(store, landscape, adapters, now=self.now())
            self._context = Context(store=store, routes=routes, now=self.now, rng=Random())
        return self._context

    def adapter(self, name: str) -> Adapter:
        """The adapter of a system, opened with its secret revealed; raises UsageError for a system that is not there."""
        if name not in self._adapters:
            from erpsync.adapters.opening import open_adapter, with_limits_of_spec  # noqa: PLC0415  (only for what talks)
            from erpsync.config.secrets import reveal  # noqa: PLC0415  (as above)

            system = with_limits_of_spec(self.system(name))
            secret = reveal(system.secret, environ=self.environ) if system.secret else None
            landscape = self.landscape
            self._adapters[name] = open_adapter(
                system, secret=secret, currency=landscape.currency, now=self.now, company_zone=landscape.timezone
            )
        return self._adapters[name]

    def system(self, name: str) -> System:
        """A system of the landscape by name; raises UsageError naming the nearest."""
        systems = self.landscape.systems
        if name not in systems:
            raise UsageError(
                f"system {name or repr('')} does not exist",
                hint=f"{meant(name, systems)}Systems: {', '.join(sorted(systems))}",
            )
        return systems[name]

    def wait_for(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run what talks to systems to its end, and give back its connections in the loop that used them."""
        import asyncio  # noqa: PLC0415  (listings have no loop)

        collect_rarely()

        async def whole() -> T:
            try:
                return await work()
            finally:
                await self.close_adapters()

        return asyncio.run(whole())

    async def close_adapters(self) -> None:
        """Give back connections; called in the loop that used them."""
        adapters, self._adapters, self._context = list(self._adapters.values()), {}, None
        for adapter in adapters:
            await adapter.close()

    def close(self) -> None:
        """Close whatever was opened."""
        if self._adapters:
            import asyncio  # noqa: PLC0415  (only commands that talked to systems)

            asyncio.run(self.close_adapters())
        self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store, self._writes, self._context = None, False, None

    @contextmanager
    def closing(self) -> Iterator[Workbench]:
        """This workbench, closed at the end."""
        try:
            yield self
        finally:
            self.close()


def collect_rarely() -> None:
    """Let this process run for days: garbage is collected, but seldom; documents come and go by the ten thousand."""
    import gc  # noqa: PLC0415  (listings end before there is any)

    gc.enable()
    gc.freeze()  # what is loaded by now stays: no collection looks at it again
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS, 20, 20)
