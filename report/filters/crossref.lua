-- One filter for what pandoc's Markdown lacks, in HTML, LaTeX and Typst alike:
--   numbers and references   {#fig- #tbl- #eq- #sec- #thm-}, `@id`; an unknown id stops the build
--   theorem-like divs        ::: {.theorem #thm-id title="..."}, .lemma .proposition .corollary .proof
--   verdict badges           [holds]{.verdict .good}, and notes [text]{.small}
--   the table of contents    ::: {.contents} (LaTeX and Typst; the HTML template has its own)
--   parts                    # Title {.part #id}, over the sections (also of level 1) that follow
--   what made a figure       ::: {.figure-source} after it, with `command`{.command} (all that LaTeX and Typst show)
-- In HTML the labels of what has an id are links to it.
-- LaTeX numbers by itself, in the same order; the other formats get the numbers written out here.

local KINDS = {theorem = "Theorem", lemma = "Lemma", proposition = "Proposition", corollary = "Corollary"}
local LABELS = {fig = "Figure", tbl = "Table", sec = "Section"}
local latex, typst, html = FORMAT:match("latex"), FORMAT:match("typst"), FORMAT:match("html")

local labels = {}    -- id -> text of a reference to it
local known = {}     -- every identifier of the document
local count = {figure = 0, table = 0, equation = 0, theorem = 0, part = 0}
local heading = {}
local place = "before the first heading"

local function stop(message)
  io.stderr:write("report: " .. message .. "\n")
  os.exit(3)
end

local function raw(text) return pandoc.RawInline(FORMAT, text) end
local function raw_block(text) return pandoc.RawBlock(FORMAT, text) end

local function next_number(kind)
  count[kind] = count[kind] + 1
  return tostring(count[kind])
end

local function remember(id, label)
  if id == "" then return end
  if known[id] then stop("the id #" .. id .. " is used twice") end
  known[id] = true
  labels[id] = label
end

-- first pass: numbers -------------------------------------------------------------------------

local ROMAN = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV"}

local function section_number(header)
  if header.classes:includes("unnumbered") or header.classes:includes("part") or header.level > 2 then return nil end
  heading[header.level] = (heading[header.level] or 0) + 1
  for deeper = header.level + 1, 6 do heading[deeper] = 0 end
  local parts = {}
  for level = 1, header.level do parts[level] = tostring(heading[level] or 0) end
  return table.concat(parts, ".")
end

-- A heading without an id gets one from the section that it is in, so that other sections can come and go before it.
local owners = {}

local function derived(header)
  local owner = ""
  for level = 1, header.level - 1 do owner = owners[level] and owners[level] .. "-" or owner end
  local words = pandoc.text.lower(pandoc.utils.stringify(header)):gsub("[^%w\128-\255]+", "-"):gsub("^%-", ""):gsub("%-$", "")
  local id, again = owner .. words, 1
  while known[id] do
    again = again + 1
    id = owner .. words .. "-" .. again
  end
  return id
end

local function name_header(header)
  for deeper = header.level, 6 do owners[deeper] = nil end
  if header.identifier == "" then
    header.identifier = derived(header)
  else
    owners[header.level] = header.identifier:gsub("^sec%-", "")
  end
end

local function number_header(header)
  name_header(header)
  local number = section_number(header)
  if header.classes:includes("part") then
    number = ROMAN[tonumber(next_number("part"))]
    remember(header.identifier, "Part\u{a0}" .. number)
  else
    remember(header.identifier, number and LABELS.sec .. "\u{a0}" .. number or pandoc.utils.stringify(header))
  end
  if not number then header.classes:insert("unnumbered") end
  header.attributes.number = number
  return header
end

local function labelled(id, text, class)
  if id == "" then return pandoc.Span({pandoc.Str(text)}, {class = class}) end
  return pandoc.Link({pandoc.Str(text)}, "#" .. id, "", {class = class .. " self"})
end

local function caption_with(label, blocks, id)
  if latex or #blocks == 0 then return blocks end
  local lead = {labelled(id, label .. ".", "caption-label"), pandoc.Space()}
  if typst then lead = {pandoc.Strong({pandoc.Str(label .. ".")}), pandoc.Space()} end
  local first = blocks[1]
  first.content = pandoc.Inlines(lead) .. first.content
  return blocks
end

local function number_captioned(kind, prefix)
  return function(element)
    if #element.caption.long == 0 then return nil end
    local label = LABELS[prefix] .. "\u{a0}" .. next_number(kind)
    remember(element.identifier, label)
    element.caption.long = caption_with(label, element.caption.long, element.identifier)
    return element
  end
end

local function displayed(math, id, number)
  if latex then return {raw("\\begin{equation}\\label{" .. id .. "}" .. math.text .. "\\end{equation}")} end
  if typst then
    return {raw("#math.equation(block: true, numbering: _ => [(" .. number .. ")], "), math, raw(") <" .. id .. ">")}
  end
  return {pandoc.Span({math, labelled(id, "(" .. number .. ")", "equation-number")}, pandoc.Attr(id, {"equation"}))}
end

local function is_space(element)
  return element ~= nil and (element.t == "Space" or element.t == "SoftBreak")
end

-- `$$ ... $$ {#eq-id}`: pandoc sees display math, a space and a word.
local function number_equations(block)
  local old, new, i = block.content, pandoc.Inlines({}), 1
  while i <= #old do
    local element, jump = old[i], 1
    if element.t == "Math" and element.mathtype == "DisplayMath" then
      local after = is_space(old[i + 1]) and i + 2 or i + 1
      local id = old[after] and old[after].t == "Str" and old[after].text:match("^{#(eq%-[%w_.-]+)}$")
      if id then
        local number = next_number("equation")
        remember(id, "(" .. number .. ")")
        new:extend(displayed(element, id, number))
        i, jump = after + 1, 0
      end
    end
    if jump == 1 then new:insert(element); i = i + 1 end
  end
  block.content = new
  return block
end

local function title_of(div)
  local title = div.attributes.title
  if not title then return nil end
  div.attributes.title = nil
  return pandoc.read(title, "markdown").blocks[1].content
end

local function theorem_latex(div, class, title)
  local option = title and pandoc.Inlines({raw("[")}) .. title .. {raw("]")} or pandoc.Inlines({})
  local label = div.identifier ~= "" and "\\label{" .. div.identifier .. "}" or ""
  -- A list or a formula needs a line before it, or the head of the statement has no place of its own.
  local first = div.content[1].t
  if first ~= "Para" and first ~= "Plain" then label = label .. "\\leavevmode" end
  local open = pandoc.Plain(pandoc.Inlines({raw("\\begin{" .. class .. "}")}) .. option .. {raw(label)})
  local last = div.content[#div.content]
  local close = "\\end{" .. class .. "}"
  -- In the last paragraph, so that the end mark of a proof stands on its line.
  if last.t == "Para" then last.content:insert(raw(close)) else div.content:insert(raw_block(close)) end
  return pandoc.Blocks({open}) .. div.content
end

local function theorem_typst(div, class, name, title)
  local head = pandoc.Inlines({raw("#statement(\"" .. class .. "\", \"" .. name .. "\", [")})
  head:extend(title or {})
  local first = div.content[1].t
  -- A list or a formula would part from the head on a page of its own.
  head:insert(raw(first == "Para" and "])[" or "], alone: true)["))
  local last = div.content[#div.content]
  if class == "proof" and last.t == "Para" then last.content:insert(raw("#h(1fr) $square$")) end
  local close = div.identifier ~= "" and "] <" .. div.identifier .. ">" or "]"
  return pandoc.Blocks({pandoc.Plain(head)}) .. div.content .. {raw_block(close)}
end

local function theorem_html(div, name, title)
  local head = pandoc.Inlines({labelled(div.identifier, name, "statement-label")})
  if title then head:extend(pandoc.Inlines({pandoc.Space(), pandoc.Str("(")}) .. title .. {pandoc.Str(")")}) end
  head:insert(pandoc.Str("."))
  local lead = pandoc.Inlines({pandoc.Span(head, {class = "statement-head"}), pandoc.Space()})
  if div.content[1] and div.content[1].t == "Para" then
    div.content[1].content = lead .. div.content[1].content
  else
    div.content:insert(1, pandoc.Para(lead))
  end
  div.classes:insert("statement")
  return div
end

local function statement_class(div)
  for _, class in ipairs(div.classes) do
    if KINDS[class] or class == "proof" then return class end
  end
end

local function number_div(div)
  local class = statement_class(div)
  if not class then return remember(div.identifier, nil) end
  local name = class == "proof" and "Proof" or KINDS[class] .. "\u{a0}" .. next_number("theorem")
  remember(div.identifier, name)
  div.attributes.name = name
  return div
end

local function contents()
  if latex then return raw_block("{\\hypersetup{linkcolor=black}\\tableofcontents}") end
  if typst then return raw_block("#outline(depth: 1)") end
  return {}
end

local function statement(div)
  if div.classes:includes("contents") then return contents() end
  local class = statement_class(div)
  if not class then return nil end
  local name, title = div.attributes.name, title_of(div)
  div.attributes.name = nil
  if latex then return theorem_latex(div, class, title) end
  if typst then return theorem_typst(div, class, name, title) end
  return theorem_html(div, name, title)
end

-- Figures float in LaTeX, away from what follows them: the command stands in the caption.
local function commanded(figure, source)
  source:walk({Code = function(code)
    if not code.classes:includes("command") then return end
    local last = figure.caption.long[#figure.caption.long]
    last.content:extend({pandoc.LineBreak(), pandoc.Span({pandoc.Code(code.text)}, {class = "small"})})
  end})
  return figure
end

local function join_sources(blocks)
  if html then return nil end
  local joined = pandoc.Blocks({})
  for _, block in ipairs(blocks) do
    local source = block.t == "Div" and block.classes:includes("figure-source")
    if source and #joined > 0 and joined[#joined].t == "Figure" then
      joined[#joined] = commanded(joined[#joined], block)
    elseif not source then
      joined:insert(block)
    end
  end
  return joined
end

-- The runs of a figure's data, folded.
local function runs(div)
  if not (html and div.classes:includes("runs")) then return nil end
  local open = raw_block("<details class=\"runs\"><summary>" .. div.attributes.title .. "</summary>")
  return pandoc.Blocks({open}) .. div.content .. {raw_block("</details>")}
end

-- second pass: references -----------------------------------------------------------------------

local function reference(id)
  local label = labels[id]
  if not label then stop("unresolved reference @" .. id .. " (" .. place .. ")") end
  if typst or html then return pandoc.Link({pandoc.Str(label)}, "#" .. id) end
  if id:match("^eq%-") then return raw("\\eqref{" .. id .. "}") end
  local name = label:match("^(%u%l+)\u{a0}[%dIVX]+")
  if not name then return pandoc.Link({pandoc.Str(label)}, "#" .. id) end
  return raw("\\hyperref[" .. id .. "]{" .. name .. "~\\ref*{" .. id .. "}}")
end

local function is_reference(id)
  local prefix = id:match("^(%l+)%-")
  return prefix == "eq" or prefix == "thm" or LABELS[prefix] ~= nil
end

local function linked(citations)
  local inlines = pandoc.Inlines({})
  for index, citation in ipairs(citations) do
    if index > 1 then inlines:insert(pandoc.Str(index == #citations and " and " or ", ")) end
    inlines:extend(citation.prefix)
    if #citation.prefix > 0 then inlines:insert(pandoc.Space()) end
    inlines:insert(reference(citation.id))
    if #citation.suffix > 0 then inlines:insert(pandoc.Space()) end
    inlines:extend(citation.suffix)
  end
  return inlines
end

-- `@fig-x [@livni2014]` is one Cite to pandoc: the reference goes first, then the citation in its brackets.
local function cite(element)
  local references = element.citations:filter(function(citation) return is_reference(citation.id) end)
  local others = element.citations:filter(function(citation) return not is_reference(citation.id) end)
  if #references == 0 then return nil end
  local inlines = linked(references)
  if #others > 0 then inlines:extend({pandoc.Space(), pandoc.Cite({}, others)}) end
  return inlines
end

local function check_link(link)
  local id = link.target:match("^#(.+)$")
  if id and not known[id] then stop("a link to #" .. id .. ", which is nowhere (" .. place .. ")") end
end

local function wrapped(span, in_latex, in_typst)
  if latex then return pandoc.Inlines({raw(in_latex .. "{")}) .. span.content .. {raw("}")} end
  if typst then return pandoc.Inlines({raw(in_typst .. "[")}) .. span.content .. {raw("]")} end
end

local function styled(span)
  -- So that the line, not the invisible anchor, is the first thing in its cell.
  local of_row = span.identifier:match("^claim%-") or span.identifier:match("^erratum%-")
  if latex and of_row then return {raw("\\leavevmode{}"), span} end
  if html and of_row then
    span.content = {pandoc.Link(span.content, "#" .. span.identifier, "", {class = "self"})}
    return span
  end
  if span.classes:includes("verdict") then
    local tone = span.classes[2] or "neutral"
    return wrapped(span, "\\verdict{" .. tone .. "}", "#verdict(\"" .. tone .. "\")")
  end
  if span.classes:includes("small") then return wrapped(span, "\\soft", "#soft") end
end

-- One element, so that it is read and copied as one word.
local function breakable_html(code)
  local escaped = code.text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;")
  local class = #code.classes > 0 and " class=\"" .. table.concat(code.classes, " ") .. "\"" or ""
  local text = escaped:gsub("([._:/]+)(%S)", "%1<wbr>%2")
  return raw("<code" .. class .. ">" .. text .. "</code>")
end

local function in_parts(text, pattern, made)
  local parts = pandoc.Inlines({})
  local mark = latex and raw("\\allowbreak{}") or pandoc.Str("\u{200b}")
  for part in text:gmatch(pattern) do
    if part ~= "" then
      if #parts > 0 then parts:insert(mark) end
      parts:insert(made(part))
    end
  end
  return parts
end

-- Long names may break after their dots, paths and settings also after their signs.
local function breakable(code)
  if html then return breakable_html(code) end
  return in_parts(code.text, "[^._:/+=,]*[._:/+=,]*", pandoc.Code)
end

local function breakable_link(link)
  if html or not link.target:match("^#claim%-") then return nil end
  return link:walk({Str = function(word) return in_parts(word.text, "[^._]*[._]*", pandoc.Str) end})
end

-- A part is a heading above those of level 1: only HTML can show it as that, and numbers come from the first pass.
local within = false

-- LaTeX leaves the running heads alone at sections without numbers.
local function marked(header)
  local mark = pandoc.Inlines({raw("\\markboth{")}) .. header.content .. {raw("}{")} .. header.content .. {raw("}")}
  return pandoc.Blocks({header, pandoc.Plain(mark)})
end

local function place_header(header)
  local part, number = header.classes:includes("part"), header.attributes.number
  within = within or part
  if html then
    if part then header.attributes.number = "Part\u{a0}" .. number end
    if within and not part then header.level = header.level + 1 end
    return header
  end
  header.attributes.number = nil
  if not part then return latex and not number and header.level == 1 and marked(header) or header end
  local id = header.identifier
  if latex then
    return pandoc.Plain(pandoc.Inlines({raw("\\part{")}) .. header.content .. {raw("}\\label{" .. id .. "}")})
  end
  local open = "#heading(level: 1, numbering: none, supplement: [Part])[Part\u{a0}" .. number .. " #h(0.5em) "
  return pandoc.Plain(pandoc.Inlines({raw(open)}) .. header.content .. {raw("] <" .. id .. ">")})
end

local function remember_place(header)
  place = "in \"" .. pandoc.utils.stringify(header) .. "\""
end

function Pandoc(document)
  document = document:walk({Div = runs, Blocks = join_sources})
  document = document:walk({
    traverse = "topdown", Header = number_header, Figure = number_captioned("figure", "fig"),
    Table = number_captioned("table", "tbl"), Para = number_equations, Plain = number_equations, Div = number_div,
    Span = function(span) if not span.classes:includes("equation") then remember(span.identifier, nil) end end,
  })
  document = document:walk({Div = statement, Code = breakable, Link = breakable_link})
  return document:walk({
    traverse = "topdown", Header = remember_place, Cite = cite, Link = check_link, Span = styled,
  }):walk({Header = place_header})
end
