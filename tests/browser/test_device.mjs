// test_device.mjs: the page of one device, with simulated ones of every kind: why its queue does not
// move, in each way it can; what it is offered; its lists, page by page; what is kept under seal.
import assert from "node:assert/strict";
import { accessible, context, finish, mark, picture, quoted, signIn, simulate, sql, stayed, test, until, valid } from "./lib.mjs";

const [phone, mac, tv, shared] = await Promise.all([simulate("--kind", "iphone", "--notnow", "600"),
  simulate("--kind", "mac", "--users", "2"), simulate("--kind", "appletv"),
  simulate("--kind", "ipad", "--shared-ipad", "--users", "2")]);
const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, phone.page);
const why = () => p.locator(".why").textContent();
const lines = () => p.locator(".four").textContent();
const open = (d) => `SELECT COUNT(*) FROM queue q JOIN enrollment e ON e.id = q.enrollment_id WHERE e.ident = ${quoted(d.ident)}`;
const ask = async (type) => {
  await p.locator(`button[value=${type}]`).click();
  await p.waitForURL(/done=queued/);
};

await test("the timeline of a device that does what it is told", async () => {
  assert.match(await why(), /every command has been answered/);
  await ask("SecurityInfo");
  await until(open(phone), "0");
  await p.goto(phone.page);
  assert.match(await why(), /every command has been answered/);
  assert.match(await lines(), /Last push.*Apple’s answer: 200.*Last poll.*NotNow since.*none.*What comes next.*nothing/s);
  const was = await p.locator(".timeline li").allTextContents();
  assert.match(was.join("\n"), /Enrolled default[^]*SecurityInfo: acknowledged/);
  assert.match(was.at(-1), /Now/);
});

await test("NotNow: since when, how often, and what comes next", async () => {
  await phone.ask({ op: "behave", rule: "ProfileList notnow" });
  await ask("ProfileList");
  await until(`SELECT MAX(notnow_count) FROM queue q JOIN command c ON c.id = q.command_id WHERE c.request_type = 'ProfileList'`, "1");
  await ask("CertificateList");
  await until(open(phone), "1");
  await p.goto(phone.page);
  assert.match(await why(), /said NotNow to ProfileList since.*locked or busy/s);
  assert.match(await lines(), /NotNow since.*ProfileList.*ProfileList again, when the device is free/s);
  assert.match(await p.locator(".timeline .next").textContent(), /ProfileList.*not now.*when the device is free/s);
  await picture(p, "device-notnow");
  // it is free again, and comes
  await phone.ask({ op: "behave", rule: "ProfileList acknowledge" });
  await p.getByRole("button", { name: "Push now" }).click();
  await until(open(phone), "0");
});

await test("a device that takes a command and never answers; one that is held back", async () => {
  await phone.ask({ op: "behave", rule: "Restrictions never" });
  await p.goto(phone.page);
  await ask("Restrictions");
  await until(`SELECT COUNT(*) FROM queue q JOIN command c ON c.id = q.command_id WHERE c.request_type = 'Restrictions' AND q.sent_at IS NOT NULL`, "1");
  await p.goto(phone.page);
  assert.match(await why(), /Restrictions was handed to the device.*offered again, under the same UUID/s);
  sql(`UPDATE queue q JOIN command c ON c.id = q.command_id SET q.not_before = ${(Date.now() + 864e5) * 1000}, q.sent_at = NULL, q.state = 1 WHERE c.request_type = 'Restrictions'`);
  await p.goto(phone.page);
  assert.match(await why(), /Restrictions is held back until/);
  assert.match(await lines(), /What comes next.*Restrictions, not before/s);
});

