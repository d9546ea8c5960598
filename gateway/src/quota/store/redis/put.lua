-- Replaces a book unless it is another one than was read.
--
-- KEYS[1]: the book. ARGV: what was read, or ''; what it becomes; for how many milliseconds it is
-- kept, or ''. Returns whether it was replaced.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
