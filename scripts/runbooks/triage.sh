#!/usr/bin/env bash
# What is wrong, on one page for a ticket: Markdown on stdout, bounded, without secrets. It changes nothing.
#
#   scripts/runbooks/triage.sh > ticket.md
#
# ERPSYNC names the program (default erpsync), ERPSYNC_LANDSCAPE the landscape as always. Needs bash and sed alone.
# Exit codes: 0 well, 1 something is wrong (the page names it), 2 landscape or usage, 4 the store cannot be used.
set -euo pipefail

erpsync=${ERPSYNC:-erpsync}
rows=10   # of a listing
lines=60  # of a section
export COLUMNS=120 NO_COLOR=1

case ${1:-} in -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 0 ]; then
  printf 'error: triage.sh takes no words\nhint: triage.sh > ticket.md; ERPSYNC_LANDSCAPE=FILE names a landscape\n' >&2
  exit 2
fi
command -v -- "$erpsync" >/dev/null 2>&1 ||
  { printf 'error: there is no program %s here\nhint: ERPSYNC=/path/to/erpsync %s\n' "$erpsync" "$0" >&2; exit 2; }

# Each line stands four columns in, so that nothing in it is Markdown, whatever it says.
indented() { sed -n -e "1,${lines}s/^/    /p"; }

shown() {  # title, what it said, words of the command...
  local title=$1 said=$2 word; shift 2
  printf '\n## %s\n\n    $ erpsync' "$title"
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9.-]+$ ]]; then printf ' %s' "$word"; else printf " '%s'" "$word"; fi
  done
  printf '\n'
  printf '%s\n' "${said:-none}" | indented
}

section() {  # title, words of a command...
  local title=$1 said; shift
  said=$("$erpsync" "$@" 2>&1 </dev/null) || true
  shown "$title" "$said" "$@"
}

stands=0 well=0
status=$("$erpsync" status --check 2>&1 </dev/null) || stands=$?
health=$("$erpsync" doctor 2>&1 </dev/null) || well=$?

verdict=well
if [ "$stands" -ne 0 ] || [ "$well" -ne 0 ]; then verdict='NOT WELL'; fi
printf '# erpsync triage, %s: %s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" "$verdict"
shown 'Doctor' "$health" doctor
shown 'Status' "$status" status
if [ "$stands" -gt 1 ]; then exit "$stands"; fi
if [ "$well" -gt 1 ]; then exit "$well"; fi

section 'Dead letters' dlq list --limit "$rows"
section 'Answers lost' messages list --where 'state = unknown' --limit "$rows"
section 'Held' messages list --where 'state = held' --limit "$rows"
section 'Lanes that stand still' lanes list --limit "$rows"
section 'Exceptions' exceptions list --limit "$rows"
section 'Systems' systems list
section 'Newest acts' audit list --limit "$rows"
if [ "$stands" -ne 0 ] || [ "$well" -ne 0 ]; then exit 1; fi