await test("a device that is off; one whose token is dead; a push that nobody sends", async () => {
  await tv.stop();
  await p.goto(tv.page);
  await ask("SecurityInfo");
  await until(`SELECT p.state FROM push p JOIN enrollment e ON e.id = p.enrollment_id WHERE e.ident = ${quoted(tv.ident)}`, "3");
  await p.goto(tv.page);
  assert.match(await why(), /woken a moment ago|has not come since/); // the latter after a minute
  const of = `WHERE enrollment_id = (SELECT id FROM enrollment WHERE ident = ${quoted(tv.ident)})`;
  const hour = 3600e6, now = Date.now() * 1000;
  sql(`UPDATE enrollment SET last_seen_at = ${now - 9 * hour} WHERE ident = ${quoted(tv.ident)}; UPDATE push SET sent_at = ${now - hour}, wanted_at = ${now - hour} ${of}`);
  await p.goto(tv.page);
  assert.match(await why(), /has not come since.*It is off, or without network/s);
  sql(`UPDATE push SET state = 2, due_at = ${now - hour}, wanted_at = ${now - hour} ${of}`); // as one that an agent holds
  await p.goto(tv.page);
  assert.match(await why(), /nobody has sent it: the agent does not run/);
  assert.equal(await p.locator(".why a").getAttribute("href"), "/");
  sql(`UPDATE push SET state = 4, last_status = 400, last_reason = 'BadTopic' ${of}`);
  await p.goto(tv.page);
  assert.match(await why(), /given up \(400 BadTopic\)/);
  sql(`UPDATE life SET push_dead_at = ${now}, push_dead_why = '410 Unregistered' ${of}`);
  await p.goto(tv.page);
  assert.match(await why(), /token dead since .*410 Unregistered/s);
});

for (const [name, device, takes, not] of [["iPhone", phone, /ClearPasscode/, /EnableRemoteDesktop|UnlockUserAccount/],
  ["Mac with users", mac, /RequestMirroring/, /ClearPasscode/], ["Apple TV", tv, /InstallProfile/, /EnableLostMode|UserList/],
  ["Shared iPad", shared, /InstallProfile/, /EnableRemoteDesktop|UnlockUserAccount/]])
  await test("the pages of a simulated " + name, async () => {
    const answer = await p.goto(device.page);
    await valid(await answer.text(), name);
    await accessible(p, name);
    const offered = (await p.locator("#send ~ *").allTextContents()).join(" ");
    assert.doesNotMatch(offered, not);
    if (device === mac || device === shared) {
      await p.getByRole("link", { name: "Users", exact: true }).click();
      assert.equal(await p.locator("tbody tr").count(), 2);
      await p.locator("tbody a").first().click();
      await accessible(p, name + ": a user");
      assert.match(await p.locator(".crumbs").textContent(), /Its device/);
      await p.goto(device.page);
    }
    await p.getByRole("link", { name: "All commands" }).click();
    await accessible(p, name + ": commands");
    assert.match(await p.locator(".choices").textContent(), takes);
    assert.doesNotMatch(await p.locator(".choices").textContent(), not);
    assert.match(await p.locator("main details").last().textContent(), not); // and why not
  });

await test("queue, results, users and the audit log go on page by page, and say everything once", async () => {
  const id = sql(`SELECT id FROM enrollment WHERE ident = ${quoted(shared.ident)}`).trim(), now = Date.now() * 1000;
  sql(`INSERT INTO command (id, uuid, request_type, body, created_at, created_by) SELECT 600000 + seq, CONCAT('PAGE-', seq), CONCAT('Test', seq), 'x', ${now}, 'ann' FROM seq_1_to_240;
    INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, not_before) SELECT ${id}, 0, ${now}, 600000 + seq, 1, ${now + 9e12} FROM seq_1_to_120;
    INSERT INTO result (enrollment_id, command_id, state, queued_at, closed_at) SELECT ${id}, 600000 + seq, 4, ${now}, ${now} FROM seq_121_to_240;
    INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, created_at, last_seen_at) SELECT 700000 + seq, CONCAT(${quoted(shared.ident)}, ':p', LPAD(seq, 3, '0')), 4, ${id}, 2, CONCAT('p', seq), 1, 1 FROM seq_1_to_118;
    INSERT INTO audit (at, actor, action, subject) SELECT ${now}, 'ann', CONCAT('test.', seq), IF(seq % 2, ${quoted(shared.ident)}, CONCAT('PAGE-', seq)) FROM seq_1_to_120`);
  for (const [word, wanted] of [["queue", 120], ["results", 120], ["users", 120], ["audit", 120]]) {
    await p.goto(`/device/part?part=${word}&id=${encodeURIComponent(shared.ident)}`);
    const seen = [];
    for (let i = 0; i < 9; i++) {
      seen.push(...await p.locator("tbody tr").evaluateAll((rows) => rows.map((r) => r.querySelector("a")?.href || r.cells[2].textContent)));
      const next = p.getByRole("link", { name: "Next page" });
      if (await next.count() === 0) break;
      await next.click();
    }
    const mine = seen.filter((s) => word !== "audit" || /^test\./.test(s));
    assert.equal(new Set(mine).size, mine.length, word);
    assert.equal(mine.length >= wanted, true, `${word}: ${mine.length}`);
  }
  for (const from of ["-1", "1.2", "9999999999999999999999.1.1", "x"])
    for (const word of ["queue", "results", "users", "audit", "apps"])
      assert.equal((await c.request.get(`/device/part?part=${word}&id=${encodeURIComponent(shared.ident)}&from=${from}`)).status(), 200, word + from);
  sql(`DELETE FROM queue WHERE command_id BETWEEN 600001 AND 600240; DELETE FROM result WHERE command_id BETWEEN 600001 AND 600240;
    DELETE FROM enrollment WHERE id BETWEEN 700001 AND 700118`);
});

