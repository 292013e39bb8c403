-- Tables, before they are numbered (crossref.lua):
--   tables with long cells   ::: {.list-table widths="1,4"} around a list of lists, first row = head; on paper with
--                            the widths of paper="1,4", if given
--   columns                  in LaTeX as wide as what is in them (the dashes under a table's head say nothing of its
--                            width, in which numbers are filled in later); Typst finds these widths by itself
--   frames                   HTML scrolls what is too wide; on paper short tables stay on one page

local latex, typst, html = FORMAT:match("latex"), FORMAT:match("typst"), FORMAT:match("html")
local LINE = 92      -- digits on a line of text, in the size of tables
local GAP = 1.7      -- and between two columns
local SHORT = 12     -- rows

local function raw_block(text) return pandoc.RawBlock(FORMAT, text) end

local function stop(message)
  io.stderr:write("report: " .. message .. "\n")
  os.exit(3)
end

-- lists as tables -----------------------------------------------------------------------------

local function shares(text)
  local widths, total = {}, 0
  for width in text:gmatch("[%d.]+") do
    widths[#widths + 1] = tonumber(width)
    total = total + tonumber(width)
  end
  for column, width in ipairs(widths) do widths[column] = width / total end
  return widths
end

local function table_of(div)
  local rows, aligns = {}, {}
  local widths = shares(not html and div.attributes.paper or div.attributes.widths)
  for index, item in ipairs(div.content[1].content) do
    rows[index] = item[1].content
    if #rows[index] ~= #widths then stop("row " .. index .. " of a list table has not " .. #widths .. " cells") end
  end
  for column = 1, #widths do aligns[column] = pandoc.AlignLeft end
  local head = table.remove(rows, 1)
  return pandoc.utils.from_simple_table(pandoc.SimpleTable({}, aligns, widths, head, rows))
end

local function list_table(div)
  if not div.classes:includes("list-table") then return nil end
  local made = table_of(div)
  made.classes:insert("measured")
  div.attributes.widths, div.attributes.paper = nil, nil
  div.content = pandoc.Blocks({made})
  if html or not div.classes:includes("ledger") then return div end
  local open, close = "\\begin{ledger}", "\\end{ledger}"
  if typst then open, close = "#ledger[", "]" end
  return pandoc.Blocks({raw_block(open)}) .. div.content .. {raw_block(close)}
end

-- widths ----------------------------------------------------------------------------------------

-- About how many digits wide a formula is.
local function formula_width(text)
  local bare = text:gsub("\\text%a*", ""):gsub("\\math%a*", ""):gsub("\\[lr]Vert", "x")
  bare = bare:gsub("\\left", ""):gsub("\\right", "")
  bare = bare:gsub("\\(max)", "%1"):gsub("\\(min)", "%1"):gsub("\\(log)", "%1"):gsub("\\times", "xxx")
  bare = bare:gsub("%^{%-", "^{"):gsub("\\[,;! ]", ""):gsub("\\%a+", "x"):gsub("[{}^_\\%s]", "")
  local _, relations = bare:gsub("[=<>+-]", "")
  return 1.15 * utf8.len(bare) + relations + 0.5
end

local function blank(element)
  return element.t == "Space" or element.t == "SoftBreak" or element.t == "LineBreak"
end

local function whole(element)
  if element.t == "Math" then return formula_width(element.text) end
  if element.t == "Cite" then return 10 end
  if element.t == "Span" and element.classes:includes("verdict") then
    return utf8.len(pandoc.utils.stringify(element)) + 1.5
  end
  if element.t == "Str" or element.t == "Code" then
    return utf8.len(element.text) + (element.text:find("%a%a%a") and 0.8 or 0)
  end
end

-- Of a cell: its longest word, and all of it on one line.
local function measure(blocks)
  local word, longest, all = 0, 0, 0
  local function add(width)
    word, all = word + width, all + width
    longest = math.max(longest, word)
  end
  pandoc.Blocks(blocks):walk({traverse = "topdown", Inline = function(element)
    local width = whole(element)
    if width then add(width); return element, false end
    if blank(element) then word, all = 0, all + 0.6 end
  end})
  return longest, all
end

local function columns_of(table)
  local longest, head, body = {}, {}, {}
  for column = 1, #table.colspecs do longest[column], head[column], body[column] = 0, 0, 0 end
  local function read(rows, line)
    for _, row in ipairs(rows) do
      for column, cell in ipairs(row.cells) do
        local word, all = measure(cell.contents)
        longest[column] = math.max(longest[column], word)
        line[column] = math.max(line[column], all)
      end
    end
  end
  read(table.head.rows, head)
  for _, part in ipairs(table.bodies) do read(part.body, body) end
  return longest, head, body
end

local function sum(numbers)
  local total = 0
  for _, number in ipairs(numbers) do total = total + number end
  return total
end

-- From `least`, as far as there is room, towards `wish`.
local function towards(least, wish, room)
  local more = {}
  for column = 1, #least do more[column] = math.max(0, wish[column] - least[column]) end
  local part = math.min(1, math.max(0, room - sum(least)) / math.max(sum(more), 1e-9))
  local widths = {}
  for column = 1, #least do widths[column] = least[column] + part * more[column] end
  return widths
end

local function fitted(table)
  local longest, head, body = columns_of(table)
  local room = LINE - GAP * (#longest - 1)
  local natural = {}
  for column = 1, #longest do natural[column] = math.max(head[column], body[column]) end
  local fits = sum(natural) <= room
  local widths = towards(towards(longest, body, room), natural, room)
  local scale = math.max(room, sum(widths))
  for column, spec in ipairs(table.colspecs) do
    table.colspecs[column] = {spec[1], not fits and (widths[column] + 0.6) / (scale + 0.6 * #widths) or nil}
  end
  return table, sum(longest) > room
end

local function framed(table)
  local rows, measured, dense = 0, table.classes:includes("measured"), false
  table.classes = table.classes:filter(function(class) return class ~= "measured" end)
  if html then return pandoc.Div({table}, {class = "table-frame"}) end
  if latex and not measured then table, dense = fitted(table) end
  if typst and not measured then
    for column, spec in ipairs(table.colspecs) do table.colspecs[column] = {spec[1], nil} end
  end
  for _, body in ipairs(table.bodies) do rows = rows + #body.body end
  if typst then return (measured or rows > SHORT) and {table} or {raw_block("#whole["), table, raw_block("]")} end
  local blocks = pandoc.Blocks({table})
  if dense then blocks = pandoc.Blocks({raw_block("\\begin{dense}")}) .. blocks .. {raw_block("\\end{dense}")} end
  if rows <= SHORT then blocks:insert(1, raw_block("\\room{" .. rows + 5 .. "}")) end
  return blocks
end

return {{Div = list_table}, {Table = framed}}
