import { checkField, checkHead, hopByHopError, isHopByHop } from './head-rules.ts'
import type { Judge } from './leniency.ts'
import type { ResponseHeaders } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

/**
 * Corrects the arguments of `startResponse` as far as `judge` allows: mistakes whose meaning is
 * clear are put right, and headers that only the server may send are left out. Everything else
 * stays as it is, to be checked afterwards.
 *
 * @throws WSGIError for a mistake that is not forgiven
 */
export function equivalentHead(
  status: unknown,
  headers: unknown,
  judge: Judge,
): { status: string; headers: ResponseHeaders } {
  const line = equivalentStatus(status, judge)
  const list: [string, string][] = []
  let length: number | null = null
  for (const header of listOf(headers, judge)) {
    if (!Array.isArray(header) || header.length !== 2) checkHead('200 OK', [header])
    const [name, value] = header as [string, string]
    checkField(name, value, 'start_response: ')
    if (isHopByHop(name)) {
      judge.forgive(
        `hop-by-hop ${name.toLowerCase()}`,
        hopByHopError(name),
        'the header is omitted',
      )
      continue
    }
    if (name.toLowerCase() !== 'content-length') {
      list.push([name, value])
      continue
    }
    const digits = equivalentLength(name, value, judge)
    const bytes = Number(digits)
    if (length === bytes) {
      const error = refusalOf([name, digits], [name, digits])
      judge.forgive(
        'content-length-repeated',
        error,
        'it is sent once, because all values are equal',
      )
      continue
    }
    length = bytes
    list.push([name, digits])
  }
  return { status: line, headers: list }
}

function equivalentStatus(status: unknown, judge: Judge): string {
  if (typeof status !== 'string') return status as string // the check that follows refuses it
  const isBare = /^[2-9]\d\d$/.test(status)
  const equivalent = isBare ? `${status} ` : status.replace(/^([2-9]\d\d ) *(.*?) *$/, '$1$2')
  if (equivalent === status) return status
  checkHead(equivalent, []) // nothing else may be wrong
  const error = caught(() => checkHead(status, []))
  if (isBare) judge.forgive('status-without-reason', error, 'it is sent with an empty reason')
  else judge.forgive('status-white-space', error, 'the white space is removed')
  return equivalent
}

function listOf(headers: unknown, judge: Judge): Iterable<unknown> {
  if (Array.isArray(headers)) return headers
  const error = caught(() => checkHead('200 OK', headers))
  const isIterable = typeof headers === 'object' && headers !== null && Symbol.iterator in headers
  if (!isIterable || ArrayBuffer.isView(headers)) throw error
  judge.forgive('headers-not-an-array', error, 'its items are used')
  return headers as Iterable<unknown>
}

function equivalentLength(name: string, value: string, judge: Judge): string {
  const digits = value.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')
  if (digits !== value && /^\d+$/.test(digits)) {
    judge.forgive(
      'content-length-white-space',
      refusalOf([name, value]),
      'the white space is removed',
    )
  }
  return digits
}

function refusalOf(...headers: [string, string][]): WSGIError {
  return caught(() => checkHead('200 OK', headers))
}

/** The error that a check throws. */
function caught(check: () => unknown): WSGIError {
  try {
    check()
  } catch (error) {
    if (error instanceof WSGIError) return error
    throw error
  }
  throw new TypeError('A head that passes its checks cannot be forgiven')
}
