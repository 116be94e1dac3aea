// test_signin.mjs: signing in, sessions, accounts, the second factor, and who guesses.
import assert from "node:assert/strict";
import { accessible, base, context, finish, mark, picture, signIn, site, sql, stayed, test, totp, until } from "./lib.mjs";
import { ID, device, fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
let p = await c.newPage();

await test("who is not signed in gets the sign-in page, and comes back to what was asked for", async () => {
  await p.goto(device);
  assert.match(p.url(), /\/signin\?next=/);
  await accessible(p, "sign-in");
  await picture(p, "signin");
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

await test("a page that stays fresh by itself does not count as somebody who works", async () => {
  const d = await context({ storageState: await c.storageState() }), q = await d.newPage();
  const asked = (live) => q.waitForRequest((r) => r.resourceType() === "fetch" && (r.headers()["drover-live"] === "1") === live);
  const by_itself = asked(true);
  await q.goto("/bulk/job?id=66");
  await by_itself;
  await q.goto("/devices");
  const by_hand = asked(false);
  await q.locator("[data-search] input[type=search]").fill("x");
  await by_hand;
  await d.close();
});

await test("a page that stays fresh by itself leaves the screen with the session", async () => {
  const d = await context(), q = await signIn(d, "/bulk/job?id=66");
  assert.equal(new URL(q.url()).pathname, "/bulk/job");
  const { value } = (await d.cookies()).find((k) => k.name === "__Host-drover");
  sql(`UPDATE session SET idle_until = 1 WHERE token_sha256 = UNHEX(SHA2('${value}', 256))`);
  await q.waitForURL(/\/signin\?next=/);
  assert.equal(await q.getByLabel("Name").count(), 1);
  await d.close();
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
  assert.equal(await q.locator("a.button[title=DeviceLock]").count(), 1);
  assert.equal(await q.locator("textarea").count(), 0);
  await accessible(q, "device for the helpdesk");
  // what a device has not told yet is asked for where it is missed
  await q.goto(device.replace("/device?", "/device/part?part=restrictions&"));
  await q.getByRole("button", { name: "Ask the device now" }).click();
  assert.equal(new URL(q.url()).pathname, "/device");
  await until(`SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE c.request_type = 'Restrictions' AND c.created_by LIKE 'ben %'`, "1");
  sql("DELETE q FROM queue q JOIN command c ON c.id = q.command_id WHERE c.created_by LIKE 'ben %'");
  // what the device's page does not offer is not the helpdesk's
  assert.equal((await q.goto(device.replace("/device?", "/device/send?type=EraseDevice&"))).status(), 403);
  const csrf = await q.locator("[name=csrf]").first().inputValue();
  assert.equal((await d.request.post("/device/send", { form: { csrf, device: ID, type: "EraseDevice", go: "1", why: "x" } })).status(), 403);
  assert.equal((await q.goto("/accounts")).status(), 403);
  assert.match(await q.locator("main").textContent(), /Your role \(Helpdesk\)/);
  const row = p.locator("tr", { hasText: "ben" });
  await row.getByRole("combobox").selectOption("viewer");
  await row.getByRole("button", { name: /^Save/ }).click();
  await q.goto(device);
  assert.equal(await q.locator("a.button", { hasText: /^DeviceLock$/ }).count(), 0);
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
  await picture(p, "confirm");
  await p.getByLabel("Present password").fill("wrong");
  await p.getByRole("button", { name: "Go on" }).click();
  assert.equal(await p.locator("[role=alert]").count(), 1);
  await p.getByLabel("Present password").fill(site.console_password);
  await p.getByRole("button", { name: "Go on" }).click();
  assert.match(await p.locator("main").textContent(), /from the confirmed form/);
  assert.match(await p.locator("code.secret").textContent(), /^[0-9a-f]{64}$/);
});

await test("sessions, throttles and keys are ended in their lists; a proof is asked for on its page", async () => {
  const now = Date.now() * 1000;
  sql(`REPLACE INTO session (token_sha256, admin, csrf, created_at, seen_at, idle_until, ends_at, user_agent, address) SELECT UNHEX(SHA2(seq, 256)), 'admin',
    REPEAT('c', 32), ${now}, ${now}, ${now + 9e8}, ${now + 9e9}, CONCAT('Browser-', seq), 'x' FROM seq_1_to_3;
    REPLACE INTO login_throttle (subject, failures, first_at, last_at, free_at) VALUES ('admin:admin@192.0.2.67', 5, ${now - 6e8}, ${now}, ${now + 9e8})`);
  await p.goto("/signins?name=admin");
  await mark(p);
  const one = p.locator("[data-row]").filter({ hasText: "Browser-2" });
  await one.getByRole("button", { name: "End: Browser-2" }).dblclick();
  await stayed(p, "Saved");
  assert.equal(await one.count(), 0);
  assert.equal(sql("SELECT COUNT(*) FROM session WHERE user_agent LIKE 'Browser-_'").trim(), "2");
  const held = p.locator("[data-row='admin:admin@192.0.2.67']");
  await held.getByRole("button").click();
  await held.waitFor({ state: "detached" });
  await stayed(p, "Saved");
  await accessible(p, "a session that was ended in the list");
  await p.goto("/apikeys");
  await mark(p);
  const key = p.locator("[data-row='from the confirmed form']"), revoke = key.getByRole("button", { name: /^Revoke/ });
  sql("UPDATE session SET fresh_at = 1");
  await revoke.click();
  await p.getByLabel("Present password").waitFor();
  await p.goto("/apikeys");
  await mark(p);
  sql(`UPDATE session SET fresh_at = ${Date.now() * 1000}`);
  await revoke.click();
  await stayed(p, "The key is revoked");
  assert.match(await key.textContent(), /revoked/);
  assert.equal(await revoke.count(), 0);
  assert.equal(await p.evaluate(() => document.activeElement.dataset.row), "from the confirmed form");
  await accessible(p, "a key that was revoked in the list");
});

await test("a second factor: set up, asked for, not taken twice, recovered, turned off", async () => {
  const form = () => p.locator("section[aria-labelledby=factor]");
  await p.goto("/account");
  await form().getByRole("button", { name: "Set it up" }).click();
  await accessible(p, "second factor");
  await picture(p, "factor");
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
  assert.equal(await form().getByRole("button", { name: "Print the codes" }).isVisible(), true);
  await p.emulateMedia({ media: "print" }); // the codes, and nothing else
  assert.equal(await form().locator("li code").first().isVisible(), true);
  assert.equal(await p.locator("#pw").isVisible(), false);
  await p.emulateMedia({ media: "screen" });
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

await test("a page that cannot stay fresh says so", async () => {
  const d = await context(), r = await signIn(d, "/setup?step=device"); // looks every two seconds
  const told = r.locator("#stale");
  assert.equal(await told.isVisible(), false);
  await r.route("**/setup?*", (route) => route.abort());
  await told.waitFor();
  assert.match(await told.textContent(), /not fresh: the server does not answer/);
  await accessible(r, "a page that is not fresh");
  await r.unroute("**/setup?*");
  await told.waitFor({ state: "hidden" });
  // who is in a form loses nothing of it when the session ends: it is told
  const token = (await d.cookies()).find((k) => k.name === "__Host-drover").value;
  await r.goto("/devices");
  sql(`DELETE FROM session WHERE token_sha256 = UNHEX(SHA2('${token}', 256))`);
  await r.getByLabel("Search", { exact: true }).fill("x");
  await told.waitFor();
  assert.match(await told.textContent(), /session has ended/);
  await told.getByRole("link").click();
  await r.waitForURL(/\/signin\?next=%2Fdevices/);
  await d.close();
});

const plain = await context({ javaScriptEnabled: false });
const q = await signIn(plain, "/");
assert.equal(new URL(q.url()).pathname, "/");

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
  sql("DELETE FROM login_throttle"); // files that come later sign in too
  await d.close();
});

await finish();
