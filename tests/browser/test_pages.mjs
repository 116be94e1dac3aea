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
  await p.locator("main > .notice.bad").waitFor(); // Apple does not know its topic
});

// What is no page, and pages that take what no row can be written for: the file that has them with
// hostile words.
const FILES = ["/devices.csv", "/profiles.csv", "/audit.csv", "/audit.json", "/setup/request", "/enrollment-profile/preview"];
const ELSEWHERE = { "/draft": "test_profiles.mjs", "/draft/form": "test_profiles.mjs", "/draft/raw": "test_profiles.mjs", "/profile/compare": "test_profiles.mjs" };

await test("every page and every form of the route table is among these", async () => {
  const table = fs.readFileSync(new URL("../../fcgi/route/routes.c", import.meta.url), "utf8");
  const rows = [...table.matchAll(/\{PROGRAM_CONSOLE, METHOD_(GET|POST), "([^"]+)", GATE_CONSOLE,/g)];
  assert.ok(rows.length > 100);
  const pages = new Set(Object.values(PAGES).map((url) => url.split("?")[0])), forms = new Set(FORMS.map((form) => form[0]));
  for (const [, method, path] of rows) {
    if (method === "POST" ? forms.has(path) : pages.has(path) || FILES.includes(path)) continue;
    assert.ok(method === "GET" && ELSEWHERE[path], method + " " + path + " is in no list of pages.mjs");
    const file = fs.readFileSync(new URL(ELSEWHERE[path], import.meta.url), "utf8");
    assert.ok(file.includes(path) || file.includes(path.slice(1).replaceAll("/", "-")), path + " is not in " + ELSEWHERE[path]);
  }
});

await test("every tab of these pages is among these", async () => {
  const key = (url) => { // an address without what it is about
    const { pathname, searchParams: q } = new URL(url, "https://x");
    return `${pathname} ${q.get("tab") || q.get("part") || ""}`;
  };
  const known = new Set(), seen = new Set();
  for (const url of Object.values(PAGES)) {
    await p.goto(url);
    for (const [href, here] of await p.locator(".tabs a").evaluateAll((all) => all.map((a) => [a.getAttribute("href"), a.hasAttribute("aria-current")]))) {
      seen.add(key(href));
      if (here) known.add(key(href));
    }
  }
  assert.ok(seen.size > 30, String(seen.size));
  assert.deepEqual([...seen].filter((tab) => !known.has(tab)), []);
});

await test("what is exported is no formula, and a file, not a page", async () => {
  sql("UPDATE enrollment SET list_name = '=1+1' WHERE id = 77; UPDATE inv_device SET device_name = '=HYPERLINK(\"https://evil.example\")' WHERE enrollment_id = 77; INSERT INTO audit (at, actor, action, subject, detail) VALUES (UNIX_TIMESTAMP() * 1000000, '@evil', '+x', '-1', '=2+5')");
  for (const file of ["/devices.csv", "/profiles.csv", "/audit.csv", "/audit.json"]) {
    const r = await c.request.get(file), text = await r.text();
    assert.equal(r.status(), 200, file);
    assert.match(r.headers()["content-disposition"], /^attachment; filename="[a-z0-9.T:-]+"$/i, file);
    assert.doesNotMatch(r.headers()["content-type"], /html/, file);
    if (file.endsWith(".csv")) assert.doesNotMatch(text, /(^|,)"[=+@-]/m, file);
  }
  assert.match(await (await c.request.get("/audit.csv")).text(), /"'=2\+5"/);
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

await test("what the web server adds to pages, files and errors stands there once, and caches are told the truth", async () => {
  const out = await context(), page = await (await c.request.get("/")).text();
  const files = [...new Set(page.match(/\/static\/[a-z]+\.[0-9a-f]{12}\.[a-z]+/g))];
  assert.equal(files.length, 3);
  for (const [from, url, status] of [[c, "/", 200], [c, "/nothing-here", 404], [c, "/device?id=none", 404], [out, "/signin", 200],
    [out, "/static/console.000000000000.css", 404], [out, "/api/v1/webhooks", 401], ...files.map((file) => [out, file, 200])]) {
    const r = await from.request.get(url, { maxRedirects: 0 });
    assert.equal(r.status(), status, url);
    const h = new Map();
    for (const { name, value } of r.headersArray()) h.set(name.toLowerCase(), [...(h.get(name.toLowerCase()) || []), value]);
    for (const [name, value] of Object.entries({ "strict-transport-security": "max-age=31536000", "x-content-type-options": "nosniff",
      "x-frame-options": "DENY", "referrer-policy": "same-origin", "cross-origin-opener-policy": "same-origin" }))
      assert.deepEqual(h.get(name), [value], `${url}: ${name}`);
    assert.doesNotMatch((h.get("vary") || []).join(), /content-length/i, url);
    assert.deepEqual(h.get("cache-control"), [files.includes(url) ? "public, max-age=31536000, immutable" : "no-store"], url);
    if (!/html/.test(h.get("content-type").join())) continue;
    assert.equal(h.get("content-security-policy").length, 1, url);
    assert.match(h.get("content-security-policy")[0], /^default-src 'none'; (?!.*(unsafe|\*|http|data:)).*frame-ancestors 'none'/, url);
  }
  await out.close();
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

await test("a form that is refused keeps what was written in it", async () => {
  const long = "x".repeat(300);
  for (const [url, form] of [
    ["/apikeys", { name: "a:b", days: "77", scope_read: "1" }],
    ["/invitations", { note: "for <ann>", uses: "3", days: "4000" }],
    ["/people", { what: "add", name: "a:b", full_name: "Ann <b>", managed: "ann@example.org" }],
    ["/accounts", { what: "add", name: "a:b", role: "helpdesk" }],
    ["/groups", { name: "Has <b>", note: "for what" }],
    ["/calendar", { name: long }],
    ["/webhooks", { name: "hook", url: "https://e.invalid/a b", topic: "mdm.Connect", payload: "stripped" }],
    ["/app/new", { what: "store", number: "x5", identifier: "org.example.<b>", name: "Some app" }],
    ["/app/new", { what: "manifest", manifest_url: "http://e.invalid/", manifest_identifier: "org.example.a", name: "Some app" }],
    ["/pushcerts", { pem: "no <certificate>" }],
    ["/setup?step=push", { what: "certificate", pem: "no <certificate>" }],
    ["/device/send", { device: ID, type: "DeviceLock", go: "1", Message: "x", why: "w".repeat(400) }],
  ]) {
    const kept = await p.evaluate(async ([url, form]) => {
      const csrf = document.querySelector("[name=csrf]").value;
      const answer = await fetch(url, { method: "POST", body: new URLSearchParams({ ...form, csrf }) });
      const there = new DOMParser().parseFromString(await answer.text(), "text/html");
      const of = Object.entries(form).filter(([name]) => !["what", "go", "device", "type"].includes(name));
      return { status: answer.status, lost: of.filter(([name, value]) => ![...there.querySelectorAll("main [name]")].some((e) =>
        e.name === name && (e.type === "checkbox" || e.type === "radio" ? e.checked && e.value === value : e.value === value))).map(([name]) => name) };
    }, [url, form]);
    assert.equal(kept.status >= 400 && kept.status < 500, true, `${url}: ${kept.status}`);
    assert.deepEqual(kept.lost, [], url);
  }
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
  // after an action it goes on at its outcome: refused, and done
  const outcome = () => p.evaluate(() => [document.activeElement.getAttribute("role") || [...document.activeElement.classList].pop(), getComputedStyle(document.activeElement).outlineStyle]);
  await p.goto("/calendar");
  for (const [name, is] of [["x".repeat(65), "alert"], ["by keyboard", "made"]]) { // which tells its address once
    await p.locator("#name").evaluate((e) => e.removeAttribute("maxlength"));
    await p.locator("#name").fill(name);
    await p.locator("#name").focus();
    await Promise.all([p.waitForEvent("load"), p.keyboard.press("Enter")]);
    assert.deepEqual(await outcome(), [is, "solid"]);
  }
  // what is done to a row is told, and one stays in its list
  await p.getByRole("button", { name: /by keyboard/ }).focus();
  await p.keyboard.press("Enter");
  await p.locator("[role=status]", { hasText: /./ }).waitFor();
  assert.equal(await p.evaluate(() => document.querySelector("[data-rows]").contains(document.activeElement)), true);
  await p.goto("/group?id=500&done=saved"); // where a form that was saved leads
  assert.deepEqual(await outcome(), ["status", "solid"]);
  await p.keyboard.press("Tab");
  assert.equal(await p.evaluate(() => document.querySelector("main").contains(document.activeElement)), true);
});

await test("every form that the console takes is among those that this file tries", async () => {
  const routes = fs.readFileSync(new URL("../../fcgi/route/routes.c", import.meta.url), "utf8");
  const taken = [...routes.matchAll(/PROGRAM_CONSOLE,\s*METHOD_POST,\s*"([^"]+)"/g)].map((m) => m[1]).filter((url) => !/^\/(api|v1|migration|signin)/.test(url));
  assert.equal(taken.length > 40, true, String(taken.length));
  assert.deepEqual(taken.filter((url) => !FORMS.some(([form]) => form === url)), []);
});

await test("on paper, and where nothing may move", async () => {
  const d = await context({ reducedMotion: "reduce", storageState: await c.storageState() });
  const r = await d.newPage();
  await r.goto(device);
  const moves = () => r.evaluate(() => [...document.querySelectorAll("a, button")].some((e) => getComputedStyle(e).transitionDuration !== "0s"));
  assert.equal(await moves(), false);
  await r.emulateMedia({ reducedMotion: "no-preference" });
  assert.equal(await moves(), true);
  await r.emulateMedia({ media: "print" });
  for (const gone of [".top", "#nav", ".tabs", "form", "#send"]) assert.equal(await r.locator(gone).first().isVisible(), false, gone);
  for (const there of ["h1", "#facts", ".timeline"]) assert.equal(await r.locator(there).first().isVisible(), true, there);
  await picture(r, "device-print");
  await d.close();
});

const plain = await context({ javaScriptEnabled: false });
const q = await signIn(plain, "/");
assert.equal(new URL(q.url()).pathname, "/");

for (const [name, url] of Object.entries(PAGES))
  await test("page " + name + " without JavaScript", async () => {
    assert.equal((await q.goto(url)).status(), 200);
    assert.equal(await q.locator("h1").count(), 1);
    // nothing is shown that only a script would make work
    assert.equal(await q.locator("button[type=button]:visible, form:not([action]):visible, [data-file]:visible, [data-print]:visible").count(), 0);
    assert.deepEqual(plain.faults, []);
  });

await finish();
