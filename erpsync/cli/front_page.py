"""What ``erpsync --help`` prints."""

from __future__ import annotations

FRONT_PAGE = """\
erpsync carries documents between an ERP and the systems around it, shows what
is stuck, says why, and repairs it safely.

Usage: erpsync [--landscape FILE] [--read-only] [--debug] COMMAND

See
  status        what is at stake, and the state of each system
  messages, events, lanes       what is on its way, what was said, who waits
  exceptions    business problems, by money and time
  find          any number a caller reads out, wherever it is on record
  tail          what happens, as it happens

Explain
  trace         all that happened to a key, on one line of time
  xref          what each system calls our documents

Repair
  dlq           dead letters: the list, one letter with its evidence
  replay        send them again: preview, then all of them
  messages settle               say what became of a lost answer
  messages hold, release, skip  stop what waits, let it go, or drop it
  events apply                  read again what was kept

Run
  sync          carry documents now, and wait until nothing more can move
  run           the worker
  systems, flows, workers       state, probe, pause, resume; who runs, stop

Set up
  init, check, config           the landscape file, its mistakes, what holds
  doctor        whether machine, store, clock, workers are well, and what to run
  store         info, verify, backup, prune, migrate
  sim, demo     a practice landscape
  completion    what Tab says, for bash, zsh and fish

Govern
  audit         who did what, and whether the log of it is whole

Start with: erpsync status     More: help filters, help json
Exit codes: erpsync help exit-codes     One command: erpsync COMMAND --help
Version: erpsync --version"""


def told_of() -> dict[str, str]:
    """What the front page says of each command: its part of a line that tells of several, else the whole line."""
    told: dict[str, str] = {}
    for line in FRONT_PAGE.splitlines():
        heading, gap, text = line.strip().partition("  ")
        if line.startswith("  ") and gap:
            names, text = heading.split(", "), text.strip()
            parts = next((found for mark in ("; ", ", ") if len(found := text.split(mark)) == len(names)), None)
            told.update(zip(names, parts or [text] * len(names), strict=True))
    return told
