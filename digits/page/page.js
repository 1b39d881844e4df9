// Strokes, a picture or the camera -> a PNG or JPEG to /read -> the answer on the page. No request goes anywhere else.
"use strict";

const $ = (id) => document.getElementById(id);
const drawing = $("drawing"), boxes = $("boxes"), video = $("video");
const LARGEST_SIDE = 800; // pixels; the program reduces larger pictures to this before it looks for ink
const READ_WIDTH = 480; // pixels; a drawing is read this small: it has no fine print, and takes less than half the time
const PEN = 1 / 36; // of the drawing's width
const ERASER = 1 / 12;
const PERCENT = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1 });

const frame = document.createElement("canvas"); // what is sent, in the size that is read
let strokes = []; // [{ erases, points: [[x, y]] }], in parts of the drawing's width
let stroke = null; // the one being drawn
let picture = null; // a Blob in place of the drawing: what was uploaded, dropped, pasted or taken as an example
let erases = false;
let stream = null; // the camera's
let last = null; // the Blob that was read last: what is kept or saved
let scene = 0; // counts what is shown: cleared, replaced, another camera; an answer to an earlier one is too late
let preview = null; // the uploaded picture as the program sees it, an ImageBitmap

// ---- reading ---------------------------------------------------------------------------------------------------

// One request is under way at a time. What changes meanwhile is read when it ends, as it is then: nothing queues up.
let reading = false, changed = false;

async function read() {
  changed = true;
  if (reading) return;
  reading = true;
  try {
    while (changed) {
      changed = false;
      await readOnce();
    }
  } finally {
    reading = false;
  }
}

async function readOnce() {
  const shown = picture, before = scene;
  if (!shown && !stream && strokes.length === 0) {
    last = null;
    return show({ status: "start", text: "", digits: [] });
  }
  const blob = shown || (await (stream ? cameraPicture() : pictureOfDrawing()));
  if (!blob) return;
  const answer = await post(`/read?preview=${shown ? 1 : 0}`, blob);
  if (scene !== before) return;
  last = blob;
  if (shown) await showPreview(answer.preview);
  show(answer);
}

async function post(address, blob) {
  try {
    const response = await fetch(address, { method: "POST", body: blob });
    const answer = await response.json();
    return response.ok ? answer : { status: "error", text: "", digits: [], message: answer.message, failed: true };
  } catch {
    return { status: "error", text: "", digits: [], message: "The program does not answer. Is it still running?", failed: true };
  }
}

function pictureOfDrawing() {
  const scale = readScale();
  Object.assign(frame, { width: Math.round(drawing.width * scale), height: Math.round(drawing.height * scale) });
  const context = frame.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(drawing, 0, 0, frame.width, frame.height);
  return new Promise((resolve) => frame.toBlob(resolve, "image/png"));
}

function readScale() {
  return Math.min(1, READ_WIDTH / drawing.width);
}

// ---- the answer ------------------------------------------------------------------------------------------------

const SAID = {
  start: "Draw a digit, or several.",
  ok: "",
  unsure: "not sure",
  empty: "empty: no ink was found",
};

function show(answer) {
  const sentence = SAID[answer.status] ?? sentenceOf(answer.message);
  $("answer").className = answer.status;
  $("text").textContent = answer.text.replaceAll("|", " | "); // on one line, however much is read: the drawing must not move
  $("text").style.fontSize = `min(2.4rem, ${(135 / Math.max($("text").textContent.length, 1)).toFixed(1)}cqw)`;
  $("status").textContent = sentence;
  if (!stroke && !stream) announce(`${answer.text.replaceAll("|", ", then ")} ${sentence}`.trim());
  showBoxes(answer);
  showDigits(answer);
  window.dispatchEvent(new CustomEvent("answer", { detail: answer }));
}

function sentenceOf(message) {
  return message.charAt(0).toUpperCase() + message.slice(1);
}

function announce(sentence) {
  if ($("announcement").textContent !== sentence) $("announcement").textContent = sentence;
}

function showDigits(answer) {
  if (answer.digits.length === 0) return void $("digits").replaceChildren();
  // Cards are used again, so that the page does not flicker while one draws.
  const cards = [...$("digits").querySelectorAll(".digit")].slice(0, answer.digits.length);
  while (cards.length < answer.digits.length) cards.push(newCard());
  answer.digits.forEach((digit, i) => fillCard(cards[i], digit));
  $("digits").replaceChildren(...cards);
}

function newCard() {
  const card = element("div", "digit");
  const seen = element("canvas");
  seen.width = seen.height = 28;
  seen.setAttribute("role", "img");
  const bars = element("ol", "bars");
  for (let digit = 0; digit < 10; digit++) {
    const bar = element("li");
    bar.append(element("div"), String(digit));
    bar.firstChild.append(element("i"));
    bars.append(bar);
  }
  const right = element("div");
  right.append(element("h3"), bars);
  card.append(seen, right);
  return card;
}

