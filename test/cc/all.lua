-- The language, and its library as far as it needs no files.
local function show(...) print(...) end
show(_VERSION, 7 // 2, -7 // 2, 7 % -3, 7.5 // 2, 2^53, 1e15, 1e16, 10 / 2, 3 | 4, 5 ~ 1, ~0, 1 << 62, "10" + 5)
show(math.maxinteger, math.mininteger, math.maxinteger + 1 == math.mininteger, math.pi, math.huge, -math.huge, 0/0 ~= 0/0)
for _, f in ipairs { "sin", "cos", "tan", "asin", "acos", "atan", "exp", "log", "sqrt", "floor", "ceil", "abs" } do
    show(f, string.format("%.17g", math[f](0.5)))
end
show(math.tointeger("8"), math.type(1), math.type(1.0), math.fmod(-6, 4), math.ult(1, -1), 0x7fffffffffffffff, 0x1p4, 1e308 * 10)
show(string.format("%5d|%-5d|%05d|%+d|%x|%X|%o|%c|%e|%g|%a|%q|%s|%10.4s|%%|%i", 42, 42, 42, 42, 255, 255, 8, 65, 12345.678, 1e20, 1.0, "a\n\"b\0", nil, "truncate", 3))
show(("hello world"):gsub("o", "0"), ("x=1, y=2"):gsub("(%w+)=(%w+)", "%2=%1"), ("abc"):rep(3, "-"), ("abc"):reverse(), ("abc"):byte(1, -1))
for k, v in string.gmatch("a=1, b=2, c=3", "(%w+)=(%w+)") do io.write(k, ":", v, ";") end
show(string.find("a.b.c", ".", 2, true), string.match("2024-02-30", "(%d+)-(%d+)-(%d+)"), ("%d"):len(), #"\u{20AC}", utf8.char(8364, 128512), utf8.len("äöü"))
show(string.pack("<i4z", 100, "hi"):byte(1, -1))
show(string.unpack("<d", string.pack("<d", 1.5)))
local t = {}
for i = 1, 200 do t[i] = (i * 7919) % 1009 end
table.sort(t)
show(#t, t[1], t[100], t[200], table.concat(t, ",", 1, 10), select("#", table.unpack(t)), table.remove(t), table.remove(t, 1))
table.sort(t, function(a, b) return a > b end)
show(t[1], table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), " "), next({}), rawlen({ 1, 2 }), table.pack(1, nil, 3).n)
local co = coroutine.wrap(function(a) for i = 1, 3 do a = coroutine.yield(a * i) end return "done" end)
show(co(1), co(2), co(3), co(4))
local gen = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() io.write("closed ") end }) error({ code = 5 }) end)
local ok, e = coroutine.resume(gen)
show(ok, type(e), e.code, coroutine.status(gen), coroutine.close(coroutine.create(print)), coroutine.isyieldable())
show(pcall(error, "plain"), pcall(error), select(2, pcall(function() error("positioned") end)), select(2, xpcall(function() local x = nil; return x.y end, function(m) return "handled: " .. m end)))
show(select(2, pcall(function() return 1 < "x" end)), select(2, pcall(string.rep, "x", -1)), select(2, pcall(string.rep, "x", 1 << 40)))
local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
show(deep(10000), pcall(function() local function f() return 1 + f() end return f() end))
local V = setmetatable({}, { __index = function(_, k) return k .. "!" end, __call = function(_, a) return a * 2 end, __tostring = function() return "V" end, __len = function() return 9 end, __concat = function() return "cat" end, __eq = function() return true end, __lt = function() return true end, __unm = function() return "minus" end })
show(V.x, V(21), tostring(V), #V, V .. 1, -V, V < V)
local weak = setmetatable({}, { __mode = "k" })
local finalized = 0
for i = 1, 100 do weak[{}] = i; setmetatable({}, { __gc = function() finalized = finalized + 1 end }) end
collectgarbage()
show(next(weak), finalized, collectgarbage("count") < 2000, collectgarbage("generational"), collectgarbage("incremental"))
local junk = 0
for i = 1, 300000 do local x = { i, tostring(i) }; junk = junk + #x end
show(junk)
goto over
show("never")
::over::
show(load("return 1 + ...")(41), load("syntax error here"), select(2, load("x =")))
show(os.time { year = 2001, month = 9, day = 9, hour = 1, min = 46, sec = 40 }, os.date("!%Y-%m-%d %H:%M:%S", 1e9), type(os.clock()), os.time() > 1.6e9, os.getenv("NONE"))
show(tostring(print):match("^builtin") or tostring(print):match("^function"), type(io.stdout), io.type(io.stdin), require == nil, package.config:sub(1, 1))
local primes, sieve = {}, {}
for i = 2, 20000 do if not sieve[i] then primes[#primes + 1] = i for j = i * i, 20000, i do sieve[j] = true end end end
show(#primes, primes[#primes])
local fib = setmetatable({}, { __index = function(self, n) local v = n < 2 and n or self[n - 1] + self[n - 2] self[n] = v return v end })
show(fib[80])
io.stdout:setvbuf("full")
io.write(("0123456789"):rep(3000), "\n")
io.stderr:write("to stderr\n")
os.exit(7, true)
