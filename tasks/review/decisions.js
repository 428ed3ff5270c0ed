"use strict";

/**
 * What the editor decides on each angle: kept in memory and, where the browser allows it, under the coverage's id.
 * Every element with `data-angle` that holds the buttons shows the same decision, on the sheet and beside a comparison.
 */
function keepDecisions(data, announce) {
  const key = `mastershot/decisions/${data.coverage_id}`;
  const kept = document.getElementById("kept");
  const text = document.getElementById("decisions-text");
  const decisions = read();

  function read() {
    const known = new Map();
    try {
      const saved = JSON.parse(localStorage.getItem(key) ?? "[]");
      for (const entry of saved) {
        const index = data.angles.findIndex((angle) => angle.name === entry.angle);
        if (index >= 0 && ["approve", "retake"].includes(entry.decision)) known.set(index, entry);
      }
    } catch {
      warn();
    }
    return known;
  }

  function write() {
    try {
      localStorage.setItem(key, JSON.stringify(list()));
    } catch {
      warn();
    }
  }

  function warn() {
    kept.textContent = "This browser keeps nothing for a page from disk: save the decisions before closing it.";
  }

  function list() {
    return data.angles.flatMap((angle, index) => decisions.get(index) ?? []);
  }

  function writeJson() {
    const { project, sequence, scene, version, coverage_id } = data;
    const about = { schema_version: 1, coverage_id, project, sequence, scene, version };
    return JSON.stringify({ ...about, exported_at: new Date().toISOString(), decisions: list() }, null, 2) + "\n";
  }

  function writeText() {
    const heading = [data.project, data.sequence, data.scene, data.version].filter(Boolean).join(" / ");
    const lines = data.angles.map((angle, index) => {
      const entry = decisions.get(index);
      const reason = entry?.reason ? `: ${entry.reason}` : "";
      return `${(entry?.decision ?? "open").padEnd(8)} ${angle.name}${reason}`;
    });
    return [heading, ...lines].join("\n") + "\n";
  }

  function show(root = document) {
    for (const box of root.querySelectorAll(".decision")) {
      const entry = decisions.get(Number(box.dataset.angle));
      for (const button of box.querySelectorAll("[data-decide]")) {
        button.setAttribute("aria-pressed", String(button.dataset.decide === entry?.decision));
      }
      const reason = box.querySelector(".reason");
      reason.hidden = entry?.decision !== "retake";
      const input = reason.querySelector("input");
      if (input !== document.activeElement) input.value = entry?.reason ?? "";
    }
    document.getElementById("num-decided").textContent = `${decisions.size} of ${data.angles.length}`;
    text.value = writeText();
  }

  function put(index, decision, reason) {
    const entry = { angle: data.angles[index].name, decision, reason, decided_at: new Date().toISOString() };
    decisions.set(index, entry);
    write();
    show();
  }

  /** Take a decision, or take it back where it stands already. */
  function decide(index, decision) {
    const { name } = data.angles[index];
    if (decisions.get(index)?.decision === decision) {
      decisions.delete(index);
      write();
      show();
      announce(`${name}: decision withdrawn`);
      return;
    }
    put(index, decision, "");
    announce(`${name}: ${decision === "approve" ? "approved" : "to be taken again"}`);
  }

  /** Mark an angle for a retake and let the editor type why. */
  function askReason(index, box) {
    if (decisions.get(index)?.decision !== "retake") decide(index, "retake");
    box.querySelector("input").focus();
  }

  function save() {
    const address = URL.createObjectURL(new Blob([writeJson()], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: address, download: "decisions.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    announce("decisions.json saved");
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(text.value);
      announce("Decisions copied");
    } catch {
      text.focus();
      text.select();
      announce("Decisions selected: copy them with the keyboard");
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-decide]");
    if (!button) return;
    const box = button.closest(".decision");
    const index = Number(box.dataset.angle);
    decide(index, button.dataset.decide);
    if (decisions.get(index)?.decision === "retake") askReason(index, box);
  });
  document.addEventListener("input", (event) => {
    const box = event.target.closest(".decision");
    if (box) put(Number(box.dataset.angle), "retake", event.target.value.trim());
  });
  document.getElementById("save-decisions").addEventListener("click", save);
  document.getElementById("copy-decisions").addEventListener("click", copy);
  show();
  return { decide, askReason, show };
}
