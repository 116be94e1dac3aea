// test_ade.mjs: the web view that a device of automated enrolment opens while it is set up: a person
// logs in, reads what it means, and the device gets the profile.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { EVIL, accessible, configure, context, droverctl, finish, picture, site, sql, test } from "./lib.mjs";

const PASSWORD = "correct horse battery", person = `ade${process.pid}@example.org`, object = "ade" + process.pid;
const work = fs.mkdtempSync(site.state + "/ade-");
const openssl = (...argv) => execFileSync("openssl", argv, { cwd: work, stdio: ["pipe", "pipe", "ignore"] });
openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/O=Apple Inc./CN=Plays Apple", "-addext",
  "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem");
openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Apple Inc./CN=device", "-keyout", "device.key", "-out", "device.csr");
openssl("x509", "-req", "-in", "device.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", "-days", "2", "-out", "device.pem");
fs.chmodSync(work, 0o755);
fs.chmodSync(work + "/ca.pem", 0o644);

/** The header by which a device says what it is, signed by its built-in identity. */
function attested(more = {}) {
  const info = { UDID: "ade-udid-" + process.pid, SERIAL: "FADE" + process.pid, PRODUCT: "iPhone12,1", VERSION: "21A329", LANGUAGE: "en", ...more };
  fs.writeFileSync(work + "/info.plist", `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>${
    Object.entries(info).map(([k, v]) => `<key>${k}</key><string>${v}</string>`).join("")}</dict></plist>`);
  const cms = openssl("cms", "-sign", "-nodetach", "-binary", "-signer", "device.pem", "-inkey", "device.key", "-outform", "DER", "-in", "info.plist");
  return { "x-apple-aspen-deviceinfo": cms.toString("base64") };
}

droverctl(["users", "add", person, "--password-file", "-"], PASSWORD + "\n");
droverctl(["enroll-profile", "new", object, "login=web"]);
const probe = await context({ baseURL: site.device_url });
await configure(`[apple]\nroots = ${work}/ca.pem\n[enroll]\nlogin = local`, async () =>
  (await probe.request.get("/enroll/ade/" + object, { headers: attested() })).status() === 200);

for (const [name, options] of Object.entries({ wide: {}, phone: { viewport: { width: 390, height: 844 }, colorScheme: "dark" },
  german: { locale: "de-DE" }, plain: { javaScriptEnabled: false } }))
  await test("the web view of automated enrolment: login, what it means, the profile; " + name, async () => {
    const d = await context({ baseURL: site.device_url, ...options }), p = await d.newPage();
    const seen = async (what) => {
      if (name !== "plain") await accessible(p, `web view, ${what}, ${name}`);
      assert.equal(await p.locator("h1").count(), 1, what);
      if (name !== "plain") assert.equal(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, what);
      await picture(p, `ade-${what}-${name}`);
    };
    // the device says what it is on the first page alone
    const header = attested();
    await p.route("**/enroll/ade/*", (route) => route.continue({ headers: { ...route.request().headers(), ...header } }));
    assert.equal((await p.goto("/enroll/ade/" + object)).status(), 200);
    await seen("login");
    await p.locator("#name").fill(EVIL.slice(0, 60));
    await p.locator("#password").fill("wrong");
    await p.locator("main button").click();
    assert.equal(await p.locator("[role=alert]").count(), 1);
    assert.equal(await p.locator("#name").inputValue(), EVIL.slice(0, 60));
    await seen("refused");
    sql("DELETE FROM login_throttle");
    await p.locator("#name").fill(person);
    await p.locator("#password").fill(PASSWORD);
    await p.locator("main button").click();
    await p.locator("form.go button").waitFor();
    assert.match(await p.locator("main").textContent(), new RegExp(person));
    await seen("explained");
    const download = p.waitForEvent("download");
    await p.locator("form.go button").click();
    assert.match(fs.readFileSync(await (await download).path(), "latin1"), /com\.apple\.mdm/);
    assert.equal(sql(`SELECT COUNT(*) FROM handout WHERE account = '${person}'`).trim() >= "1", true);
    assert.deepEqual(d.faults.filter((f) => !/foreign/.test(f)), []);
    await d.close();
  });

await test("the web view is for devices that prove what they are", async () => {
  for (const [status, headers] of [[400, {}], [400, { "x-apple-aspen-deviceinfo": "bm9uc2Vuc2U=" }]])
    assert.equal((await probe.request.get("/enroll/ade/" + object, { headers })).status(), status);
  assert.equal((await probe.request.get("/enroll/ade/none", { headers: attested() })).status(), 404);
  assert.equal((await probe.request.post("/enroll/view", { form: { do: "get" } })).status() >= 400, true);
});

await probe.close();
droverctl(["enroll-profile", "remove", object]);
await finish();
