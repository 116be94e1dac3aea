// test_own.mjs: what people see who are no administrators: the pages by which a device enrols, in
// every way, the login of account-driven enrolment, one's own devices, and the pages of errors.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { EVIL, accessible, api, configure, context, droverctl, finish, picture, pause, signIn, simulate, site, sql, test, until, valid } from "./lib.mjs";

const PASSWORD = "correct horse battery", person = `own${process.pid}@example.org`;
const apple = site.state + "/apple-browser.pem";
execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Plays Apple", "-addext",
  "keyUsage=critical,keyCertSign", "-keyout", apple + ".key", "-out", apple], { stdio: "ignore" });
fs.chmodSync(apple, 0o644);
fs.writeFileSync(apple + ".both", fs.readFileSync(apple) + fs.readFileSync(apple + ".key"));
const outside = (options = {}) => context({ baseURL: site.device_url, ...options });

const c = await outside();
await configure(`[apple]\nroots = ${apple}\n[account]\nuser_enrollment = iPhone iPad\ndevice_enrollment = Mac\nmethod = oauth2\n[enroll]\nlogin = local`,
  async () => /type="password"/.test(await (await c.request.get("/enroll", { headers: { Accept: "text/html" } })).text()));
droverctl(["users", "add", person, "--password-file", "-"], PASSWORD + "\n");
// A Mac enrols by its owner's account: the device logs in as its owner does.
const mac = await simulate("--kind", "mac", "--account", person, "--enroll-url", site.device_url, "--user-name", person,
  "--user-password", PASSWORD, "--apple-ca", apple + ".both");

/** A page as each of these sees it: right, accessible, not too wide. */
async function seen(p, answer, name) {
  if (answer) await valid(await answer.text(), name);
  await accessible(p, name);
  assert.equal(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, name);
  assert.equal(await p.locator("h1").count(), 1, name);
  assert.equal(await p.locator("main").count(), 1, name);
  await picture(p, `own-${name.replaceAll(/\W+/g, "-")}`);
}
const EACH = { wide: {}, phone: { viewport: { width: 390, height: 844 }, colorScheme: "dark" }, german: { locale: "de-DE" } };

await test("the login of enrolment: wrong, right, what it explains, in each way", async () => {
  const link = droverctl(["invite", "--note", "the lab"]).match(/https:\S+/)[0];
  for (const [name, options] of Object.entries(EACH)) {
    const d = await outside(options), p = await d.newPage();
    await seen(p, await p.goto("/enroll"), "login " + name);
    await p.locator("#name").fill(EVIL.slice(0, 60));
    await p.locator("#password").fill("wrong");
    await p.locator("main button").click();
    assert.equal(await p.locator("[role=alert]").count(), 1);
    assert.equal(await p.locator("#name").inputValue(), EVIL.slice(0, 60));
    await seen(p, null, "login refused " + name);
    sql("DELETE FROM login_throttle");
    await p.locator("#name").fill(person);
    await p.locator("#password").fill(PASSWORD);
    await p.locator("main button").click();
    await p.locator("form.go button").waitFor();
    assert.match(await p.locator("main").textContent(), new RegExp(person));
    await seen(p, await p.goto("/enroll"), "explained " + name);
    await seen(p, await p.goto(link), "invitation " + name);
    await seen(p, await p.goto("/enroll/me"), "me " + name);
    assert.deepEqual(d.faults.filter((f) => !/foreign/.test(f)), []);
    await d.close();
  }
});

const login = (more = {}) => "/enroll/account/byod/login?" + new URLSearchParams({ response_type: "code", client_id: "drover",
  redirect_uri: "apple-remotemanagement-user-login:/oauth2/redirection", state: "a&b=c", login_hint: person, ...more });
