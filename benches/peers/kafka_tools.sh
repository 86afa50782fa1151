#!/usr/bin/env bash
# Kafka's own tools and librdkafka against Cairn's Kafka listener and against a real Apache Kafka that does not sync, interleaved on
# one machine: producer-perf, consumer-perf, end-to-end, and kcat as librdkafka's producer.
#
#   KAFKA=PATH/TO/kafka benches/peers/kafka_tools.sh [RECORDS] [ROUNDS] [ROW…]     rows: produce consume end-to-end librdkafka
set -euo pipefail
cd "$(dirname "$0")/../.."
source benches/peers/side_by_side.sh
records=${1:-2000000}
rounds=${2:-3}
shift $(($# < 2 ? $# : 2))
rows=${*:-produce consume end-to-end librdkafka}
bytes=$((records * 1024))

pid_of() { if [ "$1" = Kafka ]; then echo "$kafka_pid"; else echo "$broker_pid"; fi; }
address_of() { if [ "$1" = Kafka ]; then echo "$kafka_address"; else echo "$cairn_kafka_address"; fi; }

create() { # broker, topic, partitions, durability
  if [ "$1" = Kafka ]; then
    "$KAFKA" tool topics --bootstrap-server "$kafka_address" --create --topic "$2" --partitions "$3" >/dev/null
  else
    "$cairn" --broker "$cairn_address" topic create "$2" --partitions "$3" --config durability="$4" >/dev/null
  fi
}

delete() { # broker, topic
  "$KAFKA" tool topics --bootstrap-server "$(address_of "$1")" --delete --topic "$2" >/dev/null
}

# Runs a command, keeps the CPU seconds per GB that it cost the broker, and leaves its output in $output.
measured() { # broker, name, command…
  local broker=$1 name=$2 pid before after; shift 2
  pid=$(pid_of "$broker")
  before=$(cpu_ticks "$pid")
  output=$("$@")
  after=$(cpu_ticks "$pid")
  keep "$name, CPU" "$(per_gigabyte $((after - before)) "$bytes")" s/GB
}

produce() { # broker, topic, name
  measured "$1" "$3" "$KAFKA" tool producer-perf --topic "$2" --num-records "$records" --record-size 1024 --throughput -1 \
    --command-property bootstrap.servers="$(address_of "$1")" acks=all
  keep "$3, rate" "$(tail -n 1 <<<"$output" | sed -n 's/.*(\([0-9.]*\) MB\/sec).*/\1/p')" MiB/s
}

row_produce() {
  local round topic
  for round in $(seq "$rounds"); do
    topic=produce-$round
    create Kafka "$topic" 16; produce Kafka "$topic" "Kafka producer-perf"; delete Kafka "$topic"
    create Cairn "$topic" 16 fsync; produce Cairn "$topic" "Cairn producer-perf, fsync"; delete Cairn "$topic"
    create Cairn "$topic-async" 16 async; produce Cairn "$topic-async" "Cairn producer-perf, async"; delete Cairn "$topic-async"
  done
}
summary_produce() {
  compare "producer-perf, fsync, throughput" "Cairn producer-perf, fsync, rate" "Kafka producer-perf, rate" ">= 1.1"
  compare "producer-perf, fsync, broker CPU per GB" "Cairn producer-perf, fsync, CPU" "Kafka producer-perf, CPU" "<= 0.25"
  compare "producer-perf, async, throughput" "Cairn producer-perf, async, rate" "Kafka producer-perf, rate" ">= 1.3"
}

consume() { # broker, topic
  measured "$1" "$1 consumer-perf" "$KAFKA" tool consumer-perf --bootstrap-server "$(address_of "$1")" --topic "$2" \
    --num-records "$records" --timeout 60000
  # start.time, end.time, data.consumed.in.MB, MB.sec, …, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
  keep "$1 consumer-perf, rate" "$(tail -n 1 <<<"$output" | awk -F ', *' '{ print $4 }')" MiB/s
  keep "$1 consumer-perf, fetch rate" "$(tail -n 1 <<<"$output" | awk -F ', *' '{ print $9 }')" MiB/s
}

row_consume() {
  local round broker
  for broker in Kafka Cairn; do
    create "$broker" consume 16 fsync
    produce "$broker" consume "$broker, what is consumed"
    consume "$broker" consume >/dev/null
  done
  for round in $(seq "$rounds"); do consume Kafka consume; consume Cairn consume; done
  delete Kafka consume; delete Cairn consume
}
summary_consume() {
  compare "consumer-perf, throughput" "Cairn consumer-perf, rate" "Kafka consumer-perf, rate" ">= 1.0"
  compare "consumer-perf, throughput without the rebalance" "Cairn consumer-perf, fetch rate" "Kafka consumer-perf, fetch rate" ">= 1.0"
  compare "consumer-perf, broker CPU per GB" "Cairn consumer-perf, CPU" "Kafka consumer-perf, CPU" "<= 1.0"
}

end_to_end() { # broker, topic, name
  output=$("$KAFKA" tool end-to-end "$(address_of "$1")" "$2" 10000 all 1024 2>&1)
  keep "$3, average" "$(sed -n 's/^Avg latency: *\([0-9.]*\) ms.*/\1/p' <<<"$output")" ms
  keep "$3, p99" "$(sed -n 's/.*99th = *\([0-9]*\).*/\1/p' <<<"$output")" ms
}

row_end-to-end() {
  local round
  for round in $(seq "$rounds"); do
    create Kafka "latency-$round" 1; end_to_end Kafka "latency-$round" "Kafka end-to-end"; delete Kafka "latency-$round"
    create Cairn "latency-$round" 1 async; end_to_end Cairn "latency-$round" "Cairn end-to-end, async"; delete Cairn "latency-$round"
    create Cairn "synced-$round" 1 fsync; end_to_end Cairn "synced-$round" "Cairn end-to-end, fsync"; delete Cairn "synced-$round"
  done
}
summary_end-to-end() {
  compare "end-to-end, both unsynced, average" "Cairn end-to-end, async, average" "Kafka end-to-end, average" "<= 0.7"
  compare "end-to-end, both unsynced, p99" "Cairn end-to-end, async, p99" "Kafka end-to-end, p99" "<= 0.5"
  compare "end-to-end, Cairn fsynced, p99" "Cairn end-to-end, fsync, p99" "Kafka end-to-end, p99" "<= 1"
}

kcat_produce() { # broker, topic
  kcat -q -P -b "$(address_of "$1")" -t "$2" -X acks=all -X queue.buffering.max.messages=1000000 -l "$scratch/lines"
}

librdkafka() { # broker, topic
  local before after
  before=$(date +%s.%N)
  measured "$1" "$1 librdkafka" kcat_produce "$1" "$2"
  after=$(date +%s.%N)
  keep "$1 librdkafka, rate" "$(awk -v a="$before" -v b="$after" -v bytes="$bytes" 'BEGIN { print bytes / (b - a) / 1048576 }')" MiB/s
}

row_librdkafka() {
  local round
  # 1,023 random characters and an end of line for every record.
  head -c $((records * 768)) /dev/urandom | base64 -w 1023 | head -n "$records" >"$scratch/lines"
  for round in $(seq "$rounds"); do
    create Kafka "lines-$round" 16; librdkafka Kafka "lines-$round"; delete Kafka "lines-$round"
    create Cairn "lines-$round" 16 fsync; librdkafka Cairn "lines-$round"; delete Cairn "lines-$round"
  done
}
summary_librdkafka() {
  compare "librdkafka producer, throughput" "Cairn librdkafka, rate" "Kafka librdkafka, rate" ">= 2"
  compare "librdkafka producer, broker CPU per GB" "Cairn librdkafka, CPU" "Kafka librdkafka, CPU" "-"
}

start_both --group-initial-rebalance-delay-ms 0 # as the launcher sets it for Kafka
create Kafka warm-up 16
echo "warm-up, not counted:"
produce Kafka warm-up "Kafka warm-up"
delete Kafka warm-up
for row in $rows; do echo "$row:"; "row_$row"; done
for row in $rows; do "summary_$row"; done
