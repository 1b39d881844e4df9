// A sheet with fields drawn on it -> a form; a stack of sheets -> what is written in their fields, to check and to download.
"use strict";

const stage = $("stage");

const STEP = 0.002; // of the page: 0.4 mm across and 0.6 mm down on A4, by which an arrow key moves a field
const HELD_STEPS = 4; // steps at a time while the key is held down
const MIN_SIDE = 0.005; // of the page: smaller fields are a slip of the mouse
const FIRST_FIELD = { x: 0.1, y: 0.1, width: 0.3, height: 0.03 }; // 63 x 9 mm on A4
const TYPING_PAUSE = 400; // milliseconds without a change, after which a field is read
const ZOOM_FACTOR = 1.5, MAX_ZOOM = 6; // 1: the sheet is as wide as its place
const SHEETS_AT_ONCE = 2; // that are sent; the program reads as many as it has cores, and others want to use it, too
const MAX_PAGES = 201; // of a file: the program reads 200, and says so of the next
const LINE = /^fields\.csv, line (\d+): /; // how a message about a wrong form begins
const RESERVED_NAMES = ["image", "status", "message", "unsure"]; // columns before those of the fields

let sheet = null; // { file, page, url } that is shown, on which the fields are drawn
let fields = []; // { name, x, y, width, height, expect, box, row }: shares of the page; its elements on the sheet and in the list
let requested = 0; // how many sheets were asked for: an answer that comes late must not replace the sheet that was opened last
let zoom = 1;
const unsaved = { fields: false, answers: false }; // what would be lost if the page were left

// ---- the sheet -------------------------------------------------------------------------------------------------

async function showSheet(file, page = 1) {
  const number = ++requested;
  say("sheet", "Opening …");
  const answer = await post(`/sheet?page=${page}`, file);
  if (number !== requested) return;
  if (answer.failed) return say("sheet", `${file.name}: ${answer.message}`, true);
  say("sheet", "");
  if (sheet) URL.revokeObjectURL(sheet.url);
  sheet = { file, page, url: URL.createObjectURL(jpegOf(answer.jpeg)) };
  $("sheet").src = sheet.url;
  $("sheet").alt = `${file.name}, on which the fields are drawn`;
  $("sheet").hidden = false;
  $("drop-here").hidden = true;
  $("pages").hidden = answer.pages === 1;
  $("page").max = $("page-count").textContent = answer.pages;
  $("page").value = page;
  for (const field of fields) readSoon(field);
}

function jpegOf(base64) {
  return new Blob([bytesOf(base64)], { type: "image/jpeg" });
}

function setZoom(factor) {
  zoom = Math.min(Math.max(factor, 1), MAX_ZOOM);
  stage.style.width = `${100 * zoom}%`;
}

$("open-sheet").addEventListener("click", () => $("sheet-file").click());
$("sheet-file").addEventListener("change", () => {
  if ($("sheet-file").files.length) showSheet($("sheet-file").files[0]);
  $("sheet-file").value = ""; // so that the same file can be opened again
});
$("page").addEventListener("change", () => {
  if ($("page").checkValidity()) showSheet(sheet.file, $("page").valueAsNumber);
});
$("smaller").addEventListener("click", () => setZoom(zoom / ZOOM_FACTOR));
$("larger").addEventListener("click", () => setZoom(zoom * ZOOM_FACTOR));

// ---- fields ----------------------------------------------------------------------------------------------------

function addField({ name, x, y, width, height, expect = "" }) {
  const field = { name, x, y, width, height, expect, box: newElement("button", "box"), row: newElement("li") };
  field.box.type = "button";
  field.box.append(newElement("span"), newElement("i")); // its name, and the corner to change its size by
  const label = newElement("input"), pattern = newElement("input"), remove = newElement("button");
  label.value = name;
  pattern.value = expect;
  pattern.placeholder = "expected";
  pattern.maxLength = 60;
  label.spellcheck = pattern.spellcheck = false;
  label.autocomplete = pattern.autocomplete = "off";
  remove.type = "button";
  remove.textContent = "×";
  remove.addEventListener("click", () => removeField(field));
  label.addEventListener("input", () => {
    rename(field, label.value);
    unsaved.fields = true;
  });
  pattern.addEventListener("input", () => {
    field.expect = pattern.value.trim();
    changed(field);
  });
  for (const input of [label, pattern]) {
    input.addEventListener("focus", () => select(field));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // else it would press the button, too
      $("new-field").focus();
    });
  }
  field.box.addEventListener("focus", () => select(field));
  field.box.addEventListener("keydown", (event) => moveByKey(event, field));
  field.box.addEventListener("pointerdown", (event) => startDragging(event, field));
  field.row.append(label, pattern, remove, newElement("output"));
  fields.push(field);
  stage.append(field.box);
  $("fields").append(field.row);
  rename(field, name);
  place(field);
  changed(field);
  return field;
}

