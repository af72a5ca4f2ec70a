import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { ConnectionContext } from '../connection.ts'
import { Deadlines } from '../deadlines.ts'
import { LingeringClose } from './lingering-close.ts'

/** A socket as far as its end is concerned; `said` is what was asked of it. */
class EndingSocket {
  readableEnded = false
  writableLength = 0
  readonly said: string[] = []
  end(): void {
    this.said.push('end')
  }
  destroySoon(): void {
    this.said.push('destroySoon')
  }
  destroy(): void {
    this.said.push('destroy')
  }
  isPaused(): boolean {
    return true
  }
  resume(): void {
    this.said.push('resume')
  }
}

function begin(readableEnded = false) {
  const socket = new EndingSocket()
  socket.readableEnded = readableEnded
  const deadlines = new Deadlines()
  const context = { deadlines, stopping: false }
  const closing = new LingeringClose(
    socket as unknown as Socket,
    context as unknown as ConnectionContext,
  )
  closing.begin()
  return { socket, closing, context, left: () => closing.at - deadlines.now }
}

describe('the end of a connection', () => {
  it('ends our side, and waits for the client with a socket that is read', () => {
    const { socket, closing, left } = begin()
    expect(socket.said).toEqual(['end', 'resume'])
    expect(left()).toBeGreaterThan(4000)
    closing.passed()
    expect(socket.said.at(-1)).toBe('destroy')
  })

  it('does not wait for a client that has ended its side', () => {
    expect(begin(true).socket.said).toEqual(['destroySoon', 'resume'])
  })

  it('waits less long when the server stops, and that long again for a client that still sends', () => {
    const { closing, context, left } = begin()
    context.stopping = true
    closing.awaitClientEnd()
    expect(left()).toBeLessThan(1500)
    closing.at = Number.POSITIVE_INFINITY
    closing.received(4)
    expect(left()).toBeLessThan(1500)
  })

  it('is not cut off while its client still has to take the answer', () => {
    const { socket, closing, left } = begin()
    socket.writableLength = 10
    closing.passed()
    expect(socket.said).not.toContain('destroy')
    expect(left()).toBeGreaterThan(4000)
    socket.writableLength = 0
    closing.passed()
    expect(socket.said.at(-1)).toBe('destroy')
  })

  it('drops what is sent, and not without end', () => {
    const { socket, closing } = begin()
    closing.received(256 * 1024 * 1024)
    expect(socket.said).not.toContain('destroy')
    closing.received(1)
    expect(socket.said.at(-1)).toBe('destroy')
  })
})
