import { extname } from 'node:path'
import { contentType } from 'mime-types'

/** The value of Content-Type for a file, by its name. Text types get `charset=utf-8`. */
export function typeOfFile(name: string): string {
  const extension = extname(name)
  return (extension !== '' && contentType(extension)) || 'application/octet-stream'
}