function fillCard(card, digit) {
  const seen = card.querySelector("canvas").getContext("2d");
  const levels = Uint8Array.from(atob(digit.crop), (letter) => letter.charCodeAt(0));
  const pixels = seen.createImageData(28, 28);
  levels.forEach((level, i) => pixels.data.set([level, level, level, 255], 4 * i));
  seen.putImageData(pixels, 0, 0);
  card.querySelector("canvas").setAttribute("aria-label", `What the network saw of the ${digit.digit}`);
  card.querySelector("h3").textContent = `${digit.digit}: ${PERCENT.format(Math.min(digit.confidence, 0.999))}`;
  card.querySelectorAll("li").forEach((bar, i) => {
    bar.className = i === digit.digit ? "first" : "";
    bar.querySelector("i").style.height = `${100 * digit.probabilities[i]}%`;
    bar.setAttribute("aria-label", `${i}: ${PERCENT.format(digit.probabilities[i])}`);
  });
}

function showBoxes(answer) {
  const context = boxes.getContext("2d");
  context.clearRect(0, 0, boxes.width, boxes.height);
  const place = placeOfPicture(answer);
  if (!place || answer.digits.length === 0) return;
  context.lineWidth = Math.max(2, boxes.width / 300);
  context.font = `600 ${Math.max(14, boxes.width / 30)}px system-ui`;
  context.strokeStyle = context.fillStyle = answer.status === "unsure" ? "#b36b00" : "#1f5fa8";
  for (const { box: [x, y, width, height], digit } of answer.digits) {
    const left = place.x + x * place.scale, top = place.y + y * place.scale;
    context.strokeRect(left - 4, top - 4, width * place.scale + 8, height * place.scale + 8);
    context.fillText(digit, left - 2, Math.max(top - 8, boxes.width / 30));
  }
}

// Where the picture that was read lies on the frame: its corner, and the frame's pixels for one of its own.
function placeOfPicture(answer) {
  if (stream) return fitted(video.videoWidth, video.videoHeight, video.videoWidth / cameraSize().width);
  if (!picture) return { x: 0, y: 0, scale: 1 / readScale() };
  return preview && answer.preview ? fitted(preview.width, preview.height, preview.width / answer.preview.width) : null;
}

function fitted(width, height, scale) {
  const fit = Math.min(boxes.width / width, boxes.height / height);
  return { x: (boxes.width - width * fit) / 2, y: (boxes.height - height * fit) / 2, fit, scale: fit * scale };
}

function element(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

// ---- drawing ---------------------------------------------------------------------------------------------------

function redraw() {
  const context = drawing.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, drawing.width, drawing.height);
  if (picture) {
    if (!preview) return;
    const { x, y, fit } = fitted(preview.width, preview.height, 1);
    return void context.drawImage(preview, x, y, preview.width * fit, preview.height * fit);
  }
  for (const one of strokes) drawStroke(context, one);
}

function drawStroke(context, { erases, points }) {
  context.strokeStyle = erases ? "#fff" : "#111";
  context.lineWidth = (erases ? ERASER : PEN) * drawing.width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(points[0][0] * drawing.width, points[0][1] * drawing.width);
  for (const [x, y] of points.length > 1 ? points.slice(1) : points) context.lineTo(x * drawing.width, y * drawing.width);
  context.stroke();
}

function fitCanvas() {
  const { width, height } = $("frame").getBoundingClientRect();
  const scale = Math.min(window.devicePixelRatio || 1, LARGEST_SIDE / width);
  for (const canvas of [drawing, boxes]) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  redraw();
  read();
}

function place(event) {
  const { left, top, width } = drawing.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / width];
}

drawing.addEventListener("pointerdown", (event) => {
  if (![0, 5].includes(event.button) || stream || stroke) return; // a palm beside the pen draws nothing
  if (picture) clear();
  drawing.setPointerCapture(event.pointerId);
  const stylusTurnedRound = event.buttons === 32;
  stroke = { pointer: event.pointerId, erases: erases || stylusTurnedRound, points: [place(event)] };
  strokes.push(stroke);
  redraw();
  read();
});

drawing.addEventListener("pointermove", (event) => {
  if (!stroke || event.pointerId !== stroke.pointer) return;
  // Between two frames a pen moves through several places; all of them make the stroke smooth.
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(place));
  redraw();
  read();
});

for (const end of ["pointerup", "pointercancel"]) {
  drawing.addEventListener(end, (event) => {
    if (!stroke || event.pointerId !== stroke.pointer) return;
    stroke = null;
    read();
  });
}

function undo() {
  if (picture) return clear();
  strokes.pop();
  redraw();
  read();
}

function clear() {
  take(null);
}

