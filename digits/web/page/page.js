// Strokes, an image or the camera -> a PNG or JPEG to /read -> the answer on the page.
"use strict";

const drawing = $("drawing"), boxes = $("boxes"), video = $("video"); // boxes: a second canvas, on top of the drawing

const WORKING_SIDE = 800; // pixels; the program reduces larger images to this, so that more would only take time to send
const READ_WIDTH = 480; // pixels; a drawing has no fine details, and is read in half the time when it is sent this small
const PEN_WIDTH = 1 / 36; // of the drawing's width; digits 1/4 of it high then have MNIST's strokes, 1/9 of their height
const ERASER_WIDTH = 3 * PEN_WIDTH;
const CAMERA_PAUSE = 10; // milliseconds between two readings, in which the page can react to its buttons
const PERCENT = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1 });

// What is shown: a drawing, an image or the camera.
let strokes = []; // [{ erases, points: [[x, y]] }], in units of the drawing's width
let currentStroke = null; // the one that is being drawn, with its pointer's id
let erasing = false;
let image = null; // a Blob that is shown in place of the drawing: uploaded, dropped, pasted or an example
let page = 1; // of that image's file, which may be a PDF or TIFF file with several
let preview = null; // that image as the program sees it, an ImageBitmap
let cameraStream = null;
let changes = 0; // how often another image, camera or empty drawing was shown; an answer to an earlier one comes too late

const sent = document.createElement("canvas"); // the drawing or the camera's image, in the size in which it is read
let lastRead = null; // the Blob that was read last: the one to keep or save

// ---- reading ---------------------------------------------------------------------------------------------------

// One request at a time. What changes meanwhile is read once, afterwards, so that no requests queue up.
let reading = false, changedMeanwhile = false;

async function read() {
  changedMeanwhile = true;
  if (reading) return;
  reading = true;
  try {
    while (changedMeanwhile) {
      changedMeanwhile = false;
      await readOnce();
    }
  } finally {
    reading = false;
  }
}

async function readOnce() {
  const readAtChange = changes;
  if (!image && !cameraStream && strokes.length === 0) {
    lastRead = null;
    return showAnswer({ status: "start", text: "", digits: [], marks: [] });
  }
  const blob = image || (await (cameraStream ? cameraBlob() : drawingBlob()));
  if (!blob) return;
  const parameters = new URLSearchParams({ preview: blob === image ? 1 : 0, page, expect: $("expect").value.trim() });
  const answer = await post(`/read?${parameters}`, blob);
  const bitmap = answer.preview ? await createImageBitmap(new Blob([bytesOf(answer.preview.png)])) : null;
  if (changes !== readAtChange) return;
  lastRead = blob;
  preview = bitmap;
  if (preview) redraw();
  showPages(answer.pages ?? 1);
  showAnswer(answer);
}

function drawingBlob() {
  const scale = readScale();
  Object.assign(sent, { width: Math.round(drawing.width * scale), height: Math.round(drawing.height * scale) });
  const context = sent.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(drawing, 0, 0, sent.width, sent.height);
  return new Promise((resolve) => sent.toBlob(resolve, "image/png"));
}

function readScale() {
  return Math.min(1, READ_WIDTH / drawing.width);
}

// ---- the answer ------------------------------------------------------------------------------------------------

const STATUS_TEXTS = {
  start: "Draw a digit, or several.",
  ok: "",
  empty: "empty: no ink was found",
};

function showAnswer(answer) {
  const text = answer.text.replaceAll("|", " | "); // text lines on one line of the page: the drawing below must not move
  const status = answer.status === "unsure" ? `not sure: ${answer.message}` : STATUS_TEXTS[answer.status] ?? capitalised(answer.message);
  $("answer").className = answer.status;
  $("text").textContent = text;
  // A bold character is about 0.6 em wide, so at this size any number of them fills four fifths of the width at most.
  $("text").style.fontSize = `min(2.4rem, ${(135 / Math.max(text.length, 1)).toFixed(1)}cqw)`;
  $("status").textContent = status;
  if (!currentStroke && !cameraStream) announce(`${answer.text.replaceAll("|", ", then ")} ${status}`.trim());
  showBoxes(answer);
  showDigits(answer.digits);
  window.dispatchEvent(new CustomEvent("answer", { detail: answer })); // for tests and benchmarks
}

