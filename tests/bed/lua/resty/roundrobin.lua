-- Smooth weighted round robin over {[address] = weight}.
local M = {}
M.__index = M

function M.new(self, nodes)
  local o = setmetatable({}, self)
  o:reinit(nodes)
  return o
end

function M.reinit(self, nodes)
  self.nodes, self.due, self.total = {}, {}, 0
  for id, weight in pairs(nodes) do
    self.nodes[id], self.due[id] = weight, math.random() * weight
    self.total = self.total + weight
  end
end

function M.find(self)
  local best
  for id, weight in pairs(self.nodes) do
    self.due[id] = self.due[id] + weight
    if not best or self.due[id] > self.due[best] then
      best = id
    end
  end
  if best then
    self.due[best] = self.due[best] - self.total
  end
  return best
end

return M
