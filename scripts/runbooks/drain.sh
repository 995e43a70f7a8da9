#!/usr/bin/env bash
# Waits until nothing is ready or leased any more, as before a release, a backup or a test's end. It changes nothing.
#
#   scripts/runbooks/drain.sh [--timeout SECONDS] [--every SECONDS]      (600 and 2)
#
# ERPSYNC names the program (default erpsync), PYTHON an interpreter that reads its JSON (default python3).
# Exit codes: 0 idle, 1 a message died meanwhile, 8 not idle in time; 2 and 4 as erpsync has them.
set -euo pipefail

erpsync=${ERPSYNC:-erpsync}
python=${PYTHON:-python3}
timeout=600 every=2

die() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --timeout | --every)
      [[ ${2:-} =~ ^[0-9]{1,6}$ ]] || die "$1 needs a number of seconds" "$1 30"
      printf -v "${1#--}" '%s' "$2"
      shift 2 ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "drain.sh has no option $1" "drain.sh [--timeout SECONDS] [--every SECONDS]" ;;
  esac
done
for program in "$erpsync" "$python"; do
  command -v -- "$program" >/dev/null 2>&1 || die "there is no program $program here" "ERPSYNC and PYTHON name others"
done

# How many are ready, leased, unknown and dead, how many died this hour, and who works.
figures='
import json, sys
said = json.load(sys.stdin)
counts = said["messages"]
print(*(counts[state] for state in ("ready", "leased", "unknown", "dead")), said["last_hour"]["died"], said["workers"])
'
# A line for each death: the letter, and when it died, so that one that died again is a new one.
deaths='
import json, sys
for line in sys.stdin:
    letter = json.loads(line)
    print(letter["id"], letter["died"], letter["system"], ascii(letter["key"]))
'
look() { "$erpsync" status -o json </dev/null; }
dead() { "$erpsync" dlq list -o jsonl </dev/null; }
read_with() { "$python" -c "$1"; }

"$erpsync" status </dev/null >/dev/null || exit $?  # what keeps it from being read, in words for people
said=$(look) || exit $?
letters=$(dead) || exit $?
before=$(printf '%s' "$letters" | read_with "$deaths" | LC_ALL=C sort)
first=$(printf '%s' "$said" | read_with "$figures" | cut -d ' ' -f 4,5)
told=0
while :; do
  said=$(look) || exit $?
  read -r ready leased unknown count hour workers < <(printf '%s' "$said" | read_with "$figures")
  if [ "$count $hour" != "$first" ]; then
    letters=$(dead) || exit $?
    new=$(LC_ALL=C comm -13 <(printf '%s\n' "$before") <(printf '%s' "$letters" | read_with "$deaths" | LC_ALL=C sort))
    if [ -n "$new" ]; then
      printf 'a message died after %ss (id, died, system, key):\n%s\nnext: erpsync dlq list\n' "$SECONDS" "$(printf '%s\n' "$new" | sed -n '1,10p')"
      exit 1
    fi
    first="$count $hour"
  fi
  if [ $((ready + leased)) -eq 0 ]; then
    printf 'idle after %ss: nothing is ready or leased; %s unknown, %s dead\n' "$SECONDS" "$unknown" "$count"
    exit 0
  fi
  if [ "$workers" -eq 0 ] && [ "$told" -eq 0 ]; then
    printf 'nobody works: %s ready, %s leased wait for erpsync run\n' "$ready" "$leased" >&2
    told=1
  fi
  if [ "$SECONDS" -ge "$timeout" ]; then
    printf 'not idle after %ss: %s ready, %s leased\nnext: erpsync doctor\n' "$SECONDS" "$ready" "$leased"
    exit 8
  fi
  sleep "$every"
done
