// What the console does beyond its pages: counters that stay fresh, search while typing, rows that are
// acted on in their place, files read into a form. Every page works without this file.
"use strict";

// Tells that what is seen grows old, and why: "ended", nobody is signed in any more; "away", the server
// does not answer. "": it is fresh again.
const stale = document.getElementById("stale");
let left = 0; // when the page was about to be left: what it still asks for comes to nothing
addEventListener("beforeunload", () => { left = Date.now(); });
function tellStale(why) {
  if (!stale || (why && Date.now() - left < 3000)) return;
  if (why) {
    stale.querySelector("span").textContent = stale.dataset[why];
    stale.querySelector("a").href = location.href;
  }
  stale.hidden = !why;
}

// After an action the keyboard goes on where its outcome is told, not before the menu; but a field that
// waits for what is missing comes first.
const said = document.querySelector(".said, .made");
if (said && !document.querySelector("[autofocus]")) {
  said.tabIndex = -1;
  said.focus();
}

// Fetches a page of this site as a document; null when it is not that page (signed out, a fault).
async function page(url, headers) {
  const answer = await fetch(url, { headers: { Accept: "text/html", ...headers }, redirect: "manual" }).catch(() => null);
  const text = answer && answer.ok ? await answer.text().catch(() => null) : null;
  const ended = answer && answer.type === "opaqueredirect";
  // signed out: nothing stays on a screen that somebody has left; who is typing is told and loses nothing
  if (ended && !document.activeElement.closest("form")) location.reload();
  else tellStale(text !== null ? "" : ended ? "ended" : "away");
  return text === null ? null : new DOMParser().parseFromString(text, "text/html");
}

// What nobody asked for says so: it keeps nobody signed in.
const BY_ITSELF = { "Drover-Live": "1" };

// Parts that are read again every so many seconds, while the page is seen and nobody works in them: all
// at once, so that they say the same. The header tells that nobody has done anything: a page that is left
// open keeps nobody signed in.
const liveOf = (part) => [...part.querySelectorAll("[data-live]")];
// A row that was clicked has the focus, and nobody works in it.
const worksIn = (part) => part.contains(document.activeElement) && !document.activeElement.matches("[data-row]:not(:focus-visible)");
if (liveOf(document).length) setInterval(async () => {
  const live = liveOf(document);
  if (document.hidden || live.every(worksIn)) return;
  const url = new URL(location.href);
  url.searchParams.delete("done");
  const fresh = await page(url, BY_ITSELF);
  const found = fresh ? liveOf(fresh) : [];
  if (found.length === live.length) live.forEach((part, i) => {
    const row = part.contains(document.activeElement) && document.activeElement.dataset.row;
    if (worksIn(part)) return;
    part.replaceChildren(...found[i].childNodes);
    markBusy();
    if (row) focusOn(rowsOf(part).find((r) => r.dataset.row === row));
  });
}, Math.min(...liveOf(document).map((part) => Number(part.dataset.live))) * 1000);

// How many there are in all is counted when the list has come: it may take as long.
const found = document.querySelector("[data-found]");
let listed = 0, counting;
function countSoon(ms) {
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const link = found && found.querySelector("a"), of = listed;
    const fresh = link && await page(link.href, BY_ITSELF);
    if (fresh && of === listed) found.replaceChildren(...fresh.querySelector("[data-found]").childNodes);
  }, ms);
}
countSoon(0);

// Search as one types: the results of the newest question replace the list.
const search = document.querySelector("[data-search]");
const results = document.querySelector("[data-results]");
if (search && results) {
  let timer;
  const ask = async () => {
    const asked = ++listed;
    const url = "/devices?" + new URLSearchParams(new FormData(search));
    const fresh = await page(url);
    if (!fresh || asked !== listed) return;
    for (const part of ["[data-found]", "[data-results]"])
      document.querySelector(part).replaceChildren(...fresh.querySelector(part).childNodes);
    history.replaceState(null, "", url);
    countSoon(500);
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 200);
  });
}

// The tab that is open is seen where there is no room for all; Escape leaves the menu of a phone.
document.querySelectorAll(".tabs ul").forEach((ul) => {
  const here = ul.querySelector("[aria-current]");
  if (here) ul.scrollLeft = here.parentElement.offsetLeft - (ul.clientWidth - here.offsetWidth) / 2;
});
addEventListener("keydown", (e) => {
  if (e.key !== "Escape" || location.hash !== "#nav") return;
  location.hash = "main";
  document.querySelector(".menu").focus();
});