// Let screen readers say it, unless they have just said the same.
function announce(sentence) {
  if ($("announcement").textContent !== sentence) $("announcement").textContent = sentence;
}

function showDigits(digits) {
  $("hint").hidden = digits.length > 0;
  // Cards are used again, so that the page does not flicker during a stroke.
  const cards = [...$("digits").querySelectorAll(".digit")].slice(0, digits.length);
  while (cards.length < digits.length) cards.push(newCard());
  digits.forEach((digit, i) => fillCard(cards[i], digit));
  $("digits").replaceChildren(...cards);
}

function newCard() {
  const crop = newElement("canvas");
  crop.width = crop.height = 28;
  crop.setAttribute("role", "img");
  const bars = newElement("ol", "bars");
  for (let digit = 0; digit < 10; digit++) {
    const bar = newElement("li"), track = newElement("div");
    track.append(newElement("i"));
    bar.append(track, String(digit));
    bars.append(bar);
  }
  const answer = newElement("div"), card = newElement("div", "digit");
  answer.append(newElement("h3"), bars);
  card.append(crop, answer);
  return card;
}

function fillCard(card, { digit, confidence, probabilities, crop }) {
  drawCrop(card.querySelector("canvas"), crop);
  card.querySelector("canvas").setAttribute("aria-label", `The crop that the network saw of the ${digit}`);
  card.querySelector("h3").textContent = `${digit}: ${PERCENT.format(Math.min(confidence, 0.999))}`; // no answer is certain
  card.querySelectorAll("li").forEach((bar, i) => {
    bar.className = i === digit ? "first" : "";
    bar.querySelector("i").style.height = `${100 * probabilities[i]}%`;
    bar.setAttribute("aria-label", `${i}: ${PERCENT.format(probabilities[i])}`);
  });
}

function drawCrop(canvas, base64) {
  const context = canvas.getContext("2d"), pixels = context.createImageData(28, 28);
  bytesOf(base64).forEach((level, i) => pixels.data.set([level, level, level, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
}

function showBoxes(answer) {
  const context = boxes.getContext("2d");
  context.clearRect(0, 0, boxes.width, boxes.height);
  const position = imagePosition(answer);
  if (!position) return;
  const fontSize = Math.max(14, boxes.width / 30), margin = 4; // pixels; the margin keeps the box off the ink
  context.lineWidth = Math.max(2, boxes.width / 300);
  context.font = `600 ${fontSize}px system-ui`;
  context.strokeStyle = context.fillStyle = answer.status === "unsure" ? "#b36b00" : "#1f5fa8";
  for (const { box: [x, y, width, height], digit, mark } of [...answer.digits, ...answer.marks]) {
    const left = position.x + x * position.scale - margin, top = position.y + y * position.scale - margin;
    context.strokeRect(left, top, width * position.scale + 2 * margin, height * position.scale + 2 * margin);
    context.fillText(digit ?? mark, left, Math.max(top - margin, fontSize));
  }
}

// Where the image that was read lies in the drawing area: its upper left corner, and how large one of its pixels is there.
function imagePosition(answer) {
  if (cameraStream) return fitted(video.videoWidth, video.videoHeight, video.videoWidth / cameraSize().width);
  if (!image) return { x: 0, y: 0, scale: 1 / readScale() };
  return answer.preview ? fitted(preview.width, preview.height, preview.width / answer.preview.width) : null;
}

// How something of this size is shown in the drawing area: as large as possible, in the middle.
function fitted(width, height, pixelSize = 1) {
  const fit = Math.min(boxes.width / width, boxes.height / height);
  return { x: (boxes.width - width * fit) / 2, y: (boxes.height - height * fit) / 2, fit, scale: fit * pixelSize };
}

// ---- drawing ---------------------------------------------------------------------------------------------------

function redraw() {
  const context = drawing.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, drawing.width, drawing.height);
  if (preview) {
    const { x, y, fit } = fitted(preview.width, preview.height);
    context.drawImage(preview, x, y, preview.width * fit, preview.height * fit);
  }
  for (const stroke of strokes) drawStroke(context, stroke);
}

function drawStroke(context, { erases, points }) {
  const [first, ...others] = points.map(([x, y]) => [x * drawing.width, y * drawing.width]);
  context.strokeStyle = erases ? "#fff" : "#111";
  context.lineWidth = (erases ? ERASER_WIDTH : PEN_WIDTH) * drawing.width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...first);
  for (const point of others.length ? others : [first]) context.lineTo(...point); // a single point is a dot
  context.stroke();
}

// Give both canvases as many pixels as the screen has there, at most as many as are read.
function fitCanvases() {
  const { width, height } = $("frame").getBoundingClientRect();
  const scale = Math.min(window.devicePixelRatio || 1, WORKING_SIDE / width);
  for (const canvas of [drawing, boxes]) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  redraw();
  read();
}

function pointOf(event) {
  const { left, top, width } = drawing.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / width];
}

