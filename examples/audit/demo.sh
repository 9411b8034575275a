#!/bin/bash
# A durable audit of this machine's packages; its daemon is killed twice on the way.
#
#   PAWL_BUILD=DIR            where pawl and audit were built (build)
#   PAWL_AUDIT_PACKAGES=N     only the first N packages
#   PAWL_AUDIT_KEEP=yes       leaves the data directory and the logs
#
# Needs bash, python3 and a build. Writes only below a directory of its own in $TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly BUILD=${PAWL_BUILD:-build}
readonly PAWL=$BUILD/invoke/pawl
readonly PROGRAM=$BUILD/examples/audit
readonly HERE=examples/audit
readonly LISTS=/var/lib/dpkg/info
readonly CONCURRENCY=4
readonly HELD_BELOW=200  # so few packages may be over before anybody can kill anything
readonly READY_S=60      # longest time to become ready
readonly SILENCE_S=300   # longest time without a finished package
readonly BYTES_PER_S=150000000
PACKAGES=${PAWL_AUDIT_PACKAGES:-0}

DIR=
DAEMON=
LEDGER=
STARTS=0
READY_MS=0
TOTAL=0

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

now_ms() {
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

stop() {
    local pid=$1
    if [[ -n $pid ]] && kill "$pid" 2>/dev/null; then
        wait "$pid" 2>/dev/null || true
    fi
}

clean_up() {
    local status=$?
    trap - EXIT
    if [[ $status -ne 0 && -s $DIR/serve.log ]]; then
        printf 'the end of the daemon'\''s log:\n' >&2
        tail -n 20 "$DIR/serve.log" >&2
    fi
    stop "$DAEMON"
    stop "$LEDGER"
    if [[ ${PAWL_AUDIT_KEEP:-} == yes ]]; then
        echo "left in place: $DIR"
    else
        rm -rf "$DIR"
    fi
    exit "$status"
}

# --- what is asked for ------------------------------------------------------------

# The directories that a function sees only when it is granted them.
visible() {
    local dir
    for dir in /opt /boot /var/lib/dpkg; do
        if [[ -d $dir && -x $dir && ! -L $dir ]]; then
            echo "$dir"
        fi
    done
}

write_config() {
    local grants
    grants=$(visible | paste -sd, | sed 's/,/, /g')
    printf '[daemon]\ndrain_s = 1\n\n[function audit]\ngrants = %s, %s\n' \
        "$grants" "$DIR/ledger" >"$DIR/pawl.ini"
}

# dpkg's path filters, in the order in which it reads them.
write_payload() {
    { cat /etc/dpkg/dpkg.cfg.d/* /etc/dpkg/dpkg.cfg 2>/dev/null || true; } |
        PACKAGES=$PACKAGES AT_ONCE=$CONCURRENCY SOCKET=$DIR/ledger/socket \
            VISIBLE=$(visible) python3 -c '
import json, os, re, sys
filters = []
for line in sys.stdin:
    found = re.match(r"\s*path-(ex|in)clude[\s=]+(\S+)", line)
    if found:
        filters.append({"ex": "-", "in": "+"}[found.group(1)] + found.group(2))
print(json.dumps({"packages": int(os.environ["PACKAGES"]), "listed": 5,
                  "concurrency": int(os.environ["AT_ONCE"]),
                  "ledger": os.environ["SOCKET"], "visible": os.environ["VISIBLE"].split(),
                  "filters": filters}))' >"$DIR/payload.json"
}

count_packages() {
    local -a lists=("$LISTS"/*.md5sums)
    [[ -e ${lists[0]} ]] || die "$LISTS has no lists of files: this is no Debian"
    TOTAL=${#lists[@]}
    if ((PACKAGES > 0 && PACKAGES < TOTAL)); then
        TOTAL=$PACKAGES
    fi
    ((TOTAL >= 6)) || die "$TOTAL packages are too few to be interrupted twice"
}

say_what_to_expect() {
    local files bytes
    if ((PACKAGES > 0)); then
        echo "$TOTAL packages"
        return 0
    fi
    files=$(cat "$LISTS"/*.md5sums | wc -l)
    bytes=$(dpkg-query -W -f '${Installed-Size}\n' 2>/dev/null |
        awk '{n += $1} END {printf "%.0f", n * 1024}')
    echo "$TOTAL packages, $files files, about $((bytes / 1000000)) MB to read:" \
        "expect $((bytes / BYTES_PER_S / 60 + 1)) to $((bytes / BYTES_PER_S / 15 + 2)) minutes"
}

# --- the ledger -------------------------------------------------------------------

start_ledger() {
    local -a hold=()
    if ((TOTAL < HELD_BELOW)); then
        hold=(--hold "$((TOTAL / 3)),$((TOTAL * 2 / 3))")
    fi
    mkdir "$DIR/ledger"
    chmod 755 "$DIR/ledger"
    python3 "$HERE/ledgerd" "$DIR/ledger/socket" "$DIR/ledger.txt" "${hold[@]}" &
    LEDGER=$!
    wait_for "the ledger" test -S "$DIR/ledger/socket"
}

release_ledger() {
    python3 -c '
import socket, sys
ledger = socket.socket(socket.AF_UNIX)
ledger.connect(sys.argv[1])
ledger.sendall(b"release\n")
ledger.recv(3)' "$DIR/ledger/socket"
}

# Each counts once, however often a kill made it run.
packages_done() {
    awk '$2 == "done" && $3 != "list-packages" && $3 != "report" && !seen[$3]++ {n++}
         END {print n + 0}' "$DIR/ledger.txt" 2>/dev/null || echo 0
}

# --- the daemon -------------------------------------------------------------------

# wait_for WHAT COMMAND: until it succeeds.
wait_for() {
    local what=$1 end=$((SECONDS + READY_S))
    shift
    until "$@"; do
        ((SECONDS < end)) || die "$what did not come within $READY_S s"
        sleep 0.01
    done
}

is_ready_or_dead() {
    grep -q '^ready' "$DIR/serve.log" || ! kill -0 "$DAEMON" 2>/dev/null
}

start_daemon() {
    local begun
    STARTS=$((STARTS + 1))
    : >"$DIR/serve.log"
    begun=$(now_ms)
    "$PAWL" serve --data "$DIR/data" --socket "$PAWL_SOCKET" --config "$DIR/pawl.ini" \
        --cache-dir "$DIR/cache" >"$DIR/serve.log" 2>&1 &
    DAEMON=$!
    wait_for "the daemon" is_ready_or_dead
    READY_MS=$(($(now_ms) - begun))
    grep -q '^ready' "$DIR/serve.log" || die "the daemon ended at its start"
}

kill_daemon() {
    local pid=$DAEMON
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    DAEMON=
}

# --- watching ---------------------------------------------------------------------

draw() {
    local n=$1 width=40 filled bar rest
    filled=$((n * width / TOTAL))
    printf -v bar '%*s' "$filled" ''
    printf -v rest '%*s' "$((width - filled))" ''
    printf '[%s%s] %d of %d packages' "${bar// /#}" "${rest// /.}" "$n" "$TOTAL"
}

# On a terminal one line that moves, elsewhere a line for each tenth.
SHOWN=-1
show_progress() {
    local n=$1
    if [[ -t 1 ]]; then
        printf '\r  %s ' "$(draw "$n")"
    elif ((n * 10 / TOTAL != SHOWN)); then
        SHOWN=$((n * 10 / TOTAL))
        printf '  %s\n' "$(draw "$n")"
    fi
}

# watch_until N: packages that are done, by the ledger.
watch_until() {
    local n last=-1 end=$((SECONDS + SILENCE_S))
    while true; do
        n=$(packages_done)
        show_progress "$n"
        if ((n >= $1)); then
            break
        elif ((n != last)); then
            last=$n
            end=$((SECONDS + SILENCE_S))
        fi
        kill -0 "$DAEMON" 2>/dev/null || die "the daemon ended by itself"
        ((SECONDS < end)) || die "no package was finished within $SILENCE_S s"
        sleep 0.05
    done
    if [[ -t 1 ]]; then
        echo
    fi
}

kill_at() {
    local wanted=$1
    watch_until "$wanted"
    kill_daemon
    local done_now
    done_now=$(packages_done)
    ((done_now < TOTAL)) || die "all was over before the kill: use a machine with more packages"
    start_daemon
    echo "  kill -9 at $done_now of $TOTAL; started again, ready after $READY_MS ms"
    if ((TOTAL < HELD_BELOW)); then
        release_ledger
    fi
}

status_of() {
    "$PAWL" show run-1 --function audit --output json | python3 -c '
import json, sys
print(json.load(sys.stdin)["Status"])'
}

has_ended() {
    [[ $(status_of) != RUNNING ]]
}

# --- the end ----------------------------------------------------------------------

print_report() {
    python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
print("  %d packages, %d files, %d MB read" % (report["packages"], report["files"],
                                              report["bytes"] // 10**6))
meanings = {"changed": "differ from what was installed", "missing": "are missing",
            "unreadable": "cannot be read by the function",
            "excluded": "were left out by dpkg.cfg", "unseen": "are where functions cannot look",
            "malformed": "lines of the lists are malformed"}
for kind, meaning in meanings.items():
    found = report.get(kind, {"count": 0, "paths": []})
    print("  %7d %s" % (found["count"], meaning))
    for path in found["paths"]:
        print("          " + path)' "$1"
}

print_timeline() {
    "$PAWL" history run-1 --function audit --timeline >"$DIR/timeline.txt"
    head -n 12 "$DIR/timeline.txt"
    echo "  … $(wc -l <"$DIR/timeline.txt") lines in all"
}

invoke_again() {
    local begun
    begun=$(now_ms)
    "$PAWL" invoke audit "@$DIR/payload.json" --name run-1 >"$DIR/again.json"
    echo "  answered after $(($(now_ms) - begun)) ms"
    cmp "$DIR/result.json" "$DIR/again.json" || die "the second answer is another"
    echo "  and is the same, byte for byte"
}

main() {
    [[ -x $PAWL && -x $PROGRAM ]] || die "$PAWL and $PROGRAM are not built: ./dev build"
    [[ $PACKAGES =~ ^[0-9]+$ ]] || die "PAWL_AUDIT_PACKAGES must be a number"
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/pawl-demo.XXXXXX")
    export PAWL_SOCKET=$DIR/pawl.sock
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    count_packages
    write_config
    write_payload

    say "a durable audit of what Debian's packages installed"
    say_what_to_expect
    start_ledger
    start_daemon
    echo "the daemon is ready after $READY_MS ms"
    "$PAWL" deploy audit "$PROGRAM" --durable --timeout 900 --memory 1024
    local begun=$SECONDS
    "$PAWL" invoke audit "@$DIR/payload.json" --name run-1 --async

    say "the daemon is killed at one third and at two thirds"
    kill_at $((TOTAL / 3))
    kill_at $((TOTAL * 2 / 3))
    watch_until "$TOTAL"
    wait_for "the end of the execution" has_ended
    echo "  $(status_of) after $((SECONDS - begun)) s"

    say "the report"
    "$PAWL" invoke audit "@$DIR/payload.json" --name run-1 >"$DIR/result.json" ||
        die "the execution failed"
    print_report "$DIR/result.json"

    say "did anything run twice? the ledger against the history"
    "$PAWL" history run-1 --function audit --output json >"$DIR/history.json"
    python3 "$HERE/judge" "$DIR/ledger.txt" "$DIR/history.json" 2 "$CONCURRENCY" ||
        die "the ledger and the history do not agree"

    say "the timeline (pawl history --timeline)"
    print_timeline

    say "the same invoke once more"
    invoke_again
}

main "$@"
