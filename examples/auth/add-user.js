/** Adds a user to users.json, with a random password that it prints: node add-user.js ada */
import { randomBytes, scryptSync } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const [name = '', file = 'users.json'] = process.argv.slice(2)
if (!/^[\w.@-]{1,64}$/.test(name)) {
  console.error('Say whom to add: node add-user.js NAME, of letters, digits and _ . @ -')
  process.exit(2)
}
const users = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
const password = randomBytes(12).toString('base64url')
const salt = randomBytes(12).toString('hex')
const hash = scryptSync(password, salt, 64, { N: 32768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 })
users[name] = `scrypt:32768:8:1$${salt}$${hash.toString('hex')}`
writeFileSync(`${file}.new`, JSON.stringify(users), { mode: 0o600 })
renameSync(`${file}.new`, file)
console.log(password)
