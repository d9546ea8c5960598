-- Comes with a key: the same as `Book::claim` in Rust.
--
-- KEYS[1]: the key, a hash of its (f)ingerprint, who has it (n), (u)ntil when in milliseconds, how far
-- topics were before anything was (w)ritten, if anything was, and the (a)nswer, once there is one.
-- ARGV: the fingerprint, the nonce, the lease, and how long the key is remembered, both in milliseconds.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'f', 'u', 'w', 'a')
if known[1] and known[1] ~= ARGV[1] then
  return {'reused'}
end
if known[4] then
  return {'answered', known[4]}
end
if known[1] and tonumber(known[2]) > now then
  return {'busy', string.format('%.0f', tonumber(known[2]) - now)}
end
local til = string.format('%.0f', now + ARGV[3])
redis.call('HSET', KEYS[1], 'f', ARGV[1], 'n', ARGV[2], 'u', til)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if known[3] then
  return {'ours', known[3]}
end
return {'ours'}
