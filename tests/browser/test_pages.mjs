// test_pages.mjs: each page with and without JavaScript, accessible, dark, on a phone, in German;
// what devices could smuggle in; forms of other sites.
import assert from "node:assert/strict";
import fs from "node:fs";
import { EVIL, accessible, context, finish, picture, signIn, sql, test, valid } from "./lib.mjs";
import { FORMS, ID, PAGES, device, fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
let p = await signIn(c, "/");

for (const [name, url] of Object.entries(PAGES))
  await test("page " + name + " with JavaScript", async () => {
    c.faults.length = 0;
    const begin = Date.now();
    const answer = await p.goto(url, { waitUntil: "load" });
    console.log(`page  ${name}: ${(await answer.body()).length} bytes, ${Date.now() - begin} ms in the browser`);
    assert.equal(answer.status(), 200);
    assert.equal(await p.evaluate(() => window.pwned), undefined);
    assert.equal(await p.locator("h1").count(), 1);
    await valid(await answer.text(), name);
    await accessible(p, name);
    await picture(p, name);
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(c.faults, []);
  });

await test("what a device told is shown as text", async () => {
  // what the agent has asked of it for the files before this one
  sql("DELETE FROM queue WHERE enrollment_id = 77 AND command_id <> 80; DELETE FROM push WHERE enrollment_id = 77");
  await p.goto(device);
  assert.match(await p.locator("h1").textContent(), /<script>window\.pwned=1/);
  assert.match(await p.locator(".why").textContent(), /NotNow to InstallProfile/);
  await p.goto("/devices?q=" + encodeURIComponent(EVIL.slice(0, 40)));
  assert.equal(await p.locator("tbody tr").count(), 1);
  assert.equal(await p.evaluate(() => window.pwned), undefined);
  await p.goto("/audit?actor=" + encodeURIComponent(EVIL) + "&action=%22%3E%3Cscript%3E");
  assert.equal(await p.locator("#actor").inputValue(), EVIL);
  assert.equal(await p.evaluate(() => window.pwned), undefined);
});

await test("every alarm of the overview leads to the page that mends it", async () => {
  let alarms = [];
  for (let i = 0; i < 20 && !alarms.some((a) => /agent is not running/.test(a)); i++) { // it takes its lease again at once
    sql("UPDATE lease SET expires_at = 1 WHERE name = 'agent'");
    await p.goto("/");
    alarms = await p.locator(".attention li").allTextContents();
  }
  for (const one of [/agent is not running/, /halted/, /Certificate requests that wait/, /push token Apple calls dead/, /Unknown devices/, /webhook/, /have expired/])
    assert.equal(alarms.some((a) => one.test(a)), true, `${one} of ${alarms.join(" | ")}`);
  const links = await p.locator(".attention li").evaluateAll((all) => all.map((li) => li.querySelector("a")?.getAttribute("href") || "none: " + li.textContent));
  for (const link of links) {
    const answer = await p.goto(link);
    assert.equal(answer.status(), 200, link);
    assert.notEqual(new URL(p.url()).pathname, "/", link);
  }
  await p.goto("/pushes?which=dead");
  assert.match(await p.locator("tbody").textContent(), /410/);
  await p.getByRole("button", { name: /^Push now/ }).first().click();
  assert.match(new URL(p.url()).pathname, /^\/device(\/push)?$/); // Apple does not know its topic
});

await test("a form of another site does nothing", async () => {
  const count = sql("SELECT COUNT(*) FROM audit");
  for (const [url, form] of FORMS) {
    for (const csrf of [undefined, "0".repeat(64)]) {
      const r = await c.request.post(url, { form: csrf ? { ...form, csrf } : form, maxRedirects: 0 });
      assert.equal(r.status(), 403, url);
    }
    const json = await c.request.post(url, { data: form, maxRedirects: 0 });
    assert.equal(json.status(), 415, url);
  }
  const out = await context();
  for (const [url, form] of FORMS)
    assert.equal((await out.request.post(url, { form, maxRedirects: 0 })).status(), 403, url);
  await out.close();
  assert.equal(sql("SELECT COUNT(*) FROM audit"), count);
});

await test("no page without a session", async () => {
  const out = await context();
  for (const url of Object.values(PAGES)) {
    const r = await out.request.get(url, { maxRedirects: 0 });
    assert.equal(r.status(), 303, url);
    assert.match(r.headers().location, /^\/signin/);
  }
  await out.close();
});

await test("German, by the browser and by the setting", async () => {
  const d = await context({ locale: "de-DE" });
  const r = await d.newPage();
  await r.goto("/signin");
  assert.equal(await r.locator("html").getAttribute("lang"), "de");
  await d.close();
  await p.goto("/account");
  await p.getByLabel("Language of the console").selectOption("de");
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.locator("h1").textContent(), /Ihr Konto/);
  await p.goto(device);
  await accessible(p, "German");
  await picture(p, "device-de");
  await p.goto("/setup?step=address"); // what the checks found, too
  assert.match(await p.locator(".checks").textContent(), /die Uhr der Datenbank geht \d+ ms (vor|nach)/);
  assert.doesNotMatch(await p.locator(".checks").textContent(), /\b(the|answers|works)\b/);
  await p.goto("/account");
  await p.getByLabel("Sprache der Konsole").selectOption("");
  await p.getByRole("button", { name: "Speichern" }).click();
});

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
    ["/apikeys", { name: "a:b", scope_read: "1" }, /weder Steuerzeichen noch Doppelpunkt/],
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

await test("dark, and on a phone", async () => {
  for (const [name, options] of [["dark", { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }]]) {
    const d = await context({ ...options, storageState: await c.storageState() });
    const r = await d.newPage();
    for (const page of ["overview", "devices", "device", "accounts"]) {
      await r.goto(PAGES[page]);
      await accessible(r, name + " " + page);
      await picture(r, page + "-" + name);
      assert.equal(await r.evaluate(() => document.documentElement.scrollWidth), options.viewport.width, name + " " + page);
    }
    await d.close();
  }
});

await test("with the keyboard alone", async () => {
  await p.goto("/devices");
  await p.keyboard.press("Tab");
  assert.equal(await p.evaluate(() => document.activeElement.className), "skip");
  await p.keyboard.press("Enter");
  assert.equal(await p.evaluate(() => document.activeElement.id), "main");
});

const plain = await context({ javaScriptEnabled: false });
const q = await signIn(plain, "/");
assert.equal(new URL(q.url()).pathname, "/");

for (const [name, url] of Object.entries(PAGES))
  await test("page " + name + " without JavaScript", async () => {
    assert.equal((await q.goto(url)).status(), 200);
    assert.equal(await q.locator("h1").count(), 1);
    assert.deepEqual(plain.faults, []);
  });

await finish();
