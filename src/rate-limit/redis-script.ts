import type { RatePolicy } from './rate-policy.ts'
import { fillMs } from './token-buckets.ts'

/**
 * The token buckets of `TokenBuckets` as a script for Redis, which runs it as one step. The clock
 * is that of the Redis server, so the clocks of the machines do not matter.
 *
 * Its key holds, for each policy, when the bucket is full again (milliseconds since 1970), and goes
 * away when all are. It returns what `RateLimiterRedis` expects: how much is consumed, of 0 points,
 * and in how many milliseconds the next request is allowed. 0 is consumed if the request is
 * allowed; otherwise the number of the policy, counted from 1.
 */
export function redisScript(policies: readonly RatePolicy[]): string {
  const rows = policies.map(
    ({ requests, seconds, burst }) => `{${(seconds * 1000) / requests},${burst}}`,
  )
  return `
local policies = {${rows.join(',')}}
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local full, over, wait = {}, 0, 0
local i = 1
for text in string.gmatch(redis.call('get', KEYS[1]) or '', '[^ ]+') do
  full[i] = tonumber(text)
  i = i + 1
end
for i, policy in ipairs(policies) do
  full[i] = math.max(full[i] or 0, now)
  local waits = full[i] + policy[1] - now - policy[2] * policy[1]
  if waits > 0.01 and waits > wait then
    over, wait = i, waits
  end
end
if over > 0 then
  return {over, math.ceil(wait)}
end
for i, policy in ipairs(policies) do
  full[i] = string.format('%.3f', full[i] + policy[1])
end
redis.call('set', KEYS[1], table.concat(full, ' '), 'PX', ${Math.ceil(fillMs(policies))})
return {0, 0}
`
}
