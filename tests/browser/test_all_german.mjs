// test_all_german.mjs: nothing in English on a page in German. It is the first of the files, while the
// names of groups, people and devices are those of pages.mjs, which no word of English is in.
import assert from "node:assert/strict";
import fs from "node:fs";
import { EVIL, context, finish, signIn, test } from "./lib.mjs";
import { ID, PAGES, fill } from "./pages.mjs";

fill();
const c = await context();
await signIn(c, "/");

// What a page says that is English: a text of the English catalogue that has another form in German, or
// one with words that German does not have. Names and what is quoted from devices is in <code> and the like.
const catalogue = (lang) => new Map(fs.readFileSync(new URL(`../../templates/words.${lang}`, import.meta.url), "utf8").split("\n")
  .map((line) => line.split(" = ")).filter((pair) => pair.length > 1).map(([key, ...text]) => [key, text.join(" = ")]));
const german = catalogue("de"), ours = new Set(german.values());
const foreign = [...catalogue("en")].filter(([key, text]) => / |^.{9}/.test(text) && !ours.has(text) && german.get(key) !== text).map(([, text]) => text);
const ENGLISH = "(the|of|is|are|has|have|and|with|not|were|been|that|this|for|from|its|or|when|which|without|only|must|cannot|there)";
async function english(page, url, form) {
  const found = await page.evaluate(async ([url, form, foreign, words, EVIL]) => {
    const csrf = document.querySelector("[name=csrf]").value;
    const answer = await fetch(url, { headers: { Accept: "text/html" }, ...form && { method: "POST", body: new URLSearchParams({ ...form, csrf }) } });
    const there = new DOMParser().parseFromString(await answer.text(), "text/html"), texts = [];
    const walk = there.createTreeWalker(there.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement;
      if (!e.closest("code,pre,.mono,[lang=en],script,textarea")) texts.push(walk.currentNode.textContent.trim());
    }
    for (const e of there.querySelectorAll("[aria-label],[title],[placeholder]"))
      for (const a of ["aria-label", "title", "placeholder"]) if (e.hasAttribute(a) && e.getAttribute(a) !== e.value) texts.push(e.getAttribute(a));
    const known = new Set(foreign), like = new RegExp("\\b" + words + "\\b");
    return { status: answer.status, bad: there.querySelector(".notice.bad, .card > .error, main > p")?.textContent || "", lang: there.documentElement.lang,
      texts: [...new Set(texts)].filter((t) => known.has(t) || like.test(t.replaceAll(EVIL, ""))) };
  }, [url, form, foreign, ENGLISH, EVIL]);
  assert.equal(found.lang, "de", url);
  found.texts = found.texts.filter((text) => !german.has("inv_" + text)); // Apple's key, beside its name
  return found;
}

await test("no page in German says anything in English", async () => {
  const d = await context({ locale: "de-DE", storageState: await c.storageState() });
  const r = await d.newPage();
  await r.goto("/");
  const said = {};
  const look = async (url) => {
    const { status, texts } = await english(r, url);
    assert.equal(status, 200, url);
    if (texts.length) said[url] = texts;
  };
  for (const url of Object.values(PAGES)) await look(url);
  // every command, as a form or with the reason why the device does not have it
  await r.goto(PAGES.commands);
  const commands = await r.locator("main a[href*='type=']").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  assert.equal(commands.length > 20, true);
  for (const url of commands) await look(url);
  assert.deepEqual(said, {});
  // what a device told and what an entry of the log is about have names, and Apple's and the log's stay
  await r.goto("/device/part?part=facts&id=" + encodeURIComponent(ID));
  assert.equal(await r.locator("dt[title=BatteryLevel]").textContent(), "Batterie");
  assert.equal(await r.locator("dt[lang=en]").count(), 0);
  await r.goto("/audit?action=admin.signin");
  assert.equal(await r.locator("tbody tr").first().locator("td").nth(2).innerText(), "Angemeldet\nadmin.signin");
  await d.close();
});

await test("what goes wrong in the layers below is said in German", async () => {
  const d = await context({ locale: "de-DE", storageState: await c.storageState() });
  const r = await d.newPage();
  await r.goto("/");
  for (const [url, form, said] of [
    ["/webhooks", { name: "x", url: "http://evil.invalid/", topic: "*", payload: "none" }, /Adresse: http:\/\/ ist hier nicht erlaubt/],
    ["/webhooks", { name: "x", url: "https://e.invalid/a b", topic: "*", payload: "none" }, /ein Leerzeichen/],
    ["/pushcerts", { pem: "x" }, /im PEM-Text ist kein Zertifikat/],
    ["/groups", { name: "Has <b>" }, /es gibt schon eine Gruppe/],
    ["/apikeys", { name: "a:b", days: "1", scope_read: "1" }, /weder Steuerzeichen noch Doppelpunkt/],
    ["/people", { what: "add", name: "a:b" }, /keine Steuerzeichen/],
    ["/enrollment-profiles", { name: "default" }, /es gibt schon ein Registrierungsprofil „default“/],
    ["/calendar", { name: "x".repeat(300) }, /hat 1 bis \d+ Oktette/],
    ["/unknown", { number: "12345", decision: "end", why: "x" }, /es gibt kein unbekanntes Gerät 12345/],
    ["/device/send", { device: ID, type: "raw", go: "1", body: "<plist>" }, /./],
  ]) {
    const { bad, status, texts } = await english(r, url, form);
    assert.deepEqual(texts, [], url);
    assert.match(bad, said, `${url}: ${status} ${bad}`);
  }
  await d.close();
});

await test("a narrow phone has who is signed in beside the menu, whole", async () => {
  const d = await context({ locale: "de-DE", storageState: await c.storageState(), viewport: { width: 375, height: 800 } });
  const r = await d.newPage();
  await r.goto("/");
  const [menu, out] = [await r.locator(".menu").boundingBox(), await r.locator(".me button").boundingBox()];
  assert.ok(out.y < menu.y + menu.height, `${out.y} is below ${menu.y}`);
  assert.ok(await r.locator(".me a").evaluate((e) => e.scrollWidth <= e.clientWidth));
  await d.close();
});

await finish();
