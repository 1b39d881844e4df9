// What both pages need. Everything is asked of the program alone; no request goes to another host.
"use strict";

const $ = (id) => document.getElementById(id);

// Send something to the program, a Blob or a string, and return its answer; where it refuses, what failure() returns.
async function post(address, body) {
  try {
    const response = await fetch(address, { method: "POST", body });
    const answer = await response.json();
    return response.ok ? answer : { ...failure(answer.message), code: response.status };
  } catch {
    return failure("The program does not answer. Is it still running?");
  }
}

function failure(message) {
  return { status: "error", text: "", digits: [], marks: [], message, failed: true };
}

function newElement(name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  return element;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function saveFile(blob, name) {
  const link = newElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function capitalised(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
