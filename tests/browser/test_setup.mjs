// test_setup.mjs: from an administrator and nothing else to the first managed device, by the pages of
// the set-up. Its site is started with `scripts/run --empty`.
import { execFileSync, spawn } from "node:child_process";
import assert from "node:assert/strict";
import fs from "node:fs";
import { accessible, context, finish, picture, quoted, signIn, site, sql, test } from "./lib.mjs";

const NAME = `Vier "Jahre" <b>&`;
const TOPIC = "com.apple.mgmt.External.set-up";
const work = site.state + "/set-up";
fs.mkdirSync(work, { recursive: true });
const sh = (program, ...argv) => execFileSync(program, argv, { cwd: work, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const c = await context({ viewport: { width: 1280, height: 860 } });
let p;

const state = async (step) => (await p.locator(`.steps a[href="/setup?step=${step}"] .badge`).textContent()).trim();
// Waits for what is so, by itself; the page is not loaded again.
async function becomes(what, ms = 30000) {
  let last;
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
    last = await what().catch((e) => e.message);
    if (last === true) return;
  }
  assert.fail("this did not become so: " + what + " (" + last + ")");
}
const press = (name) => p.getByRole("button", { name, exact: true }).click();
async function seen(name) {
  await accessible(p, name);
  await picture(p, `setup-${name}`);
}

await test("an empty site leads to its set-up, which begins at the first step", async () => {
  p = await signIn(c, "/");
  assert.deepEqual(await p.locator(".attention li").allTextContents(), ["No device is managed yet. The set-up leads there, step by step."]);
  assert.equal(await p.getByRole("link", { name: "Begin with the set-up" }).getAttribute("href"), "/setup");
  await p.goto("/devices");
  assert.match(await p.locator("[data-results]").textContent(), /No device is enrolled yet/);
  await p.goto("/");
  await p.getByRole("link", { name: /No device is managed yet/ }).click();
  assert.equal(await p.locator("#step").textContent(), "Organisation");
  for (const step of ["organisation", "address", "ca", "push", "profile", "device"]) assert.equal(await state(step), "to do");
  await seen("organisation");
});

await test("the organisation has a name, and the agent looks at the network meanwhile", async () => {
  await p.locator("#name").evaluate((e) => e.removeAttribute("required"));
  await press("Save and go on");
  assert.match(await p.locator("[role=alert]").textContent(), /Give a name/);
  await p.getByLabel("Name of the organisation").fill(NAME);
  await press("Save and go on");
  assert.equal(await p.locator("#step").textContent(), "Public names");
  assert.equal(await state("organisation"), "done");
  await becomes(async () => (await state("address")) === "done");
  const told = await p.locator(".checks").textContent();
  assert.match(told, /https:\/\/localhost:\d+ answers/);
  assert.match(told, /only the CA of \[enroll\] certificates vouches/); // and how to mend it
  assert.match(told, /certificate of a public CA/);
  await seen("address");
});

await test("the device CA is made once, and the web server hears of it", async () => {
  await p.getByRole("link", { name: "Next step" }).click();
  // what the step is there for is nothing wrong
  assert.match(await p.locator(".checks").textContent(), /signer.*answers/);
  assert.doesNotMatch(await p.locator(".checks").textContent(), /droverctl ca init/);
  // three RSA keys: quick, or not so quick on a busy machine
  await p.getByRole("button", { name: "Make the device CA", exact: true }).click({ timeout: 60000 });
  const command = p.locator("code.secret", { hasText: / ca bundle$/ });
  await command.waitFor({ timeout: 30000 });
  const typed = (await command.textContent()).split(" "); // just what the page says
  assert.match(sh("openssl", "x509", "-in", site.state + "/signer/ca.pem", "-noout", "-subject", "-nameopt", "utf8"), /Jahre.*<b>& Device CA/);
  await seen("ca");
  const csrf = await p.locator("[name=csrf]").first().inputValue();
  const again = await c.request.post("/setup?step=ca", { form: { csrf, what: "ca" } });
  assert.equal(again.status(), 409);
  assert.deepEqual(typed.slice(0, 2), ["sudo", "droverctl"]);
  sh(site.droverctl, ...typed.slice(2));
  // the web server may be away for a moment while it reads the bundle: no certificate is tried then
  await becomes(async () => {
    await p.goto("/setup?step=ca");
    await press("Check now");
    await becomes(async () => (await state("ca")) !== "being checked");
    return (await state("ca")) === "done" && /a client certificate reaches the workers/.test(await p.locator(".checks").textContent());
  }, 60000);
});

await test("who leaves comes back to the step that is next, in another browser", async () => {
  const d = await context();
  const q = await signIn(d, "/setup");
  assert.equal(await q.locator("#step").textContent(), "Push certificate");
  await d.close();
});

await test("a push certificate: request, its file, what is no certificate of it, and the right one", async () => {
  await p.goto("/setup");
  await press("Make a request");
  const [file] = await Promise.all([p.waitForEvent("download"), p.getByRole("link", { name: "Download the request" }).click()]);
  await file.saveAs(work + "/request.csr");
  assert.match(sh("openssl", "req", "-in", "request.csr", "-noout", "-verify", "-subject"), /push certificate/);
  await seen("push");
  await p.getByText("PEM", { exact: true }).click();
  assert.equal((await p.locator("details pre").textContent()).trim(), fs.readFileSync(work + "/request.csr", "utf8").trim());
  fs.writeFileSync(work + "/ext", "extendedKeyUsage=clientAuth\n");
  const certify = (csr, out) => sh("openssl", "x509", "-req", "-in", csr, "-CA", site.state + "/sim/push-ca.pem", "-CAkey",
    site.state + "/sim/push-ca.key", "-set_serial", "7", "-days", "365", "-extfile", "ext", "-out", out,
    "-subj", `/UID=${TOPIC}/CN=APSP:set-up/C=US`);
  sh("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", "other.key", "-out", "other.csr");
  certify("other.csr", "other.pem");
  await p.setInputFiles("#pemfile", work + "/other.pem");
  await becomes(async () => /BEGIN CERTIFICATE/.test(await p.locator("#pem").inputValue()));
  await press("Store the certificate");
  assert.equal(await p.locator("[role=alert]").count(), 1);
  assert.equal(await state("push"), "to do");
  certify("request.csr", "push.pem");
  await p.setInputFiles("#pemfile", work + "/push.pem");
  await becomes(async () => /BEGIN CERTIFICATE/.test(await p.locator("#pem").inputValue()));
  await press("Store the certificate");
  assert.equal(await p.locator("#step").textContent(), "Enrolment profile");
  assert.equal(await state("push"), "done");
});

await test("an enrolment profile: what does not go together is told, what is saved is in force", async () => {
  await p.getByLabel("Title of the profile").fill(NAME);
  await p.locator("#right_1").uncheck(); // installing profiles wants seeing them
  await press("Save the profile");
  assert.equal(await p.locator("[role=alert]").count(), 1);
  assert.equal(await p.locator("#right_1").isChecked(), false);
  assert.equal(await p.getByLabel("Title of the profile").inputValue(), NAME);
  await p.locator("#right_1").check();
  await p.locator("#right_8").uncheck();
  await seen("profile");
  await press("Save the profile");
  assert.equal(await p.locator("#step").textContent(), "First device");
  assert.equal(await state("profile"), "done");
});

await test("a link and its QR code; the device that opens it is shown without a reload", async () => {
  assert.equal(await p.locator(".notice.bad").count(), 0);
  await press("Make a link");
  const link = await p.locator("code.secret").textContent();
  assert.ok(link.startsWith(site.device_url + "/enroll/"));
  assert.ok((await p.locator(".qr path").getAttribute("d")).length > 500);
  assert.match(await p.locator("main").textContent(), /No device yet/);
  await seen("device");
  await p.evaluate(() => { window.same = true; });
  const device = spawn(process.env.BUILD + "/mdmsim", ["--enroll-url", link, "--ca-file", site.ca_file, "--wake",
    site.apns_wake_socket, "--kind", "iphone", "--state", work + "/devices"], { stdio: "ignore" });
  try {
    await becomes(async () => (await p.locator(".arrived").count()) === 1);
    await becomes(async () => (await state("device")) === "done");
    assert.equal(await p.evaluate(() => window.same), true);
    assert.equal(await p.locator("code.secret").textContent(), link);
    await seen("arrived");
  } finally {
    device.kill("SIGTERM");
  }
  assert.equal(sql("SELECT l.topic FROM enrollment e JOIN life l ON l.id = e.life_id WHERE e.state = 2").trim(), TOPIC);
  assert.equal(sql("SELECT CONCAT(uses, '/', uses_max) FROM invitation").trim(), "1/1");
  const profile = sql("SELECT title, access_rights FROM enroll_profile_version ORDER BY version DESC LIMIT 1").trim().split("\t");
  assert.deepEqual(profile, [NAME, String(8191 - 8)]);
});

await test("afterwards it is the check of the set-up, without JavaScript too", async () => {
  await p.goto("/setup");
  assert.match(await p.locator("main").textContent(), /All is set up/);
  await p.goto("/");
  assert.equal(await p.getByRole("link", { name: /No device is managed yet/ }).count(), 0);
  await p.goto("/people"); // nobody was looked for, so nobody was not found
  assert.match(await p.locator("main").textContent(), /Nobody yet\. Add below whoever/);
  await p.goto("/people?q=x");
  assert.match(await p.locator("main").textContent(), /Nobody is found/);
  const d = await context({ javaScriptEnabled: false });
  const q = await signIn(d, "/setup?step=device");
  assert.equal(await q.locator(".arrived").count(), 1);
  // a host of devices that did not answer proves nothing of the CA
  const row = "WHERE kind = 'network'", kept = sql(`SELECT HEX(findings) FROM checkup ${row}`).trim();
  const away = JSON.parse(Buffer.from(kept, "hex").toString()).filter((f) => !/^(device|identity)$/.test(f.check));
  away.push({ check: "device", result: "fail", detail: "https://d cannot be reached: x", fix: "see", say: "doctor_s_cannot_be_reached_s", with: ["https://d", "x"] });
  away.push({ check: "identity", result: "warn", detail: "no certificate was tried: the device host does not answer as it should",
    fix: "mend what the check of the device host says, then check again", say: "doctor_no_certificate_was_tried_the_device_host_does_no", with: [] });
  sql(`UPDATE checkup SET findings = ${quoted(JSON.stringify(away))} ${row}`);
  await q.goto("/setup?step=ca");
  const badge = async (step) => (await q.locator(`.steps a[href="/setup?step=${step}"] .badge`).textContent()).trim();
  assert.equal(await badge("address"), "a problem");
  assert.equal(await badge("ca"), "not tried");
  await q.goto("/setup?step=device"); // which steps, and where
  assert.deepEqual(await q.locator(".notice.bad a").evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute("href")])), [["Public names", "/setup?step=address"]]);
  await q.goto("/setup?step=ca");
  assert.match(await q.locator(".checks").textContent(), /no certificate was tried.*To mend it: mend what the check/s);
  assert.doesNotMatch(await q.locator("main").textContent(), /All is set up/);
  sql(`UPDATE checkup SET findings = UNHEX('${kept}') ${row}`);
  await q.goto("/setup?step=address");
  const before = sql("SELECT asked_at FROM checkup").trim();
  await q.getByRole("button", { name: "Check now" }).click();
  assert.match(await q.locator("[role=status]").first().textContent(), /asked to check/);
  assert.notEqual(sql("SELECT asked_at FROM checkup").trim(), before);
  await d.close();
  assert.deepEqual(c.faults.filter((f) => !/ERR_|Failed to load/.test(f)), []);
});

await test("German, dark and on a phone", async () => {
  const d = await context({ locale: "de-DE", colorScheme: "dark", viewport: { width: 390, height: 844 }, isMobile: true, storageState: await c.storageState() });
  p = await d.newPage();
  for (const step of ["organisation", "address", "ca", "push", "profile", "device"]) {
    await p.goto("/setup?step=" + step);
    await seen("phone-" + step);
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth), 390, step);
  }
  await d.close();
});

await finish();
