"use strict";

/** Lightness rises evenly from one stop to the next, so equal steps of similarity look equal. Source: viridis. */
const SCALE = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
const BLINK_MS = 500;
const CELL_PX = 12;
const GAP_PX = 16;
const CAPTION_PX = 26;

function colourOf(value) {
  const place = Math.min(Math.max(value, 0), 1) * (SCALE.length - 1);
  const low = Math.min(Math.floor(place), SCALE.length - 2);
  const channel = (stop, at) => parseInt(SCALE[stop].slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(channel(low, at) + (place - low) * (channel(low + 1, at) - channel(low, at))));
  return `rgb(${mixed.join(" ")})`;
}

function drawHeatMap(rows) {
  const canvas = document.createElement("canvas");
  canvas.width = rows[0].length * CELL_PX;
  canvas.height = rows.length * CELL_PX;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  rows.forEach((row, y) =>
    row.forEach((value, x) => {
      context.fillStyle = value === null ? "#000000" : colourOf(value);
      context.fillRect(x * CELL_PX, y * CELL_PX, CELL_PX, CELL_PX);
      if (value !== null) return;
      context.strokeStyle = "#b3b3b3";
      context.beginPath();
      context.moveTo(x * CELL_PX, (y + 1) * CELL_PX);
      context.lineTo((x + 1) * CELL_PX, y * CELL_PX);
      context.stroke();
    }),
  );
  return canvas;
}

function describeHeatMap(rows) {
  const values = rows.flat().filter((value) => value !== null).sort((a, b) => a - b);
  const size = `${rows[0].length} x ${rows.length} patches`;
  if (values.length === 0) return `${size}, none measured.`;
  const missing = rows.flat().length - values.length;
  const middle = values[Math.floor((values.length - 1) / 2)];
  const figures = `lowest ${values[0].toFixed(2)}, median ${middle.toFixed(2)}, highest ${values.at(-1).toFixed(2)}`;
  return `${size}: ${figures}${missing ? `; ${missing} not measured, hatched` : ""}.`;
}

