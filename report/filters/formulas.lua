-- What the writers of MathML and Typst do not know of TeX's formulas: which bars open, and room around names.

local latex, typst = FORMAT:match("latex"), FORMAT:match("typst")

local function encloses(text)
  local _, opened = text:gsub("{", "")
  local _, closed = text:gsub("}", "")
  return opened == closed and not text:find("&", 1, true)
end

-- TeX's `\|` and `|` do not say whether they open or close, and MathML and Typst space them, and a `+` after them, as they
-- guess. By turns they do, unless TeX's `\left` says so, their number is odd (as in conditional expectations), or what is
-- between two of them is no whole formula.
local function bars(text, bar, opening, closing)
  local parts, from, inner = {}, 1, nil
  for start, stop in text:gmatch("()" .. bar .. "()") do
    local before = text:sub(1, start - 1)
    if not (before:match("\\$") or before:match("\\left%s*$") or before:match("\\right%s*$")) then
      if inner and not encloses(text:sub(inner, start - 1)) then return text end
      parts[#parts + 1] = text:sub(from, start - 1) .. (inner and closing or opening)
      from, inner = stop, not inner and stop or nil
    end
  end
  return inner and text or table.concat(parts) .. text:sub(from)
end

local NAMES = {}
for name in ("sin cos tan arccos arcsin log ln exp max min sup inf det Pr"):gmatch("%a+") do NAMES[name] = true end

-- MathML leaves no room around the names of functions, where TeX leaves a thin space.
local function function_names(text)
  local parts, from = {}, 1
  for start, name, stop in text:gmatch("()\\(%a+)()") do
    if NAMES[name] then
      local script = text:match("^[%^_]%w()", stop) or text:match("^[%^_]%b{}()", stop) or stop
      local after = text:match("^%s*(\\?%a*)", script)
      parts[#parts + 1] = text:sub(from, start - 1)
      if text:sub(1, start - 1):match("[%w%)}%]]%s*$") then parts[#parts + 1] = "\\," end
      parts[#parts + 1] = text:sub(start, script - 1)
      if after ~= "" and after ~= "\\" and after ~= "\\left" then parts[#parts + 1] = "\\," end
      from = script
    end
  end
  return table.concat(parts) .. text:sub(from)
end

local function formula(math)
  if latex then return nil end
  if typst then
    math.text = bars(math.text, "\\|", "\\left\\Vert ", "\\right\\Vert "):gsub("\\(%a+)%s*\\|", "\\%1\\Vert ")
    math.text = bars(math.text, "|", "\\left|", "\\right|")
  else
    math.text = bars(bars(math.text, "\\|", "\\lVert ", "\\rVert "), "|", "\\lvert ", "\\rvert ")
    math.text = function_names(math.text)
  end
  return math
end

return {{Math = formula}}
