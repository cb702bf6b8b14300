-- Lua as a machine's program: files, patterns, sorting, coroutines, child processes. Prints the same wherever it runs; the working directory is empty.
io.stdout:setvbuf("line")

-- Files
for n = 1, 20 do
  local f = assert(io.open("f" .. n, "w"))
  for i = 1, n do f:write("line ", i, " of ", n, "\n") end
  print(f:seek("cur"), f:seek("set", 2), f:seek("end"))
  f:close()
end
local f = assert(io.open("f7", "r+"))
f:seek("end", -5); print(f:read("a")); f:seek("set"); print(f:read("l", "n", 5, "L"))
f:setvbuf("full", 64); f:seek("set", 3); f:write(("x"):rep(200)); f:seek("set"); print(#f:read("a")); f:close()
for line in io.lines("f3") do io.write("[", line, "]") end print()
print(os.rename("f3", "g3"), os.remove("g3"), os.remove("g3")); print(io.open("none/x", "w"))
local t = io.tmpfile(); t:write(("y"):rep(100000)); t:seek("set"); print(#t:read("a")); t:close()
local name = os.tmpname(); print(name:match("^/tmp/lua_%w+$") ~= nil, os.remove(name))

-- Patterns and strings
local text = {} for i = 1, 200 do text[i] = ("key%d=%d%s"):format(i, i ^ 2, i % 2 == 0 and "," or ";") end
text = table.concat(text, " ")
local count, sum = 0, 0 for _, value in text:gmatch("(%w+)=(%d+)") do count = count + 1; sum = sum + value end print(count, sum)
print(("f(a(b)(c(d)))e"):match("%b()"), ("a1b22c333"):gsub("%d+", function(d) return d * 2 end), ("THE (quick) fox"):find("%((%a+)%)"))
print(("%5.2f|%-6s|%q|%x|%g|%a"):format(3.14159, "ab", 'a"\n\0b', 255, 1e300, 0.5), utf8.char(233, 8364), utf8.len("é€"), #string.pack(">I4 s2 z d", 1, "ab", "c", 2.5))
print(10 // 3, -7 // 2, -7 % 3, 7.5 // 2, 1 << 62, 3 & 5, ~0, 2 ^ 0.5, math.tointeger(3.0), math.maxinteger + 1 == math.mininteger, 0x7fp-2, 1e15, 2 ^ 63)

-- Sorting and tables
local numbers = {} for i = 1, 30 do numbers[i] = i * 7919 % 1009 end table.sort(numbers) print(table.concat(numbers, " "))
local words = {} for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = w end
table.sort(words, function(a, b) return #a > #b or #a == #b and a < b end) print(table.concat(words, " "), select("#", table.unpack(words)))
local object = setmetatable({}, { __index = function(_, k) return k .. "!" end, __call = function(_, a, b) return a + b end, __lt = function() return true end, __close = function() print("closed") end, __gc = function() end })
do local closing <close> = object; print(object.key, object(1, 2), object < object) end
collectgarbage() print(collectgarbage("count") > 10, collectgarbage("generational"), collectgarbage("incremental"))
local weak = setmetatable({}, { __mode = "k" }) weak[{}] = 1 collectgarbage() print(next(weak))

-- Coroutines and errors
local function permutations(a, n)
  if n == 0 then coroutine.yield(table.concat(a)) else for i = 1, n do a[n], a[i] = a[i], a[n]; permutations(a, n - 1); a[n], a[i] = a[i], a[n] end end
end
local all = {} for p in coroutine.wrap(function() permutations({ "a", "b", "c", "d" }, 4) end) do all[#all + 1] = p end print(#all, table.concat(all, " "))
local threads = {} for i = 1, 1000 do threads[i] = coroutine.create(function(x) for j = 1, 5 do x = x + coroutine.yield(x * i) end return "end" end) end
local total = 0 for round = 1, 5 do for i = 1, 1000 do local _, v = coroutine.resume(threads[i], round); total = total + v end end print(total)
print(coroutine.close(threads[1]), coroutine.status(threads[1]), pcall(error, { code = 7 }), select(2, pcall(function() local x = nil; x.y = 1 end)))
print(xpcall(function() error("deep") end, function(m) return m .. " " .. tostring(debug.traceback("", 1):find("traceback") ~= nil) end))
local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end print(deep(10000), pcall(function() local function f() return 1 + f() end return f() end))
print(load("return ...", "chunk", "t", {})(5), load("syntax error here"), #string.dump(deep) > 100)

-- Child processes, time
print(os.execute("exit 3")); print(os.execute("kill -9 $$")); print(os.execute())
local p = io.popen("sort -rn", "w") p:write("3\n11\n2\n") print(p:close())
p = io.popen("echo from a shell; exit 4") print(p:read("a"), p:close())
print(os.getenv("HOME"), os.getenv("NONE"), os.date("!%Y-%m-%d %H:%M:%S", 86400), os.time({ year = 2000, month = 1, day = 1, hour = 0 }), os.clock() >= 0)
os.exit(6, true)
