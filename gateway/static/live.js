// Makes an open page live: states, ages and strips. Every page is whole without it.
"use strict";

(() => {
  const body = document.body;
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const STRIP_EVERY_MS = 15000;

  const age = (iso) => {
    const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
    const [unit, length] = STEPS.find(([, length]) => seconds >= length * 1.5) || STEPS[3];
    return relative.format(-Math.round(seconds / length), unit);
  };
  const ages = () => {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const text = age(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(ages, 1000);

  const drawn = {};
  const strips = async () => {
    const base = body.dataset.strip;
    if (!base || document.hidden) return;
    for (const holder of document.querySelectorAll("[data-strip-of]")) {
      const span = holder.dataset.stripOf;
      if (Date.now() - (drawn[span] || 0) < STRIP_EVERY_MS) continue;
      drawn[span] = Date.now();
      try {
        const answer = await fetch(base + span);
        const drawing = answer.ok ? await answer.text() : "";
        if (drawing) holder.innerHTML = drawing;
      } catch { /* the stream's own reconnect says when the gateway is away */ }
    }
  };
  if (body.dataset.strip) setInterval(strips, STRIP_EVERY_MS);

  const set = (element, text) => {
    if (!element || text === null || element.textContent === text) return;
    element.textContent = text;
    element.classList.remove("fresh");
    void element.offsetWidth;
    element.classList.add("fresh");
  };
  const machine = (said) => {
    for (const line of document.querySelectorAll(`[data-machine="${CSS.escape(said.machine)}"]`)) {
      const chip = line.querySelector("[data-state-chip]");
      const text = line.querySelector("[data-state-text]");
      if (chip && text && text.textContent !== said.state) {
        chip.querySelector("svg").outerHTML = said.chip;
        set(text, said.state);
      }
      const silent = line.querySelector("[data-silent]");
      if (silent) silent.hidden = !said.silent;
    }
    for (const holder of document.querySelectorAll(`[data-age-of="${CSS.escape(said.machine)}"]`)) {
      if (!said.at) continue;
      let time = holder.querySelector("time");
      if (!time) {
        time = document.createElement("time");
        time.dataset.age = "";
        holder.replaceChildren(time);
      }
      time.dateTime = said.at;
    }
    for (const power of document.querySelectorAll(`[data-power-of="${CSS.escape(said.machine)}"]`)) set(power, said.power);
    const claimed = document.querySelector("[data-claimed]");
    if (body.dataset.strip || (claimed && claimed.dataset.claimedId === said.machine)) {
      set(document.querySelector("[data-since]"), said.since);
      for (const power of document.querySelectorAll("[data-power]")) set(power, said.power);
      const measured = document.querySelector("[data-power-at] time");
      if (measured && said.power_at) measured.dateTime = said.power_at;
    }
    ages();
  };

  // Devices without a machine: facts are renewed in place, so that a form being filled in stays as it is.
  const typed = (form) => form.contains(document.activeElement) || [...form.elements].some((field) => (
    field.tagName === "SELECT" ? [...field.options].some((one) => one.selected !== one.defaultSelected)
      && field.selectedIndex !== 0 : field.defaultValue !== undefined && field.value !== field.defaultValue));
  const devices = async () => {
    const holder = document.querySelector("[data-devices]");
    if (!holder || document.hidden) return;
    let text = "";
    try {
      const answer = await fetch(holder.dataset.devices);
      text = answer.ok ? await answer.text() : "";
    } catch { /* the stream's own reconnect says when the gateway is away */ }
    if (!text) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    const cards = (root) => new Map([...root.querySelectorAll("[data-device]")].map((card) => [card.dataset.device, card]));
    const [before, after] = [cards(holder), cards(fresh.content)];
    const same = before.size === after.size && [...after.keys()].every((topic) => before.has(topic));
    if (!same && ![...holder.querySelectorAll("form")].some((form) => typed(form) || "wrong" in form.dataset)) {
      const focused = document.activeElement.closest("[data-device]");
      for (const [topic, card] of after) {
        const known = before.get(topic);
        if (known) card.querySelector(".fold").open = known.querySelector(".fold").open;
      }
      holder.replaceChildren(fresh.content);
      const again = focused && after.get(focused.dataset.device);
      if (again) again.querySelector("summary").focus();
    } else {
      for (const [topic, card] of after) {
        const known = before.get(topic);
        if (!known) {
          holder.querySelector("[data-devices-end]").before(card);
          continue;
        }
        known.querySelector("[data-line]").innerHTML = card.querySelector("[data-line]").innerHTML;
        if (!known.querySelector("[data-facts] details[open]")) {
          known.querySelector("[data-facts]").replaceWith(card.querySelector("[data-facts]"));
        }
      }
      const said = fresh.content.querySelector("[data-devices-said]");
      if (said) holder.querySelector("[data-devices-said]").replaceWith(said);
    }
    ages();
  };
  // What was claimed is drawn anew at its first readings: until then there is nothing to mark.
  const claimed = async (id) => {
    const holder = document.querySelector("[data-claimed]");
    if (!holder || holder.dataset.claimedId !== id || !holder.querySelector("[data-awaits]")) return;
    try {
      const answer = await fetch(holder.dataset.claimed);
      if (answer.ok) holder.innerHTML = await answer.text();
    } catch { /* as above */ }
    ages();
  };
  let waiting = null;
  const devicesSoon = () => {
    waiting ??= setTimeout(async () => { await devices(); waiting = null; }, 300);
  };
  document.addEventListener("visibilitychange", devicesSoon);

  if (!body.dataset.events) return;
  const stream = new EventSource(body.dataset.events);
  const note = document.querySelector("[data-live-note]");
  stream.onopen = () => { if (note) note.hidden = false; };
  stream.onerror = () => { if (note) note.hidden = true; };
  stream.addEventListener("state", (event) => {
    const said = JSON.parse(event.data);
    machine(said);
    claimed(said.machine);
  });
  stream.addEventListener("devices", devicesSoon);
  for (const name of ["offers", "network"]) {
    stream.addEventListener(name, () => {
      const notice = document.querySelector("[data-reload]");
      if (notice) notice.hidden = false;
    });
  }
  addEventListener("pagehide", () => stream.close());
})();