function removeField(field) {
  fields = fields.filter((other) => other !== field);
  field.box.remove();
  field.row.remove();
  unsaved.fields = true;
  $("new-field").focus();
}

function rename(field, name) {
  field.name = name.trim();
  field.box.firstChild.textContent = field.name;
  field.box.setAttribute("aria-label", `Field ${field.name}`);
  const [label, pattern, remove, answer] = field.row.children;
  label.setAttribute("aria-label", "Name of the field");
  pattern.setAttribute("aria-label", `What is expected in ${field.name}`);
  remove.setAttribute("aria-label", `Remove the field ${field.name}`);
  answer.setAttribute("aria-label", `What is read in ${field.name}`);
}

function select(field) {
  for (const { box, row } of fields) {
    box.classList.toggle("selected", box === field.box);
    row.classList.toggle("selected", row === field.row);
  }
}

function place({ x, y, width, height, box }) {
  Object.assign(box.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * width}%`, height: `${100 * height}%` });
}

// Move a field, or change its size; it stays on the page.
function moveTo(field, { x = field.x, y = field.y, width = field.width, height = field.height }) {
  field.width = Math.min(Math.max(width, MIN_SIDE), 1 - field.x);
  field.height = Math.min(Math.max(height, MIN_SIDE), 1 - field.y);
  field.x = Math.min(Math.max(x, 0), 1 - field.width);
  field.y = Math.min(Math.max(y, 0), 1 - field.height);
  place(field);
}

function newName() {
  const names = new Set(fields.map(({ name }) => name));
  let number = fields.length + 1;
  while (names.has(`field ${number}`)) number++;
  return `field ${number}`;
}

$("new-field").addEventListener("click", () => {
  const last = fields.at(-1) ?? FIRST_FIELD;
  const y = fields.length ? last.y + 1.5 * last.height : last.y; // below the last one
  const field = addField({ ...last, y: Math.min(y, 1 - last.height), name: newName(), expect: "" });
  field.box.focus();
});

function moveByKey(event, field) {
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
  const step = STEP * (event.repeat ? HELD_STEPS : 1);
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (right === undefined) {
    if (event.key === "Delete" || event.key === "Backspace") removeField(field);
    else if (event.key === "Enter") nameField(field);
    else return;
  } else if (event.shiftKey) {
    moveTo(field, { width: field.width + right * step, height: field.height + down * step });
  } else {
    moveTo(field, { x: field.x + right * step, y: field.y + down * step });
  }
  event.preventDefault();
  if (right !== undefined) changed(field);
}

function nameField(field) {
  field.row.firstChild.focus();
  field.row.firstChild.select();
}

// ---- drawing with the mouse, a pen or a finger -----------------------------------------------------------------

function pointOf(event) {
  const { left, top, width, height } = stage.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height].map((share) => Math.min(Math.max(share, 0), 1));
}

// A finger scrolls the sheet; it can move fields and change their size.
stage.addEventListener("pointerdown", (event) => {
  if (!sheet || event.button !== 0 || event.pointerType === "touch" || event.target.closest(".box")) return;
  event.preventDefault(); // else the browser would select text
  const [startX, startY] = pointOf(event);
  const frame = newElement("div", "box");
  stage.append(frame);
  let drawn = { x: startX, y: startY, width: 0, height: 0 };
  follow(event, stage, (x, y) => {
    drawn = { x: Math.min(x, startX), y: Math.min(y, startY), width: Math.abs(x - startX), height: Math.abs(y - startY) };
    place({ ...drawn, box: frame });
  }, () => {
    frame.remove();
    if (Math.min(drawn.width, drawn.height) >= MIN_SIDE) nameField(addField({ ...drawn, name: newName() }));
  });
});

function startDragging(event, field) {
  if (event.button !== 0) return;
  const [startX, startY] = pointOf(event), { x, y, width, height } = field, resizes = event.target.matches("i");
  let moved = false;
  follow(event, field.box, (nowX, nowY) => {
    moved = true;
    if (resizes) moveTo(field, { width: width + nowX - startX, height: height + nowY - startY });
    else moveTo(field, { x: x + nowX - startX, y: y + nowY - startY });
  }, () => {
    if (moved) changed(field);
  });
}

// Call move with each point of a pointer until it is lifted, then end.
function follow({ pointerId }, element, move, end) {
  const onMove = (event) => {
    if (event.pointerId === pointerId) move(...pointOf(event));
  };
  const onEnd = (event) => {
    if (event.pointerId !== pointerId) return;
    element.removeEventListener("pointermove", onMove);
    for (const type of ["pointerup", "pointercancel"]) element.removeEventListener(type, onEnd);
    end();
  };
  element.setPointerCapture(pointerId);
  element.addEventListener("pointermove", onMove);
  for (const type of ["pointerup", "pointercancel"]) element.addEventListener(type, onEnd);
}

// ---- reading the fields of the sheet that is shown -------------------------------------------------------------

let changedFields = new Set(), readTimer = 0, readingFields = false;

function changed(field) {
  unsaved.fields = true;
  readSoon(field);
}

// Read a field when nothing has changed for a moment.
function readSoon(field) {
  if (!sheet) return;
  changedFields.add(field);
  field.row.lastChild.textContent = "…";
  clearTimeout(readTimer);
  readTimer = setTimeout(readFields, TYPING_PAUSE);
}

async function readFields() {
  if (readingFields) return;
  readingFields = true;
  while (changedFields.size) {
    const group = [...changedFields];
    changedFields.clear();
    const answer = await readGroup(group);
    // What is expected of one field may be wrong: then each is read alone.
    const answers = answer.failed && group.length > 1 ? await Promise.all(group.map((field) => readGroup([field]))) : [answer];
    const ofFields = answers.flatMap((one) => one.fields ?? [one]);
    group.forEach((field, i) => showAnswer(field, ofFields[i] ?? ofFields[0]));
  }
  readingFields = false;
}

async function readGroup(group) {
  const form = await post("/forms", formBody(csvOf(group.map((field, i) => ({ ...field, name: `field ${i}` })))));
  return form.failed ? form : post(`/read_form?${new URLSearchParams({ form: form.form, page: sheet.page })}`, sheet.file);
}

function showAnswer(field, { status, text, message }) {
  const answer = field.row.lastChild, strong = newElement("b");
  strong.textContent = text.replaceAll("|", " | ");
  answer.className = status;
  const why = { ok: "", empty: "empty", unsure: `not sure: ${message}`, error: capitalised(message.replace(LINE, "")) }[status];
  answer.replaceChildren(strong, " ", why);
}

// Of a form that is drawn, fields are spoken of rather than lines.
function inWords(message) {
  return capitalised(message.replace(LINE, (_, line) => (line > 1 ? `field ${line - 1}: ` : "")));
}

// ---- fields.csv ------------------------------------------------------------------------------------------------

function csvOf(ofFields) {
  const rows = ofFields.map(({ name, x, y, width, height, expect }) => [name, ...[x, y, width, height].map(rounded), expect]);
  return csv([["name", "x", "y", "width", "height", "expect"], ...rows]);
}

// Five decimals: a fiftieth of a millimetre on A4. Rounded down, so that a field at the border stays on the page.
function rounded(share) {
  return String(Math.floor(share * 1e5 + 1e-6) / 1e5);
}

function csv(rows) {
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function formBody(text, reference = "", page = 1) {
  return JSON.stringify({ fields: text, reference, page });
}

$("load-fields").addEventListener("click", () => $("fields-file").click());
$("fields-file").addEventListener("change", async () => {
  const [file] = $("fields-file").files;
  $("fields-file").value = "";
  if (!file) return;
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return say("fields", `${file.name} is no text in UTF-8. Expected a CSV file, as this page saves it.`, true);
  }
  const answer = await post("/forms", formBody(text));
  if (answer.failed) return say("fields", answer.message.replace(/^fields\.csv/, file.name), true);
  for (const { box, row } of fields) for (const element of [box, row]) element.remove();
  fields = [];
  answer.fields.forEach(addField);
  unsaved.fields = false;
  say("fields", `${counted(fields.length, "field")} loaded.`);
});

$("save-fields").addEventListener("click", async () => {
  const text = csvOf(fields), answer = await post("/forms", formBody(text));
  if (answer.failed) return say("fields", fields.length ? inWords(answer.message) : "There is no field yet: draw one.", true);
  saveFile(new Blob([text], { type: "text/csv" }), "fields.csv");
  unsaved.fields = false;
  say("fields", "Saved as fields.csv.");
});

// ---- a stack of sheets -----------------------------------------------------------------------------------------

let names = []; // of the fields of the sheets below
let sheets = []; // { file, page, image, status, message, reason, fields, rows } in the order of the CSV: see readSheet and showRows
let queue = []; // of sheets that remain to be read
let stopped = false; // whether Stop was pressed: the other pages of a file become known only when its first page has been read
let running = 0; // sheets that are being read
let form = null; // { body, id }: of the request to /forms, and the id that it got

async function readStack(files) {
  if (unsaved.answers && !confirm("The answers that were not downloaded will be lost. Read other sheets?")) return;
  say("stack", "");
  const aligns = $("align").checked && sheet !== null;
  if ($("align").checked && !sheet) return say("stack", "Open the sheet above to which they are aligned, or switch aligning off.", true);
  if (!fields.length) return say("stack", "There is no field yet: draw one, or load a fields.csv.", true);
  const body = formBody(csvOf(fields), aligns ? await base64Of(sheet.file) : "", aligns ? sheet.page : 1);
  say("stack", "The fields are being prepared …");
  const answer = await post("/forms", body);
  if (answer.failed) return say("stack", inWords(answer.message), true);
  say("stack", "");
  for (const { rows } of sheets) rows?.remove();
  form = { body, id: answer.form };
  names = answer.fields.map(({ name }) => name);
  sheets = [...files].map((file) => ({ file, page: 1, image: file.name }));
  queue = [...sheets];
  stopped = false;
  unsaved.answers = true;
  $("shown").replaceChildren(newOption("what is not sure"));
  $("check").hidden = $("stop").hidden = $("progress").hidden = false;
  startMore();
}

function startMore() {
  while (running < SHEETS_AT_ONCE && queue.length) {
    running++;
    readSheet(queue.shift()).finally(() => {
      running--;
      startMore();
    });
  }
  showProgress();
}

// Read a sheet of the stack. message: why it is not sure, of what is not checked yet; reason: the same as it was read.
async function readSheet(one) {
  const answer = await readWithForm(one);
  if (!sheets.includes(one)) return; // another stack has been opened
  if (one.page === 1 && answer.pages) addPages(one, Math.min(answer.pages, MAX_PAGES));
  const found = (answer.fields ?? names.map((name) => ({ name, status: "error", text: "", message: "" }))).map(newAnswer);
  Object.assign(one, { status: answer.status, message: answer.message, reason: answer.message, fields: found });
  $("shown").append(newOption(one.image, one));
  if (!shownSheet()) showRows(one, true);
}

async function readWithForm({ file, page }) {
  const address = () => `/read_form?${new URLSearchParams({ form: form.id, page })}`;
  const answer = await post(address(), file);
  if (answer.code !== 404) return answer;
  const again = await post("/forms", form.body); // the program remembers only the latest forms
  if (again.failed) return again;
  form.id = again.form;
  return post(address(), file);
}

// The pages of a file are named as predict_custom.py names them.
function addPages(first, count) {
  const others = [];
  for (let page = 2; page <= count; page++) others.push({ file: first.file, page, image: `${first.file.name}#${page}` });
  first.image = `${first.file.name}#1`;
  sheets.splice(sheets.indexOf(first) + 1, 0, ...others);
  if (!stopped) queue.unshift(...others);
}