await test("what the device said went wrong is told entry by entry, with its meaning", async () => {
  await phone.ask({ op: "behave", rule: "InstalledApplicationList error 12021 MCMDMErrorDomain No-such-request" });
  await p.goto(phone.page);
  await ask("InstalledApplicationList");
  await until(`SELECT COUNT(*) FROM result_error r JOIN enrollment e ON e.id = r.enrollment_id WHERE e.ident = ${quoted(phone.ident)}`, "1");
  await p.goto(phone.page);
  await p.locator("#results ~ .scroll").getByRole("link", { name: "InstalledApplicationList" }).first().click();
  assert.match(await p.locator(".findings").textContent(), /MCMDMErrorDomain 12021.*No-such-request.*does not know this request/s);
  await accessible(p, "a command that failed");
});

await test("a PIN is kept under seal, and shown with a reason, on record", async () => {
  await p.goto(mac.page);
  await p.getByRole("link", { name: "Lock the device" }).click();
  // of two devices of one name it is told which this is, and the button says what it does
  const { serial, model } = JSON.parse(sql(`SELECT JSON_OBJECT('serial', serial, 'model', model_name) FROM enrollment WHERE ident = '${mac.ident}'`));
  assert.ok(serial && (await p.locator("main").textContent()).includes(serial), serial);
  assert.ok(model && (await p.locator("main").textContent()).includes(model), model);
  assert.equal(await p.locator("button.danger", { hasText: "Queue the command: DeviceLock" }).count(), 1);
  await p.getByLabel("PIN", { exact: true }).fill("471199");
  await p.getByLabel("Reason").fill("left on the train");
  await p.getByRole("button", { name: "Queue the command" }).click();
  await p.waitForURL(/done=queued/);
  await p.getByRole("link", { name: "Security", exact: true }).click();
  await accessible(p, "security");
  const entry = p.locator(".entry", { hasText: "DeviceLock.PIN" });
  assert.doesNotMatch(await p.content(), /471199/);
  await entry.getByLabel(/Reason/).fill("found again");
  await entry.getByRole("button", { name: /^Show/ }).click();
  assert.equal(await p.locator("code.secret").textContent(), "471199");
  await accessible(p, "a secret");
  assert.match(sql(`SELECT detail FROM audit WHERE action = 'secret.reveal' ORDER BY id DESC LIMIT 1`), /kind=DeviceLock.PIN.*reason=found again/);
  await p.getByRole("link", { name: "Audit log" }).first().click();
});

