// test.mjs: the console in Chromium: every page with and without JavaScript, accessibility, what
// devices could smuggle in, forms of other sites, sign-in. Run by tests/browser/run.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";

const require = createRequire(process.env.MODULES + "/");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const site = JSON.parse(fs.readFileSync(process.env.STATE + "/run.json", "utf8"));
const screens = process.env.SCREENS;
const base = site.console_url;
const EVIL = `"><script>window.pwned=1</script><img src=x onerror="window.pwned=2">{{admin}}'`;
const ID = `EVIL-"><b>&'`;

let passed = 0, failed = 0;
async function test(name, body) {
  try {
    await body();
    passed++;
  } catch (e) {
    failed++;
    console.log("FAIL  browser: " + name + "\n" + (e.stack || e).toString().split("\n").slice(0, 14).join("\n"));
  }
}

function sql(text) {
  return execFileSync("mariadb", ["--no-defaults", "-N", "-B", "--socket=" + site.mysql_socket,
    "--user=" + site.mysql_user, "--default-character-set=utf8mb4",
    "--password=" + fs.readFileSync(site.mysql_password_file, "utf8").trim(), site.mysql_database],
  { input: text, encoding: "utf8" });
}
const quoted = (s) => "'" + s.replaceAll("\\", "\\\\").replaceAll("'", "''") + "'";

function fill() {
  const now = Date.now() * 1000;
  sql(`REPLACE INTO enrollment (id, ident, kind, device_id, state, life_id, udid, serial, device_name,
    product_name, model, model_name, os_version, created_at, enrolled_at, last_seen_at) VALUES
    (77, ${quoted(ID)}, 1, 77, 2, 78, ${quoted(ID)}, ${quoted(EVIL.slice(0, 60))}, ${quoted(EVIL)},
    'iPhone15,2', ${quoted("<i>M")}, ${quoted("<i>Model")}, '<b>26', ${now}, ${now}, ${now});
  REPLACE INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, token_at)
    VALUES (78, 77, 2, ${quoted(EVIL)}, 'x', 'm', ${now}, ${now});
  REPLACE INTO enrollment (id, ident, kind, device_id, state, user_short_name, user_long_name,
    created_at, last_seen_at) VALUES (79, ${quoted(ID + ":u")}, 2, 77, 2, ${quoted("alice<b>")},
    ${quoted(EVIL)}, ${now}, ${now});
  REPLACE INTO command (id, uuid, request_type, body, created_at, created_by) VALUES
    (80, 'C-80', 'InstallProfile', '<plist version="1.0"><dict><key>k</key><string>&lt;script&gt;</string></dict></plist>', ${now}, ${quoted(EVIL)}),
    (81, 'C-81', 'SecurityInfo', '<plist version="1.0"><dict/></plist>', ${now}, 'ann');
  REPLACE INTO queue (enrollment_id, urgency, queued_at, command_id, state, sent_at, sent_count, notnow_at,
    notnow_count) VALUES (77, 0, ${now - 7200e6}, 80, 3, ${now - 3600e6}, 2, ${now - 3600e6}, 2);
  REPLACE INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, closed_at,
    closed_why, reported_at, report) VALUES (77, 81, 5, ${now - 9000e6}, ${now - 8000e6}, 1,
    ${now - 7000e6}, ${quoted(EVIL)}, ${now - 7000e6}, ${quoted('<plist version="1.0"><dict><key>ErrorChain</key><string>&lt;/pre&gt;&lt;script&gt;window.pwned=3&lt;/script&gt;</string></dict></plist>')});
  REPLACE INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id, items) VALUES (77, 1, ${now}, ${now}, 81, 1);
  REPLACE INTO inv_device (enrollment_id, platform, device_name, os_version, is_supervised, battery_level) VALUES
    (77, 1, ${quoted(EVIL)}, '17.6', 1, 0.5);
  REPLACE INTO software (id, identifier, version, short_version, name, seen_at) VALUES (5, ${quoted("com.evil.<b>")}, '1', '1.0', ${quoted(EVIL)}, ${now});
  REPLACE INTO inv_app (enrollment_id, software_id) VALUES (77, 5);
  REPLACE INTO inv_event (id, enrollment_id, at, area, happened, subject, was, became) VALUES (91, 77, ${now}, 1, 2, ${quoted(EVIL)}, ${quoted("<i>17")}, '18');
  REPLACE INTO unknown_device (id, ident, cert_sha256, subject, last_message, first_seen_at, last_seen_at)
    VALUES (7, ${quoted(ID)}, REPEAT('x', 32), ${quoted(EVIL)}, ${quoted("<Idle>")}, ${now}, ${now});
  REPLACE INTO audit (id, at, actor, action, subject, detail) VALUES (900077, ${now}, ${quoted(EVIL)},
    'a.<b>', ${quoted(ID)}, ${quoted(EVIL)});`);
}

