// test_profiles.mjs: profiles in the console: uploaded, published, assigned, compared, rolled back and
// deleted, with and without JavaScript; to simulated devices that really install them.
import { execFileSync } from "node:child_process";
import assert from "node:assert/strict";
import fs from "node:fs";
import { EVIL, accessible, context, finish, picture, quoted, signIn, site, sql, test } from "./lib.mjs";

const xml = (s) => s.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const clip = (id, label, more = "") => `<dict><key>PayloadType</key><string>com.apple.webClip.managed</string>
  <key>PayloadIdentifier</key><string>org.example.${id}.clip</string><key>PayloadUUID</key><string>${id}-CLIP</string>
  <key>PayloadVersion</key><integer>1</integer><key>URL</key><string>https://example.org/</string>
  <key>Label</key><string>${xml(label)}</string>${more}</dict>`;
const file = (id, payloads, more = "", name = EVIL) => ({ name: "x.mobileconfig", mimeType: "application/octet-stream",
  buffer: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>PayloadType</key>
  <string>Configuration</string><key>PayloadVersion</key><integer>1</integer><key>PayloadIdentifier</key>
  <string>org.example.${id}</string><key>PayloadUUID</key><string>${id}-UUID</string><key>PayloadDisplayName</key>
  <string>${xml(name)}</string>${more}<key>PayloadContent</key><array>${payloads}</array></dict></plist>`) });
const tag = Date.now().toString(36), one = "one" + tag; // a site may be used again
const good = (p) => p.locator("[role=status]").textContent();
const bad = (p) => p.locator("[role=alert]").textContent();

async function api(c, method, path, data) {
  const auth = "Basic " + Buffer.from(`${site.api_user}:${site.api_key}`).toString("base64");
  const r = await c.request.fetch(site.api_url + path, { method, data, headers: { Authorization: auth } });
  assert.ok(r.ok(), `${method} ${path}: ${r.status()} ${await r.text()}`);
  return r.json();
}

// The page again and again until it says so: devices and the agent take their time.
async function until(p, url, body) {
  for (let end = Date.now() + 40000; ;) {
    await p.goto(url);
    if (await body(p)) return;
    if (Date.now() > end) assert.fail(`${url}: ` + (await p.locator("main").textContent()).slice(0, 600));
    await p.waitForTimeout(300);
  }
}

const c = await context({ viewport: { width: 1280, height: 860 } });
const plain = await context({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
let p = await signIn(c, "/profiles"), q = await signIn(plain, "/profiles");
const group = (await api(c, "POST", "/api/v1/groups", { name: `All ${tag} ${EVIL}`, filter: { fact: "platform", is: "iOS" } })).id;
let profile;

async function upload(page, f, at = "/profiles") {
  await page.goto(at);
  await page.setInputFiles("#file", f);
  await page.getByRole("button", { name: "Upload and check" }).click();
}

await test("profiles: an empty list says what to do, and a search that finds nothing says so", async () => {
  await accessible(p, "profiles");
  await p.goto("/profiles?q=no-such-profile");
  assert.match(await p.locator("main").textContent(), /No profile fits/);
});

await test("profiles: uploaded without JavaScript, shown as text, published", async () => {
  await upload(q, file(one, clip(one, EVIL)));
  assert.match(q.url(), /\/draft\?id=/);
  assert.equal((await q.locator("h1").textContent()).includes("<script>window.pwned=1"), true);
  assert.match(await q.locator("main").textContent(), /Web clip/);
  await picture(q, "draft-phone");
  await p.goto(q.url());
  await accessible(p, "draft");
  assert.equal(await p.evaluate(() => window.pwned), undefined);
  await picture(p, "draft");
  await q.getByRole("button", { name: "Publish" }).click();
  assert.match(await good(q), /Published/);
  profile = new URL(q.url()).pathname + "?id=" + new URL(q.url()).searchParams.get("id");
});

await test("profiles: assigned after a look at whom it reaches, and installed", async () => {
  await q.goto(profile + "&tab=devices");
  await q.locator("#group").selectOption({ value: group });
  await until(q, profile + "&tab=devices", async () => {
    await q.locator("#group").selectOption({ value: group });
    await q.locator("[aria-labelledby=groups]").getByRole("button", { name: "Show what it would change" }).click();
    return (await q.locator(".count").count()) && Number(await q.locator(".count").textContent()) >= 1;
  });
  assert.match(await q.locator("h1").textContent(), /Give .*<script>/);
  await picture(q, "profile-assign");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /is to have it/);
  await until(p, profile + "&tab=devices&state=installed", async () => await p.locator("tbody tr").count() >= 1);
  await accessible(p, "profile devices");
  await picture(p, "profile-devices");
  for (const tab of ["contents", "versions", "settings"]) {
    await p.goto(profile + "&tab=" + tab);
    await accessible(p, "profile " + tab);
    assert.equal(await p.evaluate(() => window.pwned), undefined);
    await picture(p, `profile-${tab}`);
  }
  await until(p, "/profiles?q=org.example." + one, async () => (await p.locator("tbody td.num").nth(1).textContent()) >= "1");
  await picture(p, "profiles");
  const csv = await (await c.request.get("/profiles.csv?q=org.example." + one, { maxRetries: 2 })).text();
  assert.match(csv, /^id,kind,name,identifier,version,installed,/);
  assert.equal(csv.trim().split("\r\n").length, 2);
});

await test("profiles: a new version shows what changes; two people at once lose nothing", async () => {
  await upload(p, file(one, clip(one, "Second", "<key>Secret</key><string>hidden-1</string>")), profile + "&tab=versions");
  const mine = p.url();
  assert.match(await p.locator("main").textContent(), /Second/);
  assert.doesNotMatch(await p.content(), /hidden-1/);
  assert.ok(Number(await p.locator(".count").textContent()) >= 1);
  await accessible(p, "draft with changes");
  await picture(p, "draft-changes");
  await upload(q, file(one, clip(one, "Third")), profile + "&tab=versions");
  await q.getByRole("button", { name: "Publish" }).click();
  assert.match(await good(q), /Published/);
  // the page was loaded before: the draft is still there, and both changes are shown
  await p.getByRole("button", { name: "Publish" }).click();
  assert.match(await bad(p), /version 2 was stored meanwhile/);
  assert.match(await p.locator("[aria-labelledby=theirs]").textContent(), /Third/);
  assert.match(await p.locator("[aria-labelledby=changes]").textContent(), /Second/);
  await accessible(p, "draft that is behind");
  await picture(p, "draft-behind");
  await p.goto(mine);
  await p.getByRole("button", { name: "Publish over version 2" }).click();
  assert.match(await good(p), /Published/);
  await until(p, profile + "&tab=devices&state=installed", async () =>
    (await p.locator("tbody tr").count()) >= 1 && (await p.locator("tbody td.num:nth-of-type(3)").allTextContents()).every((t) => t === "3"));
});

await test("profiles: rolled back after a look, compared, and the devices follow", async () => {
  await p.goto(profile + "&tab=versions");
  await p.getByRole("link", { name: "with the one before 3" }).click();
  assert.match(await p.locator("main").textContent(), /Third[\s\S]*Second/);
  await accessible(p, "comparison");
  await picture(p, "profile-compare");
  await q.goto(profile + "&tab=versions");
  await q.getByRole("button", { name: "Use this version 1" }).click();
  assert.match(await q.locator("h1").textContent(), /Give version 1 to the devices, which are to have 3/);
  assert.ok(Number(await q.locator(".count").textContent()) >= 1);
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /are to have that version/);
  await until(p, profile + "&tab=devices&state=installed", async () =>
    (await p.locator("tbody tr").count()) >= 1 && (await p.locator("tbody td.num:nth-of-type(3)").allTextContents()).every((t) => t === "1"));
});

await test("profiles: given to one device, on its page and on the profile's", async () => {
  const id = new URL("http://x" + profile).searchParams.get("id");
  const [ident] = sql("SELECT ident FROM enrollment WHERE kind = 1 AND state = 2 LIMIT 1").split("\n");
  await q.goto("/device?id=" + encodeURIComponent(ident));
  await q.locator("#giveprofile").selectOption({ value: id });
  await q.locator("form", { has: q.locator("#giveprofile") }).getByRole("button").click();
  assert.match(await q.locator("h1").textContent(), /to the device/);
  await accessible(p, "device");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /device is to have it/);
  assert.equal(sql(`SELECT COUNT(*) FROM assignment WHERE item_id = ${id} AND device_id IS NOT NULL`).trim(), "1");
  await p.goto("/device?id=" + encodeURIComponent(ident));
  assert.equal((await p.locator("[aria-labelledby=items]").textContent()).includes("By itself"), true);
  await accessible(p, "device with items");
  await picture(p, "device-items");
  await q.goto(profile + "&tab=devices");
  await q.locator("[aria-labelledby=singles]").getByRole("button", { name: /Take away/ }).click();
  await q.getByLabel("Reason").fill("for a while <b>");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /not to have it by itself/);
  await q.locator("#device").fill("no such device");
  await q.locator("[aria-labelledby=singles]").getByRole("button", { name: "Show what it would change" }).click();
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await bad(q), /no enrolled device no such device/);
});

await test("profiles: a failure is told with its reason, and tried again", async () => {
  const id = new URL("http://x" + profile).searchParams.get("id");
  const fail = () => sql(`UPDATE device_item SET state = 4, reason = ${quoted(EVIL)}, due_at = 9e15, installed_version = 0 WHERE item_id = ${id}`);
  fail();
  await q.goto(profile + "&tab=devices&state=failed");
  assert.equal((await q.locator("tbody tr").first().textContent()).includes(EVIL), true);
  await q.getByRole("button", { name: /^Try again/ }).first().click();
  assert.match(await good(q), /tried again/);
  fail();
  await q.goto(profile + "&tab=devices");
  await q.getByRole("button", { name: "Try all that failed again" }).click();
  assert.equal(new URL(q.url()).pathname, "/bulk/job");
  assert.match(await q.locator("h1").textContent(), /tried again$/);
  await until(p, q.url(), async () => await p.locator(".badge", { hasText: "done" }).count() === 1);
  await until(p, profile + "&tab=devices&state=installed", async () => await p.locator("tbody tr").count() >= 1);
});

await test("profiles: signed files and provisioning profiles", async () => {
  const dir = fs.mkdtempSync("/tmp/drover-signed-"), id = "signed" + tag;
  const sign = (content, to) => {
    fs.writeFileSync(dir + "/in", content);
    execFileSync("openssl", ["cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-in", dir + "/in", "-signer", dir + "/c.pem", "-inkey", dir + "/k.pem", "-out", to], { stdio: "ignore" });
  };
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Signer & Co", "-keyout", dir + "/k.pem", "-out", dir + "/c.pem", "-days", "2"], { stdio: "ignore" });
  sign(file(id, clip(id, "Signed")).buffer, dir + "/s.mobileconfig");
  await upload(q, dir + "/s.mobileconfig");
  assert.match(await q.locator("main").textContent(), /Signed/);
  await q.getByRole("button", { name: "Publish" }).click();
  assert.match(await q.locator("main").textContent(), /Signed byCN=Signer & Co/);
  await q.getByRole("button", { name: "Edit with the form" }).click();
  assert.match(await q.locator("main").textContent(), /breaks the signature[^]*CN=Signer & Co/);
  // a flipped octet within is no signature any more
  const broken = fs.readFileSync(dir + "/s.mobileconfig");
  broken[broken.indexOf("Signed</string>")] ^= 1;
  await upload(q, { name: "b.mobileconfig", mimeType: "application/octet-stream", buffer: broken });
  assert.match(await bad(q), /signature/);
  sign(`<plist version="1.0"><dict><key>Name</key><string>App ${tag} &lt;b&gt;</string><key>UUID</key><string>U-${tag}</string>
    <key>TeamName</key><string>Team</string><key>ProvisionsAllDevices</key><true/><key>ExpirationDate</key><date>2040-01-01T00:00:00Z</date>
    <key>Entitlements</key><dict><key>application-identifier</key><string>T.app</string></dict></dict></plist>`, dir + "/p.mobileprovision");
  await upload(q, dir + "/p.mobileprovision");
  assert.equal(await q.getByRole("link", { name: "Edit with the form" }).count(), 0);
  await q.getByRole("button", { name: "Publish" }).click();
  assert.match(await q.locator("main").textContent(), /TeamTeam/);
  const provisioning = q.url();
  await p.goto("/profiles?kind=provisioning-profile&q=" + tag);
  assert.equal(await p.locator("tbody tr").count(), 1);
  await q.goto(provisioning.replace(/&.*/, "") + "&tab=settings");
  await q.getByRole("button", { name: "Show what would be removed" }).click();
  await q.getByLabel("Reason").fill("test");
  sql("UPDATE session SET fresh_at = UNIX_TIMESTAMP() * 1000000");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /deleted/);
  fs.rmSync(dir, { recursive: true });
});

await test("profiles: settings, and what somebody else stored meanwhile", async () => {
  await p.goto(profile + "&tab=settings");
  await q.goto(profile + "&tab=settings");
  await p.getByLabel("First wave").fill("7");
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await good(p), /stored/);
  await q.getByLabel("Name").fill("Clip");
  await q.getByRole("button", { name: "Save" }).click();
  assert.match(await bad(q), /somebody else/);
  assert.equal(await q.getByLabel("Name").inputValue(), "Clip");
  assert.match(await q.locator("[aria-labelledby=differ]").textContent(), /First wave70/);
  await picture(q, "profile-differ");
  await q.getByLabel("First wave").fill("7");
  await q.getByRole("button", { name: "Save" }).click();
  assert.match(await good(q), /stored/);
  await p.goto(profile);
  assert.match(await p.locator("h1").textContent(), /^Clip/);
});

await test("profiles: what is none is refused, and what is too long", async () => {
  await upload(p, { name: "x.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2]) });
  assert.match(await bad(p), /property list/);
  await upload(p, { name: "x", mimeType: "text/plain", buffer: Buffer.alloc(0) });
  assert.ok(await bad(p));
  await upload(p, file("five", "", "<key>X</key><string>" + "x".repeat(5 << 20) + "</string>"));
  assert.match(await bad(p), /4194304 octets/);
  const long = fs.mkdtempSync("/tmp/drover-long-") + "/x.mobileconfig";
  fs.writeFileSync(long, Buffer.alloc(13 << 20, 120));
  await upload(p, long);
  fs.rmSync(long.slice(0, -15), { recursive: true });
  assert.match(await p.locator("main").textContent(), /too long: 13 MB/);
  await p.goto("/profiles");
  await p.locator("#upload ~ form").evaluate((f) => { f.querySelector("#file").required = false; });
  await p.getByRole("button", { name: "Upload and check" }).click();
  assert.match(await bad(p), /Choose a file/);
  // a profile with faults becomes a draft that cannot be published
  await upload(p, file("faulty", clip("faulty", "x") + clip("faulty", "y")));
  assert.match(await p.locator(".findings").textContent(), /each must have its own/);
  assert.equal(await p.getByRole("button", { name: "Publish" }).count(), 0);
  await accessible(p, "draft with faults");
  await picture(p, "draft-faulty");
  await p.getByRole("button", { name: "Discard the draft" }).click();
  assert.match(await good(p), /discarded/);
});

await test("profiles: taken away and deleted, with a reason; the file only with a proof", async () => {
  const get = await p.goto(profile).then(() => p.locator("form[action='/profile/file'] input[name=csrf]").inputValue());
  const got = await c.request.post("/profile/file", { form: { csrf: get, id: new URL(p.url()).searchParams.get("id"), version: "3" } });
  assert.match(got.headers()["content-disposition"], /attachment/);
  assert.match(await got.text(), /hidden-1/);
  assert.match(sql("SELECT subject FROM audit WHERE action = 'library.read' ORDER BY id DESC LIMIT 1"), new RegExp("org.example." + one));
  sql("UPDATE session SET fresh_at = 1");
  const asked = await c.request.post("/profile/file", { form: { csrf: get, id: new URL(p.url()).searchParams.get("id") } });
  assert.equal(asked.status(), 403);
  assert.doesNotMatch(await asked.text(), /hidden-1|<plist/);
  await q.goto(profile + "&tab=devices");
  await q.getByRole("button", { name: /Take away/ }).click();
  await q.getByLabel("Reason").fill("not needed");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await good(q), /not to have it any more/);
  await p.goto(profile + "&tab=settings");
  await p.getByRole("button", { name: "Show what would be removed" }).click();
  await accessible(p, "deletion");
  await p.getByLabel("Reason").fill("gone <b>");
  await p.getByRole("button", { name: "Do it" }).click();
  await p.getByLabel(/password/i).fill(site.console_password);
  await p.locator("main button").click();
  assert.match(await good(p), /deleted/);
  await until(p, "/profiles", async () => !(await p.content()).includes("org.example." + one));
  assert.match(sql("SELECT detail FROM audit WHERE action = 'library.delete' ORDER BY id DESC LIMIT 1"), /gone <b>/);
});

// A profile with a form, by somebody with and by somebody without JavaScript.
async function begin(page, name) {
  await page.goto("/profiles");
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Begin" }).click();
  await page.waitForURL(/\/draft\/form/);
}
const add = (page, name) => page.getByRole("button", { name: new RegExp("^" + name) }).click();
const store = (page) => page.locator("button.primary", { hasText: "Store in the draft" }).click();
const openssl = (...args) => execFileSync("openssl", args, { stdio: ["pipe", "pipe", "ignore"] });

for (const [kind, page, ctx] of [["with", () => p, c], ["without", () => q, plain]])
  await test(`profiles: made with forms, ${kind} JavaScript, is what a judge reads`, async () => {
    const w = page(), dir = fs.mkdtempSync("/tmp/drover-forms-");
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test CA",
      "-keyout", dir + "/key.pem", "-out", dir + "/ca.pem", "-days", "2");
    openssl("pkcs12", "-export", "-inkey", dir + "/key.pem", "-in", dir + "/ca.pem", "-out", dir + "/id.p12", "-passout", "pass:p12-secret");
    await begin(w, `Office ${kind} ${EVIL}`);
    const list = w.url();
    await add(w, "Root certificate");
    await w.setInputFiles("input[type=file]", dir + "/ca.pem");
    await store(w);
    assert.match(await good(w), /Stored/);
    await add(w, "Identity");
    await w.setInputFiles("input[type=file]", dir + "/id.p12");
    await w.getByLabel("Its password").fill("wrong");
    await store(w);
    assert.match(await w.locator(".fault").textContent(), /does not open the file/);
    assert.equal(await w.getByLabel("Its password").getAttribute("aria-invalid"), "true");
    if (kind === "with") await accessible(w, "a form with faults");
    await w.setInputFiles("input[type=file]", dir + "/id.p12");
    await w.getByLabel("Its password").fill("p12-secret");
    await store(w);
    assert.match(await good(w), /Stored/);
    await add(w, "Wi-Fi");
    await store(w);
    assert.equal(await w.locator(".fault").count(), 2);
    await w.getByLabel(/^Network name/).fill(`Net ${EVIL}`.slice(0, 32));
    await w.getByLabel(/^Security/).selectOption("WPA2");
    await w.getByLabel("Password", { exact: true }).first().fill("wlan-secret");
    await w.locator("summary", { hasText: "802.1X" }).click().catch(() => {});
    await w.locator("details").filter({ hasText: "802.1X" }).evaluate((d) => { d.open = true; });
    await w.getByLabel("TLS (certificate)").check();
    await w.getByLabel("Identity", { exact: true }).selectOption({ index: 1 });
    await w.locator("fieldset", { hasText: "Trusted certificates" }).last().getByRole("checkbox").check();
    await picture(w, `form-wifi-${kind}`);
    await store(w);
    assert.match(await good(w), /Stored/);
    await add(w, "Passcode");
    await w.getByLabel("Minimum length").fill("77");
    await store(w);
    assert.match(await w.locator(".fault").textContent(), /from 0 to 16/);
    assert.equal(await w.getByLabel("Minimum length").inputValue(), "77");
    await w.getByLabel("Minimum length").fill("8");
    await w.getByLabel("Require a passcode").selectOption("true");
    await store(w);
    await add(w, "VPN");
    await w.getByLabel(/^Name of the connection/).fill("Work");
    await w.locator("[id='f:VPNType']").selectOption("IKEv2");
    const ike = w.locator("details").filter({ hasText: "Identity of the server" });
    if (kind === "with") assert.equal(await w.locator("details", { hasText: "L2TP" }).first().isVisible(), false);
    else await ike.locator("summary").click();
    await w.locator("[id='f:ikev2/IKEv2.RemoteAddress']").fill("vpn.example.com");
    await w.locator("[id='f:ikev2/IKEv2.RemoteIdentifier']").fill("vpn.example.com");
    await w.locator("[id='f:ikev2/IKEv2.LocalIdentifier']").fill("%SerialNumber%");
    await w.locator("[id='f:ikev2/IKEv2.AuthenticationMethod']").selectOption("SharedSecret");
    await w.locator("[id='f:ikev2/IKEv2.SharedSecret']").fill("vpn-secret");
    await store(w);
    assert.match(await good(w), /Stored/);
    await add(w, "Restrictions");
    // a group's heading stands above its fields, not among them
    assert.equal(await w.locator("fieldset.group").first().evaluate((f) =>
      f.querySelector("legend").getBoundingClientRect().bottom <= f.querySelector("label").getBoundingClientRect().top), true);
    await w.getByLabel("Camera").selectOption("false");
    await store(w);
    await add(w, "Web clip");
    await w.getByLabel(/^Title/).fill(EVIL);
    await w.getByLabel(/^Address/).fill("https://example.org/?a=1&b=2");
    await store(w);
    if (kind === "with") await accessible(w, "a draft with payloads");
    await picture(w, `draft-form-${kind}`);
    // nothing that is secret comes back
    for (const link of await w.locator("main section a").evaluateAll((l) => l.map((x) => x.href))) {
      const text = await (await ctx.request.get(link)).text();
      assert.doesNotMatch(text, /p12-secret|wlan-secret|vpn-secret/);
    }
    await w.goto(list.replace("/form", "/raw"));
    assert.doesNotMatch(await w.locator("#text").inputValue(), /p12-secret|wlan-secret|vpn-secret/);
    assert.match(await w.locator("#text").inputValue(), /\[\[secret kept\]\]/);
    await w.goto(list.replace("/form", ""));
    assert.match(await w.locator("main").textContent(), /CN=Test CA/);
    assert.equal(await w.locator(".findings .bad").count(), 0);
    await w.getByRole("button", { name: "Publish" }).click();
    assert.match(await good(w), /Published/);
    // the judge is Python's plistlib
    sql("UPDATE session SET fresh_at = UNIX_TIMESTAMP() * 1000000");
    const form = w.locator("form[action='/profile/file']");
    const got = await ctx.request.post("/profile/file", { form: { csrf: await form.locator("[name=csrf]").inputValue(), id: await form.locator("[name=id]").inputValue() } });
    const plist = JSON.parse(execFileSync("python3", ["-c", `import plistlib, json, sys
d = plistlib.loads(sys.stdin.buffer.read())
json.dump({p["PayloadType"]: p for p in d["PayloadContent"]}, sys.stdout, default=lambda b: b.hex())`], { input: await got.body() }));
    const wifi = plist["com.apple.wifi.managed"];
    assert.equal(wifi.Password, "wlan-secret");
    assert.deepEqual(wifi.EAPClientConfiguration.AcceptEAPTypes, [13]);
    assert.equal(wifi.PayloadCertificateUUID, plist["com.apple.security.pkcs12"].PayloadUUID);
    assert.deepEqual(wifi.EAPClientConfiguration.PayloadCertificateAnchorUUID, [plist["com.apple.security.root"].PayloadUUID]);
    assert.equal(plist["com.apple.security.pkcs12"].PayloadContent, fs.readFileSync(dir + "/id.p12").toString("hex"));
    assert.equal(plist["com.apple.security.root"].PayloadContent, openssl("x509", "-in", dir + "/ca.pem", "-outform", "DER").toString("hex"));
    assert.equal(plist["com.apple.mobiledevice.passwordpolicy"].minLength, 8);
    assert.equal(plist["com.apple.vpn.managed"].IKEv2.SharedSecret, "vpn-secret");
    assert.equal(plist["com.apple.applicationaccess"].allowCamera, false);
    assert.equal(plist["com.apple.webClip.managed"].Label, EVIL);
    fs.rmSync(dir, { recursive: true });
    profile = new URL(w.url()).pathname + "?id=" + new URL(w.url()).searchParams.get("id");
  });

await test("profiles: what a form made is installed; edited again it keeps what the form does not know", async () => {
  await p.goto(profile + "&tab=devices");
  await p.locator("#group").selectOption({ value: group });
  await p.locator("[aria-labelledby=groups]").getByRole("button", { name: "Show what it would change" }).click();
  await p.getByRole("button", { name: "Do it" }).click();
  await until(p, profile + "&tab=devices&state=installed", async () => await p.locator("tbody tr").count() >= 1);
  await p.goto(profile);
  await p.getByRole("button", { name: "Edit as XML" }).click();
  const text = await p.locator("#text").inputValue();
  await p.locator("#text").fill(text.replace("<key>allowCamera</key>", "<key>allowFuture</key>\n<integer>7</integer>\n<key>allowCamera</key>"));
  await p.locator("button.primary", { hasText: "Store" }).click();
  assert.match(await p.locator("[aria-labelledby=changes]").textContent(), /allowFuture/);
  await p.getByRole("link", { name: "Edit with the form" }).click();
  await p.getByRole("link", { name: "Restrictions" }).click();
  assert.equal(await p.getByLabel("Camera").inputValue(), "false");
  await p.getByLabel("Camera").selectOption("");
  const stale = await c.newPage();
  await stale.goto(p.url());
  await store(p);
  assert.match(await good(p), /Stored/);
  // another window with the same form: nothing of it is lost
  await stale.getByLabel("AirDrop", { exact: true }).selectOption("false");
  await store(stale);
  assert.match(await bad(stale), /changed meanwhile/);
  assert.equal(await stale.getByLabel("AirDrop", { exact: true }).inputValue(), "false");
  await store(stale);
  assert.match(await good(stale), /Stored/);
  await stale.close();
  await p.goto(p.url().replace("/form", ""));
  const changes = await p.locator("[aria-labelledby=changes]").textContent();
  assert.match(changes, /allowFuture[\s\S]*7/);
  assert.match(changes, /allowAirDrop/);
  assert.doesNotMatch(changes, /secret|Password/); // they are what they were
});

await test("profiles: as XML, faults are told with their lines, and nothing typed is lost", async () => {
  await p.goto(profile);
  await p.getByRole("button", { name: "Edit as XML" }).click();
  await accessible(p, "raw editor");
  await picture(p, "draft-raw");
  const text = await p.locator("#text").inputValue();
  await p.locator("#text").fill(text.replace("</plist>", "</plst>"));
  await p.getByRole("button", { name: "Check" }).click();
  assert.match(await bad(p), /line \d+/);
  assert.match(await p.locator("#text").inputValue(), /<\/plst>/);
  await p.locator("#text").fill(text.replace(/(<key>PayloadType<\/key>\s*<string>)Configuration/, "$1Nonsense"));
  await p.getByRole("button", { name: "Check" }).click();
  const line = Number((await p.locator(".findings b").first().textContent()).match(/\d+/));
  assert.match((await p.locator("#text").inputValue()).split("\n")[line - 1], /Nonsense/);
  await p.locator(".findings b").first().click();
  assert.match(await p.locator("#text").evaluate((t) => t.value.slice(t.selectionStart, t.selectionEnd)), /Nonsense/);
  await p.locator("#text").fill(text.replace("[[secret kept]]", "new-secret").replace("org.example", "x"));
  await p.locator("button.primary", { hasText: "Store" }).click();
  assert.match(await p.locator("[aria-labelledby=changes]").textContent(), /\(secret\)/);
  assert.doesNotMatch(await p.content(), /new-secret/);
  await p.getByRole("button", { name: "Discard" }).click();
});

await c.close();
await plain.close();
await finish();
