/** The Monoceros that this one is to take over from. */
import { Socket } from 'node:net'
import type { Inheritance, InheritedSocket } from './inheritance.ts'

/** It serves until somebody stops it; both accept from the same sockets until then. */
export class Predecessor {
  readonly pid: number
  readonly listeners: readonly InheritedSocket[]
  /** Resolves when it is gone. */
  readonly gone: Promise<void>
  readonly #channel: Socket
  #isAlive = true

  constructor({ pid, channel, listeners }: Inheritance) {
    this.pid = pid
    this.listeners = listeners
    this.#channel = new Socket({ fd: channel, readable: true, writable: true })
    this.#channel.on('error', () => {})
    this.gone = new Promise((resolve) => {
      this.#channel.once('close', () => {
        this.#isAlive = false
        resolve()
      })
    })
    this.#channel.resume().unref()
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Tells it that this process serves. */
  tellServing(): void {
    this.#channel.write('serving\n')
  }

  /** Ends the channel, so that it does not keep this process from ending. */
  release(): void {
    this.#channel.destroy()
  }
}
