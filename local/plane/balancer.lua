-- Routes a request as the listener's rules say, or a flow as its default rule does. The rules are read from a file when `routes load` is sent to the
-- control socket, all at once; the file is written by haproxy.py.

local routes = {}

core.register_cli({ "routes", "load" }, "routes load: read the routes again", function(applet)
  local chunk, problem = loadfile(os.getenv("ROUTES"))
  if chunk then
    routes = chunk()
    applet:send("loaded\n")
  else
    applet:send("refused: " .. problem .. "\n")
  end
end)

local function any(values, text)
  for _, pattern in ipairs(values) do
    if text:find(pattern) then return true end
  end
  return false
end

local holds = {
  path = function(request, condition) return any(condition.values, request.path) end,
  host = function(request, condition) return any(condition.values, request.host) end,
  method = function(request, condition) return any(condition.values, request.method) end,
  header = function(request, condition)
    local sent = request.headers[condition.header]
    return sent ~= nil and any(condition.values, sent[0]:lower())
  end,
  never = function() return false end,
}

local function matching(rules, request)
  for _, rule in ipairs(rules) do
    local all = true
    for _, condition in ipairs(rule.conditions) do
      all = all and holds[condition.field](request, condition)
    end
    if all then return rule end
  end
end

local function pinned(rule, request)
  if not rule.sticky then return end
  local sent = request.headers["cookie"]
  local name = sent and (";" .. sent[0]):match("[;%s]AWSALBTG=(%x+)")
  for _, group in ipairs(rule.groups) do
    if group.cookie == name then return group end
  end
end

local function drawn(rule)
  local total = 0
  for _, group in ipairs(rule.groups) do total = total + group.weight end
  if total == 0 then return end
  local turn = math.random(total)
  for _, group in ipairs(rule.groups) do
    turn = turn - group.weight
    if turn <= 0 then return group end
  end
end

core.register_action("route", { "http-req" }, function(txn)
  local headers = txn.http:req_get_headers()
  local host = headers["host"] and headers["host"][0] or ""
  local request = {
    path = txn.sf:path(),
    method = txn.sf:method(),
    host = host:lower():gsub(":%d+$", ""),
    headers = headers,
  }
  local rule = matching(routes[txn.sf:fe_name()] or {}, request)
  if not rule then return end
  if rule.fixed then
    local reply = txn:reply({ status = rule.fixed.status, body = rule.fixed.body })
    reply:add_header("content-type", rule.fixed.kind)
    txn:done(reply)
    return
  end
  local group = pinned(rule, request) or drawn(rule)
  if not group then return end
  txn:set_var("txn.group", group.slot)
  if group.open then txn:set_var("txn.open", "1") end
  if rule.sticky then
    txn:set_var("txn.cookie", "AWSALBTG=" .. group.cookie .. "; Max-Age=" .. rule.sticky .. "; Path=/")
  end
end)

core.register_action("flow", { "tcp-req" }, function(txn)
  local rule = (routes[txn.sf:fe_name()] or {})[1]
  local group = rule and drawn(rule)
  if not group then return end
  txn:set_var("txn.group", group.slot)
  if group.open then txn:set_var("txn.open", "1") end
end)
