-- Asks for the paths of a file in turn, with a token if there is one. Each thread begins at another place.
local requests = {}
local threads = 0
local position = 0

function setup(thread)
  thread:set("first", threads * 104729)
  threads = threads + 1
end

function init(args)
  local headers = {}
  if args[2] then headers["Authorization"] = "Bearer " .. args[2] end
  for path in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  position = first
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("\nresult %f %f %f %d\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
