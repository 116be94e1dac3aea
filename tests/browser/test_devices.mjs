// test_devices.mjs: search, lists, commands for one and for many.
import assert from "node:assert/strict";
import { EVIL, accessible, context, finish, mark, picture, signIn, site, sql, stayed, test } from "./lib.mjs";
import { ID, PAGES, device, fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
let p = await signIn(c, "/");

await test("a command's form is made from the catalogue, nested lists and all", async () => {
  await p.goto(PAGES.information);
  await p.getByLabel("OSVersion", { exact: true }).check();
  await p.getByRole("button", { name: "Queue the command" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /queued/);
  assert.match(sql(`SELECT body FROM command WHERE request_type = 'DeviceInformation' ORDER BY id DESC LIMIT 1`), /<string>OSVersion<\/string>/);
  await p.goto(PAGES.settings);
  await p.getByRole("button", { name: "+ DeviceName" }).click();
  await p.getByLabel(/^DeviceName/).fill(EVIL);
  await p.getByRole("button", { name: "+ Bluetooth" }).click();
  assert.equal(await p.getByLabel(/^DeviceName/).inputValue(), EVIL);
  await p.getByLabel(/^Enabled/).selectOption("true");
  await accessible(p, "form with entries");
  await picture(p, "send");
  await p.getByRole("button", { name: "Queue the command" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /queued/);
  const body = sql(`SELECT body FROM command WHERE request_type = 'Settings' ORDER BY id DESC LIMIT 1`).replace(/\\+[nt]/g, "");
  assert.match(body, /<key>Item<\/key><string>DeviceName<\/string><\/dict><dict><key>Enabled<\/key><true\/><key>Item<\/key><string>Bluetooth</);
  // what is wrong is told, and nothing is sent
  await p.goto("/device/send?type=RemoveProfile&id=" + encodeURIComponent(ID));
  await p.locator("#Identifier").evaluate((e) => e.removeAttribute("required"));
  await p.getByRole("button", { name: "Queue the command" }).click();
  assert.match(await p.locator(".findings").textContent(), /Identifier/);
});

await test("a command for many: preview, progress, and its end", async () => {
  await p.goto("/devices?q=" + encodeURIComponent(ID));
  await p.getByRole("checkbox").check();
  await p.getByRole("button", { name: "Command for the ticked" }).click();
  assert.match(await p.locator(".names").textContent(), /<script>/); // as people call it
  assert.equal(await p.locator(".names li").count(), 1); // by its name, which leads to it
  assert.equal(new URL(await p.locator(".names a").getAttribute("href"), "https://x").searchParams.get("id"), ID);
  assert.equal(await p.locator("h2 .badge").textContent(), "1");
  // ticked, and not enrolled any more: told before anything is sent
  const state = sql("SELECT state FROM enrollment WHERE id = 77").trim();
  sql("UPDATE enrollment SET state = 3 WHERE id = 77");
  await p.reload();
  assert.match(await p.locator("main").textContent(), /Of these are enrolled, and can get it: 0.*None of them is enrolled/s);
  assert.equal(await p.locator("#sure").count(), 0);
  await accessible(p, "none enrolled");
  sql(`UPDATE enrollment SET state = ${state} WHERE id = 77`);
  // nothing ticked is nobody, not everybody
  await p.goto("/devices?platform=iPhone");
  await p.getByRole("button", { name: "Command for the ticked" }).click();
  assert.match(await p.locator("main").textContent(), /No device is ticked/);
  assert.equal(await p.locator("#sure").count(), 0);
  await accessible(p, "none ticked");
  await p.getByRole("link", { name: "Back to the list" }).click();
  assert.equal(new URL(p.url()).searchParams.get("platform"), "iPhone");
  await p.goto("/devices");
  assert.deepEqual((await p.getByLabel("Not seen for").locator("option").allTextContents()).slice(1, 3), ["a day or more", "7 days or more"]);
  await p.getByLabel("Platform").selectOption("iPhone");
  await p.waitForURL(/platform=iPhone/);
  const rows = await p.locator("tbody tr").count();
  await p.getByRole("link", { name: "Command for all that fit" }).click();
  assert.equal(await p.locator("h2 .badge").textContent(), String(rows));
  // what each command does, and that not each is for each device
  assert.match(await p.locator("#type option[value=UserList]").textContent(), /^UserList \((?!.*tvOS).*macOS.*\): \S+ \S+/);
  assert.match(await p.locator("#left_out").textContent(), /not for are left out/);
  await p.locator("#type").selectOption("SecurityInfo");
  await p.locator("#sure").check();
  await p.getByRole("button", { name: "Send" }).click();
  await p.waitForURL(/\/bulk\/job\?id=/);
  await p.locator(".badge.is-done").waitFor({ timeout: 8000 }); // the page follows by itself
  assert.equal(await p.getByText("It goes on without this page").count(), 0);
  await accessible(p, "job");
  await picture(p, "job");
  assert.equal(Number(sql("SELECT SUM(queued) + SUM(refused) FROM bulk_job")), rows);
});

await test("an impatient hand sends a form once", async () => {
  await p.goto("/bulk?platform=iPhone");
  await p.locator("#type").selectOption("ProfileList");
  await p.locator("#sure").check();
  let sent = 0;
  await p.route("**/bulk", async (route) => { // the server takes its time
    sent++;
    await new Promise((r) => setTimeout(r, 1000));
    await route.continue();
  });
  assert.equal(await p.getByRole("button", { name: "Send" }).evaluate((b) => {
    b.click();
    b.click();
    return b.getAttribute("aria-busy");
  }), "true");
  await p.waitForURL(/\/bulk\/job\?id=/);
  await p.unroute("**/bulk");
  assert.equal(sent, 1);
  assert.equal(sql("SELECT COUNT(*) FROM bulk_job WHERE request_type = 'ProfileList'").trim(), "1");
  // one that was refused by the browser, or comes again later, goes
  await p.goto("/bulk?platform=iPhone");
  await p.getByRole("button", { name: "Send" }).click();
  await p.locator("#sure").check();
  await p.locator("#type").selectOption("UserList");
  await p.getByRole("button", { name: "Send" }).click();
  await p.waitForURL(/\/bulk\/job\?id=/);
});

await test("the audit log by days, and by what stands in it", async () => {
  await p.goto("/audit?action=bulk.add");
  const today = new Date().toISOString().slice(0, 10);
  await p.getByLabel("From (UTC)").fill(today);
  await p.getByRole("button", { name: "Search" }).click();
  await p.waitForURL(/since=/);
  assert.equal(await p.locator("tbody tr").count() > 0, true);
  assert.match(await p.getByRole("link", { name: "Download as CSV" }).getAttribute("href"), new RegExp("since=" + today));
  await p.locator("tbody tr td").nth(1).getByRole("link").click();
  await p.waitForURL(/audit\?actor=/);
  await accessible(p, "audit of one");
  await p.goto("/audit?until=2001-01-01");
  await p.getByText("No entry fits").waitFor();
  assert.equal(await p.locator("tbody tr").count(), 0);
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
  assert.equal(await p.locator("[data-found]").textContent(), "Devices that fit: 0");
});

await test("an order, and the pages that follow", async () => {
  const now = Date.now() * 1000;
  sql(`REPLACE INTO enrollment (id, ident, kind, device_id, state, device_name, serial, created_at, last_seen_at)
    SELECT 5000 + seq, CONCAT('PAGED-', seq), 1, 5000 + seq, 1, CONCAT('paged ', LPAD(seq, 3, '0')),
    CONCAT('P', 999 - seq), 1, ${now} - seq FROM seq_1_to_120`);
  for (let i = 0; i < 100 && sql("SELECT COUNT(*) FROM enrollment WHERE search_due = 1").trim() !== "0"; i++)
    await new Promise((r) => setTimeout(r, 100));
  await p.goto("/devices?q=paged");
  assert.equal(await p.evaluate(async () => { // and how many there are in all, when the list is there
    const part = document.querySelector("[data-found]");
    for (let i = 0; i < 100 && part.querySelector("a"); i++) await new Promise((r) => setTimeout(r, 50));
    return part.textContent;
  }), "Devices that fit: 120");
  await p.getByRole("columnheader", { name: "Name" }).getByRole("link").click();
  await p.waitForURL(/sort=name/);
  assert.equal(await p.locator("th[aria-sort=ascending]").count(), 1);
  const names = [];
  for (let i = 0; i < 3; i++) {
    names.push(...await p.locator("tbody th").allTextContents());
    if (i < 2) await p.getByRole("link", { name: "Next page" }).click();
  }
  assert.deepEqual(names, [...Array(120).keys()].map((i) => "paged " + String(i + 1).padStart(3, "0")));
  await p.goto("/devices?q=paged&sort=serial");
  assert.match(await p.locator("tbody th").first().textContent(), /paged 120/);
  for (const bad of ["after=1~%FF", "after=-1", "after=99999999999999999999~x", "sort=%27", "sort=-", "os=%00", "q=%FF"])
    assert.equal((await c.request.get("/devices?" + bad)).status() < 500, true, bad);
  sql("DELETE FROM enrollment WHERE id BETWEEN 5001 AND 5120");
});

await test("the overview's bars leave nobody out, and lead to those they count", async () => {
  sql(`INSERT INTO enrollment (id, ident, kind, device_id, state, product_name, os_version, created_at, enrolled_at, last_seen_at)
    SELECT 5000 + seq, CONCAT('BAR-', seq), 1, 5000 + seq, 2, 'iPhone15,2', CONCAT('16.', seq), 1, 1, 1 FROM seq_1_to_12`);
  for (let i = 0; i < 100 && sql("SELECT COUNT(*) FROM enrollment WHERE search_due = 1").trim() !== "0"; i++)
    await new Promise((r) => setTimeout(r, 100));
  sql("DELETE FROM fleet_share");
  await p.goto("/");
  await accessible(p, "bars");
  const enrolled = await p.locator(".figures b").first().textContent();
  const links = [];
  for (const id of ["platforms", "systems"]) {
    const bars = p.locator(`section[aria-labelledby=${id}] .bars li`);
    const numbers = await bars.locator("b").allTextContents();
    assert.equal(String(numbers.reduce((sum, n) => sum + Number(n), 0)), enrolled, id);
    links.push(...await bars.evaluateAll((all) => all.filter((li) => li.querySelector("a")).map((li) => [li.querySelector("a").href, li.querySelector("b").textContent])));
  }
  assert.match(await p.locator("section[aria-labelledby=systems] .bars li").last().textContent(), /^Others \(\d+\)/);
  assert.equal(links.length > 4, true);
  for (const [link, n] of links) {
    await p.goto(link.replace("/devices?", "/devices?count=1&"));
    assert.equal(await p.locator("[data-found]").textContent(), "Devices that fit: " + n, link);
  }
  sql("DELETE FROM enrollment WHERE id BETWEEN 5001 AND 5012; DELETE FROM fleet_share");
});

await test("columns of one's own, in the list and in CSV", async () => {
  await p.goto("/devices?q=" + encodeURIComponent(ID));
  await p.getByText("Columns", { exact: true }).click();
  await accessible(p, "columns");
  await picture(p, "columns");
  await p.locator("#c-serial").uncheck(); // the inventory has a "Serial number" of its own
  await p.locator("#c-product").check(); // the inventory has one, too
  await p.getByLabel("Battery", { exact: true }).check();
  await p.getByLabel("Supervised", { exact: true }).check();
  await p.getByLabel("Device name", { exact: true }).check();
  await p.getByRole("button", { name: "Keep these columns" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /columns are kept/);
  assert.match(p.url(), /q=EVIL/);
  const heads = await p.locator("thead th").allTextContents();
  assert.equal(heads.includes("Serial number"), false);
  assert.equal(heads.includes("Battery"), true); // in the reader's language; Apple's key is told besides
  assert.equal(await p.locator("thead th", { hasText: "Battery" }).getAttribute("title"), "BatteryLevel");
  assert.match(await p.locator("tbody tr").textContent(), /iPhone15,2.*50 %/s);
  assert.equal(await p.evaluate(() => window.pwned), undefined);
  const csv = await (await c.request.get("/devices.csv?q=" + encodeURIComponent(ID))).text();
  assert.match(csv, /^"?id"?,.*BatteryLevel/);
  assert.doesNotMatch(csv.split("\r\n")[0], /serial/);
  // more than a list holds: told, and nothing of the choice is lost
  await p.getByText("Columns", { exact: true }).click();
  const boxes = p.locator("fieldset", { hasText: "Of the inventory" }).getByRole("checkbox");
  await boxes.evaluateAll((all) => all.forEach((b) => { b.checked = true; }));
  const all = await boxes.count();
  await p.getByRole("button", { name: "Keep these columns" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /At most 40 facts/);
  assert.equal(await p.locator("fieldset", { hasText: "Of the inventory" }).locator("input:checked").count(), all);
  assert.equal(all > 40, true);
  await p.goto("/devices");
  assert.equal((await p.locator("thead th").allTextContents()).includes("Battery"), true);
  // none: the usual ones
  const csrf = await p.locator("input[name=csrf]").first().inputValue();
  await c.request.post("/devices", { form: { csrf, what: "columns" } });
  await p.goto("/devices");
  assert.equal((await p.locator("thead th").allTextContents()).includes("Serial number"), true);
});

await test("a filter under a name, for oneself and for all", async () => {
  sql("DELETE FROM saved_filter"); // those of pages.mjs
  await p.goto("/devices?platform=iPhone&sort=name&q=x%26%23%22%3Cb");
  await p.getByText("Saved filters", { exact: true }).click();
  await p.getByLabel("Name of the filter").fill(EVIL.slice(0, 60));
  await p.getByLabel("Everybody sees it").check();
  await p.getByRole("button", { name: "Save the filter" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /filter is saved/);
  await p.goto("/devices");
  assert.equal(await p.evaluate(() => window.pwned), undefined);
  await p.locator(".links a").first().click();
  await p.waitForURL(/platform=iPhone/);
  assert.equal(await p.getByLabel("Search", { exact: true }).inputValue(), 'x&#"<b');
  assert.equal(new URL(p.url()).searchParams.get("sort"), "name");
  // what is not the console's own does not get into the address that the form leads to
  const csrf = await p.locator("input[name=csrf]").first().inputValue();
  const r = await c.request.post("/devices", { form: { csrf, what: "save", name: "y", q: "a\r\nSet-Cookie: b=c" }, maxRedirects: 0 });
  assert.match(r.headers().location, /^\/devices\?q=a%0D%0ASet-Cookie/);
  assert.equal(r.headers()["set-cookie"], undefined);
  assert.equal((await c.request.post("/devices", { form: { csrf, what: "save", name: "  " } })).status(), 400);
  await p.goto("/devices");
  await p.getByText("Saved filters", { exact: true }).click();
  for (let n = 2; n > 0; n--) {
    assert.equal(await p.locator(".links a").count(), n);
    await p.getByRole("button", { name: /^Delete/ }).first().click();
    await p.getByText("Saved filters", { exact: true }).click();
  }
  assert.equal(await p.locator(".links a").count(), 0);
});

await test("a filter that is no choice fits nothing, for a command for all too", async () => {
  for (const bad of ["state=enroled", "platform=iphone", "unseen=soon", "unseen=-7", "os=eighteen"]) {
    await p.goto("/devices?" + bad);
    assert.match(await p.locator("[role=alert]").textContent(), /none of the choices, so no device fits/, bad);
    assert.equal(await p.locator("tbody tr").count(), 0, bad);
    assert.equal((await (await c.request.get("/devices.csv?" + bad)).text()).trim().split("\r\n").length, 1, bad);
    await p.goto("/bulk?" + bad);
    assert.equal(await p.locator("#sure").count(), 0, bad);
  }
  await p.goto("/devices?state=enroled");
  assert.equal(await p.getByRole("search", { name: "Devices" }).getByLabel("State").inputValue(), "enroled");
  // any number of days, and a text as long as the field takes
  await p.goto("/devices?unseen=14");
  assert.equal(await p.locator("[role=alert]").count(), 0);
  assert.equal(await p.getByLabel("Not seen for").inputValue(), "14");
  const long = "0123456789".repeat(8);
  await p.goto("/devices?q=" + long);
  assert.equal(await p.getByLabel("Search", { exact: true }).inputValue(), long);
});

// Fifty devices in a list that is longer than the window, each with a command that failed.
const LISTED = "enrollment_id BETWEEN 5001 AND 5050";
function listed() {
  const now = Date.now() * 1000;
  unlisted();
  sql(`INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, device_name, serial, product_name, os_version, created_at, enrolled_at, last_seen_at)
    SELECT 5000 + seq, CONCAT('LISTED-', seq), 1, 5000 + seq, 2, 5000 + seq, CONCAT('listed ', LPAD(seq, 2, '0')), CONCAT('L', seq),
    IF(seq = 50, 'AppleTV14,1', 'iPhone15,2'), '17.6', 1, ${now}, ${now} FROM seq_1_to_50;
    INSERT INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, token_at)
    SELECT 5000 + seq, 5000 + seq, 2, 'x', 'x', 'm', ${now}, ${now} FROM seq_1_to_50;
    INSERT INTO command (id, uuid, request_type, body, created_at, created_by) SELECT 5000 + seq, CONCAT('L-', seq), ELT(1 + seq % 3, 'DeviceLock', 'SecurityInfo', 'ProfileList'),
    '<plist version="1.0"><dict><key>Command</key><dict><key>RequestType</key><string>SecurityInfo</string></dict><key>CommandUUID</key><string>x</string></dict></plist>', ${now}, 'ann' FROM seq_1_to_50;
    INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_count, closed_at, closed_why, reported_at, report, digest)
    SELECT 5000 + seq, 5000 + seq, 5, ${now}, 1, ${now} - seq, 'no', ${now}, 'x', 3 FROM seq_1_to_50`);
  for (let i = 0; i < 100 && sql("SELECT COUNT(*) FROM enrollment WHERE search_due = 1").trim() !== "0"; i++) sql("DO SLEEP(0.1)");
}
function unlisted() {
  sql(`DELETE FROM push WHERE ${LISTED}; DELETE FROM queue WHERE ${LISTED}; DELETE FROM result WHERE ${LISTED};
    DELETE FROM enrollment WHERE id BETWEEN 5001 AND 5050; DELETE FROM life WHERE id BETWEEN 5001 AND 5050; DELETE FROM command WHERE id BETWEEN 5001 AND 5050`);
}
const queued = (n) => sql(`SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE enrollment_id = ${5000 + n} AND created_by = 'admin'`).trim();
const row = (name) => p.locator("[data-row]").filter({ hasText: name });
const place = async (part) => Math.round((await part.boundingBox()).y);
await test("a row of the list of devices is acted on in its place", async () => {
  listed();
  await p.goto("/devices?q=listed&sort=name");
  await mark(p);
  await row("listed 01").getByRole("checkbox").check();
  const there = row("listed 30"), ask = there.getByRole("button", { name: "Ask: listed 30" }), url = p.url();
  await there.scrollIntoViewIfNeeded();
  const y = await place(there);
  let sent = 0;
  await p.route("**/device/command", async (route) => {
    sent++;
    await new Promise((r) => setTimeout(r, 300));
    await route.continue();
  });
  await ask.dblclick();
  assert.equal(await ask.getAttribute("aria-busy"), "true");
  await stayed(p, "The command is queued");
  assert.equal(sent, 1);
  assert.equal(queued(30), "1");
  assert.equal(Math.abs(await place(there) - y) < 3, true, `the row went from ${y} to ${await place(there)}`);
  assert.equal(p.url(), url);
  assert.equal(await p.evaluate(() => document.activeElement.getAttribute("aria-label")), "Ask: listed 30");
  assert.equal(await ask.getAttribute("aria-busy"), null);
  assert.equal(await row("listed 01").getByRole("checkbox").isChecked(), true);
  assert.equal(await p.locator("[role=status]").count(), 1);
  await accessible(p, "a row that was acted on");
  await picture(p, "devices-acted");
  // by the keyboard, another one, and what it shows now
  await p.unroute("**/device/command");
  await row("listed 31").getByRole("button", { name: /^Push/ }).focus();
  await p.keyboard.press("Enter");
  await stayed(p, "A push is on its way");
  // what a row does not take is not offered; a lock has a form of its own
  assert.equal(await row("listed 50").getByRole("link", { name: /^Lock/ }).count(), 0);
  assert.match(await row("listed 49").getByRole("link", { name: "Lock …: listed 49" }).getAttribute("href"), /^\/device\/send\?id=LISTED-49&type=DeviceLock$/);
});

await test("a row's action while the server is away, or when the session has ended: told, and nothing is lost", async () => {
  await p.goto("/devices?q=listed&sort=name");
  await mark(p);
  await row("listed 02").getByRole("checkbox").check();
  const ask = row("listed 03").getByRole("button", { name: /^Ask/ });
  for (const away of [(r) => r.abort(), (r) => r.fulfill({ status: 502, body: "Bad Gateway" }), (r) => r.fulfill({ status: 503, contentType: "text/html", body: "<main><p class=said>no" })]) {
    await p.route("**/device/command", away);
    await ask.click();
    await stayed(p, "The server does not answer", "alert");
    assert.equal(await ask.getAttribute("aria-busy"), null);
    await p.unroute("**/device/command");
  }
  await accessible(p, "a row's action while the server is away");
  await ask.click(); // it is usable again
  await stayed(p, "The command is queued");
  assert.equal(await p.locator("[role=alert]").count(), 0);
  assert.equal(queued(3), "1");
  // what the server refuses is told in its words, and the row is shown as it is
  sql("UPDATE enrollment SET state = 4, ended_at = 1 WHERE id = 5004");
  await row("listed 04").getByRole("button", { name: /^Ask/ }).click();
  await stayed(p, "enrol", "alert");
  await row("listed 04").getByRole("button").waitFor({ state: "detached" });
  const d = await context(), before = p;
  try {
    p = await signIn(d, "/devices?q=listed&sort=name");
    await mark(p);
    await row("listed 05").getByRole("checkbox").check();
    const token = (await d.cookies()).find((k) => k.name === "__Host-drover").value;
    sql(`DELETE FROM session WHERE token_sha256 = UNHEX(SHA2('${token}', 256))`);
    await row("listed 06").getByRole("button", { name: /^Ask/ }).click();
    await p.locator("#stale", { hasText: "session has ended" }).waitFor();
    assert.equal(await p.evaluate(() => window.same), true);
    assert.equal(await row("listed 05").getByRole("checkbox").isChecked(), true);
    assert.equal(await row("listed 06").getByRole("button", { name: /^Ask/ }).getAttribute("aria-busy"), null);
    assert.equal(queued(6), "0");
  } finally {
    p = before;
    await d.close();
  }
});

await test("failed commands are sent again from their list, which stays where it is", async () => {
  await p.setViewportSize({ width: 1280, height: 500 });
  await p.goto("/failed?type=SecurityInfo");
  await mark(p);
  const there = row("listed 43"), again = there.getByRole("button", { name: /^Send again: SecurityInfo, listed 43/ });
  await there.scrollIntoViewIfNeeded();
  const y = await place(there);
  await again.dblclick();
  await stayed(p, "The command is queued");
  assert.equal(await there.getByRole("link", { name: "sent again" }).count(), 1);
  assert.equal(await again.count(), 0);
  assert.equal(queued(43), "1");
  assert.equal(Math.abs(await place(there) - y) < 3, true);
  assert.equal(new URL(p.url()).search, "?type=SecurityInfo");
  assert.equal(await p.evaluate(() => document.activeElement.dataset.row), "LISTED-43 L-43"); // its button is gone
  await accessible(p, "a failed command that was sent again");
  await p.setViewportSize({ width: 1280, height: 860 });
  // one that asks for a reason has its page
  await p.goto("/failed?type=DeviceLock");
  assert.equal(await row("listed 48").getByRole("button").count(), 0);
  await row("listed 48").getByRole("link", { name: /^Send again …: DeviceLock, listed 48/ }).click();
  assert.equal(await p.getByLabel("Reason").count(), 1);
});

await test("decisions in a list keep what is written in other rows", async () => {
  const now = Date.now() * 1000;
  sql(`INSERT INTO unknown_device (id, ident, cert_sha256, subject, last_message, first_seen_at, last_seen_at)
    SELECT 5000 + seq, CONCAT('STRANGER-', seq), UNHEX(SHA2(seq, 256)), 'x', 'Idle', ${now}, ${now} FROM seq_1_to_5`);
  await p.goto("/unknown");
  await mark(p);
  const why = (n) => row("STRANGER-" + n).getByLabel("Reason");
  await why(4).fill("half a sen");
  await why(3).fill("restored");
  const y = await place(row("STRANGER-3"));
  await row("STRANGER-3").getByRole("button", { name: "Accept" }).dblclick();
  await stayed(p, "Your decision acts");
  assert.equal(sql("SELECT decision FROM unknown_device WHERE id = 5003").trim(), "1");
  assert.equal(sql("SELECT COUNT(*) FROM unknown_device WHERE decision <> 0 AND id BETWEEN 5001 AND 5005").trim(), "1");
  assert.equal(await row("STRANGER-3").count(), 0);
  assert.equal(await why(4).inputValue(), "half a sen");
  // the row that took its place has the focus, and stands where it stood
  const next = await p.evaluate(() => document.activeElement.textContent);
  assert.match(next, /STRANGER-[24]/);
  assert.equal(Math.abs(await place(p.locator("[data-row]:focus")) - y) < 3, true);
  await accessible(p, "a decision in its place");
  // who is asked for a proof gets that page, with what was written
  sql("UPDATE session SET fresh_at = 1");
  await why(2).fill("nobody knows it");
  await row("STRANGER-2").getByRole("button", { name: /End|leave/ }).click();
  await p.getByLabel("Present password").waitFor();
  assert.equal(await p.locator("input[name=why]").inputValue(), "nobody knows it");
  assert.equal(sql("SELECT decision FROM unknown_device WHERE id = 5002").trim(), "0");
  await p.getByLabel("Present password").fill(site.console_password);
  await p.locator("main button.primary").click();
  await p.locator("[role=status]").waitFor();
  assert.equal(sql("SELECT decision FROM unknown_device WHERE id = 5002").trim() !== "0", true);
  sql("DELETE FROM unknown_device WHERE id BETWEEN 5001 AND 5005");
});

await test("approvals: refused in the list, after the proof was given", async () => {
  const now = Date.now() * 1000;
  sql(`INSERT INTO approval (id, state, request_type, targets, first_target, request, reason, asked_at, asked_by, expires_at)
    SELECT 5000 + seq, 1, 'DeviceLock', 1, CONCAT('LISTED-', seq), '', 'x', ${now}, 'ann', ${now + 864e8} FROM seq_1_to_3;
    INSERT INTO approval_target (approval_id, enrollment_id) SELECT 5000 + seq, 5000 + seq FROM seq_1_to_3`);
  await p.goto("/approvals");
  await mark(p);
  const one = p.locator("[data-row='5002']"), decide = one.getByRole("button", { name: "Refuse" });
  await p.locator("[data-row='5001']").getByLabel("Reason").fill("not yet");
  await one.getByLabel("Reason").fill("no need");
  await decide.dblclick();
  await stayed(p, "The command is refused");
  assert.equal(sql("SELECT GROUP_CONCAT(state ORDER BY id) FROM approval WHERE id IN (5001, 5002, 5003)").trim().split(",")[1] !== "1", true);
  assert.equal(await p.locator("[data-row='5001']").getByLabel("Reason").inputValue(), "not yet");
  assert.equal(await decide.count(), 0);
  await accessible(p, "an approval that was refused in the list");
  sql("DELETE FROM approval_target WHERE approval_id BETWEEN 5001 AND 5003; DELETE FROM approval WHERE id BETWEEN 5001 AND 5003");
});

await test("a job is stopped in the list of jobs", async () => {
  sql(`REPLACE INTO bulk_job (id, request_type, state, picked, f_text, f_platform, f_os, total, created_at, created_by)
    VALUES (5001, 'SecurityInfo', 1, 1, '', '', '', 3, ${Date.now() * 1000 + 3600e6}, 'ann')`);
  await p.goto("/bulk/jobs");
  await mark(p);
  const stop = p.locator("[data-row='5001']").getByRole("button", { name: /^Stop/ });
  if (await stop.count()) { // else it was quicker
    await stop.click();
    await stayed(p, /The job (is stopped|had ended)/);
    await stop.waitFor({ state: "detached" });
  }
  // and the list goes on to keep itself fresh
  sql("UPDATE bulk_job SET refused = 7531 WHERE id = 5001");
  await p.locator("[data-row='5001'] td", { hasText: "7531" }).waitFor();
  await accessible(p, "a job that was stopped");
});

await test("no row offers what the person may not do", async () => {
  sql("UPDATE bulk_job SET state = 1, ended_at = NULL WHERE id = 5001");
  const role = sql("SELECT role FROM admin WHERE name = 'admin'").trim();
  const offered = async () => {
    const all = [];
    for (const page of ["/devices?q=listed", "/failed?type=SecurityInfo", "/failed?type=ProfileList", "/unknown", "/bulk/jobs"]) {
      const text = await (await c.request.get(page)).text();
      for (const action of ["/device/command", "/device/push", "/device/retry", "/unknown", "/bulk/stop"])
        if (text.includes(`method="post" action="${action}"`)) all.push(action);
    }
    return [...new Set(all)].join();
  };
  try {
    for (const [name, wanted] of [["viewer", ""], ["helpdesk", "/device/command,/device/push,/device/retry"]]) {
      sql(`UPDATE admin SET role = '${name}' WHERE name = 'admin'`);
      assert.equal(await offered(), wanted, name);
    }
  } finally {
    sql(`UPDATE admin SET role = '${role}' WHERE name = 'admin'`);
  }
  assert.match(await offered(), /^\/device\/command,\/device\/push,\/device\/retry,\/unknown(,\/bulk\/stop)?$/);
});

const plain = await context({ javaScriptEnabled: false });
const q = await signIn(plain, "/");
assert.equal(new URL(q.url()).pathname, "/");

await test("the form of a command without JavaScript", async () => {
  await q.goto(PAGES.settings);
  await q.getByRole("button", { name: "+ DeviceName" }).click();
  await q.getByLabel(/^DeviceName/).fill("no script");
  await q.getByRole("button", { name: "Queue the command" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /queued/);
});

await test("a row's action without JavaScript", async () => {
  const line = (name) => q.locator("tr").filter({ hasText: name });
  await q.goto("/devices?q=listed&sort=name");
  await line("listed 10").getByRole("button", { name: /^Ask/ }).click();
  assert.match(await q.locator("[role=status]").textContent(), /queued/);
  assert.equal(new URL(q.url()).searchParams.get("id"), "LISTED-10");
  assert.equal(queued(10), "1");
  await q.goto("/devices?q=listed&sort=name");
  await line("listed 11").getByRole("button", { name: /^Push/ }).click();
  assert.match(await q.locator("[role=status]").textContent(), /push is on its way/);
  await q.goto("/failed?type=ProfileList");
  await line("listed 14").getByRole("button", { name: /^Send again/ }).click();
  assert.match(await q.locator("[role=status]").textContent(), /queued/);
  assert.equal(queued(14), "1");
  unlisted();
});

await test("how many fit, without JavaScript", async () => {
  sql(`INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at)
    SELECT 5000 + seq, CONCAT('COUNTED-', seq), 1, 5000 + seq, 4, 1, 1 FROM seq_1_to_60`);
  const wanted = sql("SELECT COUNT(*) FROM enrollment WHERE state = 4 AND kind IN (1, 4)").trim();
  await q.goto("/devices?state=ended");
  assert.match(await q.locator("[data-found]").textContent(), /the first 50 that fit/);
  await q.getByRole("link", { name: "Count all" }).click();
  assert.equal(await q.locator("[data-found]").textContent(), "Devices that fit: " + wanted);
  assert.equal(await q.locator("tbody tr").count(), 50);
  sql("DELETE FROM enrollment WHERE id BETWEEN 5001 AND 5060");
});

await test("work without JavaScript: command, cancel, decision, invitation, key", async () => {
  await q.goto(device);
  await q.getByRole("button", { name: "State of security" }).click();
  assert.match(await q.locator("main").textContent(), /The command is queued/);
  await q.getByRole("button", { name: "Facts of the device" }).click();
  await q.getByText("Any command as a property list").click();
  await q.getByLabel("Property list with CommandUUID").fill("<plist><dict/></plist>");
  await q.getByRole("button", { name: "Queue the command" }).click();
  assert.equal(await q.locator("[role=alert]").count(), 1);
  const open = await q.locator(".timeline .next").count();
  await q.getByRole("button", { name: /^Cancel: SecurityInfo/ }).first().click();
  assert.equal(await q.locator(".timeline .next").count(), open - 1);
  await q.getByRole("link", { name: "Lock the device" }).click();
  await q.getByLabel("Reason").fill("left on the train");
  await q.getByRole("button", { name: "Queue the command" }).click();
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
