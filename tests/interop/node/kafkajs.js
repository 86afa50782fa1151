// The adapter of kafkajs. It brings gzip; the other codecs are plugged in, as its documentation says.

import zlib from 'node:zlib'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, endOfInput, recordsToProduce, run, say, sayRecord, versionOf } from './adapter.js'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => Buffer.from(lz4Compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(lz4Decompress(buffer))
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => zlib.zstdCompressSync(encoder.buffer),
  decompress: async buffer => zlib.zstdDecompressSync(buffer)
})

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}

const connect = ({ bootstrap }) => new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.ERROR })

async function withAdmin (args, use) {
  const admin = connect(args).admin()
  await admin.connect()
  await use(admin)
  await admin.disconnect()
}

/** Headers as kafkajs has them, an array of values where a name is repeated, from and to pairs. */
function headersOf (pairs) {
  const headers = {}
  for (const [name, data] of pairs) {
    headers[name] = name in headers ? [headers[name], data].flat() : data
  }
  return headers
}
const pairsOf = headers => Object.entries(headers).flatMap(([name, data]) => [data].flat().map(one => [name, one]))

/** Consumes in a group until `count` records have come, or `ended` resolves; commits each batch. */
async function consumeInGroup (args, group, ended) {
  const consumer = connect(args).consumer({
    groupId: group,
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    retry: { retries: 20 }
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [args.topic], fromBeginning: true })
  let left = args.count ?? Infinity
  const { promise: enough, resolve } = Promise.withResolvers()
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 1,
    eachBatch: async ({ batch, heartbeat, isRunning, isStale }) => {
      let next
      for (const message of batch.messages) {
        if (left === 0 || !isRunning() || isStale()) break
        const { offset, key, value, headers } = message
        sayRecord({ partition: batch.partition, offset, key, value, headers: pairsOf(headers) })
        next = BigInt(offset) + 1n
        left -= 1
      }
      if (next !== undefined) {
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset: String(next) }])
      }
      await heartbeat()
      if (left === 0) resolve()
    }
  })
  await Promise.race([enough, ended])
  await consumer.disconnect()
}

await run({
  about () {
    const cannot = {
      'consume assigned': 'it consumes in groups only (what it reads here, it reads in a group of one)',
      'write null header values': 'its encoder takes no null there'
    }
    say({ client: 'kafkajs', version: versionOf('kafkajs'), language: 'JavaScript', cannot })
  },

  metadata: args =>
    withAdmin(args, async admin => {
      const { topics } = await admin.fetchTopicMetadata()
      const { brokers } = await admin.describeCluster()
      const counts = Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))
      say({ brokers: brokers.length, topics: counts })
    }),

  create: args =>
    withAdmin(args, admin => admin.createTopics({ topics: [{ topic: args.topic, numPartitions: args.partitions }] })),

  async produce (args) {
    const producer = connect(args).producer({ idempotent: args.idempotent })
    await producer.connect()
    const messages = (await recordsToProduce()).map(({ headers, ...record }) => ({ ...record, headers: headersOf(headers) }))
    await producer.send({ topic: args.topic, compression: CODECS[args.codec], acks: -1, messages })
    await producer.disconnect()
  },

  consume: args => consumeInGroup(args, `reads-${args.topic}-${process.pid}`, new Promise(() => {})),

  group: args => consumeInGroup(args, args.group, endOfInput()),

  groups: args =>
    withAdmin(args, async admin => {
      const { groups } = await admin.listGroups()
      say({ groups: groups.map(({ groupId }) => groupId) })
    }),

  'delete-group': args => withAdmin(args, admin => admin.deleteGroups([args.group])),

  'delete-topic': args => withAdmin(args, admin => admin.deleteTopics({ topics: [args.topic] }))
})