// What is done to a row of a list (data-rows, its rows data-row) is done there: the form is sent, and the
// list is shown as it is then, at the same place. What was done is told in a region that is there before.
const BETWEEN_CLICKS = 500, PATIENCE = 30000;
const doing = new Set(); // what is on its way
let renewed = 0, last, clicks = 0, asked = 0, told;
addEventListener("click", (e) => { clicks = e.detail; }, true);
const rowsOf = (list) => [...list.querySelectorAll("[data-row]")];
const listOf = (name, from = document) => from.querySelector(`[data-rows="${name}"]`);
// What a button does to which row, also when both were shown anew.
function deed(button) {
  const row = button.closest("[data-row]"), fields = [...button.form.querySelectorAll("[type=hidden]:not([name=csrf])")];
  return [button.form.getAttribute("action"), ...(row ? [row.dataset.row] : fields.map((f) => f.name + "=" + f.value))].join("\n");
}
function markBusy() {
  for (const button of document.querySelectorAll("[data-rows] button"))
    if (button.form && doing.has(deed(button))) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
}

// The region stands empty before something is told in it: else it is not read out.
function ready() {
  if (told) return;
  told = document.createElement("p");
  told.setAttribute("role", "status");
  told.className = "hide";
  document.getElementById("main").prepend(told);
}
// Tells what was done, or what went wrong; "": what was told before is over.
function announce(text, bad) {
  document.querySelectorAll("main > .notice[role]").forEach((old) => old !== told && old.remove());
  told.textContent = bad ? "" : text;
  told.className = told.textContent ? "notice good said told" : "hide";
  if (!bad) return;
  const alarm = document.createElement("p");
  alarm.setAttribute("role", "alert");
  alarm.className = "notice bad said told";
  alarm.textContent = text;
  told.after(alarm);
}

const isChanged = (f) => f.type === "checkbox" || f.type === "radio" ? f.checked !== f.defaultChecked
  : f.options ? [...f.options].some((o) => o.defaultSelected) && !f.selectedOptions[0].defaultSelected : f.value !== f.defaultValue;

function focusOn(part) {
  if (part && part.tabIndex < 0) part.tabIndex = -1;
  if (part) part.focus({ preventScroll: true });
}

// Shows the list as it is now, and says what happened. A row in which somebody writes or ticks stays, but
// the one to which something was done; its tick stays. The focus is on the same button or row, or on the
// row that took its place, and what one looks at stays where it was.
function renew(list, fresh, done, button, say) {
  const at = list.contains(document.activeElement) ? document.activeElement
    : document.activeElement === document.body && list.contains(button) ? button : null;
  const rows = rowsOf(list), near = at || button, i = rows.findIndex((row) => row.contains(near));
  const kind = (e) => [e.tagName, e.name, e.className, e.form && e.form.getAttribute("action")].join();
  const key = i < 0 ? null : rows[i].dataset.row, what = near && kind(near), slid = [...list.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
  const top = (i < 0 ? list : rows[i]).getBoundingClientRect().top;
  const kept = new Map(), ticked = new Set();
  for (const row of rows) {
    const tick = row.querySelector(".tick input"), fields = [...row.querySelectorAll("input,select,textarea")];
    if (row.dataset.row === done && tick && tick.checked) ticked.add(done);
    else if (row.dataset.row !== done && (fields.includes(at) || fields.some(isChanged))) kept.set(row.dataset.row, row);
  }
  for (const row of rowsOf(fresh))
    if (kept.has(row.dataset.row)) row.replaceWith(kept.get(row.dataset.row));
    else if (ticked.has(row.dataset.row)) row.querySelector(".tick input").checked = true;
  say();
  list.replaceChildren(...fresh.childNodes);
  list.querySelectorAll(".scroll").forEach((e, n) => { e.scrollLeft = slid[n] || 0; });
  renewed = Date.now();
  markBusy();
  const now = rowsOf(list), row = i < 0 ? null : now.find((r) => r.dataset.row === key) || now[Math.min(i, now.length - 1)];
  const place = row || list;
  scrollBy(0, place.getBoundingClientRect().top - top);
  if (!at) return;
  const same = at.isConnected ? at : (i < 0 || (row && row.dataset.row === key)) && [...place.querySelectorAll("a,button,input,select,textarea")].find((e) => kind(e) === what);
  focusOn(same || place);
}

async function act(button, body, key) {
  const name = button.closest("[data-rows]").dataset.rows, row = button.closest("[data-row]");
  const to = new URL(button.form.getAttribute("action"), location.href);
  ready();
  markBusy();
  const answer = await fetch(to, { method: "POST", body, headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) }).catch(() => null);
  const text = answer ? await answer.text().catch(() => null) : null;
  const doc = text === null ? null : new DOMParser().parseFromString(text, "text/html"), main = doc && doc.querySelector("main");
  const others = doing.size > 1;
  doing.delete(key);
  last = key;
  markBusy();
  if (!main || answer.status >= 500) return announce(stale.dataset.unsure, true);
  if (!doc.querySelector(".me")) {
    announce("");
    return tellStale("ended");
  }
  const well = answer.ok && answer.redirected, said = main.querySelector(":scope > .said");
  // asked for more than the row has, a proof or a look at what it will do: that has done nothing yet
  if (!said) {
    if (well) return location.assign(answer.url);
    const again = button.isConnected ? button : [...document.querySelectorAll("[data-rows] button")].find((b) => b.form && deed(b) === key && b.value === button.value);
    if (!again) return location.reload();
    again.form.dataset.plainly = "1";
    return again.form.requestSubmit(again);
  }
  const here = new URL(location.href), there = new URL(answer.url), turn = ++asked;
  for (const url of [here, there]) {
    url.searchParams.delete("done");
    url.hash = "";
  }
  const fresh = well && !others && there.href === here.href ? doc : await page(here.href);
  const list = listOf(name), lines = fresh && listOf(name, fresh), say = () => announce(said.textContent, !well);
  if (list && lines && turn === asked && (well || row)) renew(list, lines, well && row ? row.dataset.row : null, button, say);
  else say();
}

