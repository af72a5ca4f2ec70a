import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { helperPythons } from '../../process/helper-python.ts'
import { NotifySocket } from './notify-socket.ts'

/** Prints the sender's process and the text of each datagram. */
const RECEIVER = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1) if sys.argv[1][0] == "@" else sys.argv[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print("bound", flush=True)
while True:
    data, rest, _, _ = s.recvmsg(4096, 1024)
    print(struct.unpack("iii", rest[0][2])[0], data.decode().replace("\\n", " "), flush=True)
`

const receivers: ChildProcess[] = []
const folders: string[] = []
afterEach(() => {
  for (const receiver of receivers.splice(0)) receiver.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function temporaryPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  folders.push(folder)
  return join(folder, 'notify')
}

async function receive(path: string): Promise<AsyncIterator<string>> {
  const receiver = spawn('python3', ['-c', RECEIVER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  receivers.push(receiver)
  const lines = createInterface(receiver.stdout!)[Symbol.asyncIterator]()
  expect(await lines.next()).toMatchObject({ value: 'bound' })
  return lines
}

const linux = process.platform === 'linux'

test.runIf(linux).each([
  ['a path', () => temporaryPath()],
  ['an abstract name', () => `@monoceros-test-${process.pid}`],
])('messages to %s come from this very process, in order', async (_, makePath) => {
  const path = makePath()
  const lines = await receive(path)
  const socket = new NotifySocket(path)
  socket.send('STATUS=early')
  expect(await socket.sender).toBe('this process')
  socket.send('READY=1\nSTATUS=late')
  expect(await lines.next()).toMatchObject({ value: `${process.pid} STATUS=early` })
  expect(await lines.next()).toMatchObject({ value: `${process.pid} READY=1 STATUS=late` })
  socket.close()
})

test.runIf(linux)('a Python that cannot be started is passed over', async () => {
  const path = temporaryPath()
  await receive(path)
  const socket = new NotifySocket(path, [
    '/nowhere/python3',
    '/bin/false',
    ...helperPythons(process.env),
  ])
  expect(await socket.sender).toBe('this process')
  socket.close()
})

test.runIf(linux)(
  'a socket that nobody reads is reported, and sending to it does no harm',
  async () => {
    const socket = new NotifySocket(temporaryPath())
    expect(await socket.sender).toBe('nobody')
    socket.send('READY=1')
    socket.close()
  },
)
