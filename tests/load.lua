-- Requests the paths of the command line in turn, as browsers of new visitors do, and prints
-- the results as one line of JSON.

local paths = {}
local place = 0
local headers = { ["Accept-Encoding"] = "br, gzip", ["Connection"] = "keep-alive" }

function init(arguments)
  for _, path in ipairs(arguments) do
    paths[#paths + 1] = path
  end
  place = math.random(#paths)
end

function request()
  place = place % #paths + 1
  return wrk.format("GET", paths[place], headers)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "bytes": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, '
      .. '"refused": %d, "broken": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
