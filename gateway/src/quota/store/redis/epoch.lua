-- Agrees on the epoch: a number that changes when the servers may have forgotten something, which
-- is when others answer than before, or when somebody found a book that had; and when nobody could
-- ask for so long that leases may be over. A new epoch begins with a pause in which nothing is
-- granted, so that everybody can bring back what they know.
--
-- KEYS[1]: a hash. ARGV: who the servers are; the length of the pause and the most it may be
-- stretched to, in microseconds; the first epoch, if there is none; the epoch in which something
-- was found to be lost, or ''; 'busy' from one who is still bringing back what it knows; for how
-- long it may be that nobody asks, in microseconds.
--
-- Returns the server's time, the epoch, and when its pause is over.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local servers, pause, most, first, lost, busy, gap = unpack(ARGV)

local function text(number) return string.format('%.0f', number) end

local kept = redis.call('HMGET', KEYS[1], 'epoch', 'servers', 'since', 'ready', 'asked')
local epoch, since, ready = tonumber(kept[1]), tonumber(kept[3]), tonumber(kept[4])
local silent = now - (tonumber(kept[5]) or now)
if not epoch or kept[2] ~= servers or tonumber(lost) == epoch or silent > tonumber(gap) then
  epoch, since, ready = (epoch or tonumber(first)) + 1, now, now + pause
elseif busy == 'busy' then
  ready = math.max(ready, math.min(now + pause, since + most))
end
redis.call('HSET', KEYS[1], 'epoch', text(epoch), 'servers', servers, 'since', text(since),
  'ready', text(ready), 'asked', text(now))
return { now, epoch, ready }
