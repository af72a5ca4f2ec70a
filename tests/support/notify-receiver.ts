import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { waitFor } from './wait-for.ts'

/** What systemd would have read from `NOTIFY_SOCKET`. */
export interface Notification {
  /** The process that sent it, as the kernel says. */
  readonly pid: number
  readonly text: string
}

const RECEIVER = `
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print("bound", flush=True)
while True:
    data, rest, _, _ = s.recvmsg(4096, 1024)
    print(json.dumps({"pid": struct.unpack("iii", rest[0][2])[0], "text": data.decode()}), flush=True)
`

/** Receives notifications at a path until the test is over. */
export async function receiveNotifications(path: string): Promise<{
  received: readonly Notification[]
  /** Resolves with the first notification that matches, after the first `from`. */
  waitFor(pattern: RegExp, from?: number): Promise<Notification>
}> {
  const received: Notification[] = []
  const receiver = spawn('python3', ['-c', RECEIVER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void receiver.kill('SIGKILL'))
  let bound = false
  createInterface(receiver.stdout).on('line', (line) => {
    if (bound) received.push(JSON.parse(line) as Notification)
    bound = true
  })
  await waitFor('the receiver of notifications', () => bound)
  return {
    received,
    waitFor: async (pattern, from = 0) => {
      const find = () => received.slice(from).find(({ text }) => pattern.test(text))
      await waitFor(`a notification like ${pattern}`, () => find() !== undefined)
      return find()!
    },
  }
}