function choose(eraser) {
  erases = eraser;
  $("pen").setAttribute("aria-pressed", String(!eraser));
  $("eraser").setAttribute("aria-pressed", String(eraser));
}

$("pen").addEventListener("click", () => choose(false));
$("eraser").addEventListener("click", () => choose(true));
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && event.target !== $("label")) {
    event.preventDefault();
    undo();
  }
});

// ---- pictures --------------------------------------------------------------------------------------------------

// Show this picture, or an empty drawing for none.
function take(blob) {
  scene++;
  stopCamera();
  strokes = [];
  stroke = null;
  picture = blob;
  preview = last = null;
  $("kept").textContent = "";
  redraw();
  read();
}

async function showPreview(sent) {
  if (!sent) return;
  const png = Uint8Array.from(atob(sent.png), (letter) => letter.charCodeAt(0));
  preview = await createImageBitmap(new Blob([png], { type: "image/png" }));
  redraw();
}

$("upload").addEventListener("click", () => {
  $("file").removeAttribute("capture");
  $("file").click();
});
$("file").addEventListener("change", () => {
  if ($("file").files.length) take($("file").files[0]);
  $("file").value = "";
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file) take(file);
});
for (const over of ["dragenter", "dragover"]) {
  document.addEventListener(over, (event) => {
    event.preventDefault(); // else the browser would leave the page for the dropped file
    $("frame").classList.add("dropping");
  });
}
for (const gone of ["dragleave", "drop"]) document.addEventListener(gone, () => $("frame").classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});

async function listExamples() {
  const response = await fetch("/examples");
  for (const name of response.ok ? await response.json() : []) {
    const button = element("button"), thumbnail = element("img");
    const address = encodeURIComponent(name).replaceAll("%2F", "/");
    button.type = "button";
    button.title = thumbnail.alt = name;
    thumbnail.loading = "lazy";
    thumbnail.src = `/thumbnails/${address}`;
    button.append(thumbnail);
    button.addEventListener("click", async () => {
      const example = await fetch(`/examples/${address}`);
      if (example.ok) take(new File([await example.blob()], name));
    });
    const item = element("li");
    item.append(button);
    $("examples").append(item);
  }
  $("samples").hidden = !$("examples").childElementCount;
}

// ---- the camera ------------------------------------------------------------------------------------------------

$("camera").addEventListener("click", async () => {
  if (stream) return clear();
  if (!navigator.mediaDevices) {
    // Browsers give the live camera to https and localhost alone; a phone takes a photograph instead.
    $("file").setAttribute("capture", "environment");
    return $("file").click();
  }
  clear();
  const asked = scene;
  try {
    const granted = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
    if (scene !== asked) return granted.getTracks().forEach((track) => track.stop()); // something else is shown by now
    stream = video.srcObject = granted;
    await video.play();
  } catch (error) {
    if (scene !== asked) return;
    stopCamera();
    return show({ status: "error", text: "", digits: [], message: `The camera can't be used (${error.name}). A photograph can be uploaded.` });
  }
  video.hidden = false;
  $("camera").setAttribute("aria-pressed", "true");
  readCamera();
});

async function readCamera() {
  while (stream) {
    await read();
    await new Promise((resolve) => setTimeout(resolve, 10)); // what else the page has to do comes first
  }
}

function cameraSize() {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  return { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) };
}

async function cameraPicture() {
  if (!video.videoWidth) return null;
  Object.assign(frame, cameraSize());
  frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
  return new Promise((resolve) => frame.toBlob(resolve, "image/jpeg", 0.9));
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = video.srcObject = null;
  video.hidden = true;
  $("camera").setAttribute("aria-pressed", "false");
}

// ---- keeping ---------------------------------------------------------------------------------------------------

function suffixOf(blob) {
  const named = /\.[a-z][a-z0-9]{2,3}$/i.exec(blob.name ?? ""); // not that of scan.2026
  return named ? named[0].toLowerCase() : blob.type === "image/jpeg" ? ".jpg" : ".png";
}

$("correction").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!last) return say("There is nothing to keep yet: draw a digit first.", true);
  const answer = await post(`/keep?label=${encodeURIComponent($("label").value)}&suffix=${encodeURIComponent(suffixOf(last))}`, last);
  say(answer.message, answer.failed);
});

function say(sentence, failed = false) {
  $("kept").textContent = sentence;
  $("kept").className = failed ? "error" : "";
}

$("save").addEventListener("click", () => {
  if (!last) return say("There is nothing to save yet: draw a digit first.", true);
  const link = element("a");
  link.href = URL.createObjectURL(last);
  link.download = last.name ?? `drawing${suffixOf(last)}`;
  link.click();
  URL.revokeObjectURL(link.href);
});

choose(false);
fitCanvas();
new ResizeObserver(fitCanvas).observe($("frame"));
listExamples();
