# Sourced by the comparisons: starts a Kafka and a Cairn side by side on one disk, and has the arithmetic that they share.
# Always ends what it started, and removes its scratch directory.
#
# KAFKA is a launcher with the commands start, stop, clean, stat and tool; the comparisons alone depend on it, not the project.
# KAFKA_PORT is where its broker listens.
KAFKA=${KAFKA:-../shared/peers/kafka/kafka}
scratch=$(mktemp -d "${CAIRN_BENCH_DIR:-target}/peers.XXXXXX")
cairn=${CARGO_TARGET_DIR:-target}/release/cairn
broker_program=${CARGO_TARGET_DIR:-target}/release/cairn-broker
ticks=$(getconf CLK_TCK)
cairn_address=127.0.0.1:19595
cairn_kafka_address=127.0.0.1:19592

broker_pid=
finish() {
  [ -z "$broker_pid" ] || { kill -9 "$broker_pid"; wait "$broker_pid"; } 2>/dev/null || true
  "$KAFKA" clean >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap finish EXIT

start_both() { # further arguments of Cairn's broker…
  kafka_address=$("$KAFKA" start --brokers 1 --port ${KAFKA_PORT:-19092} | tail -n 1)
  kafka_pid=$("$KAFKA" stat | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+$/ && $i > 100) { print $i; exit } }')
  # CAIRN_… are the broker's own settings, and it refuses what it does not know.
  env -u CAIRN_BENCH_DIR "$broker_program" --data-dir "$scratch/data" --listen-grpc "$cairn_address" \
    --listen-kafka "$cairn_kafka_address" --listen-http off "$@" >"$scratch/log" 2>&1 &
  broker_pid=$!
  for _ in $(seq 100); do "$cairn" --broker "$cairn_address" cluster status >/dev/null 2>&1 && return; sleep 0.1; done
  echo "Cairn's broker did not start:" >&2
  cat "$scratch/log" >&2
  exit 1
}

# Processor ticks that a process has used, its own and the kernel's for it.
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# Keeps a figure and prints it: NAME VALUE UNIT.
keep() {
  printf '%s\t%s\n' "$1" "$2" >>"$scratch/report"
  printf '  %-52s %10.2f %s\n' "$1" "$2" "$3"
}

# The median of the figures kept under a name.
median() {
  awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$scratch/report" | sort -n |
    awk '{ a[NR] = $1 } END { if (!NR) exit 1; print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'
}

# One line with the ratio of two medians: TEXT, name of ours, name of theirs, what is wanted.
compare() {
  awk -v text="$1" -v ours="$(median "$2")" -v theirs="$(median "$3")" -v wanted="$4" \
    'BEGIN { printf "%-44s %.2f x Kafka (%.2f against %.2f); wanted: %s\n", text, ours / theirs, ours, theirs, wanted }'
}

# CPU seconds per GB: ticks, bytes.
per_gigabyte() { awk -v used="$1" -v hz="$ticks" -v bytes="$2" 'BEGIN { print used / hz / (bytes / 1e9) }'; }
