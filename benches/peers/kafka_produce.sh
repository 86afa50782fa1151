#!/usr/bin/env bash
# Cairn fsynced beside a real Apache Kafka that does not sync: acknowledged produce throughput and the brokers' processor seconds per
# GB, interleaved on one machine. Kafka's figures come from its own producer-perf, Cairn's from `cairn bench produce`.
#
#   KAFKA=PATH/TO/kafka benches/peers/kafka_produce.sh [RECORDS] [ROUNDS]
#
# KAFKA is a launcher with the commands start, stop, clean, stat and tool; this script alone depends on it, not the project.
set -euo pipefail
cd "$(dirname "$0")/../.."
KAFKA=${KAFKA:-../shared/peers/kafka/kafka}
records=${1:-3000000}
rounds=${2:-3}
scratch=$(mktemp -d "${CAIRN_BENCH_DIR:-target}/peers.XXXXXX")
cairn=${CARGO_TARGET_DIR:-target}/release/cairn
broker_program=${CARGO_TARGET_DIR:-target}/release/cairn-broker
ticks=$(getconf CLK_TCK)

broker_pid=
finish() {
  [ -z "$broker_pid" ] || kill -9 "$broker_pid" 2>/dev/null || true
  "$KAFKA" clean >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap finish EXIT

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# One line: NAME MIB_PER_SECOND CPU_SECONDS_PER_GB
report() { # name, MiB/s, ticks
  awk -v name="$1" -v rate="$2" -v used="$3" -v hz="$ticks" -v records="$records" \
    'BEGIN { printf "%-28s %8.1f MiB/s  %6.2f broker CPU-s/GB\n", name, rate, used / hz / (records * 1024 / 1e9) }' |
    tee -a "$scratch/report"
}

# The median of a column of the lines that begin so.
median() { # beginning, column counted from the end of the line
  grep "^$1" "$scratch/report" | awk -v back="$2" '{ print $(NF - back) }' | sort -n | awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'
}

compare() { # settings, Kafka's beginning, Cairn's beginning
  awk -v settings="$1" -v kafka="$(median "$2" 4)" -v cairn="$(median "$3" 4)" \
    -v kafka_used="$(median "$2" 2)" -v cairn_used="$(median "$3" 2)" \
    'BEGIN { printf "%-22s throughput %.2f x Kafka (>= 3 wanted), broker CPU per GB %.2f x Kafka (<= 0.25 wanted)\n",
             settings, cairn / kafka, cairn_used / kafka_used }'
}

run_kafka() { # topic, name, extra properties…
  local topic=$1 name=$2; shift 2
  "$KAFKA" tool topics --bootstrap-server "$kafka_address" --create --topic "$topic" --partitions 16 >/dev/null
  local before after rate
  before=$(cpu_ticks "$kafka_pid")
  rate=$("$KAFKA" tool producer-perf --topic "$topic" --num-records "$records" --record-size 1024 --throughput -1 \
    --command-property bootstrap.servers="$kafka_address" acks=all "$@" | tail -n 1 | sed -n 's/.*(\([0-9.]*\) MB\/sec).*/\1/p')
  after=$(cpu_ticks "$kafka_pid")
  report "$name" "$rate" "$((after - before))"
  "$KAFKA" tool topics --bootstrap-server "$kafka_address" --delete --topic "$topic" >/dev/null
}

run_cairn() { # topic, name, extra arguments…
  local topic=$1 name=$2; shift 2
  "$cairn" --broker "$cairn_address" topic create "$topic" --partitions 16 >/dev/null
  local before after rate
  before=$(cpu_ticks "$broker_pid")
  rate=$("$cairn" --broker "$cairn_address" --output json bench produce "$topic" --records "$records" "$@" |
    sed -n 's/.*"mib_per_second": *\([0-9.]*\).*/\1/p')
  after=$(cpu_ticks "$broker_pid")
  report "$name" "$rate" "$((after - before))"
  "$cairn" --broker "$cairn_address" topic delete "$topic" >/dev/null
}

kafka_address=$("$KAFKA" start --brokers 1 | tail -n 1)
kafka_pid=$("$KAFKA" stat | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+$/ && $i > 100) { print $i; exit } }')
cairn_address=127.0.0.1:19595
# CAIRN_… are the broker's own settings, and it refuses what it does not know.
env -u CAIRN_BENCH_DIR "$broker_program" --data-dir "$scratch/data" --listen-grpc "$cairn_address" --listen-kafka off --listen-http off >"$scratch/log" 2>&1 &
broker_pid=$!
for _ in $(seq 100); do "$cairn" --broker "$cairn_address" cluster status >/dev/null 2>&1 && break; sleep 0.1; done

run_kafka warm-up "Kafka warm-up (not counted)"
for round in $(seq "$rounds"); do
  run_kafka "default-$round" "Kafka, its defaults"
  run_cairn "one-$round" "Cairn, fsynced"
  # Cairn's defaults are 256 KiB and 5 ms.
  run_kafka "equal-$round" "Kafka, 256 KiB, 5 ms" batch.size=262144 linger.ms=5
  run_cairn "two-$round" "Cairn, fsynced"
done
compare "the defaults of each" "Kafka, its defaults" "Cairn, fsynced"
compare "equal batch and linger" "Kafka, 256 KiB, 5 ms" "Cairn, fsynced"