function newAnswer({ name, status, text, message, cut, written }) {
  return { name, status, text, read: text, message, cut: cut && jpegOf(cut), written: written && jpegOf(written) };
}

async function base64Of(file) {
  const bytes = new Uint8Array(await file.arrayBuffer()), parts = [];
  for (let start = 0; start < bytes.length; start += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(start, start + 0x8000)));
  return btoa(parts.join(""));
}

function showProgress() {
  const done = sheets.filter(({ status }) => status).length, isDone = !running && !queue.length;
  $("progress").max = sheets.length;
  $("progress").value = done;
  $("progress").hidden = $("stop").hidden = isDone;
  if (!isDone) return;
  const unread = sheets.length - done, unsure = toCheck(), verdict = unsure ? `To check: ${unsure}.` : done ? "All is sure." : "";
  sheets = sheets.filter(({ status }) => status); // what Stop has left out is not in the CSV
  orderOptions();
  const left = unread ? ` ${counted(unread, "sheet")} not read.` : "";
  say("stack", `${counted(done, "sheet")} read.${left} ${verdict}`);
}

// Return how many things are to be checked: fields that are not sure, and sheets of which something is to be said.
function toCheck() {
  return sheets.reduce((sum, one) => sum + unsureOf(one).length + (isOddSheet(one) ? 1 : 0), 0);
}

