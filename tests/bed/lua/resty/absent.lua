-- What ingress-nginx loads for features that no test uses: it may be loaded, not called.
local M = {TYPE_A = 1, TYPE_AAAA = 28}

local function refuse()
  error("the test bed has no such Lua library: see docs/testbed.md")
end

-- A lock is made while the balancer is loaded, and taken by the policies that are not tested.
function M.new()
  return {lock = refuse, query = refuse, find = refuse, reinit = refuse}
end

return M
