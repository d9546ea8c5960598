-- Enters what holders say in their books, and books what they ask for: the same as `Book::hear` and
-- `Book::grant` in Rust, which say why; a test holds the two against each other. All books of one
-- call are kept in one slot and are entered together: nothing is granted in any of them unless
-- what would do is granted in each.
--
-- KEYS[i]: a book. ARGV[i], MessagePack: its terms as they are written, the stretch of its window,
-- the entry, and the last turn that was answered to its holder.
--
-- Returns the server's time in microseconds and, for each book: what there was room for, what was
-- granted, the step that is booked in, and the book. Or, with nothing changed, the time and
-- "clock" where the caller's idea of the present window is not the server's, or "lost" and the
-- index of a book that has forgotten what was entered before.

local MOST = 9007199254740991 -- integers are exact as far as this

local function add(a, b)
  return math.min(a + b, MOST)
end

local function less(a, b)
  return a > b and a - b or 0
end

-- floor(a / b)
local function div(a, b)
  local q = math.floor(a / b)
  if q * b > a then q = q - 1 end
  return q
end

-- floor(a * b / c), where a * b need not be exact.
local function muldiv(a, b, c)
  if a == 0 or b == 0 then return 0 end
  if a <= MOST / b then return div(a * b, c) end
  local qa, ra = div(a, c), math.fmod(a, c)
  local bit = 1
  while bit * 2 <= b do bit = bit * 2 end
  local q, r = 0, 0
  while bit >= 1 do
    q, r = q * 2, r * 2
    if b >= bit then
      b = b - bit
      q, r = q + qa, r + ra
    end
    while r >= c do q, r = q + 1, r - c end
    if q > MOST then return MOST end
    bit = bit / 2
  end
  return q
end

-- Marks: a list of { step, { booked, settled } } in the order of the steps.

local function at(marks, step)
  local i = #marks
  while i > 0 and marks[i][1] > step do i = i - 1 end
  if i > 0 and marks[i][1] == step then return marks[i][2] end
  local mark = { 0, 0 }
  table.insert(marks, i + 1, { step, mark })
  return mark
end