function unsureOf(one) {
  return (one.fields ?? []).filter(({ status }) => status === "unsure");
}

// Whether a sheet could not be read, or is not sure although each of its fields is.
function isOddSheet(one) {
  return one.status === "error" || (one.status === "unsure" && !unsureOf(one).length);
}

$("open-stack").addEventListener("click", () => $("stack-files").click());
$("stack-files").addEventListener("change", async () => {
  const files = [...$("stack-files").files];
  $("stack-files").value = "";
  if (files.length) await readStack(files);
});
$("stop").addEventListener("click", () => {
  queue = [];
  stopped = true;
  showProgress();
});

// ---- the table -------------------------------------------------------------------------------------------------

function newOption(text, ofSheet = null) {
  const option = newElement("option");
  option.textContent = text;
  option.sheet = ofSheet;
  return option;
}

// The sheet whose fields are all shown; null where what is not sure is shown of all.
function shownSheet() {
  return $("shown").selectedOptions[0].sheet;
}

function orderOptions() {
  const shown = shownSheet(), options = sheets.map((one) => newOption(one.image, one));
  $("shown").replaceChildren(newOption("what is not sure"), ...options);
  $("shown").selectedIndex = sheets.indexOf(shown) + 1;
}

$("shown").addEventListener("change", () => {
  for (const one of sheets) one.rows?.remove();
  const chosen = shownSheet();
  for (const one of chosen ? [chosen] : sheets) showRows(one, !chosen);
});

