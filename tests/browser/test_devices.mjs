// test_devices.mjs: search, lists, commands for one and for many.
import assert from "node:assert/strict";
import { EVIL, accessible, context, finish, screens, signIn, sql, test } from "./lib.mjs";
import { ID, PAGES, device, fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
let p = await signIn(c, "/");

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

const plain = await context({ javaScriptEnabled: false });
const q = await signIn(plain, "/");
assert.equal(new URL(q.url()).pathname, "/");

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

await finish();