await test("the queue is worked through in its place, on the device's page and its own", async () => {
  const id = sql(`SELECT id FROM enrollment WHERE ident = ${quoted(mac.ident)}`).trim(), now = Date.now() * 1000;
  sql(`INSERT INTO command (id, uuid, request_type, body, created_at, created_by) SELECT 610000 + seq, CONCAT('ROW-', seq), CONCAT('Row', seq), 'x', ${now}, 'ann' FROM seq_1_to_12;
    INSERT INTO queue (enrollment_id, urgency, queued_at, command_id, state, not_before) SELECT ${id}, 0, ${now} + seq, 610000 + seq, 1, ${now + 9e12} FROM seq_1_to_12`);
  const left = () => sql(`SELECT COUNT(*) FROM queue WHERE command_id BETWEEN 610001 AND 610012`).trim();
  const here = () => p.evaluate(() => document.activeElement.dataset.row || document.activeElement.textContent);
  await p.goto(mac.page);
  await mark(p);
  const third = p.locator("[data-row='ROW-3']");
  await third.scrollIntoViewIfNeeded();
  const { y } = await third.boundingBox();
  await third.getByRole("button", { name: "Cancel: Row3" }).dblclick();
  await stayed(p, "The command is cancelled");
  assert.equal(await third.count(), 0);
  assert.equal(left(), "11"); // the other click met nobody else
  // the row that follows, or its button where the second click came down when it had slid there
  assert.equal(await p.evaluate(() => document.activeElement.closest("[data-row]")?.dataset.row), "ROW-4");
  assert.equal(Math.abs((await p.locator("[data-row='ROW-4']").boundingBox()).y - y) < 3, true);
  // a double click whose second half comes when the next row has slid under the pointer
  await p.evaluate(() => {
    const next = () => document.querySelector("[data-row='ROW-2'] button");
    new MutationObserver((_, watch) => {
      if (document.querySelector("[data-row='ROW-1']")) return;
      watch.disconnect();
      next().dispatchEvent(new MouseEvent("click", { detail: 2, bubbles: true, cancelable: true }));
      window.met = next().getAttribute("aria-busy") || "nobody";
    }).observe(document.querySelector("[data-rows=queue]"), { childList: true });
  });
  await p.getByRole("button", { name: "Cancel: Row1", exact: true }).click();
  await p.waitForFunction(() => window.met);
  assert.equal(await p.evaluate(() => window.met), "nobody");
  assert.equal(left(), "10");
  await accessible(p, "a queue from which one was cancelled");
  await p.getByRole("button", { name: "Push now" }).click();
  await stayed(p, "A push is on its way");
  assert.equal(await here(), "Push now");
  // with the keyboard, on the page of the queue
  await p.goto("/device/part?part=queue&id=" + encodeURIComponent(mac.ident));
  await mark(p);
  await p.getByRole("button", { name: "Cancel: Row12" }).focus();
  await p.keyboard.press("Enter");
  await stayed(p, "The command is cancelled");
  assert.equal(left(), "9");
  assert.equal(await here(), "ROW-11"); // the last one was cancelled
  assert.equal(new URL(p.url()).pathname, "/device/part");
  await p.keyboard.press("Tab");
  await p.keyboard.press("Tab");
  assert.equal(await p.evaluate(() => document.activeElement.getAttribute("aria-label")), "Cancel: Row11");
  await accessible(p, "the page of a queue");
  // somebody else was quicker: the row is as it is now
  sql("DELETE FROM queue WHERE command_id = 610005");
  await p.getByRole("button", { name: "Cancel: Row5" }).click();
  await p.locator("[data-row='ROW-5']").waitFor({ state: "detached" });
  // without a script
  const d = await context({ javaScriptEnabled: false, storageState: await c.storageState() }), q = await d.newPage();
  await q.goto("/device/part?part=queue&id=" + encodeURIComponent(mac.ident));
  await q.getByRole("button", { name: "Cancel: Row6" }).click();
  assert.match(await q.locator("[role=status]").textContent(), /cancelled/);
  assert.equal(left(), "7");
  await d.close();
  sql("DELETE FROM queue WHERE command_id BETWEEN 610001 AND 610012");
});

await test("with the keyboard alone: found by search, opened, told to lock; each stop is named and seen", async () => {
  const at = () => p.evaluate(() => {
    const e = document.activeElement, style = getComputedStyle(e);
    return { name: (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || "").trim(), tag: e.tagName,
      seen: style.outlineStyle !== "none" || e.type === "checkbox" || e.type === "radio" };
  });
  const tab = async (wanted) => {
    for (let i = 0; i < 150; i++) {
      await p.keyboard.press("Tab");
      const stop = await at();
      if (stop.tag === "BODY") continue;
      assert.notEqual(stop.name, "", JSON.stringify(stop));
      assert.equal(stop.seen, true, JSON.stringify(stop));
      if (wanted.test(stop.name)) return;
    }
    assert.fail("no stop " + wanted);
  };
  await p.goto("/devices");
  await tab(/^Find a device$/);
  await p.keyboard.type(mac.ident);
  await p.keyboard.press("Enter");
  await p.waitForURL(/q=/);
  await tab(/^i?Mac/);
  await p.keyboard.press("Enter");
  await p.waitForURL(/\/device\?/);
  await tab(/^Lock the device/);
  await p.keyboard.press("Enter");
  await p.waitForURL(/\/device\/send/);
  await tab(/^PIN/);
  await p.keyboard.type("123456");
  await tab(/^Reason/);
  await p.keyboard.type("by the keyboard");
  await p.keyboard.press("Enter");
  await p.waitForURL(/done=queued/);
  assert.equal(await p.locator("[role=status]").count(), 1);
});

await finish();