// Show the fields of a sheet, those that are not sure or all, in the sheets' order. Its rows are a tbody of the table.
function showRows(one, onlyUnsure) {
  one.rows = newElement("tbody");
  const shown = onlyUnsure ? unsureOf(one) : one.fields;
  one.rows.append(...(isOddSheet(one) ? [newSheetRow(one)] : []), ...(one.status === "error" ? [] : shown.map((field) => newRow(one, field))));
  const next = sheets.slice(sheets.indexOf(one) + 1).find(({ rows }) => rows?.isConnected);
  $("answers").insertBefore(one.rows, next?.rows ?? null);
}

function newSheetRow(one) {
  const row = newElement("tr", one.status), what = newElement("td"), why = newElement("td", "why");
  what.colSpan = 3;
  why.textContent = capitalised(one.message);
  if (one.status === "unsure") {
    const blank = newElement("button");
    blank.type = "button";
    blank.textContent = "It is blank";
    blank.addEventListener("click", () => {
      Object.assign(one, { status: "ok", message: "" });
      row.className = "checked";
      unsaved.answers = true;
      sayHowMany();
    });
    what.append(blank);
  }
  row.append(sheetCell(one), what, why);
  return row;
}

function newRow(one, field) {
  const row = newElement("tr", field.status), name = newElement("th"), cut = newElement("td", "cut");
  const answer = newElement("td"), why = newElement("td", "why"), input = newElement("input", "answer");
  name.scope = "row";
  name.textContent = field.name;
  if (field.cut) {
    const image = newElement("img");
    image.alt = `What is written in ${field.name}`;
    image.src = URL.createObjectURL(field.cut);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    cut.append(image);
  }
  input.value = field.text;
  input.pattern = "[0-9.,\\-\\/:\\|]*";
  input.maxLength = 60;
  input.autocomplete = "off";
  input.inputMode = "text";
  input.title = "Digits, and the marks . , - / :; | between text lines; nothing where it is empty";
  input.setAttribute("aria-label", `${field.name} of ${one.image}`);
  why.textContent = field.status === "unsure" ? field.message || one.message : { empty: "empty" }[field.status] ?? "";
  input.addEventListener("keydown", (event) => checkByKey(event, one, field, row));
  input.addEventListener("change", () => input.checkValidity() && accept(one, field, row));
  answer.append(input);
  row.append(sheetCell(one), name, cut, answer, why);
  return row;
}

function sheetCell(one) {
  const cell = newElement("td", "of-sheet"), button = newElement("button", "link");
  button.type = "button";
  button.textContent = one.image;
  button.title = "Show the whole sheet";
  button.addEventListener("click", () => view(one));
  cell.append(button);
  return cell;
}