// A form that is on its way is not sent a second time by an impatient hand.
const ON_ITS_WAY = 10000;
const sent = new Map();
function arrived(form) {
  const { timer, button } = sent.get(form);
  clearTimeout(timer);
  if (button) button.removeAttribute("aria-busy");
  sent.delete(form);
}
document.addEventListener("submit", (e) => {
  const form = e.target, button = e.submitter;
  if (e.defaultPrevented || form.getAttribute("method") !== "post" || form.dataset.again !== undefined) return;
  if (button && button.closest("[data-rows]") && !form.dataset.plainly) {
    const key = deed(button);
    e.preventDefault();
    // of a double click the second half may meet the row that took the place of the first
    if (doing.has(key) || (Date.now() - renewed < BETWEEN_CLICKS && (clicks > 1 || key === last))) return;
    doing.add(key);
    act(button, new URLSearchParams(new FormData(form, button)), key);
    return;
  }
  delete form.dataset.plainly;
  if (sent.has(form)) return e.preventDefault();
  if (button) button.setAttribute("aria-busy", "true");
  sent.set(form, { button, timer: setTimeout(arrived, ON_ITS_WAY, form) });
});
addEventListener("pageshow", () => [...sent.keys()].forEach(arrived));

// What only a page needs that does not keep itself fresh.
document.querySelectorAll("[data-plain]").forEach((part) => { part.hidden = true; });

// What can be printed says so.
document.querySelectorAll("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => print());
});

// A file goes into the text field that would take it by hand.
document.querySelectorAll("[data-file]").forEach((part) => {
  const input = part.querySelector("input");
  part.hidden = false;
  input.addEventListener("change", async () => {
    if (input.files[0]) document.getElementById(part.dataset.file).value = await input.files[0].text();
  });
});

// A filter that is being written: how many devices fit it, as far as it makes sense already.
document.querySelectorAll("form[data-count]").forEach((form) => {
  let timer, newest = 0;
  const count = async () => {
    const asked = ++newest;
    const body = new URLSearchParams(new FormData(form));
    body.set("do", "count");
    const answer = await fetch(form.action, { method: "POST", body, redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok || asked !== newest) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const from = fresh.querySelector("[data-counted]"), to = form.querySelector("[data-counted]");
    if (from && to) to.replaceChildren(...from.childNodes);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(count, 400);
  });
});

// A part of a form that stands for one choice of another field is there while that is chosen.
document.querySelectorAll("[data-when]").forEach((part) => {
  const [name, value] = part.dataset.when.split("=");
  const field = part.closest("form").elements[name];
  const follow = () => {
    part.hidden = field.value !== value;
    if (!part.hidden) part.open = true;
  };
  field.addEventListener("change", follow);
  follow();
});

