import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { testAssignment } from '../../../tests/support/test-worker.ts'
import type { LentSocket } from '../../transport/lent-socket.ts'
import { AssignedRequests } from './assigned-requests.ts'
import { FrameDecoder } from './frame-decoder.ts'
import {
  BODY_WINDOW,
  BROKEN,
  DATA,
  END,
  encodeFrame,
  FAIL,
  FILE,
  FrameError,
  HEAD,
  INFORM,
  LAST,
  OFFER,
  READY,
  SENT,
  SUSPENDED,
} from './frames.ts'
import { Lookahead } from './lookahead.ts'
import { ResponseFrames } from './response-frames.ts'

function makeResponse() {
  const requests = new AssignedRequests(new Lookahead(1), { threads: 1, cooperative: false })
  const { task, assignment } = testAssignment(1)
  assignment.credit = 100
  requests.add(assignment, 0)
  const cancelled: number[] = []
  const lent: unknown[] = []
  const worker = {
    pid: 7,
    cancel: () => void cancelled.push(1),
    lend: (_: unknown, { socket, before }: LentSocket) => {
      lent.push(socket, before)
      return task.lendable
    },
    decline: () => {
      task.calls.push('decline')
      requests.resume(assignment)
    },
  }
  const responses = new ResponseFrames(worker, requests)
  const kept: boolean[] = []
  const decoder = new FrameDecoder({
    frame: (frame) => {
      kept.push(responses.frame(assignment, frame))
      return kept.at(-1)!
    },
  })
  const say = (type: number, payload = '', flags = 0) =>
    decoder.feed(encodeFrame(type, 1, Buffer.from(payload, 'latin1'), flags))
  return { say, task, assignment, requests, cancelled, kept, lent }
}

const head = '\x08\0\0\x00200 OK\r\n'

it('a whole response in one frame', () => {
  const { say, task, assignment, requests } = makeResponse()
  say(HEAD, `${head}hello`, LAST)
  expect(task.calls).toEqual(['head "200 OK\\r\\n" hello .'])
  expect([assignment.settled, assignment.open, requests.load]).toEqual([true, false, 0])
})

it('a response in pieces', () => {
  const { say, task, assignment } = makeResponse()
  say(HEAD, `${head}a`)
  say(DATA, 'b')
  say(DATA, '')
  say(DATA, 'c', LAST)
  expect(task.calls).toEqual(['head "200 OK\\r\\n" a', 'data b', 'data c', 'end'])
  expect(assignment.credit).toBe(98)
})

it('the memory is kept if the task says so', () => {
  const { say, task, kept } = makeResponse()
  task.outcome = 1
  say(HEAD, `${head}a`)
  say(DATA, 'b')
  say(END)
  expect(kept).toEqual([true, true, false])
})

it('a head that the task refuses cancels the rest', () => {
  const { say, task, cancelled } = makeResponse()
  task.outcome = 2
  say(HEAD, `${head}a`)
  say(DATA, 'b')
  say(END, '', BROKEN)
  expect(cancelled).toEqual([1])
  expect(task.calls).toEqual(['head "200 OK\\r\\n" a'])
})

it.each([
  ['END after a head', [[HEAD, head], [END]], 'end'],
  [
    'a broken END',
    [
      [HEAD, head],
      [END, '', BROKEN],
    ],
    'broken',
  ],
  ['END without a head', [[END, '', BROKEN]], '502 worker 7 sent no response'],
  ['FAIL', [[FAIL, 'Traceback']], 'failed Traceback'],
  [
    'FILE',
    [
      [HEAD, head],
      [FILE, '{"path":"/a","device":1,"inode":2,"offset":0,"length":1}'],
    ],
    'file /a',
  ],
] as [string, [number, string?, number?][], string][])('%s ends the task', (_, frames, last) => {
  const { say, task, assignment, requests } = makeResponse()
  for (const frame of frames) say(...frame)
  expect(task.calls.at(-1)).toBe(last)
  expect([assignment.settled, requests.byStream.size]).toEqual([true, 0])
})

it('what the application asks for and holds is passed on', () => {
  const { say, task } = makeResponse()
  say(BODY_WINDOW, '\x05\0\0\0')
  say(SUSPENDED, '\x09\0\0\0')
  expect(task.calls).toEqual(['want 5', 'held 9'])
})

it('early hints are passed on before the head, and ignored after it', () => {
  const { say, task, assignment } = makeResponse()
  say(INFORM, 'Link: a\r\n')
  say(HEAD, `${head}a`)
  say(INFORM, 'Link: b\r\n')
  expect(task.calls).toEqual(['hints "Link: a\\r\\n"', 'head "200 OK\\r\\n" a'])
  expect([assignment.credit, assignment.informed]).toEqual([99, 2 * (32 + 9)])
})

it('early hints have a bound, however small they are', () => {
  const { say, task } = makeResponse()
  for (let i = 0; i < 2048; i++) say(INFORM)
  expect(task.calls.length).toBe(2048)
  expect(() => say(INFORM)).toThrow(/more early hints/)
})

it('nothing is passed on to a task that is settled', () => {
  const { say, task, assignment, requests } = makeResponse()
  assignment.settled = true
  say(BODY_WINDOW, '\x05\0\0\0')
  say(HEAD, `${head}a`)
  say(DATA, 'b')
  say(FAIL, 'Traceback')
  expect([task.calls, requests.byStream.size]).toEqual([[], 0])
})