const device = "/device?id=" + encodeURIComponent(ID);
const PAGES = {
  overview: "/", devices: "/devices", device, command: "/device/command?uuid=C-80&id=" + encodeURIComponent(ID),
  result: "/device/command?uuid=C-81&id=" + encodeURIComponent(ID), unknown: "/unknown",
  invitations: "/invitations", pushcerts: "/pushcerts", apikeys: "/apikeys", audit: "/audit",
  facts: "/device/part?part=facts&id=" + encodeURIComponent(ID), apps: "/device/part?part=apps&id=" + encodeURIComponent(ID),
  history: "/device/part?part=history&id=" + encodeURIComponent(ID), commands: "/device/send?id=" + encodeURIComponent(ID),
  settings: "/device/send?type=Settings&id=" + encodeURIComponent(ID), information: "/device/send?type=DeviceInformation&id=" + encodeURIComponent(ID),
  bulk: "/bulk", jobs: "/bulk/jobs", filtered: "/devices?platform=iPhone&state=enrolled&unseen=7&os=1",
  approvals: "/approvals", accounts: "/accounts", account: "/account",
};
// Every form: its address and fields that would do something.
const FORMS = [["/signout", {}], ["/device/command", { device: ID, type: "SecurityInfo" }],
  ["/device/cancel", { device: ID, uuid: "C-80" }], ["/device/push", { device: ID }],
  ["/approvals", { id: "1", decision: "approve", why: "x" }], ["/bulk", { type: "RestartDevice", sure: "yes" }], ["/bulk/stop", { id: "1" }],
  ["/device/send", { device: ID, type: "DeviceLock", go: "1" }],
  ["/unknown", { number: "7", decision: "end", why: "x" }], ["/invitations", { uses: "1", days: "1" }],
  ["/apikeys", { name: "evil", scope_read: "1" }], ["/apikeys", { revoke: "nanomdm" }],
  ["/accounts", { what: "add", name: "evil", role: "administrator" }], ["/pushcerts", { pem: "x" }], ["/account", { what: "others" }], ["/account", { what: "factor_off" }]];

// Playwright gives each browser that it launches a fresh folder of user data.
const engine = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"] });

async function context(options = {}) {
  const c = await engine.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", baseURL: base, ...options });
  c.setDefaultTimeout(5000);
  c.faults = [];
  c.on("page", (p) => {
    p.on("pageerror", (e) => c.faults.push("error: " + e.message));
    p.on("console", (m) => m.type() === "error" && !/status of [45]/.test(m.text()) &&
      c.faults.push("console: " + m.text()));
    p.on("request", (r) => { if (!r.url().startsWith(base)) c.faults.push("foreign request: " + r.url()); });
    p.on("dialog", (d) => { c.faults.push("dialog"); d.dismiss(); });
  });
  return c;
}