// In a text with numbered faults, a fault's line is gone to from the list.
document.querySelectorAll("textarea[data-lines]").forEach((area) => {
  document.querySelectorAll(".findings b").forEach((b) => {
    const line = Number(b.textContent.match(/\d+/));
    b.tabIndex = 0;
    b.setAttribute("role", "link");
    const go = () => {
      const lines = area.value.split("\n"), at = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      area.focus();
      area.setSelectionRange(at, at + (lines[line - 1] || "").length);
      area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 5);
    };
    b.addEventListener("click", go);
    b.addEventListener("keydown", (e) => e.key === "Enter" && go());
  });
});

// ---- files of apps ----
// A file goes up in parts. The browser keeps it until it is there, so that any page of the console
// goes on with it when the person has left the one where it began.
const sending = document.getElementById("sending");
const PART = 4 * 1024 * 1024;

function kept(mode, work) {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open("drover", 1);
    open.onupgradeneeded = () => open.result.createObjectStore("uploads", { keyPath: "id" });
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
      const asked = work(open.result.transaction("uploads", mode).objectStore("uploads"));
      asked.transaction.oncomplete = () => { open.result.close(); resolve(asked.result); };
      asked.transaction.onabort = asked.onerror = () => { open.result.close(); reject(asked.error); };
    };
  });
}

async function tell(what, fields) {
  const form = new FormData();
  form.append("csrf", sending.dataset.csrf);
  form.append("what", what);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const answer = await fetch("/app/upload", { method: "POST", body: form, redirect: "error" });
  const said = await answer.json().catch(() => ({}));
  return { ok: answer.ok, status: answer.status, ...said };
}

function progress(name, percent, how) {
  sending.hidden = false;
  sending.querySelector("[data-name]").textContent = name;
  sending.querySelector("[data-how]").textContent = how || percent + " %";
  sending.querySelector("progress").value = percent;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Sends what is left of one; where it stands is told by the server.
async function send(upload) {
  const { id, file } = upload;
  let at = upload.received || 0, wait = 1000, stopped = false;
  const button = sending.querySelector("button");
  button.hidden = false;
  button.onclick = async () => {
    stopped = true;
    await tell("stop", { id });
    await kept("readwrite", (s) => s.delete(id));
    location.assign("/apps?done=upload_stopped");
  };
  while (!stopped) {
    progress(file.name, Math.floor((100 * at) / file.size));
    const r = await tell("part", { id, offset: at, part: file.slice(at, at + PART) }).catch(() => null);
    if (stopped) return;
    if (!r || r.status >= 500) { // away for a while
      await pause(wait);
      wait = Math.min(wait * 2, 30000);
      continue;
    }
    wait = 1000;
    const goes = r.ok || (r.status === 409 && r.state === "open" && r.received !== at);
    if (goes && r.state !== "done" && r.state !== "failed") {
      at = r.received;
      if (r.state === "reading") await pause(3000);
      continue;
    }
    button.hidden = true;
    await kept("readwrite", (s) => s.delete(id)).catch(() => {});
    if (r.state === "done" && upload.here) location.assign(r.link);
    else progress(file.name, 100, r.state === "done" ? sending.dataset.done : sending.dataset.broke + " " + (r.why || r.status));
    return;
  }
}

// One window sends one upload.
const alone = (upload) => navigator.locks.request("drover-upload-" + upload.id, { ifAvailable: true },
  (lock) => (lock ? send(upload) : undefined));

if (sending) {
  kept("readonly", (s) => s.getAll()).then(async (list) => { for (const u of list) await alone(u); }).catch(() => {});
  document.querySelectorAll("form[data-upload]").forEach((form) => {
    const most = form.querySelector("[data-most]");
    if (most && form.dataset.upload) most.textContent = form.dataset.upload;
    form.addEventListener("submit", async (e) => {
      const file = form.elements.file.files[0];
      if (!file) return;
      e.preventDefault();
      const item = form.elements.id ? form.elements.id.value : "0";
      const r = await tell("begin", { filename: file.name, size: file.size, item }).catch(() => ({}));
      if (!r.ok) return progress(file.name, 0, sending.dataset.broke + " " + (r.why || r.status || ""));
      // a copy in the browser's own store: the file itself may be changed or taken away meanwhile
      await kept("readwrite", (s) => s.put({ id: r.id, file })).catch(() => {});
      form.reset();
      alone({ id: r.id, file, here: true });
    });
  });
}