it.each([
  ['DATA before HEAD', [[DATA, 'a']], /DATA before HEAD/],
  ['FILE before HEAD', [[FILE, '{}']], /FILE before HEAD/],
  [
    'two HEADs',
    [
      [HEAD, head],
      [HEAD, head],
    ],
    /second HEAD/,
  ],
  ['a HEAD without a length', [[HEAD, 'abc']], /too short/],
  ['a HEAD that ends behind its frame', [[HEAD, '\xff\0\0\0abc']], /longer/],
  ['END with a payload', [[END, 'a']], /END with a payload/],
  ['more than its credit', [[HEAD, head + 'x'.repeat(101)]], /credit/],
  ['READY', [[READY, '{}']], /0x81 is not about a stream/],
] as [string, [number, string?][], RegExp][])('%s breaks the protocol', (_, frames, error) => {
  const { say } = makeResponse()
  expect(() => {
    for (const frame of frames) say(...frame)
  }).toThrow(error)
})

/** The payload of an OFFER of 100 bytes, 30 of them in memory. */
const offer = 'd\0\0\0\x1e\0\0\0'

it('the socket is lent for an offer, and the thread is free in the meantime', () => {
  const { say, task, assignment, requests, lent } = makeResponse()
  task.socket = {} as Socket
  say(HEAD, head)
  expect(requests.load).toBe(1)
  say(OFFER, offer)
  expect(lent).toEqual([task.socket, 'head'])
  expect([assignment.suspended, assignment.lent, requests.load]).toEqual([true, true, 0])
  say(SENT, 'h\0\0\0')
  say(END)
  const calls = ['head "200 OK\\r\\n" ', 'offered 100 30', 'sent 104', 'end']
  expect(task.calls).toEqual(calls)
  expect([requests.load, requests.sharing, assignment.open]).toEqual([0, 0, false])
})

it('the worker goes on with frames if there is no socket', () => {
  const { say, task, assignment, requests } = makeResponse()
  say(HEAD, head)
  say(OFFER, offer)
  expect(task.calls.slice(1)).toEqual(['offered 100 30', 'decline'])
  expect([assignment.suspended, assignment.lent, requests.load]).toEqual([false, false, 1])
  say(DATA, 'a', LAST)
  expect(task.calls.slice(3)).toEqual(['data a', 'end'])
})

it('the worker goes on with frames if the socket cannot be passed', () => {
  const { say, task } = makeResponse()
  task.socket = {} as Socket
  task.lendable = false
  say(HEAD, head)
  say(OFFER, offer)
  expect(task.calls.slice(1)).toEqual(['offered 100 30', 'sent 0', 'decline'])
})

it('the worker goes on with frames if the client was slow', () => {
  const { say, task, assignment, requests } = makeResponse()
  task.socket = {} as Socket
  say(HEAD, head)
  say(OFFER, offer)
  say(SENT, '\x09\0\0\0')
  expect(task.calls.slice(2)).toEqual(['sent 9', 'decline'])
  expect([assignment.suspended, assignment.offered, requests.load]).toEqual([false, 0, 1])
  say(DATA, 'a', LAST)
  expect(requests.load).toBe(0)
})

it('a long response is offered in parts', () => {
  const { say, task } = makeResponse()
  task.socket = {} as Socket
  say(HEAD, head)
  for (const _ of [1, 2]) {
    say(OFFER, offer)
    say(SENT, 'h\0\0\0')
  }
  say(END)
  const once = ['offered 100 30', 'sent 104']
  expect(task.calls.slice(1)).toEqual([...once, ...once, 'end'])
})

it('an offer whose client has left ends without a socket', () => {
  const { say, task, assignment, requests } = makeResponse()
  say(HEAD, head)
  assignment.settled = true
  say(OFFER, offer)
  say(END, '', BROKEN)
  expect(task.calls.length).toBe(1)
  expect([requests.load, assignment.open]).toEqual([0, false])
})

it.each([
  ['an OFFER before HEAD', [[OFFER, offer]]],
  [
    'an OFFER of nothing',
    [
      [HEAD, head],
      [OFFER, '\0\0\0\0\0\0\0\0'],
    ],
  ],
  [
    'an OFFER that is too short',
    [
      [HEAD, head],
      [OFFER, 'd\0\0\0'],
    ],
  ],
  [
    'SENT without a socket',
    [
      [HEAD, head],
      [SENT, 'd\0\0\0'],
    ],
  ],
  [
    'SENT of too much',
    [
      [HEAD, head],
      [OFFER, offer],
      [SENT, 'i\0\0\0'],
    ],
  ],
  [
    'DATA before SENT',
    [
      [HEAD, head],
      [OFFER, offer],
      [DATA, 'a'],
    ],
  ],
  [
    'END before SENT',
    [
      [HEAD, head],
      [OFFER, offer],
      [END, ''],
    ],
  ],
] as const)('%s breaks the protocol', (_, said) => {
  const { say, task } = makeResponse()
  task.socket = {} as Socket
  const all = () => {
    for (const [type, payload] of said) say(type, payload)
  }
  expect(all).toThrow(FrameError)
})