async function signIn(c, next = "/", password = site.console_password) {
  const p = await c.newPage();
  await p.goto(next);
  await p.getByLabel("Name").fill(site.console_user);
  await p.getByLabel(/Password|Passwort/).fill(password);
  await p.locator("main button").click();
  await p.waitForLoadState();
  return p;
}

async function accessible(p, name) {
  await p.evaluate(axe);
  const r = await p.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")), [], name);
}

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
let p = await c.newPage();

await test("who is not signed in gets the sign-in page, and comes back to what was asked for", async () => {
  await p.goto(device);
  assert.match(p.url(), /\/signin\?next=/);
  await accessible(p, "sign-in");
  await p.screenshot({ path: screens + "/signin.png" });
  await p.close();
  p = await signIn(c, device);
  assert.equal(new URL(p.url()).pathname, "/device");
  assert.equal(new URL(p.url()).searchParams.get("id"), ID);
});

await test("a wrong password and an unknown account are told alike", async () => {
  const d = await context();
  const q = await signIn(d, "/", "wrong password");
  const text = await q.locator("[role=alert]").textContent();
  await q.getByLabel("Name").fill("nobody<b>");
  await q.getByLabel("Password").fill("wrong password");
  await q.locator("main button").click();
  assert.equal(await q.locator("[role=alert]").textContent(), text);
  assert.equal((await d.cookies()).some((k) => k.name === "__Host-drover"), false);
  await d.close();
});

await test("cookies and headers", async () => {
  const cookie = (await c.cookies()).find((k) => k.name === "__Host-drover");
  assert.ok(cookie.secure && cookie.httpOnly && cookie.sameSite === "Lax" && cookie.path === "/");
  const h = (await c.request.get("/")).headers();
  assert.match(h["content-security-policy"], /default-src 'none'/);
  assert.doesNotMatch(h["content-security-policy"], /unsafe|\*|http/);
  assert.match(h["cache-control"], /no-store/);
  assert.match(h["x-frame-options"], /DENY/);
  const css = (await (await c.request.get("/")).text()).match(/\/static\/console\.[0-9a-f]{12}\.css/)[0];
  assert.match((await c.request.get(css)).headers()["cache-control"], /immutable/);
  assert.equal((await c.request.get("/static/../drover.conf")).status() >= 400, true);
  assert.equal((await c.request.get("/static/%2e%2e/drover.conf")).status() >= 400, true);
});

for (const [name, url] of Object.entries(PAGES))
  await test("page " + name + " with JavaScript", async () => {
    c.faults.length = 0;
    const begin = Date.now();
    const answer = await p.goto(url, { waitUntil: "load" });
    console.log(`page  ${name}: ${(await answer.body()).length} bytes, ${Date.now() - begin} ms in the browser`);
    assert.equal(answer.status(), 200);
    assert.equal(await p.evaluate(() => window.pwned), undefined);
    assert.equal(await p.locator("h1").count(), 1);
    await accessible(p, name);
    await p.screenshot({ path: `${screens}/${name}.png`, fullPage: true });
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(c.faults, []);
  });

