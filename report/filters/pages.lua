-- What stays together on paper, where a page may end anywhere (after tables.lua, which asks for the room of tables):
--   headings           with what follows them: text, another heading, or a short table; a paragraph in bold is one
--   words before lists with the first item
-- LaTeX is told how many lines have to be left on the page; Typst keeps headings by itself.

local latex, typst = FORMAT:match("latex"), FORMAT:match("typst")
local HEADING, TEXT, TABLE = 3, 4, 3 -- lines of a heading, of the text under it, and more for a table that may break

local function room(lines) return pandoc.RawBlock("latex", "\\room{" .. lines .. "}") end

-- How many lines more than text the block at `place` wants.
local function wanted(blocks, place)
  local block = blocks[place]
  if not block then return 0 end
  if block.t == "Div" then return wanted(block.content, 1) end
  if block.t == "Table" then return TABLE end
  if block.t == "Figure" then return wanted(blocks, place + 1) end -- it floats
  if block.t ~= "RawBlock" then return 0 end
  local lines = block.text:match("^\\room{(%d+)}$")
  return lines and lines - TEXT or wanted(blocks, place + 1)
end

local function is_title(block)
  return block and block.t == "Para" and #block.content == 1 and block.content[1].t == "Strong"
end

local function is_heading(block)
  return is_title(block) or block and block.t == "Header" and not block.classes:includes("part")
end

local function with_headings(blocks)
  local kept, headings = pandoc.Blocks({}), pandoc.Blocks({})
  for place, block in ipairs(blocks) do
    if is_heading(block) then
      headings:insert(block)
      if not is_heading(blocks[place + 1]) then
        kept:insert(room(math.floor(HEADING * #headings + TEXT + wanted(blocks, place + 1))))
        kept:extend(headings)
        headings = pandoc.Blocks({})
      end
    else
      kept:insert(block)
    end
  end
  return kept
end

local function is_list(block) return block and (block.t == "BulletList" or block.t == "OrderedList") end

local function leading(block)
  local inlines = pandoc.Inlines({pandoc.RawInline("typst", "#lead[")}) .. block.content
  inlines:insert(pandoc.RawInline("typst", "]"))
  return pandoc.Para(inlines)
end

local function with_lists(blocks)
  for place, block in ipairs(blocks) do
    local before_list = block.t == "Para" and is_list(blocks[place + 1])
    if before_list or is_title(block) then blocks[place] = leading(block) end
  end
  return blocks
end

local function findings(div)
  if not div.classes:includes("findings") then return nil end
  div.content:insert(1, room(TEXT + 1))
  return div
end

if typst then return {{Blocks = with_lists}} end
if not latex then return {} end
return {{Div = findings}, {Pandoc = function(document)
  document.blocks = with_headings(document.blocks)
  return document
end}}
