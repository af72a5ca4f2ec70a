/** The questions that an acceptor was asked and has not answered. */
import type { Answer, Details, QuestionName } from '../acceptor/questions.ts'
import { type Deferred, defer } from './deferred.ts'

/** What an acceptor answered; or why there is no answer, as in `it did not answer within 1 s`. */
export type Answered<Name extends QuestionName> =
  | { readonly answer: Answer<Name>; readonly absent: null }
  | { readonly answer: null; readonly absent: string }

/** A question as it is sent. */
export interface SentQuestion {
  readonly id: number
  readonly question: QuestionName
  readonly details: unknown
}

/**
 * An acceptor that hangs is asked no more when it owes this many answers: they would wait in memory
 * until it goes on.
 */
const OWED_AT_MOST = 16

/**
 * Asks one acceptor, and waits until a deadline. Whoever asks always gets something: an acceptor
 * that hangs or ends is a reason in the answer, and no error.
 */
export class AcceptorQuestions {
  readonly #send: (question: SentQuestion) => void
  /** By number; also those whose deadline has passed, until the acceptor answers. */
  readonly #owed = new Map<number, Deferred<Answered<QuestionName>>>()
  #last = 0
  #ended: string | null = null

  constructor(send: (question: SentQuestion) => void) {
    this.#send = send
  }

  /** @param deadlineMs how long to wait for the answer, in milliseconds */
  async ask<Name extends QuestionName>(
    question: Name,
    details: Details<Name>,
    deadlineMs: number,
  ): Promise<Answered<Name>> {
    if (this.#ended !== null) return absent(this.#ended)
    if (this.#owed.size >= OWED_AT_MOST)
      return absent(`it has not answered the last ${this.#owed.size} questions`)
    const id = ++this.#last
    const asked = defer<Answered<QuestionName>>()
    this.#owed.set(id, asked)
    const late = `it did not answer within ${deadlineMs / 1000} s`
    const timer = setTimeout(() => asked.resolve(absent(late)), deadlineMs)
    this.#send({ id, question, details })
    const answered = await asked.promise
    clearTimeout(timer)
    return answered as Answered<Name>
  }

  answered(id: number, answer: unknown): void {
    this.#settle(id, { answer: answer as Answer<QuestionName>, absent: null })
  }

  /** The acceptor cannot answer. */
  failed(id: number, reason: string): void {
    this.#settle(id, absent(reason))
  }

  /** The acceptor has ended. */
  end(reason: string): void {
    this.#ended = reason
    for (const asked of this.#owed.values()) asked.resolve(absent(reason))
    this.#owed.clear()
  }

  #settle(id: number, answered: Answered<QuestionName>): void {
    this.#owed.get(id)?.resolve(answered)
    this.#owed.delete(id)
  }
}

function absent(reason: string): { answer: null; absent: string } {
  return { answer: null, absent: reason }
}
