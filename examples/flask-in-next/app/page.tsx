import { NoteList } from './note-list'

export default function Page() {
  return (
    <main>
      <h1>Notes</h1>
      <NoteList />
    </main>
  )
}
