-- What wrk sends, and what it says at the end: one line of JSON after "RESULT ".
-- Arguments (behind wrk's "--"): a method; the number of bytes of the request body; the number of header fields, or 0
-- for as few as there can be; and, where wanted, two moments in seconds since the start, at which a line
-- "MARK requests-sent time" is written.
-- Without these moments there is no request(), and never a response(): they run once per request, and wrk would measure Lua.

-- What a browser sends; what is asked for beyond these gets names that no server has heard of.
local FIELDS = {
  { 'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' },
  { 'Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' },
  { 'Accept-Language', 'en-GB,en;q=0.5' },
  { 'Accept-Encoding', 'gzip, deflate, br, zstd' },
  { 'Cookie', 'session=7f9c24e8a1b04c3d9e5f60718293a4b5; theme=dark' },
  { 'Referer', 'https://www.example.org/articles/2026/11/' },
  { 'Cache-Control', 'max-age=0' },
  { 'Pragma', 'no-cache' },
  { 'DNT', '1' },
  { 'Upgrade-Insecure-Requests', '1' },
  { 'Sec-Fetch-Dest', 'document' },
  { 'Sec-Fetch-Mode', 'navigate' },
  { 'Sec-Fetch-Site', 'same-origin' },
  { 'Sec-Fetch-User', '?1' },
  { 'Sec-GPC', '1' },
  { 'Priority', 'u=0, i' },
  { 'If-None-Match', '"5f3e-61a2b3c4d5e6f"' },
  { 'If-Modified-Since', 'Mon, 23 Nov 2026 08:00:00 GMT' },
  { 'Authorization', 'Bearer 0123456789abcdef0123456789abcdef' },
}

local from, to, line

function init(args)
  wrk.method = args[1] or 'GET'
  local size = tonumber(args[2] or '0')
  local fields = tonumber(args[3] or '0')
  if size > 0 then
    wrk.body = string.rep('x', size)
    wrk.headers['Content-Type'] = 'application/octet-stream'
  end
  -- Host is one of them, and is there already.
  for n = 1, fields - 1 do
    local field = FIELDS[n] or { string.format('X-Field-%d', n), string.format('the value of field number %d', n) }
    wrk.headers[field[1]] = field[2]
  end
  if args[5] == nil then return end

  -- os.time() has whole seconds, and os.clock() is processor time.
  local ffi = require('ffi')
  ffi.cdef('typedef struct { long seconds; long microseconds; } bench_time; int gettimeofday(bench_time *, void *);')
  local time = ffi.new('bench_time')
  local function now()
    ffi.C.gettimeofday(time, nil)
    return tonumber(time.seconds) + tonumber(time.microseconds) / 1e6
  end
  from, to, line = now() + tonumber(args[4]), now() + tonumber(args[5]), wrk.format()
  local sent = 0
  function request()
    sent = sent + 1
    if from then
      local moment = now()
      if moment >= from then
        io.write(string.format('MARK %d %.6f\n', sent, moment))
        io.flush()
        from, to = to, nil
      end
    end
    return line
  end
end

-- Durations are in microseconds.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"connect":%d,"read":%d,"write":%d,' ..
      '"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