drawing.addEventListener("pointerdown", (event) => {
  const usable = event.button === 0 || event.button === 5; // the first button or the pen's tip; a pen's eraser
  if (!usable || cameraStream || currentStroke) return; // during a stroke the palm beside the pen draws nothing
  if (image) clear();
  drawing.setPointerCapture(event.pointerId);
  const penTurnedRound = event.buttons === 32; // its eraser touches the screen
  currentStroke = { pointerId: event.pointerId, erases: erasing || penTurnedRound, points: [pointOf(event)] };
  strokes.push(currentStroke);
  redraw();
  read();
});

drawing.addEventListener("pointermove", (event) => {
  if (event.pointerId !== currentStroke?.pointerId) return;
  // Between two frames of the screen a pen passes several points; with all of them the stroke is smooth.
  const events = event.getCoalescedEvents?.() ?? [];
  currentStroke.points.push(...(events.length ? events : [event]).map(pointOf));
  redraw();
  read();
});

for (const end of ["pointerup", "pointercancel"]) {
  drawing.addEventListener(end, (event) => {
    if (event.pointerId !== currentStroke?.pointerId) return;
    currentStroke = null;
    read();
  });
}

function undo() {
  if (image) return clear();
  strokes.pop();
  redraw();
  read();
}

function clear() {
  showImage(null);
}

function useEraser(yes) {
  erasing = yes;
  $("pen").setAttribute("aria-pressed", String(!yes));
  $("eraser").setAttribute("aria-pressed", String(yes));
}

$("pen").addEventListener("click", () => useEraser(false));
$("eraser").addEventListener("click", () => useEraser(true));
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
document.addEventListener("keydown", (event) => {
  const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  if (!isUndo || event.target.matches("input")) return; // there it takes back what was typed
  event.preventDefault();
  undo();
});

// ---- images ----------------------------------------------------------------------------------------------------

// Show an image, a Blob, in place of everything else; null: an empty drawing.
function showImage(blob) {
  changes++;
  stopCamera();
  strokes = [];
  currentStroke = preview = lastRead = null;
  image = blob;
  $("page").value = page = 1;
  showPages(1);
  $("kept").textContent = "";
  redraw();
  read();
}

// Let the visitor choose a page, where the file has several.
function showPages(count) {
  $("pages").hidden = count === 1;
  $("page").max = $("page-count").textContent = count;
}

$("page").addEventListener("input", () => {
  if (!$("page").checkValidity()) return; // while a number is being typed
  page = $("page").valueAsNumber;
  changes++;
  read();
});