await test("what a device told is shown as text", async () => {
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

await test("a command's form is made from the catalogue, nested lists and all", async () => {
  await p.goto(PAGES.information);
  await p.getByLabel("OSVersion", { exact: true }).check();
  await p.getByRole("button", { name: "Queue it" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /queued/);
  assert.match(sql(`SELECT body FROM command WHERE request_type = 'DeviceInformation' ORDER BY id DESC LIMIT 1`), /<string>OSVersion<\/string>/);
  await p.goto(PAGES.settings);
  await p.getByRole("button", { name: "+ DeviceName" }).click();
  await p.getByLabel(/^DeviceName/).fill(EVIL);
  await p.getByRole("button", { name: "+ Bluetooth" }).click();
  assert.equal(await p.getByLabel(/^DeviceName/).inputValue(), EVIL);
  await p.getByLabel(/^Enabled/).selectOption("true");
  await accessible(p, "form with entries");
  await p.screenshot({ path: screens + "/send.png", fullPage: true });
  await p.getByRole("button", { name: "Queue it" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /queued/);
  const body = sql(`SELECT body FROM command WHERE request_type = 'Settings' ORDER BY id DESC LIMIT 1`).replace(/\\+[nt]/g, "");
  assert.match(body, /<key>Item<\/key><string>DeviceName<\/string><\/dict><dict><key>Enabled<\/key><true\/><key>Item<\/key><string>Bluetooth</);
  // what is wrong is told, and nothing is sent
  await p.goto("/device/send?type=RemoveProfile&id=" + encodeURIComponent(ID));
  await p.locator("#Identifier").evaluate((e) => e.removeAttribute("required"));
  await p.getByRole("button", { name: "Queue it" }).click();
  assert.match(await p.locator(".findings").textContent(), /Identifier/);
});

await test("a command for many: preview, progress, and its end", async () => {
  await p.goto("/devices?q=" + encodeURIComponent(ID));
  await p.getByRole("checkbox").check();
  await p.getByRole("button", { name: "Command for the ticked" }).click();
  assert.match(await p.locator(".names").textContent(), /EVIL/);
  await p.goto("/devices");
  await p.getByLabel("Platform").selectOption("iPhone");
  await p.waitForURL(/platform=iPhone/);
  const rows = await p.locator("tbody tr").count();
  await p.getByRole("link", { name: "Command for all that fit" }).click();
  assert.equal(await p.locator("h2 .badge").textContent(), String(rows));
  await p.locator("#type").selectOption("SecurityInfo");
  await p.locator("#sure").check();
  await p.getByRole("button", { name: "Send" }).click();
  await p.waitForURL(/\/bulk\/job\?id=/);
  await p.locator(".badge.is-done").waitFor({ timeout: 8000 }); // the page follows by itself
  await accessible(p, "job");
  await p.screenshot({ path: screens + "/job.png" });
  assert.equal(Number(sql("SELECT SUM(queued) + SUM(refused) FROM bulk_job")), rows);
});

await test("a list as CSV, which no spreadsheet takes for formulas", async () => {
  sql(`UPDATE enrollment SET serial = '=HYPERLINK("x")' WHERE id = 77`);
  const r = await c.request.get("/devices.csv?q=" + encodeURIComponent(ID));
  assert.match(r.headers()["content-type"], /text\/csv/);
  assert.match(r.headers()["content-disposition"], /attachment/);
  assert.match(await r.text(), /,"'=HYPERLINK\(""x""\)",/);
  assert.equal((await r.text()).trim().split("\r\n").length, 2);
  await p.goto("/audit?action=a.%3Cb");
  const log = await c.request.get(await p.getByRole("link", { name: "Download as CSV" }).getAttribute("href"));
  assert.match(await log.text(), /^id,at,actor,action,subject,detail\r\n900077,/);
});

await test("search as one types", async () => {
  await p.goto("/devices");
  await p.getByLabel("Search").pressSequentially("ALICE", { delay: 10 });
  await p.waitForURL(/q=ALICE/);
  assert.equal(await p.locator("tbody tr").count(), 1);
  await p.getByLabel("Search").fill("%");
  await p.waitForURL(/q=%25/);
  assert.equal(await p.locator("tbody tr").count(), 0);
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

await test("no redirect to another site, and no header of its own", async () => {
  for (const next of ["//evil.example/", "https://evil.example/", "/\\evil.example", "/x\r\nSet-Cookie: a=b"]) {
    const d = await context();
    const q = await d.newPage();
    await q.goto("/signin");
    await q.evaluate((n) => { document.querySelector("[name=next]").value = n; }, next);
    await q.getByLabel("Name").fill(site.console_user);
    await q.getByLabel("Password").fill(site.console_password);
    await q.locator("main button").click();
    await q.waitForURL(/^(?!.*signin)/);
    assert.equal(new URL(q.url()).origin, base, next);
    assert.equal((await d.cookies()).some((k) => k.name === "a"), false);
    await d.close();
  }
});

await test("a session that was brought along is not taken over", async () => {
  const d = await context();
  const fixed = "ab".repeat(32);
  await d.addCookies([{ name: "__Host-drover", value: fixed, url: base, secure: true, httpOnly: true }]);
  await signIn(d, "/");
  const now = (await d.cookies()).find((k) => k.name === "__Host-drover").value;
  assert.notEqual(now, fixed);
  // signing out ends it on the server too
  const q = d.pages()[0];
  await q.getByRole("button", { name: "Sign out" }).click();
  await q.waitForURL(/\/signin/);
  await d.addCookies([{ name: "__Host-drover", value: now, url: base, secure: true, httpOnly: true }]);
  assert.equal((await d.request.get("/", { maxRedirects: 0 })).status(), 303);
  await d.close();
});

await test("an account: made, first password, its role, and its end", async () => {
  await p.goto("/accounts");
  await p.getByLabel("Name").fill(`ben "<b>`);
  await p.getByLabel(/^Helpdesk/).check();
  await p.getByRole("button", { name: "Make the account" }).click();
  const first = await p.locator("code.secret").textContent();
  await p.goto("/accounts"); // shown once
  assert.equal(await p.locator("code.secret").count(), 0);
  const d = await context();
  const q = await d.newPage();
  await q.goto("/devices");
  await q.getByLabel("Name").fill(`ben "<b>`);
  await q.getByLabel("Password").fill(first);
  await q.locator("main button").click();
  await q.waitForURL(/\/account$/);
  await q.goto("/devices");
  assert.equal(new URL(q.url()).pathname, "/account");
  await q.getByLabel("Present password").fill(first);
  await q.getByLabel("New password (").fill("battery staple");
  await q.getByLabel("New password again").fill("battery staple");
  await q.getByRole("button", { name: "Change the password" }).click();
  await q.goto(device);
  assert.equal(await q.getByRole("button", { name: "DeviceLock" }).count(), 1);
  assert.equal(await q.locator("textarea").count(), 0);
  await accessible(q, "device for the helpdesk");
  assert.equal((await q.goto("/accounts")).status(), 403);
  assert.match(await q.locator("main").textContent(), /Your role \(Helpdesk\)/);
  const row = p.locator("tr", { hasText: "ben" });
  await row.getByRole("combobox").selectOption("viewer");
  await row.getByRole("button", { name: /^Save/ }).click();
  await q.goto(device);
  assert.equal(await q.getByRole("button", { name: "DeviceLock" }).count(), 0);
  await p.locator("tr", { hasText: "ben" }).getByRole("button", { name: /^Disable/ }).click();
  await q.goto("/");
  assert.equal(new URL(q.url()).pathname, "/signin");
  await p.locator("tr", { hasText: "you" }).getByRole("button", { name: /^Disable/ }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /last administrator/);
  await d.close();
});

await test("a sensitive form asks who it is, and loses nothing", async () => {
  sql("UPDATE session SET fresh_at = 1");
  await p.goto("/apikeys");
  await p.getByLabel("Name").fill("from the confirmed form");
  await p.getByLabel("Days it works (0").fill("7");
  await p.locator("#scope_read").check();
  await p.getByRole("button", { name: "Make the key" }).click();
  await accessible(p, "confirm");
  await p.screenshot({ path: screens + "/confirm.png" });
  await p.getByLabel("Present password").fill("wrong");
  await p.getByRole("button", { name: "Go on" }).click();
  assert.equal(await p.locator("[role=alert]").count(), 1);
  await p.getByLabel("Present password").fill(site.console_password);
  await p.getByRole("button", { name: "Go on" }).click();
  assert.match(await p.locator("main").textContent(), /from the confirmed form/);
  assert.match(await p.locator("code.secret").textContent(), /^[0-9a-f]{64}$/);
});

// RFC 6238 with the secret as the page shows it.
function totp(text, step = Math.floor(Date.now() / 30000)) {
  const bits = [...text].map((ch) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(ch).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = crypto.createHmac("sha1", key).update(counter).digest();
  return ((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).toString().padStart(6, "0");
}

await test("a second factor: set up, asked for, not taken twice, recovered, turned off", async () => {
  const form = () => p.locator("section[aria-labelledby=factor]");
  await p.goto("/account");
  await form().getByRole("button", { name: "Set it up" }).click();
  await accessible(p, "second factor");
  await p.screenshot({ path: screens + "/factor.png", fullPage: true });
  const secret = await form().locator(".secret").textContent();
  assert.match(secret, /^[A-Z2-7]{32}$/);
  await form().getByLabel("Code that the app shows").fill(totp(secret) === "000000" ? "111111" : "000000");
  await form().getByRole("button", { name: "Turn it on" }).click();
  assert.equal(await p.locator("[role=alert]").count(), 1);
  const step = Math.floor(Date.now() / 30000);
  await form().getByLabel("Code that the app shows").fill(totp(secret, step));
  await form().getByRole("button", { name: "Turn it on" }).click();
  const codes = await form().locator("li code").allTextContents();
  assert.equal(new Set(codes).size, 10);
  await accessible(p, "recovery codes");
  const d = await context();
  let q = await signIn(d, "/devices");
  assert.equal(new URL(q.url()).pathname, "/signin/code");
  await accessible(q, "code");
  assert.equal((await d.request.get("/devices", { maxRedirects: 0 })).headers().location, "/signin/code?next=%2Fdevices");
  const give = async (code) => {
    await q.locator("#code").fill(code);
    await q.locator("main button").click();
    await q.waitForLoadState();
  };
  await give(totp(secret, step)); // the one that set it up
  assert.match(await q.locator("[role=alert]").textContent(), /used already/);
  await give(totp(secret, step + 1));
  assert.equal(new URL(q.url()).pathname, "/devices");
  await d.clearCookies();
  await q.close();
  q = await signIn(d, "/");
  await give(codes[0].toUpperCase().replaceAll("-", " "));
  assert.equal(new URL(q.url()).pathname, "/");
  await d.clearCookies();
  await q.close();
  q = await signIn(d, "/");
  await give(codes[0]);
  assert.equal(await q.locator("[role=alert]").count(), 1);
  await d.close();
  await p.goto("/account");
  assert.match(await form().textContent(), /Recovery codes left: 9/);
  await form().getByRole("button", { name: "Turn it off" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /second factor is off/);
});

const plain = await context({ javaScriptEnabled: false });
let q;
await test("signing in without JavaScript", async () => {
  q = await signIn(plain, "/");
  assert.equal(new URL(q.url()).pathname, "/");
});
for (const [name, url] of Object.entries(PAGES))
  await test("page " + name + " without JavaScript", async () => {
    assert.equal((await q.goto(url)).status(), 200);
    assert.equal(await q.locator("h1").count(), 1);
    assert.deepEqual(plain.faults, []);
  });

await test("the form of a command without JavaScript", async () => {
  await q.goto(PAGES.settings);
  await q.getByRole("button", { name: "+ DeviceName" }).click();
  await q.getByLabel(/^DeviceName/).fill("no script");
  await q.getByRole("button", { name: "Queue it" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /queued/);
});

await test("work without JavaScript: command, cancel, decision, invitation, key", async () => {
  await q.goto(device);
  await q.getByRole("button", { name: "SecurityInfo", exact: true }).click();
  assert.match(await q.locator("main").textContent(), /The command is queued/);
  await q.getByRole("button", { name: "DeviceInformation", exact: true }).click();
  await q.getByText("Any command as a property list").click();
  await q.getByLabel("Property list with CommandUUID").fill("<plist><dict/></plist>");
  await q.getByRole("button", { name: "Queue it" }).click();
  assert.equal(await q.locator("[role=alert]").count(), 1);
  const open = await q.locator(".timeline li").count();
  await q.getByRole("button", { name: /^Cancel: SecurityInfo/ }).first().click();
  assert.equal(await q.locator(".timeline li").count(), open - 1);
  await q.getByLabel(/whoever uses the device/).check();
  await q.getByRole("button", { name: "DeviceLock" }).click();
  assert.match(sql("SELECT GROUP_CONCAT(request_type) FROM command"), /DeviceLock/);
  await q.goto("/unknown");
  await q.getByLabel("Reason").fill("restored " + EVIL);
  await q.getByRole("button", { name: "Accept" }).click();
  assert.equal(sql("SELECT decision FROM unknown_device WHERE id = 7").trim(), "1");
  await q.goto("/invitations");
  await q.getByLabel("For whom").fill(EVIL);
  await q.getByRole("button", { name: "Make the link" }).click();
  assert.match(await q.locator(".secret").textContent(), /\/enroll\/[0-9a-f]{48}$/);
  await q.goto("/apikeys");
  await q.getByLabel("Name").fill("made here");
  await q.getByLabel("read", { exact: false }).first().check();
  await q.getByRole("button", { name: "Make the key" }).click();
  const key = await q.locator(".secret").textContent();
  const basic = { Authorization: "Basic " + Buffer.from("x:" + key).toString("base64") };
  assert.equal((await plain.request.get("/v1/enrollments", { headers: basic })).status(), 200);
  await q.goto("/apikeys");
  await q.getByRole("button", { name: "Revoke: made here" }).click();
  assert.match(await q.locator("main").textContent(), /The key is revoked/);
  await q.goto("/pushcerts");
  await q.getByLabel("Certificate and unencrypted").fill("no certificate <b>");
  await q.getByRole("button", { name: "Store" }).click();
  assert.equal(await q.locator("[role=alert]").count(), 1);
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
  await p.screenshot({ path: screens + "/device-de.png", fullPage: true });
  await p.goto("/account");
  await p.getByLabel("Sprache der Konsole").selectOption("");
  await p.getByRole("button", { name: "Speichern" }).click();
});

await test("dark, and on a phone", async () => {
  for (const [name, options] of [["dark", { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }]]) {
    const d = await context({ ...options, storageState: await c.storageState() });
    const r = await d.newPage();
    for (const page of ["overview", "devices", "device", "accounts"]) {
      await r.goto(PAGES[page]);
      await accessible(r, name + " " + page);
      await r.screenshot({ path: `${screens}/${page}-${name}.png`, fullPage: true });
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

await test("the password is changed, and other sessions end", async () => {
  const change = async (from, to) => {
    await p.goto("/account");
    await p.getByLabel("Present password").fill(from);
    await p.getByLabel("New password (").fill(to);
    await p.getByLabel("New password again").fill(to);
    await p.getByRole("button", { name: "Change the password" }).click();
  };
  await change("not the password", "another password");
  assert.equal(await p.locator("[role=alert]").count(), 1);
  await change(site.console_password, "another password");
  assert.match(await p.locator("[role=status]").textContent(), /password is changed/);
  assert.equal((await plain.request.get("/", { maxRedirects: 0 })).status(), 303);
  await change("another password", site.console_password);
});

await test("guessing is slowed down", async () => {
  const d = await context();
  let r = await signIn(d, "/", "wrong password 1");
  for (let i = 0; i < 8 && !/Too many/.test(await r.locator("[role=alert]").textContent()); i++) {
    await r.getByLabel("Password").fill("wrong password " + i);
    await r.locator("main button").click();
  }
  assert.match(await r.locator("[role=alert]").textContent(), /Too many attempts/);
  await d.close();
});

await engine.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
