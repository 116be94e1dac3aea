// test_apps.mjs: apps: added, uploaded in parts across pages and without a script, configured with a
// preview, given to devices, paid for with codes.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import { EVIL, accessible, context, finish, picture, pause, quoted, signIn, simulate, site, sql, test, until } from "./lib.mjs";
import { ID, fill } from "./pages.mjs";

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});
const crc = (b) => {
  let c = 0xffffffff;
  for (const x of b) c = crcTable[(c ^ x) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
};

/** A zip with stored entries: an app for iPhones, with so many octets that say nothing. */
function ipa(bundle, version, filler = 0, name = "Demo") {
  const xml = (s) => s.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const files = [["Payload/Demo.app/Info.plist", Buffer.from(`<?xml version="1.0"?><plist version="1.0"><dict>
    <key>CFBundleIdentifier</key><string>${bundle}</string><key>CFBundleVersion</key><string>${version}</string>
    <key>CFBundleShortVersionString</key><string>${version}</string><key>CFBundleDisplayName</key><string>${xml(name)}</string>
    <key>CFBundleSupportedPlatforms</key><array><string>iPhoneOS</string></array></dict></plist>`)],
  ["Payload/Demo.app/Demo", Buffer.alloc(filler, "drover")]];
  const parts = [], heads = [];
  let at = 0;
  for (const [path, data] of files) {
    const n = Buffer.from(path), h = Buffer.alloc(30), c = Buffer.alloc(46);
    h.writeUInt32LE(0x04034b50, 0), h.writeUInt16LE(20, 4), h.writeUInt32LE(crc(data), 14);
    h.writeUInt32LE(data.length, 18), h.writeUInt32LE(data.length, 22), h.writeUInt16LE(n.length, 26);
    c.writeUInt32LE(0x02014b50, 0), c.writeUInt16LE(20, 4), c.writeUInt16LE(20, 6), c.writeUInt32LE(crc(data), 16);
    c.writeUInt32LE(data.length, 20), c.writeUInt32LE(data.length, 24), c.writeUInt16LE(n.length, 28), c.writeUInt32LE(at, 42);
    parts.push(h, n, data), heads.push(c, n), at += 30 + n.length + data.length;
  }
  const size = heads.reduce((k, b) => k + b.length, 0), end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0), end.writeUInt16LE(2, 8), end.writeUInt16LE(2, 10), end.writeUInt32LE(size, 12), end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...heads, end]);
}
const file = (buffer, name = "demo.ipa") => ({ name, mimeType: "application/octet-stream", buffer });
// A large one is read from the disk: handed over as octets it takes seconds.
const folder = fs.mkdtempSync(os.tmpdir() + "/drover-apps-");
function onDisk(buffer, name = "demo.ipa") {
  fs.writeFileSync(folder + "/" + name, buffer);
  return folder + "/" + name;
}
const word = "b" + Date.now().toString(36);

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, "/apps");
const app = () => new URL(p.url()).searchParams.get("id");

await test("an app of the store by its number alone", async () => {
  await p.getByRole("link", { name: "Add an app" }).click();
  await p.getByLabel("Number in the App Store").fill("36128 5480");
  const store = p.locator("section", { hasText: "Of the App Store" });
  await store.getByRole("button").click();
  assert.match(await p.locator("[role=alert]").textContent(), /digits only/);
  assert.equal(await p.getByLabel("Number in the App Store").inputValue(), "36128 5480");
  await p.getByLabel("Number in the App Store").fill(String(Date.now()));
  await store.getByLabel("Name").fill(EVIL);
  await store.getByRole("button").click();
  await p.waitForURL(/\/app\?id=\d+/);
  assert.match(await p.locator("h1").textContent(), /<script>window\.pwned/);
  assert.equal(await p.evaluate(() => window.pwned), undefined);
});

