// test_scope.mjs: somebody who is limited to a group: every page is whole, tells of the own devices and
// of no other, says why it is closed; groups are made that hold what is reached.
import assert from "node:assert/strict";
import { accessible, context, droverctl, finish, quoted, screens, signIn, sql, test, until, valid } from "./lib.mjs";
import { FORMS, PAGES, fill } from "./pages.mjs";

fill(); // the hostile device is not in reach
const now = Date.now() * 1000, tag = String(process.pid), person = "limited" + tag, PASSWORD = "correct horse battery";
sql(`REPLACE INTO enrollment (id, ident, kind, device_id, state, life_id, serial, device_name, product_name, os_version, created_at,
    enrolled_at, last_seen_at) VALUES (87, 'OWN-87', 1, 87, 2, 88, 'OWNSERIAL', 'Own phone', 'iPhone15,2', '26.1', ${now}, ${now}, ${now});
  REPLACE INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, token_at) VALUES (88, 87, 2, 't', 'x', 'm', ${now}, ${now});
  REPLACE INTO identity_cert (sha256, der, serial, subject, issuer, not_before, not_after, issued_at, device_id, life_id)
    VALUES (REPEAT('o', 32), 'x', 'o1', 'CN=Own phone', 'CN=x', 1, ${now + 9e13}, ${now}, 87, 88);
  REPLACE INTO device_group (id, name, filter, note, created_at, created_by, changed_at, changed_by, members)
    VALUES (187, ${quoted("North " + tag)}, NULL, '', ${now}, 'ann', ${now}, 'ann', 1);
  REPLACE INTO group_member (group_id, device_id, since) VALUES (187, 87, ${now});`);
droverctl(["admin", "add", person, "--role", "operator", "--password-file", "-"], PASSWORD + "\n");
droverctl(["scope", "admin", person, "187"]);