local function retain(marks, counts)
  local kept = {}
  for _, of in ipairs(marks) do
    if of[2][1] > 0 and counts(of[1]) then kept[#kept + 1] = of end
  end
  return kept
end

local function sum(marks, which)
  local total = 0
  for _, of in ipairs(marks) do total = add(total, of[2][which]) end
  return total
end

local function gather(marks, step)
  local booked, settled = sum(marks, 1), sum(marks, 2)
  return booked > 0 and { { step, { booked, settled } } } or {}
end

local function release(marks)
  local kept = {}
  for _, of in ipairs(marks) do
    local settled = of[2][2]
    if settled > 0 then kept[#kept + 1] = { of[1], { settled, settled } } end
  end
  return kept
end

local function oldest(marks)
  for _, of in ipairs(marks) do
    if of[2][1] > 0 then return of[1] end
  end
end

-- A book: { step, owed, debt, credit, shares, version }; a share: { holder, turn, until, overrun,
-- marks }.
local STEP, OWED, DEBT, CREDIT, SHARES, VERSION = 1, 2, 3, 4, 5, 6
local HOLDER, TURN, UNTIL, OVERRUN, MARKS = 1, 2, 3, 4, 5

-- For how many steps what was taken in one counts whole.
local function expiry(terms, step)
  return step + terms.length
end

local function booked(book)
  local total = sum(book[DEBT], 1)
  for _, share in ipairs(book[SHARES]) do total = add(total, sum(share[MARKS], 1)) end
  return total
end

local function by_step(book)
  local all, steps = {}, {}
  local function put(marks, counted)
    for _, of in ipairs(marks) do
      if not all[of[1]] then steps[#steps + 1] = of[1] end
      all[of[1]] = add(all[of[1]] or 0, counted and of[2][1] or 0)
    end
  end
  for _, share in ipairs(book[SHARES]) do put(share[MARKS], true) end
  put(book[DEBT], true)
  put(book[CREDIT], false)
  table.sort(steps)
  return steps, all
end

local function each_marks(book, change)
  book[DEBT], book[CREDIT] = change(book[DEBT]), change(book[CREDIT])
  for _, share in ipairs(book[SHARES]) do share[MARKS] = change(share[MARKS]) end
end

local function drained(terms, from, to)
  return muldiv(terms.limit, less(to, from), terms.every)
end

-- How full a bucket is, and the first step of which anything may still be in it.
local function bucket(book, terms, now)
  local credit = {}
  for _, of in ipairs(book[CREDIT]) do credit[of[1]] = of[2][1] end
  local put_in, from, since, ahead, ahead_credit = 0, 0, 0, 0, 0
  local steps, amounts = by_step(book)
  for _, step in ipairs(steps) do
    local ends = (step + 1) * terms.granule
    local given = credit[step] or 0
    if ends > now then
      ahead, ahead_credit = add(ahead, amounts[step]), add(ahead_credit, given)
    else
      if put_in == 0 or drained(terms, from, ends) >= put_in then
        put_in, from, since = 0, ends, step
      end
      put_in = less(add(put_in, amounts[step]), given)
    end
  end
  local left = put_in == 0 and 0 or less(put_in, drained(terms, from, now))
  if left == 0 and ahead == 0 then since = book[STEP] end
  return less(add(left, ahead), ahead_credit), since
end

local function pay(book, terms)
  if book[OWED] > 0 then
    local limit = add(terms.limit, sum(book[CREDIT], 1))
    local charged = math.min(book[OWED], less(limit, booked(book)))
    if charged > 0 then
      book[OWED] = book[OWED] - charged
      local mark = at(book[DEBT], book[STEP])
      mark[1] = add(mark[1], charged)
    end
  end
end

local function expire(book, terms, step)
  each_marks(book, function(marks)
    return retain(marks, function(of) return expiry(terms, of) > step end)
  end)
  book[STEP] = math.max(book[STEP], step)
  pay(book, terms)
end

local function repay(book, terms, windows)
  local full = booked(book)
  if full == 0 or full ~= terms.limit or sum(book[CREDIT], 1) > 0 then return 0 end
  windows = math.min(windows, div(book[OWED], full))
  if windows > 0 then
    local later = windows * terms.length
    local steps, amounts = by_step(book)
    local debt = {}
    for _, step in ipairs(steps) do at(debt, step + later)[1] = amounts[step] end
    for _, share in ipairs(book[SHARES]) do share[MARKS] = {} end
    book[DEBT] = debt
    book[STEP] = book[STEP] + later
    book[OWED] = book[OWED] - windows * full
  end
  return windows
end

local function next_expiry(book, terms)
  local first = oldest(book[DEBT])
  local function older(step)
    if step and (not first or step < first) then first = step end
  end
  older(oldest(book[CREDIT]))
  for _, share in ipairs(book[SHARES]) do older(oldest(share[MARKS])) end
  return first and expiry(terms, first)
end

local function turn(book, terms, to)
  while true do
    local next = next_expiry(book, terms)
    if not next or next > to then break end
    if book[OWED] == 0 then
      expire(book, terms, to)
      return
    end
    local windows = div(less(to, book[STEP]), terms.length)
    if windows == 0 or repay(book, terms, windows) == 0 then expire(book, terms, next) end
  end
  book[STEP] = math.max(book[STEP], to)
  pay(book, terms)
end

local LATE, UNSURE = 3600 * 1000000, 60 * 1000000

local function step_back(book, terms, to, now)
  local length = terms.kind == 'token_bucket' and 60 or terms.length
  local back = book[STEP] - to
  if terms.kind ~= 'held' and back > length and back * terms.granule > LATE then
    each_marks(book, function(marks) return gather(marks, to) end)
    for _, share in ipairs(book[SHARES]) do share[UNTIL] = math.min(share[UNTIL], now + UNSURE) end
    book[STEP] = to
  end
end

local function advance(book, terms, now)
  local to = terms.step(now)
  if to < book[STEP] then step_back(book, terms, to, now) end
  if terms.kind ~= 'held' then
    for _, share in ipairs(book[SHARES]) do
      if share[UNTIL] <= now then share[MARKS] = release(share[MARKS]) end
    end
  end
  if terms.kind == 'token_bucket' then
    book[STEP] = math.max(book[STEP], to)
    local _, since = bucket(book, terms, now)
    each_marks(book, function(marks)
      return retain(marks, function(of) return of >= since end)
    end)
  elseif terms.kind ~= 'held' then
    turn(book, terms, to)
  end
  local kept = {}
  for _, share in ipairs(book[SHARES]) do
    local counts = terms.kind ~= 'held' and sum(share[MARKS], 1) > 0
    if share[UNTIL] > now or counts then kept[#kept + 1] = share end
  end
  book[SHARES] = kept
end

local function share_of(book, holder)
  for _, share in ipairs(book[SHARES]) do
    if share[HOLDER] == holder then return share end
  end
end

-- Replaces the holder's share; whether that was news.
local function report(book, terms, now, entry)
  local share = share_of(book, entry.holder)
  if not share then
    share = { entry.holder, 0, 0, 0, {} }
    table.insert(book[SHARES], share)
  end
  if entry.turn <= share[TURN] then return false end
  local over = less(entry.overrun, share[OVERRUN])
  share[TURN] = entry.turn
  share[UNTIL] = now + entry.patience
  share[OVERRUN] = math.max(share[OVERRUN], entry.overrun)
  share[MARKS] = retain(entry.marks, function(of) return expiry(terms, of) > book[STEP] end)
  book[VERSION] = add(book[VERSION], over)
  if terms.kind == 'token_bucket' then
    if over > 0 then
      local mark = at(book[DEBT], book[STEP])
      mark[1] = add(mark[1], over)
    end
  elseif terms.kind ~= 'held' then
    book[OWED] = add(book[OWED], over)
  end
  return true
end

local function room(book, terms, now)
  if terms.kind == 'token_bucket' then
    return less(terms.capacity, add(bucket(book, terms, now), book[OWED]))
  end
  local capacity = add(terms.capacity, sum(book[CREDIT], 1))
  return less(capacity, add(booked(book), book[OWED]))
end

-- How long it must be kept, in microseconds; nil for good. A little too long does no harm.
local function life(book, terms, now)
  local latest, heard = book[STEP], now
  for _, step in ipairs((by_step(book))) do latest = math.max(latest, step) end
  for _, share in ipairs(book[SHARES]) do heard = math.max(heard, share[UNTIL]) end
  local ends
  if terms.kind == 'held' then
    ends = now
  elseif terms.limit == 0 then
    return nil
  elseif terms.kind == 'token_bucket' then
    local all = add(booked(book), terms.limit)
    ends = (latest + 1) * terms.granule + muldiv(all, terms.every, terms.limit)
  else
    local windows = div(book[OWED], terms.limit) + 2
    ends = now + (latest - math.min(latest, terms.step(now)) + windows * terms.length) * terms.granule
  end
  local left = math.max(ends, heard) - now
  return left < MOST / 4 and left or nil
end

local function read(key, terms, now)
  local kept = redis.call('GET', key)
  if not kept then return { terms.step(now), 0, {}, {}, {}, 0 } end
  return cmsgpack.unpack(kept)[3]
end

-- Whether the book has forgotten what it answered before.
local function is_lost(book, entry, answered)
  local share = share_of(book, entry.holder)
  if share then return share[TURN] < answered end
  return answered > 0 and sum(entry.marks, 2) > 0
end

local function parse(packed)
  local written, stretch, entry, answered = unpack(cmsgpack.unpack(packed))
  local kind, limit, capacity, length, granule, every, step, from, to = unpack(stretch)
  local terms = {
    written = written,
    kind = kind,
    limit = limit,
    capacity = capacity,
    length = length == 0 and math.huge or length,
    granule = granule,
    every = every,
  }
  if kind == 'fixed' then
    terms.step = function() return step end
    terms.is_now = function(now) return from <= now and now < to end
  else
    terms.step = function(now) return kind == 'held' and 0 or div(now, granule) end
    terms.is_now = function() return true end
  end
  local names = { 'holder', 'turn', 'marks', 'overrun', 'want', 'least', 'ahead', 'patience' }
  local said = {}
  for i, name in ipairs(names) do said[name] = entry[i] end
  return terms, said, answered
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local all = {}
for i, key in ipairs(KEYS) do
  local terms, entry, answered = parse(ARGV[i])
  if not terms.is_now(now) then return { now, 'clock' } end
  local book = read(key, terms, now)
  if is_lost(book, entry, answered) then return { now, 'lost', i } end
  all[i] = { key = key, terms = terms, entry = entry, book = book }
end

local enough = true
for _, one in ipairs(all) do
  local book, terms, entry = one.book, one.terms, one.entry
  advance(book, terms, now)
  local fresh = report(book, terms, now, entry)
  pay(book, terms)
  local left = room(book, terms, now)
  one.heard = 0
  if fresh and entry.least <= left and book[OWED] == 0 then one.heard = math.min(entry.want, left) end
  enough = enough and one.heard >= entry.least
end

local answer = { now }
for _, one in ipairs(all) do
  local book, terms, entry = one.book, one.terms, one.entry
  local granted = enough and one.heard or 0
  local ahead = (terms.kind == 'sliding' or terms.kind == 'token_bucket') and entry.ahead or 0
  local booked_in = book[STEP] + ahead
  if granted > 0 then
    local mark = at(share_of(book, entry.holder)[MARKS], booked_in)
    mark[1] = add(mark[1], granted)
  end
  local left = life(book, terms, now)
  local kept = cmsgpack.pack({ left and now + left or MOST, terms.written, book })
  if left then
    redis.call('SET', one.key, kept, 'PX', math.ceil(left / 1000) + 1000)
  else
    redis.call('SET', one.key, kept)
  end
  answer[#answer + 1] = one.heard
  answer[#answer + 1] = granted
  answer[#answer + 1] = booked_in
  answer[#answer + 1] = kept
end
return answer