await test("the login of account-driven enrolment: with and without JavaScript, and what it refuses", async () => {
  for (const [name, options] of Object.entries({ ...EACH, plain: { javaScriptEnabled: false } })) {
    const d = await outside(options), p = await d.newPage();
    const answer = await p.goto(login());
    assert.equal(answer.status(), 200);
    if (name !== "plain") await seen(p, answer, "account login " + name);
    assert.equal(await p.locator("#name").inputValue(), person);
    await p.locator("#password").fill("wrong");
    await p.locator("main button").click();
    assert.equal(await p.locator("[role=alert]").count(), 1);
    sql("DELETE FROM login_throttle");
    let went; // to the device's own address, which no browser opens
    const cdp = await d.newCDPSession(p);
    await cdp.send("Fetch.enable", { patterns: [{ urlPattern: "*/login*", requestStage: "Response" }] });
    cdp.on("Fetch.requestPaused", ({ requestId, request, responseStatusCode: status, responseHeaders: headers }) => {
      if (request.method !== "POST") return cdp.send("Fetch.continueRequest", { requestId });
      went = { status, location: headers.find((h) => /^location$/i.test(h.name))?.value };
      return cdp.send("Fetch.fulfillRequest", { requestId, responseCode: 204 });
    });
    await p.locator("#password").fill(PASSWORD);
    await p.locator("main button").click({ noWaitAfter: true });
    for (let i = 0; i < 400 && !went; i++) await pause(50);
    assert.equal(went.status, 308);
    assert.match(went.location, /^apple-remotemanagement-user-login:\/oauth2\/redirection\?.*code=/);
    await d.close();
  }
  const d = await outside(), p = await d.newPage();
  for (const [what, more] of Object.entries({ elsewhere: { redirect_uri: "https://evil.example/" }, "no client": { client_id: EVIL }, "other type": { response_type: "token" } })) {
    const first = await d.request.get(login(more), { maxRedirects: 0, headers: { Accept: "text/html" } });
    assert.equal(first.status() >= 300, true, `${what}: ${first.status()}`);
    assert.match(first.headers().location || "apple-remotemanagement-user-login:", /^apple-remotemanagement-user-login:/, what);
    if (first.status() < 400) continue;
    await seen(p, await p.goto(login(more)), "account refused " + what);
    assert.equal(await p.evaluate(() => window.pwned), undefined);
  }
  await d.close();
});

// What one may have: a profile of the library, offered to a group.
const item = await api("POST", "/api/v1/profiles", `<?xml version="1.0"?><plist version="1.0"><dict><key>PayloadType</key><string>Configuration</string>
  <key>PayloadVersion</key><integer>1</integer><key>PayloadIdentifier</key><string>org.example.own${process.pid}</string><key>PayloadUUID</key><string>${crypto.randomUUID()}</string>
  <key>PayloadDisplayName</key><string>Wi-Fi &lt;b&gt; at work</string><key>PayloadContent</key><array/></dict></plist>`, "application/x-apple-aspen-config");
const group = await api("POST", "/api/v1/groups", JSON.stringify({ name: "own " + process.pid }));
await api("POST", `/api/v1/groups/${group.id}/devices`, JSON.stringify({ add: [mac.ident] }));
await api("POST", "/api/v1/offers", JSON.stringify({ group: group.id, item: item.id }));

