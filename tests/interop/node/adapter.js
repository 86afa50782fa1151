// What the adapters for Node.js have in common: the command line, and records as JSON lines. An adapter is an object with one
// method for each command; this module knows no client and no expectation.

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { readFileSync, writeSync } from 'node:fs'

export const SESSION_TIMEOUT_MS = 6000
export const HEARTBEAT_INTERVAL_MS = 1500

const COMMANDS = ['about', 'metadata', 'create', 'produce', 'consume', 'group', 'groups', 'delete-group', 'delete-topic']

const decoded = text => (text === null ? null : Buffer.from(text, 'base64'))
const encoded = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))

/** The version of an installed package. */
export function versionOf (name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version
}

/** One line of the result; it is out when this returns, whatever happens to the process then. */
export function say (line) {
  let bytes = Buffer.from(JSON.stringify(line) + '\n')
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

/** Says a record; `headers` are pairs of name and bytes or null. */
export function sayRecord ({ partition, offset, key, value, headers }) {
  const pairs = headers.map(([name, data]) => [String(name), encoded(data)])
  say({ partition, offset: Number(offset), key: encoded(key), value: encoded(value), headers: pairs })
}

/** The records on standard input. */
export async function recordsToProduce () {
  const records = []
  for await (const line of createInterface({ input: process.stdin })) {
    const { partition, key, value, headers } = JSON.parse(line)
    const pairs = headers.map(([name, data]) => [name, decoded(data)])
    records.push({ partition, key: decoded(key), value: decoded(value), headers: pairs })
  }
  return records
}

/** Resolves once standard input has ended. */
export function endOfInput () {
  return new Promise(resolve => {
    process.stdin.resume()
    process.stdin.on('end', resolve)
    process.stdin.on('close', resolve)
  })
}

/** Carries out the command line with the given client. */
export async function run (client) {
  const string = { type: 'string' }
  const names = ['bootstrap', 'topic', 'group', 'codec', 'idempotent', 'partitions', 'count']
  const options = Object.fromEntries(names.map(name => [name, string]))
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [command] = positionals
  if (!COMMANDS.includes(command)) throw new Error(`unknown command: ${command}`)
  try {
    await client[command]({
      ...values,
      idempotent: values.idempotent === 'true',
      partitions: values.partitions && Number(values.partitions),
      count: values.count && Number(values.count)
    })
    process.exit(0)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}
