"use strict";

(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const find = (id) => document.getElementById(id);
  const sheet = find("sheet");
  const cards = data.angles.map((_, index) => find(`angle-${index + 1}`));
  const urgency = { fail: 0, review: 1, pass: 2 };
  const shown = new Set(Object.keys(urgency));
  let isFailuresFirst = true;
  let current = null;

  const decisions = keepDecisions(data, announce);
  const comparison = makeComparison(data, { step, announce, closed: focusCard, showDecisions: () => decisions.show() });

  function announce(message) {
    (comparison?.isOpen() ? find("compare-status") : find("status")).textContent = message;
  }

  function listShown() {
    return [...sheet.querySelectorAll("[data-angle].card:not([hidden])")].map((card) => Number(card.dataset.angle));
  }

  /** Return the angle that stands so many places from another in the order of the sheet, or null at its ends. */
  function step(from, by) {
    const order = listShown();
    if (from === null) return order.at(by > 0 ? 0 : -1) ?? null;
    const place = order.indexOf(from);
    return place < 0 ? order[0] ?? null : order[place + by] ?? null;
  }

  function focusCard(index) {
    const button = cards[index].querySelector(".open");
    if (cards[index].hidden) return;
    button.focus({ preventScroll: true });
    cards[index].scrollIntoView({ block: "nearest" });
  }

  function goTo(index) {
    if (index === null) return;
    if (comparison.isOpen()) comparison.open(index);
    else focusCard(index);
  }

  function orderSheet(failuresFirst) {
    isFailuresFirst = failuresFirst;
    const focused = document.activeElement;
    const rank = (card) => (failuresFirst ? urgency[card.dataset.verdict] * cards.length : 0) + Number(card.dataset.angle);
    find("plan").before(...[...cards].sort((a, b) => rank(a) - rank(b)));
    if (sheet.contains(focused)) focused.focus();
    for (const button of document.querySelectorAll("[data-order]")) {
      button.setAttribute("aria-pressed", String((button.dataset.order === "verdict") === failuresFirst));
    }
    announce(failuresFirst ? "Failures first" : "Order of the request");
  }

  function filter(verdict) {
    if (!shown.delete(verdict)) shown.add(verdict);
    for (const element of document.querySelectorAll("[data-angle][data-verdict]")) {
      element.toggleAttribute("hidden", !shown.has(element.dataset.verdict));
    }
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(shown.has(button.dataset.filter)));
    }
    const number = listShown().length;
    find("nothing-shown").hidden = number > 0;
    announce(`${number} of ${cards.length} angles shown`);
  }

  function sortTable(header) {
    const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    const body = document.querySelector("#score-table .figures");
    const sign = direction === "ascending" ? 1 : -1;
    const valueOf = (row) => row.children[header.cellIndex].dataset.value;
    const compare = (a, b) => {
      const [left, right] = [valueOf(a), valueOf(b)];
      if (left === "" || right === "") return (left === "") - (right === "");
      return sign * (Number(left) - Number(right));
    };
    const rows = [...body.rows].sort((a, b) => compare(a, b) || Number(a.dataset.angle) - Number(b.dataset.angle));
    body.append(...rows);
    announce(`Sorted by ${header.querySelector(".sort").textContent.trim()}, ${direction}`);
  }

  function link(target) {
    const index = target?.closest?.("[data-angle]")?.dataset.angle;
    for (const element of document.querySelectorAll(".is-linked")) element.classList.remove("is-linked");
    if (index === undefined) return;
    for (const element of document.querySelectorAll(`[data-angle="${index}"]`)) element.classList.add("is-linked");
  }

  function openHelp() {
    find("help").showModal();
  }

  const byKey = {
    j: () => goTo(step(here(), 1)),
    k: () => goTo(step(here(), -1)),
    ArrowRight: () => goTo(step(here(), 1)),
    ArrowLeft: () => goTo(step(here(), -1)),
    s: () => compareBy("side"),
    w: () => compareBy("wipe"),
    b: () => compareBy("blink"),
    h: () => inComparison(() => comparison.toggleHeat()),
    a: () => here() !== null && decisions.decide(here(), "approve"),
    r: () => here() !== null && decisions.askReason(here(), boxOf(here())),
    f: () => orderSheet(!isFailuresFirst),
    "?": openHelp,
  };

  function here() {
    return comparison.isOpen() ? comparison.index() : current;
  }

  function boxOf(index) {
    return (comparison.isOpen() ? comparison.dialog : cards[index]).querySelector(".decision");
  }

  function inComparison(act) {
    if (!comparison.isOpen() && step(here(), 0) !== null) comparison.open(here() ?? step(null, 1));
    if (comparison.isOpen()) act();
  }

  function compareBy(mode) {
    inComparison(() => comparison.useMode(mode));
  }

  function isTyping(target) {
    return target.matches("input:not([type=checkbox]), textarea, select");
  }

  function pressKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
    const { key, target } = event;
    if (isTyping(target)) return leaveReason(event);
    if (key.startsWith("Arrow") && target.matches(".scroll")) return;
    if (!find("keys-on").checked) return;
    const act = byKey[key.length === 1 ? key.toLowerCase() : key] ?? (/^[1-9]$/.test(key) ? () => goTo(numbered(key)) : null);
    if (act) {
      event.preventDefault();
      act();
    } else if (key === " " && comparison.isOpen() && comparison.mode() === "blink" && !target.matches("button, summary, a")) {
      event.preventDefault();
      comparison.swapByHand();
    } else if (key === "Enter" && target === document.body && current !== null) {
      comparison.open(current);
    }
  }

  function numbered(key) {
    const index = Number(key) - 1;
    return cards[index] && !cards[index].hidden ? index : null;
  }

  /** Enter and Escape end the typing of a reason and give the keys back to the page. */
  function leaveReason(event) {
    if (!event.target.closest(".reason") || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (comparison.isOpen()) find("stage").focus();
    else focusCard(Number(event.target.closest(".decision").dataset.angle));
  }

  document.addEventListener("keydown", pressKey);
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".card[data-angle]");
    if (card) current = Number(card.dataset.angle);
    link(event.target);
  });
  document.addEventListener("pointerover", (event) => link(event.target));
  document.addEventListener("click", (event) => {
    const opener = event.target.closest(".open");
    const jump = event.target.closest("a[href^='#angle-']");
    if (opener) comparison.open(Number(opener.closest(".card").dataset.angle));
    if (jump) {
      event.preventDefault();
      focusCard(Number(jump.closest("[data-angle]").dataset.angle));
    }
  });
  for (const button of document.querySelectorAll("[data-filter]")) button.addEventListener("click", () => filter(button.dataset.filter));
  for (const button of document.querySelectorAll("[data-order]")) button.addEventListener("click", () => orderSheet(button.dataset.order === "verdict"));
  for (const button of document.querySelectorAll(".sort")) button.addEventListener("click", () => sortTable(button.closest("th")));
  find("previous").addEventListener("click", () => goTo(step(comparison.index(), -1)));
  find("next").addEventListener("click", () => goTo(step(comparison.index(), 1)));
  find("open-help").addEventListener("click", openHelp);
  find("close-help").addEventListener("click", () => find("help").close());
  for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
})();
