#!/usr/bin/env bash
# Cairn fsynced beside a real Apache Kafka that does not sync: acknowledged produce throughput and the brokers' processor seconds per
# GB, interleaved on one machine. Kafka's figures come from its own producer-perf, Cairn's from `cairn bench produce`.
#
#   KAFKA=PATH/TO/kafka benches/peers/kafka_produce.sh [RECORDS] [ROUNDS]
#
# Beside them the floor: what a program costs that does nothing but write the same bytes into a new file's page cache. Both brokers
# pay it; on a virtual machine that gives unused memory back to its host it varies by several times from run to run.
set -euo pipefail
cd "$(dirname "$0")/../.."
source benches/peers/side_by_side.sh
records=${1:-3000000}
rounds=${2:-3}
bytes=$((records * 1024))

run_kafka() { # topic, name, extra properties…
  local topic=$1 name=$2; shift 2
  "$KAFKA" tool topics --bootstrap-server "$kafka_address" --create --topic "$topic" --partitions 16 >/dev/null
  local before after rate
  before=$(cpu_ticks "$kafka_pid")
  rate=$("$KAFKA" tool producer-perf --topic "$topic" --num-records "$records" --record-size 1024 --throughput -1 \
    --command-property bootstrap.servers="$kafka_address" acks=all "$@" | tail -n 1 | sed -n 's/.*(\([0-9.]*\) MB\/sec).*/\1/p')
  after=$(cpu_ticks "$kafka_pid")
  keep "$name, rate" "$rate" MiB/s
  keep "$name, CPU" "$(per_gigabyte $((after - before)) "$bytes")" s/GB
  "$KAFKA" tool topics --bootstrap-server "$kafka_address" --delete --topic "$topic" >/dev/null
}

run_cairn() { # topic
  local topic=$1 before after rate
  "$cairn" --broker "$cairn_address" topic create "$topic" --partitions 16 >/dev/null
  before=$(cpu_ticks "$broker_pid")
  rate=$("$cairn" --broker "$cairn_address" --output json bench produce "$topic" --records "$records" |
    sed -n 's/.*"mib_per_second": *\([0-9.]*\).*/\1/p')
  after=$(cpu_ticks "$broker_pid")
  keep "Cairn, rate" "$rate" MiB/s
  keep "Cairn, CPU" "$(per_gigabyte $((after - before)) "$bytes")" s/GB
  "$cairn" --broker "$cairn_address" topic delete "$topic" >/dev/null
}

run_floor() {
  local used
  used=$( { TIMEFORMAT='%U %S'; time dd if=/dev/zero of="$scratch/floor" bs=1M count=$((bytes >> 20)) status=none; } 2>&1 | awk '{ print $1 + $2 }')
  rm "$scratch/floor"
  keep "floor, CPU" "$(per_gigabyte "$(awk -v used="$used" -v hz="$ticks" 'BEGIN { print used * hz }')" "$bytes")" s/GB
}

start_both
run_kafka warm-up "Kafka warm-up"
for round in $(seq "$rounds"); do
  run_kafka "default-$round" "Kafka, defaults"
  run_cairn "one-$round"
  # Cairn's defaults are 256 KiB and 5 ms.
  run_kafka "equal-$round" "Kafka, equal" batch.size=262144 linger.ms=5
  run_cairn "two-$round"
  run_floor
done
compare "throughput, the defaults of each" "Cairn, rate" "Kafka, defaults, rate" ">= 3"
compare "broker CPU per GB, the defaults of each" "Cairn, CPU" "Kafka, defaults, CPU" "<= 0.25"
compare "throughput, equal batch and linger" "Cairn, rate" "Kafka, equal, rate" ">= 3"
compare "broker CPU per GB, equal batch and linger" "Cairn, CPU" "Kafka, equal, CPU" "<= 0.25"
printf 'page cache alone: %.2f s/GB\n' "$(median "floor, CPU")"
