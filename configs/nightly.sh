#!/bin/sh
# Runs the evaluation once a day, at NIGHTLY_AT (a time of day in UTC, 02:00). With --health it says by its
# exit code whether the loop is alive: its next run is still to come, or was due less than six hours ago.
set -eu

at=${NIGHTLY_AT:-02:00}
state=${NIGHTLY_STATE:-/tmp/nightly-next-run}
TZ=UTC
export TZ

if [ "${1:-}" = --health ]; then
    [ "$(date +%s)" -lt $(($(cat "$state") + 6 * 3600)) ]
    exit
fi

next_run() {
    next=$(date -d "today $at" +%s)
    [ "$next" -gt "$(date +%s)" ] || next=$(date -d "tomorrow $at" +%s)
    echo "$next"
}

date -d "today $at" >/dev/null 2>&1 || {
    echo "error: NIGHTLY_AT=$at is no time of day; write it as 02:00" >&2
    exit 2
}
child=
trap 'kill $child 2>/dev/null; exit 0' INT TERM
while :; do
    next=$(next_run)
    echo "$next" >"$state"
    echo "next evaluation: $(date -d "@$next" '+%Y-%m-%d %H:%M UTC')"
    # In the background, so that a signal is heard at once.
    sleep $((next - $(date +%s))) &
    child=$!
    wait $child
    python -m evaluate nightly &
    child=$!
    code=0
    wait $child || code=$?
    echo "the evaluation ended with code $code"
done