$("upload").addEventListener("click", () => {
  $("file").removeAttribute("capture");
  $("file").click();
});
$("file").addEventListener("change", () => {
  if ($("file").files.length) showImage($("file").files[0]);
  $("file").value = ""; // so that the same file can be uploaded again
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) showImage(file);
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
  const [file] = event.dataTransfer.files;
  if (file) showImage(file);
});

async function listExamples() {
  const response = await fetch("/examples");
  const names = response.ok ? await response.json() : [];
  $("examples").replaceChildren(...names.map(newExample));
  $("samples").hidden = names.length === 0;
}

function newExample(name) {
  const address = name.split("/").map(encodeURIComponent).join("/");
  const item = newElement("li"), button = newElement("button"), thumbnail = newElement("img");
  thumbnail.loading = "lazy";
  thumbnail.src = `/thumbnails/${address}`;
  button.type = "button";
  button.title = thumbnail.alt = name;
  button.append(thumbnail);
  button.addEventListener("click", async () => {
    const response = await fetch(`/examples/${address}`);
    if (response.ok) showImage(new File([await response.blob()], name));
  });
  item.append(button);
  return item;
}

// ---- the camera ------------------------------------------------------------------------------------------------

$("camera").addEventListener("click", () => {
  if (cameraStream) return clear();
  if (navigator.mediaDevices) return startCamera();
  // Browsers allow a live camera only for https and localhost; elsewhere a phone takes a photograph instead.
  $("file").setAttribute("capture", "environment");
  $("file").click();
});

async function startCamera() {
  clear();
  const startedAtChange = changes;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
    if (changes !== startedAtChange) return stopTracks(stream); // something else was shown before the visitor gave permission
    cameraStream = video.srcObject = stream;
    await video.play();
  } catch (error) {
    if (changes !== startedAtChange) return;
    stopCamera();
    return showAnswer(failure(`The camera can't be used (${error.name}). You can upload a photograph instead.`));
  }
  video.hidden = false;
  $("camera").setAttribute("aria-pressed", "true");
  readCamera();
}

async function readCamera() {
  while (cameraStream) {
    await read();
    await new Promise((resolve) => setTimeout(resolve, CAMERA_PAUSE));
  }
}

function cameraSize() {
  const scale = Math.min(1, WORKING_SIDE / Math.max(video.videoWidth, video.videoHeight));
  return { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) };
}

async function cameraBlob() {
  if (!video.videoWidth) return null; // its first frame has not come yet
  Object.assign(sent, cameraSize());
  sent.getContext("2d").drawImage(video, 0, 0, sent.width, sent.height);
  return new Promise((resolve) => sent.toBlob(resolve, "image/jpeg"));
}

function stopCamera() {
  if (!cameraStream) return;
  stopTracks(cameraStream);
  cameraStream = video.srcObject = null;
  video.hidden = true;
  $("camera").setAttribute("aria-pressed", "false");
}

function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}

// ---- keeping and saving ----------------------------------------------------------------------------------------

$("correction").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!lastRead) return showMessage("There is nothing to keep yet: draw a digit first.", true);
  const parameters = new URLSearchParams({ label: $("label").value, suffix: suffixOf(lastRead) });
  const answer = await post(`/keep?${parameters}`, lastRead);
  showMessage(answer.message, answer.failed);
});

$("expect").addEventListener("input", read);

$("save").addEventListener("click", () => {
  if (!lastRead) return showMessage("There is nothing to save yet: draw a digit first.", true);
  saveFile(lastRead, lastRead.name ?? `drawing${suffixOf(lastRead)}`);
});

function suffixOf(blob) {
  const suffix = /\.[a-z][a-z0-9]{2,3}$/i.exec(blob.name ?? ""); // "scan.2026" has none
  if (suffix) return suffix[0].toLowerCase();
  return blob.type === "image/jpeg" ? ".jpg" : ".png";
}

function showMessage(sentence, failed = false) {
  $("kept").textContent = sentence;
  $("kept").className = failed ? "error" : "";
}

useEraser(false);
fitCanvases();
new ResizeObserver(fitCanvases).observe($("frame"));
listExamples();
