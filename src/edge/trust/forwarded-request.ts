import type { ForwardedNode } from '../../semantics/forwarded-node.ts'

/** What trusted proxies say of a request. */
export interface ForwardedRequest {
  /** The client; null if no proxy names one, so that the peer of the connection is it. */
  readonly client: ForwardedNode | null
  /** Whether the client used HTTPS; null if no proxy says it. */
  readonly secure: boolean | null
  /** The authority that the client has asked for; null if no proxy says it. */
  readonly host: string | null
  /** The port that the client has asked for; null if no proxy says it. */
  readonly port: string | null
  /** Where the application is mounted; null if no proxy says it. */
  readonly prefix: string | null
  /** The first field of the list that trusted proxies have written, and where its value begins. */
  readonly from: ListStart | null
}

/** Where the part of a list begins that was written by trusted proxies. */
export interface ListStart {
  readonly field: number
  readonly start: number
}

/** Whether an address is that of a trusted proxy. */
export type IsProxy = (address: string) => boolean

/**
 * How many trusted proxies in a row are believed. What is to the left of them is not read, so that
 * a list of thousands costs no more.
 */
export const MOST_PROXIES = 32
