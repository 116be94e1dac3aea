// What the console does beyond its pages: counters that stay fresh, search while typing, files read
// into a form. Every page works without this file.
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
const live = [...document.querySelectorAll("[data-live]")];
if (live.length) setInterval(async () => {
  if (document.hidden || live.every((part) => part.contains(document.activeElement))) return;
  const url = new URL(location.href);
  url.searchParams.delete("done");
  const fresh = await page(url, BY_ITSELF);
  const found = fresh ? [...fresh.querySelectorAll("[data-live]")] : [];
  if (found.length === live.length) live.forEach((part, i) => {
    if (!part.contains(document.activeElement)) part.replaceChildren(...found[i].childNodes);
  });
}, Math.min(...live.map((part) => Number(part.dataset.live))) * 1000);

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
