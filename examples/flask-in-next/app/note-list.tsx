'use client'

import { type FormEvent, useEffect, useState } from 'react'

interface Note {
  readonly id: number
  readonly text: string
}

/** The notes, which Flask keeps. It is at the same address, so no address is configured. */
export function NoteList() {
  const [notes, setNotes] = useState<readonly Note[]>([])
  const [problem, setProblem] = useState('')

  useEffect(() => {
    fetch('/api/notes')
      .then(async (response) => setNotes(await response.json()))
      .catch(() => setProblem('The notes could not be loaded.'))
  }, [])

  async function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = event.currentTarget
    const response = await fetch('/api/notes', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ text: new FormData(form).get('text') }),
    })
    const answer = await response.json()
    setProblem(response.ok ? '' : answer.error)
    if (!response.ok) return
    setNotes([answer, ...notes])
    form.reset()
  }

  return (
    <>
      <form onSubmit={add}>
        <label>
          Note <input name="text" required maxLength={200} />
        </label>
        <button type="submit">Add</button>
      </form>
      {problem && <p role="alert">{problem}</p>}
      <ul>
        {notes.map(({ id, text }) => (
          <li key={id}>{text}</li>
        ))}
      </ul>
    </>
  )
}