await test("a file goes up in parts, on other pages too, and becomes an app", async () => {
  let held = 0;
  const go = [];
  await c.route("**/app/upload", async (route) => { // each part waits until it is let go
    if (/name="what"\r\n\r\npart/.test(route.request().postDataBuffer().subarray(0, 2000).toString("latin1"))) {
      held++;
      await new Promise((r) => go.push(r));
    }
    await route.continue().catch(() => {});
  });
  await p.goto("/app/new");
  await p.locator("#file").setInputFiles(onDisk(ipa("org.example." + word, "1.0", 9 * 1024 * 1024)));
  await p.getByRole("button", { name: "Upload" }).click();
  await p.locator("#sending progress").waitFor();
  while (held < 1) await p.waitForTimeout(20);
  go.shift()();
  while (held < 2) await p.waitForTimeout(20);
  assert.match(await p.locator("#sending [data-how]").textContent(), /^4\d %$/);
  await p.goto("/apps"); // the person leaves in the middle
  go.splice(0).forEach((r) => r());
  assert.match(await p.locator("section", { hasText: "Files on their way" }).first().textContent(), /demo\.ipa/);
  await accessible(p, "apps with an upload");
  await picture(p, "uploading");
  const free = setInterval(() => go.splice(0).forEach((r) => r()), 20);
  await p.locator("#sending [data-how]", { hasText: "Upload done:" }).waitFor({ timeout: 15000 });
  clearInterval(free);
  await c.unroute("**/app/upload");
  await p.goto("/apps?q=" + word);
  await p.locator("tbody a").click();
  assert.match(await p.locator("main").textContent(), /File of your own/);
  assert.equal(sql(`SELECT v.size > 9000000 FROM library_item i JOIN library_version v ON v.item_id = i.id WHERE i.identifier = 'org.example.${word}'`).trim(), "1");
});

await test("an upload is stopped, and nothing of it stays", async () => {
  await c.route("**/app/upload", async (route) => {
    if (/name="what"\r\n\r\npart/.test(route.request().postDataBuffer().subarray(0, 2000).toString("latin1"))) return; // never comes
    await route.continue();
  });
  await p.goto("/app/new");
  await p.locator("#file").setInputFiles(file(ipa("org.example.stop" + word, "1", 100), "stop.ipa"));
  await p.getByRole("button", { name: "Upload" }).click();
  await p.locator("#sending").getByRole("button", { name: "Stop" }).click();
  await p.waitForURL(/done=upload_stopped/);
  await c.unroute("**/app/upload");
  assert.equal(sql("SELECT state FROM app_upload WHERE filename = 'stop.ipa' ORDER BY id DESC LIMIT 1").trim(), "5");
  await p.goto("/devices");
  await p.waitForTimeout(300);
  assert.equal(await p.locator("#sending").isHidden(), true);
});

await test("what is no app is told, with the reason", async () => {
  await p.goto("/app/new");
  await p.locator("#file").setInputFiles(file(Buffer.from("no zip"), "bad.ipa"));
  await p.getByRole("button", { name: "Upload" }).click();
  await p.locator("#sending [data-how]", { hasText: "Upload failed:" }).waitFor();
  await p.locator("#file").setInputFiles(file(Buffer.from("x"), "bad.exe"));
  await p.getByRole("button", { name: "Upload" }).click();
  await p.locator("#sending [data-how]", { hasText: /\.ipa or \.pkg/ }).waitFor();
});

await test("narrow pages scroll in their tables alone", async () => {
  await p.setViewportSize({ width: 390, height: 800 });
  for (const url of ["/apps", "/app/new", ...["settings", "devices", "versions", "codes", "feedback"].map((t) => "/app?id=160&tab=" + t)]) {
    await p.goto(url);
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, url);
    await picture(p, `narrow${url.replace(/\W+/g, "-")}`);
  }
  await p.setViewportSize({ width: 1280, height: 860 });
});