function checkByKey(event, one, field, row) {
  const input = event.target, inputs = [...$("answers").querySelectorAll(".answer")], at = inputs.indexOf(input);
  const target = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") input.value = field.read;
  if (target === undefined) return;
  event.preventDefault();
  if (event.key === "Enter" && !accept(one, field, row)) return;
  const next = inputs[at + target];
  next?.focus();
  next?.select();
  if (!next && target === 1) $("download").focus();
}

// Take what stands in a row for right. Return whether it may stand there.
function accept(one, field, row) {
  const input = row.querySelector("input");
  input.value = input.value.trim();
  if (!input.reportValidity()) return false;
  Object.assign(field, { text: input.value, status: input.value ? "ok" : "empty", checked: true });
  row.className = "checked";
  const unsure = unsureOf(one);
  one.status = unsure.length ? "unsure" : "ok";
  // Of a sheet that could not be aligned, the reason is said of the whole sheet.
  one.message = unsure.some(({ message }) => message) ? unsure.map(({ name, message }) => `${name}: ${message}`).join("; ") : one.reason;
  if (!unsure.length) one.message = "";
  unsaved.answers = true;
  sayHowMany();
  return true;
}

function sayHowMany() {
  const unsure = toCheck();
  say("check", unsure ? `To check: ${unsure}.` : "All is checked.");
}

async function view(one) {
  const answer = await post(`/sheet?page=${one.page}`, one.file);
  if (answer.failed) return say("check", `${one.image}: ${answer.message}`, true);
  URL.revokeObjectURL($("viewed").src);
  $("viewed").src = URL.createObjectURL(jpegOf(answer.jpeg));
  $("viewed").alt = $("viewer").ariaLabel = one.image;
  $("viewer").showModal();
}

// ---- the answers -----------------------------------------------------------------------------------------------

$("download").addEventListener("click", () => {
  const read = sheets.filter(({ status }) => status), waiting = sheets.length - read.length;
  const rows = read.map((one) => [
    one.image, one.status, one.message, unsureOf(one).map(({ name }) => name).join(";"), ...one.fields.map(({ text }) => text),
  ]);
  saveFile(new Blob([csv([[...RESERVED_NAMES, ...names], ...rows])], { type: "text/csv" }), "answers.csv");
  unsaved.answers = waiting > 0;
  const missing = waiting ? ` It lacks the ${counted(waiting, "sheet")} not read yet: download it again when all are read.` : "";
  say("check", `Saved as answers.csv.${missing}`);
});

let keeping = false;

$("keep").addEventListener("click", async () => {
  if (keeping) return;
  const checked = sheets.flatMap((one) => one.fields ?? []).filter((field) => field.checked && field.text && field.kept !== field.text);
  const images = checked.filter(({ written }) => written);
  if (!images.length) return say("check", "There is nothing to keep yet: check a field with something written in it.", true);
  keeping = true; // the button is not disabled: it would lose the focus
  let kept = 0, problem = null;
  for (const field of images) {
    const answer = await post(`/keep?${new URLSearchParams({ label: field.text, suffix: ".jpg" })}`, field.written);
    if (answer.failed) problem = answer.message;
    else field.kept = field.text;
    kept += answer.failed ? 0 : 1;
  }
  keeping = false;
  const failed = problem ? ` ${images.length - kept} not kept: ${problem}` : "";
  say("check", `${counted(kept, "field")} kept under custom_digits/.${failed}`, problem !== null);
});

// ---- helpers ---------------------------------------------------------------------------------------------------

function say(section, sentence, failed = false) {
  const message = $(`${section}-message`);
  message.textContent = sentence;
  message.classList.toggle("error", failed);
}

function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

for (const [zone, open] of [[$("stage-frame"), ([file]) => showSheet(file)], [$("stack"), readStack]]) {
  for (const over of ["dragenter", "dragover"]) zone.addEventListener(over, () => zone.classList.add("dropping"));
  for (const gone of ["dragleave", "drop"]) zone.addEventListener(gone, () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) open(event.dataTransfer.files);
  });
}
for (const type of ["dragover", "drop"]) document.addEventListener(type, (event) => event.preventDefault()); // else the browser leaves the page

window.addEventListener("beforeunload", (event) => {
  if (unsaved.fields || unsaved.answers) event.preventDefault(); // the browser asks
});
