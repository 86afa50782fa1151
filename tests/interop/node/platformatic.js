// The adapter of @platformatic/kafka.

import { Admin, Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer } from '@platformatic/kafka'
import { HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, endOfInput, recordsToProduce, run, say, sayRecord, versionOf } from './adapter.js'


const base = ({ bootstrap }) => ({ clientId: 'platformatic', bootstrapBrokers: [bootstrap] })

async function withAdmin (args, use) {
  const admin = new Admin(base(args))
  await use(admin)
  await admin.close()
}

/** Consumes in a group until `count` records have come, or `ended` resolves; commits each record. */
async function consumeInGroup (args, group, ended) {
  const consumer = new Consumer({
    ...base(args),
    groupId: group,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: 2 * SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    autocommit: false,
    maxWaitTime: 200
  })
  const stream = await consumer.consume({
    topics: [args.topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST
  })
  ended.then(() => stream.close())
  let left = args.count ?? Infinity
  for await (const message of stream) {
    const { partition, offset, key, value, headerEntries } = message
    sayRecord({ partition, offset, key, value, headers: headerEntries })
    try {
      await message.commit()
    } catch (error) {
      // The group rebalances: whoever has the partition next reads the record again.
      if (!JSON.stringify(error.errors ?? error).match(/ILLEGAL_GENERATION|REBALANCE_IN_PROGRESS|UNKNOWN_MEMBER_ID/)) throw error
    }
    left -= 1
    if (left === 0) break
  }
  await consumer.close(true)
}

await run({
  about () {
    const cannot = { 'consume assigned': 'it consumes in groups only (what it reads here, it reads in a group of one)' }
    say({ client: '@platformatic/kafka', version: versionOf('@platformatic/kafka'), language: 'JavaScript', cannot })
  },

  metadata: args =>
    withAdmin(args, async admin => {
      const { brokers, topics } = await admin.metadata({ topics: await admin.listTopics() })
      const counts = Object.fromEntries([...topics].map(([name, { partitionsCount }]) => [name, partitionsCount]))
      say({ brokers: brokers.size, topics: counts })
    }),

  create: args => withAdmin(args, admin => admin.createTopics({ topics: [args.topic], partitions: args.partitions, replicas: 1 })),

  async produce (args) {
    const producer = new Producer({ ...base(args), idempotent: args.idempotent })
    const messages = (await recordsToProduce()).map(({ partition, key, value, headers }) => ({
      topic: args.topic,
      partition,
      key,
      value,
      headers: new Map(headers.map(([name, data]) => [Buffer.from(name), data]))
    }))
    await producer.send({ messages, compression: args.codec, acks: -1 })
    await producer.close()
  },

  consume: args => consumeInGroup(args, `reads-${args.topic}-${process.pid}`, new Promise(() => {})),

  group: args => consumeInGroup(args, args.group, endOfInput()),

  groups: args => withAdmin(args, async admin => say({ groups: [...(await admin.listGroups()).keys()] })),

  'delete-group': args => withAdmin(args, admin => admin.deleteGroups({ groups: [args.group] })),

  'delete-topic': args => withAdmin(args, admin => admin.deleteTopics({ topics: [args.topic] }))
})
