-- Changes what is known of a key, if it is still theirs who ask: the same as `Book::change` in Rust.
--
-- KEYS[1]: as in claim.lua. ARGV: the nonce; what is to be changed; the lease and how long the key is
-- remembered then, both in milliseconds; and the places or the answer.
--
-- Returns whether it was theirs.

if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then
  return 0
end
if redis.call('HEXISTS', KEYS[1], 'a') == 1 then
  -- Said once more, as the answer to the first time was lost.
  return ARGV[2] == 'answer' and 1 or 0
end
if ARGV[2] == 'release' then
  redis.call('DEL', KEYS[1])
  return 1
end
if ARGV[2] == 'answer' then
  redis.call('HDEL', KEYS[1], 'w')
  redis.call('HSET', KEYS[1], 'a', ARGV[5])
else
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'u', string.format('%.0f', now + ARGV[3]))
  if ARGV[2] == 'send' then
    redis.call('HSET', KEYS[1], 'w', ARGV[5])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
