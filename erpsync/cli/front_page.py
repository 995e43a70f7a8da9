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
  events apply                  read again what was kept

Run
  sync          carry documents now, and wait until nothing more can move
  run           the worker
  systems, workers              state, probe, resume; who runs, stop

Set up
  init, check, config           the landscape file, its mistakes, what holds
  store         info, verify, migrate
  sim, demo     a practice landscape

Govern
  audit         who did what, and whether the log of it is whole

Start with: erpsync status     More: erpsync help exit-codes, help filters
Version: erpsync --version     One command: erpsync COMMAND --help"""