/** The comparison of one angle with the master, another angle or another attempt. */
function makeComparison(data, hooks) {
  const find = (id) => document.getElementById(id);
  const [dialog, stage, divider, against] = ["compare", "stage", "divider", "against"].map(find);
  const views = { other: find("view-other"), angle: find("view-angle") };
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  const cards = data.angles.map((_, index) => find(`angle-${index + 1}`));
  const state = { index: 0, mode: "side", split: 50, isHeatOn: false, isOtherShown: false, against: "master", timer: null };

  const frameOf = (view) => view.querySelector(".frame");
  const nameOf = (index) => `${index + 1} ${data.angles[index].name}`;

  function copyPicture(image) {
    const copy = new Image();
    copy.src = image.src;
    copy.alt = image.alt;
    copy.draggable = false;
    return copy;
  }

  function listOthers() {
    const previous = hooks.step(state.index, -1);
    const others = [["master", "Master"]];
    if (previous !== null && previous !== state.index) others.push(["previous", `Previous: ${nameOf(previous)}`]);
    for (const item of cards[state.index].querySelectorAll("[data-attempt]:not(.chosen)")) {
      others.push([`attempt-${item.dataset.attempt}`, `Attempt ${item.dataset.attempt}`]);
    }
    data.angles.forEach((_, index) => index !== state.index && others.push([`angle-${index}`, nameOf(index)]));
    against.replaceChildren(...others.map(([value, label]) => new Option(label, value)));
    if (!others.some(([value]) => value === state.against)) state.against = "master";
    against.value = state.against;
  }

  function findOther() {
    const [kind, number] = state.against.split("-");
    if (kind === "master") return find("master").querySelector("img");
    if (kind === "attempt") return cards[state.index].querySelector(`[data-attempt="${number}"] img`);
    return cards[kind === "previous" ? hooks.step(state.index, -1) : Number(number)].querySelector(".open img");
  }

  function showPictures() {
    const heat = data.angles[state.index].heat_map;
    const picture = copyPicture(cards[state.index].querySelector(".open img"));
    picture.classList.toggle("under-heat", state.isHeatOn && heat !== null);
    frameOf(views.angle).replaceChildren(picture, ...(state.isHeatOn && heat ? [drawHeatMap(heat)] : []));
    views.angle.querySelector(".caption").textContent = nameOf(state.index);
    frameOf(views.other).replaceChildren(copyPicture(findOther()));
    views.other.querySelector(".caption").textContent = against.selectedOptions[0].label;
    find("heat").setAttribute("aria-pressed", String(state.isHeatOn));
    find("heat").disabled = heat === null && !state.isHeatOn;
    find("scale").hidden = !state.isHeatOn;
    find("heat-words").textContent = heat ? describeHeatMap(heat) : "Not measured for this angle.";
  }

  function showFindings() {
    const card = cards[state.index];
    find("compare-title").textContent = nameOf(state.index);
    find("compare-verdict").replaceChildren(card.querySelector(".badge").cloneNode(true));
    const copies = [card.querySelector(".findings"), card.querySelector(".decision")].map((node) => node.cloneNode(true));
    for (const details of copies[0].querySelectorAll("details")) details.open = true;
    find("findings").replaceChildren(...copies);
    hooks.showDecisions();
  }

  /** Lay the pictures out: abreast, stacked where that makes them much larger, or one over the other. */
  function arrange() {
    const box = { width: stage.clientWidth - 2 * GAP_PX, height: stage.clientHeight - 2 * GAP_PX - CAPTION_PX };
    const image = cards[state.index].querySelector(".open img");
    const aspect = image.getAttribute("width") / image.getAttribute("height");
    const abreast = Math.min((box.width - GAP_PX) / 2, box.height * aspect);
    const stacked = Math.min(box.width, ((box.height - GAP_PX - CAPTION_PX) / 2) * aspect);
    const isStacked = state.mode === "side" && stacked > 1.35 * abreast;
    const isAbreast = state.mode === "side" && !isStacked;
    const across = isAbreast ? GAP_PX : 0;
    const down = isStacked ? GAP_PX + CAPTION_PX : 0;
    const room = { width: (box.width - across) / (isAbreast ? 2 : 1), height: (box.height - down) / (isStacked ? 2 : 1) };
    const width = Math.max(Math.min(room.width, room.height * aspect), 40);
    const height = width / aspect;
    const left = GAP_PX + (box.width - (isAbreast ? 2 * width + across : width)) / 2;
    const top = GAP_PX + CAPTION_PX + (box.height - (isStacked ? 2 * height + down : height)) / 2;
    place(views.other, left, top, width, height);
    place(views.angle, left + (isAbreast ? width + across : 0), top + (isStacked ? height + down : 0), width, height);
    place(divider, left + (width * state.split) / 100, top, null, height);
    stage.dataset.mode = state.mode;
    const isWipe = state.mode === "wipe";
    frameOf(views.angle).style.clipPath = isWipe ? `inset(0 0 0 ${state.split}%)` : "";
    frameOf(views.other).style.clipPath = isWipe ? `inset(0 ${100 - state.split}% 0 0)` : "";
    views.angle.style.visibility = state.mode === "blink" && state.isOtherShown ? "hidden" : "";
    views.other.style.visibility = state.mode === "blink" && !state.isOtherShown ? "hidden" : "";
    divider.setAttribute("aria-valuenow", String(Math.round(state.split)));
    divider.setAttribute("aria-valuetext", `${Math.round(state.split)} % of ${against.selectedOptions[0]?.label ?? "the master"}`);
  }

  function place(element, left, top, width, height) {
    Object.assign(element.style, { left: `${left}px`, top: `${top}px`, height: `${height}px` });
    if (width !== null) element.style.width = `${width}px`;
  }

  function show() {
    listOthers();
    showPictures();
    showFindings();
    arrange();
  }

  function setMode(mode) {
    stopBlinking();
    state.mode = mode;
    state.isOtherShown = false;
    find("blinking").hidden = mode !== "blink";
    for (const button of dialog.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    arrange();
  }

  /** Choose a way to compare by its key, and bring the focus to where its keys work. */
  function useMode(mode) {
    if (mode !== "blink" || state.mode !== "blink") setMode(mode);
    else if (state.timer !== null) return stopBlinking();
    if (mode === "blink") startBlinking();
    (mode === "wipe" ? divider : stage).focus();
  }

  function startBlinking() {
    if (stillness.matches) return hooks.announce("Less motion is asked for: Space swaps the pictures");
    state.timer = setInterval(swap, BLINK_MS);
    find("automatic").setAttribute("aria-pressed", "true");
  }

  function stopBlinking() {
    clearInterval(state.timer);
    state.timer = null;
    find("automatic").setAttribute("aria-pressed", "false");
  }

  function swap() {
    state.isOtherShown = !state.isOtherShown;
    arrange();
  }

  function swapByHand() {
    stopBlinking();
    swap();
    hooks.announce(state.isOtherShown ? against.selectedOptions[0].label : nameOf(state.index));
  }

  function toggleHeat() {
    if (data.angles[state.index].heat_map === null && !state.isHeatOn) return hooks.announce("No heat map was measured for this angle");
    state.isHeatOn = !state.isHeatOn;
    showPictures();
    hooks.announce(state.isHeatOn ? `Heat map: ${find("heat-words").textContent}` : "Heat map off");
  }

  function moveDivider(percent) {
    state.split = Math.min(Math.max(percent, 0), 100);
    arrange();
  }

  function open(index) {
    state.index = index;
    state.against = "master";
    if (!dialog.open) {
      dialog.showModal();
      document.documentElement.style.overflow = "hidden";
      stage.focus();
    }
    show();
    hooks.announce(`${nameOf(index)}, ${data.angles[index].verdict}`);
  }

  function close() {
    dialog.close();
  }

  function followPointer(event) {
    const box = views.angle.getBoundingClientRect();
    moveDivider((100 * (event.clientX - box.left)) / box.width);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (state.mode !== "wipe" || event.button !== 0) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    divider.focus();
    followPointer(event);
  });
  stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && followPointer(event));
  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const places = { ArrowLeft: state.split - step, ArrowRight: state.split + step, ArrowDown: state.split - step, ArrowUp: state.split + step, Home: 0, End: 100 };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();
    moveDivider(places[event.key]);
  });
  against.addEventListener("change", () => {
    state.against = against.value;
    showPictures();
    arrange();
  });
  for (const button of dialog.querySelectorAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
  find("swap").addEventListener("click", swapByHand);
  find("automatic").addEventListener("click", () => (state.timer === null ? startBlinking() : stopBlinking()));
  find("heat").addEventListener("click", toggleHeat);
  find("close-compare").addEventListener("click", close);
  dialog.addEventListener("close", () => {
    stopBlinking();
    document.documentElement.style.overflow = "";
    hooks.closed(state.index);
  });
  new ResizeObserver(arrange).observe(stage);
  drawScale(find("scale-bar"));
  setMode("side");
  return { open, useMode, toggleHeat, swapByHand, isOpen: () => dialog.open, index: () => state.index, mode: () => state.mode, dialog };
}

function drawScale(canvas) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    context.fillStyle = colourOf(x / (canvas.width - 1));
    context.fillRect(x, 0, 1, 1);
  }
}