const plain = await context({ javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
const q = await signIn(plain, "/app/new");
const section = (name) => q.locator("form", { has: q.getByRole("button", { name }) });

await test("without a script: a file, a new version of it, and a preview before devices get it", async () => {
  await q.locator("#file").setInputFiles(file(ipa("org.example.plain" + word, "1.0", 1000, EVIL)));
  await q.getByRole("button", { name: "Upload" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /app is here/);
  assert.match(await q.locator("h1").textContent(), /<script>/);
  const id = new URL(q.url()).searchParams.get("id");
  sql(`INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (172, 170, ${id}, 1, 't');
    REPLACE INTO device_item (enrollment_id, item_id, wanted, version, installed_version, state, due_at, changed_at) VALUES (77, ${id}, 1, 1, 1, 3, 1, 1)`);
  await q.goto(`/app?id=${id}&tab=versions`);
  await q.locator("#file").setInputFiles(file(ipa("org.example.other" + word, "2.0")));
  await q.getByRole("button", { name: "Upload" }).click();
  assert.match(await q.locator("[role=alert]").textContent(), /org\.example\.other/);
  await q.locator("#file").setInputFiles(file(ipa("org.example.plain" + word, "2.0")));
  await q.getByRole("button", { name: "Upload" }).click();
  assert.match(await q.locator("tbody tr").first().textContent(), /not given to devices yet/);
  assert.equal(sql(`SELECT version FROM library_item WHERE id = ${id}`).trim(), "1");
  await q.getByRole("button", { name: "Give this to the devices 2" }).click();
  assert.match(await q.locator("h1").textContent(), /version 2/);
  await q.getByRole("button", { name: "Do it" }).click();
  assert.equal(sql(`SELECT version FROM library_item WHERE id = ${id}`).trim(), "2");
  // settings: flags, rows, a list; whom it reaches is shown first
  await q.goto("/app?id=" + id);
  await q.getByLabel(/^Keep its data out/).check();
  await q.getByLabel("Key 1").fill("server");
  await q.getByLabel("Value of 1").fill("https://%SerialNumber%.example.org");
  await q.getByRole("button", { name: "More rows" }).click();
  assert.equal(await q.getByLabel("Key 1").inputValue(), "server");
  await q.getByLabel("Key 2").fill("count");
  await q.getByLabel("Type of 2").selectOption("integer");
  await q.getByLabel("Value of 2").fill("many");
  await section("More rows").getByRole("button", { name: "Show what it would change" }).first().click();
  assert.match(await q.locator("[role=alert]").textContent(), /count must be a whole number/);
  await q.getByLabel("Value of 2").fill("7");
  await q.getByLabel("Key 3").fill("hosts");
  await q.getByLabel("Type of 3").selectOption("list");
  await q.getByLabel("Value of 3").fill("a\n" + EVIL);
  await q.getByLabel("The user may remove it").selectOption("no");
  await section("More rows").getByRole("button", { name: "Show what it would change" }).first().click();
  const text = await q.locator("main").textContent();
  assert.match(text, /InstallApplication once more: 1/);
  assert.match(text, /Configuration\.count–7/);
  await picture(q, "app-ask");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /Saved/);
  assert.deepEqual(JSON.parse(sql(`SELECT TO_BASE64(settings) FROM library_item WHERE id = ${id}`).replace(/\\n|\s/g, "").replace(/^(.*)$/, (s) => Buffer.from(s, "base64").toString())), {
    ManagementFlags: 4, Attributes: { Removable: false },
    Configuration: { server: "https://%SerialNumber%.example.org", count: 7, hosts: ["a", EVIL] } });
  // the property list holds what rows cannot; a row of it is kept as it is
  assert.match(await q.getByLabel("Property list (XML)").inputValue(), /<key>count<\/key>\s*<integer>7<\/integer>/);
  await q.getByLabel("Property list (XML)").fill(`<plist version="1.0"><dict><key>deep</key><dict><key>d</key><data>AAEC</data></dict><key>n</key><integer>1</integer></dict></plist>`);
  await section("Show what it would change").last().getByRole("button").click();
  assert.match(await q.locator("main").textContent(), /Settings with the change: 1/);
  await q.getByRole("button", { name: "Do it" }).click();
  assert.equal(await q.getByLabel("Key 1").getAttribute("readonly"), "");
  await q.getByLabel("Value of 2").fill("2");
  await section("More rows").getByRole("button", { name: "Show what it would change" }).first().click();
  await q.getByRole("button", { name: "Do it" }).click();
  assert.match(sql(`SELECT settings FROM library_item WHERE id = ${id}`), /"deep":\{"d":\{"\$data":"AAEC"\}\},"n":2/);
  await q.getByLabel("Property list (XML)").fill("<plist><array/></plist>");
  await section("Show what it would change").last().getByRole("button").click();
  assert.match(await q.locator("[role=alert]").textContent(), /dictionary/);
});

await test("somebody else's change in between is not lost", async () => {
  await q.goto("/app?id=160");
  sql("UPDATE library_item SET changed_at = changed_at + 1 WHERE id = 160");
  await q.getByLabel("Hours between questions for updates").fill("5");
  await q.getByRole("button", { name: "Save" }).click();
  assert.match(await q.locator("[role=alert]").textContent(), /somebody else/);
});

await test("codes: added, counted, freed with a reason; their devices and reasons are text", async () => {
  await q.goto("/app?id=160&tab=codes");
  await q.getByLabel("Codes", { exact: true }).fill("AAAA1111\nno code\n");
  await q.getByRole("button", { name: "Add" }).click();
  assert.match(await q.locator("[role=alert]").textContent(), /line 2/);
  await q.getByLabel("or a file with them").setInputFiles({ name: "codes.csv", mimeType: "text/csv", buffer: Buffer.from("Code,Link\nAAAA1111,x\nBBBB2222,y\n") });
  await q.getByRole("button", { name: "Add" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /codes are here/);
  assert.equal(sql("SELECT COUNT(*) FROM redemption_code WHERE item_id = 160 AND state = 1").trim(), "3");
  await q.locator("tr", { hasText: "given" }).getByPlaceholder("Reason").fill("lost");
  await q.getByRole("button", { name: /will never use it/ }).click();
  assert.equal(sql("SELECT state FROM redemption_code WHERE id = 163").trim(), "1");
  await q.goto("/app?id=160&tab=devices");
  assert.match(await q.locator("tbody").textContent(), /<script>window\.pwned=1/);
  await q.getByRole("button", { name: /^Try again/ }).click();
  // pending, or the agent has queued its command already
  assert.match(sql("SELECT state FROM device_item WHERE item_id = 160 AND enrollment_id = 77").trim(), /^[12]$/);
});

await test("given to a group, taken away, deleted: each with whom it reaches", async () => {
  sql(`REPLACE INTO device_group (id, name, created_at, created_by, changed_at, changed_by) VALUES (173, ${quoted("Team <b>")}, 1, 't', 1, 't');
    REPLACE INTO group_member (group_id, device_id, since) VALUES (173, 77, 1);`);
  await q.goto("/app?id=160&tab=devices");
  await q.getByLabel("Give it to the group").selectOption("173");
  await q.locator("[aria-labelledby=groups]").getByRole("button", { name: "Show what it would change" }).click();
  assert.match(await q.locator("h1").textContent(), /to the group Team <b>\?/);
  assert.match(await q.locator("main").textContent(), /No device, as things are/); // it has it by another
  await q.getByRole("button", { name: "Do it" }).click();
  assert.equal(sql("SELECT COUNT(*) FROM assignment WHERE item_id = 160").trim(), "2");
  sql("DELETE FROM assignment WHERE id = 171");
  await q.reload();
  await q.getByRole("button", { name: /^Take away/ }).click();
  assert.match(await q.locator(".count").textContent(), /1/);
  await q.getByLabel("Reason").fill("test");
  await q.getByRole("button", { name: "Do it" }).click();
  assert.equal(sql("SELECT COUNT(*) FROM assignment WHERE item_id = 160").trim(), "0");
  await q.goto("/app?id=160");
  await q.getByRole("button", { name: "Show what deleting" }).click();
  await q.getByLabel("Reason").fill("test");
  await q.getByRole("button", { name: "Do it" }).click();
  if (await q.locator("#proof").count()) {
    await q.locator("#proof").fill(site.console_password);
    await q.locator("main button").click();
  }
  assert.match(await q.locator("[role=status]").textContent(), /deleted/);
  assert.equal(sql("SELECT deleted_at > 0 FROM library_item WHERE id = 160").trim(), "1");
  assert.deepEqual(plain.faults.concat(c.faults), []);
});

await test("from the console to the device and back: added, given to a group, installed, configured, taken away", async () => {
  const phone = await simulate("--kind", "iphone"), bundle = "org.example.flow" + word, group = "Phones " + word;
  const has = async () => JSON.stringify((await phone.ask({ op: "device", device: 0 })).apps);
  const shows = async (page, text) => {
    for (let i = 0; i < 300 && !text.test(await page.locator("main").textContent()); i++) {
      sql("UPDATE device_item SET due_at = 1 WHERE state = 7"); // a device is asked a minute after it was told to install
      await pause(100), await page.reload();
    }
    assert.match(await page.locator("main").textContent(), text);
  };
  await p.goto("/groups");
  await p.getByLabel("Name", { exact: true }).fill(group);
  await p.locator("#new ~ form button").click();
  await p.getByLabel("Serial numbers or enrolment ids").fill(phone.ident);
  await p.getByRole("button", { name: "Put into the group" }).click();
  assert.equal(await p.locator("tbody tr").count(), 1);
  await p.goto("/app/new");
  const store = p.locator("section", { hasText: "Of the App Store" });
  await store.getByLabel(/^Bundle identifier/).fill(bundle);
  await store.getByLabel("Name").fill("Flow");
  await store.getByRole("button").click();
  await p.waitForURL(/\/app\?id=\d+/);
  const page = "/app?id=" + app() + "&tab=devices";
  await p.goto(page);
  await p.getByLabel("Give it to the group").selectOption({ label: group });
  await p.getByLabel("Groups that are to have it").getByRole("button", { name: "Show what it would change" }).click();
  assert.match(await p.locator(".count").textContent(), /1/);
  await p.getByRole("button", { name: "Do it" }).click();
  await p.goto(page);
  await shows(p, /installed 1/);
  assert.match(await has(), new RegExp(bundle));
  await accessible(p, "an app on its device");
  await picture(p, "app-installed");
  // the device's page says it too
  await p.goto(phone.page);
  assert.match(await p.locator("#items ~ .scroll tbody").textContent(), /Flow.*installed.*1/s);
  await p.locator("#items ~ .scroll").getByRole("link", { name: "Flow", exact: true }).click();
  // its configuration reaches the device that has it
  await p.goto("/app?id=" + app());
  await p.getByLabel("Key 1").fill("server");
  await p.getByLabel("Value of 1").fill("https://%SerialNumber%.example.org");
  await p.locator("form", { has: p.getByRole("button", { name: "More rows" }) }).getByRole("button", { name: "Show what it would change" }).first().click();
  assert.match(await p.locator("main").textContent(), /Settings with the change: 1/);
  await p.getByRole("button", { name: "Do it" }).click();
  const serial = (await phone.ask({ op: "device", device: 0 })).serial;
  await until(`SELECT COUNT(*) FROM result r JOIN command c ON c.id = r.command_id JOIN enrollment e ON e.id = r.enrollment_id WHERE c.request_type = 'Settings' AND r.state = 4 AND e.serial = '${serial}'`, "1");
  await p.goto(page);
  // taken away
  await p.getByRole("button", { name: /^Take away/ }).click();
  await p.getByLabel("Reason").fill("the end");
  await p.getByRole("button", { name: "Do it" }).click();
  for (let i = 0; i < 100 && new RegExp(bundle).test(await has()); i++) await pause(100);
  assert.doesNotMatch(await has(), new RegExp(bundle));
});

sql("DELETE FROM assignment WHERE group_id IN (170, 173); DELETE FROM device_item WHERE enrollment_id = 77; DELETE FROM device_group WHERE id IN (170, 173); DELETE FROM group_member WHERE group_id IN (170, 173); DELETE FROM library_item WHERE id = 160");
fs.rmSync(folder, { recursive: true });
await finish();