await test("one's own devices without JavaScript: sign in, see, get, give back, lock, leave", async () => {
  const d = await outside({ javaScriptEnabled: false }), p = await d.newPage();
  const mine = async () => {
    await p.goto("/enroll/me");
    await p.locator(".device a").click();
  };
  const becomes = async (text) => {
    for (let i = 0; i < 60 && !text.test(await p.locator("main").textContent()); i++) await pause(100), await p.reload();
    assert.match(await p.locator("main").textContent(), text);
  };
  await p.goto("/enroll/me");
  await p.locator("#name").fill(person);
  await p.locator("#password").fill(PASSWORD);
  await p.locator("main button").click();
  assert.equal(await p.locator(".device").count(), 1);
  await p.locator(".device a").click();
  const page = p.url();
  assert.match(await p.locator("details").first().textContent(), /serial number/i);
  await p.getByRole("button", { name: "Get: Wi-Fi <b> at work" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /Noted/);
  await p.goto(page);
  await becomes(/On this device/);
  assert.equal((await mac.ask({ op: "device", device: 0 })).profiles.includes("org.example.own" + process.pid), true);
  await p.getByRole("button", { name: "Give back: Wi-Fi <b> at work" }).click();
  await p.goto(page);
  await becomes(/Not on this device/);
  assert.equal((await mac.ask({ op: "device", device: 0 })).profiles.includes("org.example.own" + process.pid), false);
  await p.getByText("Lock it: it is lost").click();
  await p.getByLabel(/Message/).fill(EVIL);
  await p.locator("#lock-password").fill("wrong");
  await p.locator("#lock-sure").check();
  await p.getByRole("button", { name: "Lock", exact: true }).click();
  assert.equal(await p.locator("[role=alert]").count(), 1);
  assert.equal(await p.getByLabel(/Message/).inputValue(), EVIL); // it stands open, with what was written
  sql("DELETE FROM login_throttle");
  await p.locator("#lock-password").fill(PASSWORD);
  await p.locator("#lock-sure").check();
  await p.getByRole("button", { name: "Lock", exact: true }).click();
  assert.match(await p.locator("[role=status]").textContent(), /told to lock/);
  await p.goto(page);
  await becomes(/Lock: done/);
  assert.equal((await mac.ask({ op: "device", device: 0 })).locked, true);
  for (const [name, options] of Object.entries(EACH)) {
    const e = await outside({ ...options, storageState: await d.storageState() }), q = await e.newPage();
    await seen(q, await q.goto("/enroll/me"), "devices " + name);
    await q.goto(page);
    await q.locator("details").evaluateAll((all) => all.forEach((one) => { one.open = true; }));
    await seen(q, await e.request.get(page), "device " + name);
    assert.equal(await q.evaluate(() => window.pwned), undefined);
    await e.close();
  }
  await mine();
  await p.getByText("End management", { exact: true }).first().click();
  await p.locator("#leave-password").fill(PASSWORD);
  await p.locator("#leave-sure").check();
  await p.getByRole("button", { name: "End management" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /told to remove/);
  await until(`SELECT state FROM enrollment WHERE ident = '${mac.ident}'`, "3");
  await p.goto("/enroll/me");
  assert.equal(await p.locator(".device").count(), 0);
  await p.getByRole("button", { name: /Sign out|Log out/ }).click();
  await p.goto("/enroll/me");
  assert.equal(await p.locator("#password").count(), 1);
  await d.close();
});

await test("with the keyboard alone: log in, and to one's device", async () => {
  const d = await outside(), p = await d.newPage();
  await p.goto("/enroll/me");
  await p.keyboard.press("Tab");
  assert.equal(await p.evaluate(() => document.activeElement.id), "name");
  await p.keyboard.type(person);
  await p.keyboard.press("Tab");
  await p.keyboard.type(PASSWORD);
  await p.keyboard.press("Enter");
  await p.waitForLoadState();
  assert.equal(await p.locator("#password").count(), 0);
  await d.close();
});

await test("pages of errors of both hosts: 403, 404, 405, 413, 500 and 503, for people and in their language", async () => {
  const admin = await context(), p = await signIn(admin, "/");
  const out = await outside({ locale: "de-DE" }), q = await out.newPage();
  const error = async (page, url, status, name) => {
    const answer = await page.goto(url);
    assert.equal(answer.status(), status, url);
    await seen(page, answer, `error ${status} ${name}`);
  };
  await error(p, "/profile?id=999999", 404, "profile");
  await error(p, "/device?id=none", 404, "device");
  await error(p, "/nothing-here", 404, "no page");
  const refused = await admin.request.post("/signout", { form: { csrf: "0" }, maxRedirects: 0 });
  assert.equal(refused.status(), 403);
  await valid(await refused.text(), "403");
  const long = await admin.request.post("/signout", { form: { csrf: "0".repeat(200000) }, maxRedirects: 0 });
  assert.equal(long.status(), 413);
  await valid(await long.text(), "413");
  await error(q, "/enroll/" + "0".repeat(48), 404, "invitation");
  sql("RENAME TABLE webhook TO webhook_gone");
  try {
    await error(p, "/webhooks", 500, "fault");
    assert.match(await p.locator("main").textContent(), /log/);
  } finally {
    sql("RENAME TABLE webhook_gone TO webhook");
  }
  // the database is away: the pages say so, and come again by themselves
  const run = () => JSON.parse(fs.readFileSync(process.env.STATE + "/run.json", "utf8"));
  const hold = process.env.STATE + "/pid/mariadbd.hold", path = "/healthz";
  const health = async (status) => {
    for (let i = 0; i < 300 && (await admin.request.get(path)).status() !== status; i++) await pause(50);
  };
  const typed = await context(), s = await typed.newPage();
  await s.goto("/signin");
  fs.writeFileSync(hold, "");
  process.kill(Number(fs.readFileSync(process.env.STATE + "/pid/mariadbd", "utf8").split(" ")[0] || run().pids.mariadbd));
  try {
    await health(503);
    await error(p, "/devices", 503, "console");
    await error(q, "/enroll/me?device=x", 503, "outside");
    // who signs in just then does not lose the name that was typed
    await s.getByLabel("Name").fill("somebody");
    await s.getByLabel("Password").fill("anything");
    const [answer] = await Promise.all([s.waitForResponse((r) => r.request().method() === "POST"), s.getByRole("button", { name: "Sign in" }).click()]);
    await seen(s, answer, "sign in, the database is away");
    assert.equal(answer.status(), 503);
    assert.equal(await s.getByLabel("Name").inputValue(), "somebody");
    assert.match(await s.locator("[role=alert]").textContent(), /Try again in a few seconds/);
  } finally {
    fs.rmSync(hold);
  }
  await typed.close();
  await health(200);
  assert.equal((await p.goto("/devices")).status(), 200);
  await admin.close();
  await out.close();
});

await finish();
