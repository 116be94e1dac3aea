// What the console does beyond its pages: counters that stay fresh, search while typing, files read
// into a form. Every page works without this file.
"use strict";

// Fetches a page of this site as a document; null when it is not that page (signed out, a fault).
async function page(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" }, redirect: "error" }).catch(() => null);
  return answer && answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

// Parts that are read again every so many seconds, while the page is seen and nobody works in them.
document.querySelectorAll("[data-live]").forEach((part, i) => {
  setInterval(async () => {
    if (document.hidden || part.contains(document.activeElement)) return;
    const url = new URL(location.href);
    url.searchParams.delete("done");
    const fresh = await page(url);
    const found = fresh && fresh.querySelectorAll("[data-live]")[i];
    if (found && !part.contains(document.activeElement)) part.replaceChildren(...found.childNodes);
  }, Number(part.dataset.live) * 1000);
});

// Search as one types: the results of the newest question replace the list.
const search = document.querySelector("[data-search]");
const results = document.querySelector("[data-results]");
if (search && results) {
  let timer, newest = 0;
  const ask = async () => {
    const asked = ++newest;
    const url = "/devices?" + new URLSearchParams(new FormData(search));
    const fresh = await page(url);
    if (!fresh || asked !== newest) return;
    results.replaceChildren(...fresh.querySelector("[data-results]").childNodes);
    history.replaceState(null, "", url);
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 200);
  });
}

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
