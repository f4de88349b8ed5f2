// Keeps the page up to date. The server renders everything; without this script the page reloads itself instead.
"use strict";
(() => {
  const EVERY = 500; // ms between looks while the page is visible
  const PATIENCE = 5000; // ms for an answer
  const page = document.getElementById("page");
  let rendered = performance.now(); // when what is shown was true
  let busy = false, again = false, lost = 0;

  const two = (number) => String(number).padStart(2, "0");

  // The same words as the server's.
  function words(ms) {
    const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (s < 60) return s + " s";
    if (m < 60) return m + " min " + two(s % 60) + " s";
    return h < 48 ? h + " h " + two(m % 60) + " min" : d + " d " + (h % 24) + " h";
  }

  function tick() {
    const passed = performance.now() - rendered;
    for (const element of page.querySelectorAll("[data-since]")) {
      const text = words(Number(element.dataset.since) + passed);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const element of page.querySelectorAll("[data-left]")) {
      const whole = Number(element.dataset.of);
      let left = Number(element.dataset.left) - passed;
      // A MASTER's next advertisement is followed by another one; a takeover happens once.
      if (left < 0) left = element.dataset.again && whole > 0 ? whole - (-left % whole) : 0;
      element.querySelector("b").textContent = (left / 1000).toFixed(1) + " s";
      const fill = element.querySelector("rect");
      if (fill) fill.setAttribute("width", whole > 0 ? Math.min(100, 100 * left / whole).toFixed(1) : "0");
    }
  }

  function localTimes() {
    const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    for (const element of page.querySelectorAll("time[datetime]")) {
      const text = day.format(new Date(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // Makes `old` what `fresh` is without replacing what stays, so that focus, selection and opened details survive.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    const changed = old.classList.contains("state") && old.className !== fresh.className;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
    }
    const before = [...old.childNodes], after = [...fresh.childNodes];
    after.forEach((child, at) => (at < before.length ? morph(before[at], child) : old.append(child)));
    before.slice(after.length).forEach((child) => child.remove());
    const row = changed && old.closest(".host");
    if (row) {
      row.classList.add("flash");
      row.addEventListener("animationend", () => row.classList.remove("flash"), { once: true });
    }
  }

  function told(is, text) {
    const live = page.querySelector(".live");
    if (live) { live.dataset.is = is; live.textContent = text; }
  }

  function shown() {
    document.title = page.dataset.title || document.title;
    if (lost) told("lost", "no answer for " + words(performance.now() - lost)); else told("live", "live");
    localTimes();
    tick();
  }

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch("part", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("page");
      if (!fresh) throw new Error("not the page");
      rendered = performance.now();
      lost = 0;
      morph(page, fresh);
    } catch {
      lost = lost || performance.now();
    }
    shown();
    busy = false;
    if (again) { again = false; refresh(); }
  }

  // What happens on this host is shown at once; peers are looked at again and again.
  const events = new EventSource("api/v1/events");
  events.onmessage = refresh;
  events.addEventListener("status", refresh);
  setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
  setInterval(() => { if (!document.hidden) tick(); }, 100);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  shown();
})();
