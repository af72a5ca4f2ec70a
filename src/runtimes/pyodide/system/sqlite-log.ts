import type { PyodideAPI } from 'pyodide'

/**
 * The parts of Emscripten's module, and of SQLite's C interface in it, that are used here.
 * Addresses and codes are numbers.
 */
interface SqliteModule {
  readonly HEAP32: Int32Array
  stringToNewUTF8(text: string): number
  _malloc(bytes: number): number
  _free(address: number): void
  _sqlite3_open_v2(path: number, database: number, flags: number, vfs: number): number
  _sqlite3_file_control(database: number, name: number, operation: number, argument: number): number
  _sqlite3_close(database: number): number
}

const OPEN_READWRITE_CREATE = 0x2 | 0x4
const FILE_POINTER = 7
/**
 * Versions of `sqlite3_io_methods`: the one without shared memory, and that of SQLite's file system
 * for Unix.
 */
const WITHOUT_SHARED_MEMORY = 1
const AS_BUILT = 3

/** A file in the interpreter's memory, because the disk is not mounted yet. */
const PROBE = '/.monoceros-probe'

/**
 * Tells SQLite that its files have no shared memory. Its write-ahead log needs memory that all
 * users of a database share, and interpreters cannot share any. `PRAGMA journal_mode=WAL` then
 * changes nothing and reports that, as on other systems without shared memory
 * (https://sqlite.org/pragma.html#pragma_journal_mode). Otherwise SQLite would mark the database as
 * one with a log and could not open it afterwards. A connection with `locking_mode=EXCLUSIVE` needs
 * no shared memory and can have a log.
 *
 * SQLite reads the version of a table of methods (https://sqlite.org/c3ref/io_methods.html), which
 * is the same for all files. This function changes it.
 *
 * @param pyodide before anything is mounted
 * @throws Error if SQLite is built in another way, which a new version of Pyodide may do
 */
export function withoutSharedLog(pyodide: PyodideAPI): void {
  const { _module: sqlite } = pyodide as unknown as { _module: SqliteModule }
  const word = (address: number) => sqlite.HEAP32[address >>> 2] as number
  const path = sqlite.stringToNewUTF8(PROBE)
  const main = sqlite.stringToNewUTF8('main')
  const place = sqlite._malloc(4)
  try {
    const opened = sqlite._sqlite3_open_v2(path, place, OPEN_READWRITE_CREATE, 0)
    const database = word(place)
    const answered = sqlite._sqlite3_file_control(database, main, FILE_POINTER, place)
    const methods = opened === 0 && answered === 0 ? word(word(place)) : 0
    if (methods === 0 || word(methods) !== AS_BUILT)
      throw new Error(
        `SQLite's file methods have version ${methods && word(methods)}, ` +
          `but ${AS_BUILT} was expected`,
      )
    sqlite.HEAP32[methods >>> 2] = WITHOUT_SHARED_MEMORY
    sqlite._sqlite3_close(database)
  } finally {
    for (const address of [path, main, place]) sqlite._free(address)
  }
  pyodide.FS.unlink(PROBE)
}

const HEADER = Buffer.from('SQLite format 3\0', 'latin1')
/** How much of a file {@link isLogged} needs, in bytes. */
export const HEADER_BYTES = 20
const LOGGED = 2

/**
 * Whether a file that begins like this is a database with a write-ahead log
 * (https://sqlite.org/fileformat2.html#file_format_version_numbers).
 */
export function isLogged(header: Uint8Array): boolean {
  return (
    header.length >= HEADER_BYTES &&
    HEADER.equals(header.subarray(0, HEADER.length)) &&
    header[18] === LOGGED &&
    header[19] === LOGGED
  )
}
