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
    if (body.dataset.strip) {
      set(document.querySelector("[data-since]"), said.since);
      for (const power of document.querySelectorAll("[data-power]")) set(power, said.power);
      const measured = document.querySelector("[data-power-at] time");
      if (measured && said.power_at) measured.dateTime = said.power_at;
    }
    ages();
  };

  if (!body.dataset.events) return;
  const stream = new EventSource(body.dataset.events);
  const note = document.querySelector("[data-live-note]");
  stream.onopen = () => { if (note) note.hidden = false; };
  stream.onerror = () => { if (note) note.hidden = true; };
  stream.addEventListener("state", (event) => machine(JSON.parse(event.data)));
  for (const name of ["offers", "network"]) {
    stream.addEventListener(name, () => {
      const notice = document.querySelector("[data-reload]");
      if (notice) notice.hidden = false;
    });
  }
  addEventListener("pagehide", () => stream.close());
})();