async function enter(c) {
  const p = await c.newPage();
  await p.goto("/");
  await p.getByLabel("Name").fill(person);
  await p.getByLabel("Password").fill(PASSWORD);
  await p.locator("main button").click();
  await p.waitForLoadState();
  return p;
}
const c = await context({ viewport: { width: 1280, height: 860 } });
const plain = await context({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
const p = await enter(c), q = await enter(plain);
const shot = (name) => p.screenshot({ path: `${screens}/limited-${name}.png`, fullPage: true });

await test("limited: the overview is of the own devices", async () => {
  assert.equal(new URL(p.url()).pathname, "/");
  assert.match(await p.locator(".figures li").first().textContent(), /1\s*Enrolled/);
  assert.match(await p.locator("main").textContent(), /figures of their devices/);
  assert.equal(await p.locator(".charts figure").count(), 3);
  await shot("overview");
});

await test("limited: each page is right and whole, or says why it is closed", async () => {
  let closed = 0;
  for (const [name, url] of Object.entries(PAGES)) {
    for (const page of [p, q]) {
      const answer = await page.goto(url), text = await answer.text();
      // the hostile device is nowhere, but in what was asked for
      if (answer.status() === 200) assert.doesNotMatch(text, /EVIL-&quot;|href="[^"]*EVIL-/, name);
      assert.equal([200, 303, 403, 404].includes(answer.status()), true, name + ": " + answer.status());
      assert.equal(await page.locator("h1").count(), 1, name);
      if (page !== p) continue;
      await valid(text, "limited " + name);
      await accessible(page, "limited " + name);
      if (answer.status() === 403) {
        closed++;
        assert.match(await page.locator("main").textContent(), /Your role|limited to some groups of devices.*concerns more than those\. \S+/s, name);
      }
    }
  }
  assert.ok(closed > 10);
  for (const [text, url] of [["belong to the whole organisation", "/app?id=160&tab=codes"], ["is in no group", "/unknown"]]) {
    await p.goto(url);
    assert.match(await p.locator("main").textContent(), new RegExp(text));
  }
  await p.goto("/certificates");
  assert.equal(await p.locator("tbody tr").count(), 1);
  assert.match(await p.locator("tbody").textContent(), /Own phone/);
});

await test("limited: nothing in the menu is closed", async () => {
  await p.goto("/");
  for (const link of await p.locator("nav a[href^='/']").evaluateAll((all) => all.map((a) => a.getAttribute("href"))))
    assert.equal((await c.request.get(link)).status(), 200, link);
});

await test("limited: the group that limits is not changed, one of the own making holds what is reached", async () => {
  await p.goto("/group?id=187");
  assert.match(await p.locator("main").textContent(), /says which devices somebody reaches/);
  assert.equal(await p.locator("main form").count(), 1); // the list, without its buttons
  assert.equal(await p.locator("main button").count(), 0);
  await shot("group");
  await q.goto("/groups"); // without JavaScript
  await q.getByLabel("Name").fill("Mine " + tag);
  await q.getByRole("button", { name: "New group by hand" }).click();
  await q.waitForURL(/\/group\?id=/);
  await q.locator("#ids").fill("OWNSERIAL\nEVIL\n77");
  await q.getByRole("button", { name: "Put into the group" }).click();
  assert.match(await q.locator("[role=alert]").textContent(), /2: EVIL, 77/);
  assert.equal(await q.locator("tbody tr").count(), 1);
  await p.goto("/group/filter");
  await p.locator("#name").fill("All of mine " + tag);
  const row = p.locator(".rows > div").nth(1);
  await row.getByLabel("Fact").fill("platform");
  await row.getByLabel("Value").fill("iOS");
  await p.getByRole("button", { name: "Count", exact: false }).last().click();
  await p.locator("#hits .badge").waitFor();
  assert.equal(await p.locator("#hits .badge").textContent(), "1");
  await accessible(p, "limited filter");
  await p.locator("button[value=save]").click();
  await p.waitForURL(/\/group\?id=/);
  const id = new URL(p.url()).searchParams.get("id");
  await until(`SELECT GROUP_CONCAT(device_id) FROM group_member WHERE group_id = ${id}`, "87");
  // who reaches all sees whose it is; taken out of reach the device leaves both
  sql("DELETE FROM group_member WHERE group_id = 187; UPDATE site SET version = version + 1 WHERE name = 'wanted'");
  await until(`SELECT COUNT(*) FROM group_member m JOIN device_group g ON g.id = m.group_id WHERE g.created_by = ${quoted(person)}`, "0");
  assert.equal((await p.goto("/device?id=OWN-87")).status(), 404);
  sql(`INSERT INTO group_member (group_id, device_id, since) VALUES (187, 87, ${now})`);
  await p.goto("/group?id=" + id);
  await p.locator("summary").click();
  await p.getByLabel("Reason").fill("not needed");
  await p.getByRole("button", { name: "Delete" }).last().click();
  await p.waitForURL(/\/groups/);
});

await test("limited: to no group at all is refused, and the box stays ticked", async () => {
  const b = await context(), a = await signIn(b, "/scope?kind=admin&name=" + person);
  for (const box of await a.locator("[name=group]:checked").all()) await box.uncheck();
  await a.getByRole("button", { name: "Save" }).click();
  assert.match(await a.locator("[role=alert]").textContent(), /at least one group/);
  assert.equal(await a.locator("#limited").isChecked(), true);
  assert.equal(sql(`SELECT COUNT(*) FROM admin a JOIN scope_group g ON g.owner = a.id * 2 WHERE a.name = '${person}'`).trim(), "1");
  await a.goto("/apikeys");
  await a.getByLabel("Name", { exact: true }).fill("reaches-nothing");
  await a.locator("#scope_read").check();
  await a.locator("#limited").check();
  await a.getByRole("button", { name: "Make the key" }).click();
  assert.match(await a.locator("[role=alert]").textContent(), /at least one group/);
  assert.equal(await a.getByLabel("Name", { exact: true }).inputValue(), "reaches-nothing");
  assert.equal(sql("SELECT COUNT(*) FROM apikey WHERE name = 'reaches-nothing'").trim(), "0");
  await b.close();
});

await test("limited: no form does anything to the device out of reach", async () => {
  const before = sql("SELECT COUNT(*) FROM queue WHERE enrollment_id = 77"), tags = sql("SELECT COUNT(*) FROM device_tag WHERE device_id = 77");
  await p.goto("/devices");
  const csrf = await p.locator("[name=csrf]").first().inputValue();
  for (const [url, form] of FORMS)
    if (url !== "/signout" && url !== "/account" && url !== "/devices") {
      const r = await c.request.post(url, { form: { ...form, csrf, why: "x", sure: "yes" }, maxRedirects: 0 });
      assert.equal(r.status() < 500, true, url);
    }
  assert.equal(sql("SELECT COUNT(*) FROM queue WHERE enrollment_id = 77"), before);
  assert.equal(sql("SELECT COUNT(*) FROM device_tag WHERE device_id = 77"), tags);
  assert.equal(sql("SELECT COUNT(*) FROM device_group WHERE id IN (500, 503, 187)").trim(), "3");
});

await finish();
