"""What ``erpsync --help`` and ``erpsync help exit-codes`` print."""

from __future__ import annotations

FRONT_PAGE = """\
erpsync carries documents between an ERP and the systems around it, shows what
is stuck, says why, and repairs it safely.

Usage: erpsync [--landscape FILE] [--read-only] [--debug] COMMAND

See
  status        what is at stake, and the state of each system
  messages, events, lanes       what is on its way, what was said, who waits
  exceptions    business problems, by money and time

Explain
  trace         all that happened to a key, on one line of time

Repair
  dlq           dead letters: the list, one letter with its evidence
  replay        send them again: preview, then all of them
  messages settle               say what became of a lost answer
  events apply                  read again what was kept

Run
  sync          carry documents now, and wait until nothing more can move
  run           the worker
  systems       state, probe, resume

Set up
  init, check   the landscape file, its mistakes
  store         info, verify, migrate
  sim, demo     a practice landscape

Start with: erpsync status     Exit codes: erpsync help exit-codes
Version: erpsync --version     One command: erpsync COMMAND --help"""

EXIT_CODES = """\
  0  good, also for an empty list; leaving a question; a closed pipe
  1  the answer is no (verify), or a part of many failed (sync, replay)
  2  wrong usage, landscape or input; refused by --read-only
  3  nothing could be tried: systems refused or out of reach
  4  the store is unusable: locked, damaged, too new, its disk full
  8  still pending at the time limit
 70  a defect in erpsync
130  interrupted (Ctrl-C); 143 ended by SIGTERM"""
