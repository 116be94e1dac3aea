// test_groups.mjs: groups by hand and by a filter, their contents as a draft with a preview, versions,
// roll-outs, tags; with and without JavaScript.
import assert from "node:assert/strict";
import { EVIL, accessible, context, finish, picture, quoted, signIn, sql, test } from "./lib.mjs";
import { ID, PAGES, device, fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, "/groups");
const shot = (name) => picture(p, name);

await test("a group by hand: serial numbers are pasted, strangers told", async () => {
  await p.getByLabel("Name").fill(EVIL + " two");
  await p.getByRole("button", { name: "New group by hand" }).click();
  await p.waitForURL(/\/group\?id=/);
  assert.match(await p.locator("h1").textContent(), /<script>/);
  sql("UPDATE enrollment SET serial = 'SERIAL77' WHERE id = 77");
  await p.locator("#ids").fill("SERIAL77, nobody-1\nnobody-2");
  await p.getByRole("button", { name: "Put into the group" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /2: nobody-1, nobody-2/);
  assert.equal(await p.locator("tbody tr").count(), 1);
  await accessible(p, "a group's devices");
  await p.getByRole("checkbox").check();
  await p.getByRole("button", { name: "Take the ticked ones out" }).click();
  await p.getByText("Nobody is in this group yet").waitFor();
});

await test("what is assigned is a draft, shown before it is saved, and comes back by its version", async () => {
  const id = new URL(p.url()).searchParams.get("id");
  sql(`INSERT INTO group_member (group_id, device_id, since) VALUES (${id}, 77, 1)`);
  await p.goto("/group/contents?id=" + id);
  await p.getByLabel("From the library").selectOption("501");
  await p.getByRole("button", { name: "Add to the draft" }).click();
  await p.locator("#type").selectOption("SecurityInfo");
  await p.getByRole("button", { name: "Fill in the command" }).click();
  await p.getByLabel("When").selectOption("every");
  await p.getByLabel("Days until").fill("30");
  await p.getByRole("button", { name: "Add to the draft" }).click();
  await p.waitForURL(/contents/);
  assert.equal(await p.locator(".is-added").count(), 2);
  assert.equal(sql(`SELECT COUNT(*) FROM assignment WHERE group_id = ${id}`).trim(), "0");
  await accessible(p, "a draft");
  await shot("group-draft");
  await p.goto("/"); // it survives leaving the page
  await p.goto("/group/contents?id=" + id);
  await p.getByRole("link", { name: "What it changes, and save" }).click();
  await accessible(p, "a preview");
  await shot("group-preview");
  assert.match(await p.locator(".effect", { hasText: "SecurityInfo" }).locator("dd").textContent(), /1"><script>/); // who is sent it
  await p.getByLabel("What was changed").fill(EVIL);
  await p.getByRole("button", { name: "Save and put in force" }).click();
  await p.waitForURL(/contents.*done=saved/);
  assert.equal(sql(`SELECT COUNT(*) FROM assignment WHERE group_id = ${id}`).trim(), "1");
  // a draft that somebody else has overtaken is refused, and nothing is lost
  await p.getByRole("button", { name: "Take out: SecurityInfo" }).click();
  await p.getByRole("link", { name: "What it changes, and save" }).click();
  sql(`INSERT INTO group_blueprint (group_id, number, items, orders, created_at, created_by) VALUES (${id}, 2, '[]', '[]', 1, 'bob')`);
  await p.getByRole("button", { name: "Save and put in force" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /somebody else has changed/);
  await p.goto("/group/contents?id=" + id);
  await p.getByRole("button", { name: "Drop the draft" }).click();
  await p.getByText("There is a draft").waitFor({ state: "hidden" });
  await p.goto("/group/versions?id=" + id);
  await p.getByRole("button", { name: "Bring back: 1" }).click();
  await p.getByText("The draft is the same as what is in force").waitFor();
});

const tree = async (page) => {
  await page.goto("/group/filter");
  await page.getByLabel("Name").fill("filtered " + Math.random());
  const rows = page.locator(".rows > div");
  await rows.nth(1).getByLabel("Fact").fill("device_name");
  await rows.nth(1).getByLabel("Value").fill(EVIL);
  await rows.nth(0).getByRole("button", { name: "Add a group of comparisons" }).click();
  await rows.nth(2).getByLabel("Kind").selectOption("none");
  await rows.nth(3).getByLabel("Kind").selectOption("tag");
  await rows.nth(3).getByLabel("Value").fill("nowhere");
  await rows.nth(2).getByRole("button", { name: "Add a comparison" }).click();
  await rows.nth(4).getByLabel("Fact").fill("BatteryLevel");
  await rows.nth(4).getByLabel("Comparison").selectOption("at_least");
  await rows.nth(4).getByLabel("Value").fill("0.9");
  return rows;
};

await test("a filter in words, counted as it is written", async () => {
  const rows = await tree(p);
  await p.locator("[data-counted] .badge").waitFor(); // by itself
  assert.equal(await p.locator("[data-counted] .badge").textContent(), "1");
  assert.match(await p.locator("[data-counted] .names").textContent(), /<script>/);
  await accessible(p, "a filter");
  await shot("group-filter");
  await rows.nth(4).getByLabel("Value").fill("many");
  await p.getByRole("button", { name: "Count and show" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /Row 5: a number is expected/);
  await rows.nth(4).getByRole("button", { name: "Take away 5" }).click();
  await p.getByRole("button", { name: "Save" }).click();
  await p.waitForURL(/\/group\?id=.*done=saved/);
  assert.deepEqual(JSON.parse(sql("SELECT filter FROM device_group ORDER BY id DESC LIMIT 1").replaceAll("\\\\", "\\")),
    { all: [{ fact: "device_name", is: EVIL }, { not: { any: [{ tag: "nowhere" }] } }] });
  // the agent finds its devices
  for (let i = 0; i < 120 && !(await p.locator("tbody tr").count()); i++) {
    await p.waitForTimeout(250);
    await p.reload();
  }
  assert.equal(await p.locator("tbody tr").count(), 1);
});

await test("putting in, taking out and deleting are shown before devices get or lose something", async () => {
  const members = () => sql("SELECT COUNT(*) FROM group_member WHERE group_id = 500").trim();
  const out = async (page) => {
    await page.goto("/group?id=500");
    await page.getByRole("checkbox").check();
    await page.getByRole("button", { name: "Take the ticked ones out" }).click();
    await page.getByText("Nothing has been changed yet").waitFor();
  };
  sql("INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (598, 500, 60, 1, 'ann')");
  await out(p);
  assert.match(await p.locator(".effect h3").textContent(), /<script>/); // the profile
  assert.match(await p.locator(".loses").textContent(), /1.*<script>/s); // the device that loses it
  assert.equal(members(), "1");
  await accessible(p, "a question before devices lose something");
  await shot("group-ask");
  sql("INSERT INTO group_blueprint (group_id, number, items, orders, created_at, created_by) VALUES (500, 3, '[]', '[]', 1, 'bob')");
  await p.getByRole("button", { name: "Do it" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /changed since this was shown/);
  assert.equal(members(), "1");
  await p.getByRole("button", { name: "Do it" }).click();
  await p.waitForURL(/done=saved/);
  assert.equal(members(), "0");
  await p.locator("#ids").fill("SERIAL77");
  await p.getByRole("button", { name: "Put into the group" }).click();
  assert.match(await p.locator(".effect dd").first().textContent(), /1.*<script>/s);
  assert.match(await p.locator(".effect").last().textContent(), /Settings.*are sent it now1/s);
  assert.equal(members(), "0");
  await p.getByRole("button", { name: "Do it" }).click();
  await p.waitForURL(/done=saved/);
  assert.equal(members(), "1");
  await p.locator("summary").click();
  await p.getByLabel("Reason").fill("not any more");
  await p.getByRole("button", { name: "Delete the group" }).click();
  assert.match(await p.locator("h1").textContent(), /Devices in it: 1$/);
  assert.match(await p.locator(".loses").first().textContent(), /1.*<script>/s);
  await p.getByRole("link", { name: "Leave it" }).click();
  assert.equal(members(), "1");
  const plain = await context({ javaScriptEnabled: false });
  await out(await signIn(plain, "/groups"));
  await plain.close();
});

await test("what a filter changes on which devices is shown before it is saved, and nobody's change is lost", async () => {
  sql(`DELETE FROM assignment WHERE id = 598; -- its device would keep the profile by that group
    INSERT INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (599, 503, 60, 1, 'ann');
    UPDATE device_group SET filter = ${quoted(JSON.stringify({ all: [{ fact: "device_name", is: EVIL }] }))} WHERE id = 503;
    DELETE FROM group_member WHERE group_id = 503 AND device_id <> 77;
    REPLACE INTO group_member (group_id, device_id, since) VALUES (503, 77, 1)`);
  const stored = () => sql("SELECT filter, note FROM device_group WHERE id = 503");
  const before = stored();
  await p.goto("/group/filter?id=503");
  await p.locator(".rows > div").nth(1).getByLabel("Value").fill("nobody");
  await p.getByRole("button", { name: "Save" }).click();
  await p.getByText("Nothing is stored yet").waitFor();
  assert.equal(stored(), before);
  assert.match(await p.locator(".effect").textContent(), /<script>/);
  await accessible(p, "what a filter changes");
  await shot("group-filter-ask");
  await p.locator(".rows > div").nth(1).getByLabel("Value").fill("no one"); // another one than was shown
  await p.getByRole("button", { name: "Save and put in force" }).click();
  await p.getByText("Nothing is stored yet").waitFor();
  assert.equal(stored(), before);
  await p.getByRole("button", { name: "Save and put in force" }).click();
  await p.waitForURL(/done=saved/);
  assert.match(stored(), /no one/);
  await p.goto("/group/filter?id=503");
  sql("UPDATE device_group SET changed_at = changed_at + 5, changed_by = 'bob', note = 'of bob' WHERE id = 503");
  await p.getByLabel("What it is for").fill("of ann");
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /somebody else has changed the group/i);
  await p.getByText("was changed by bob").waitFor();
  assert.match(stored(), /of bob/);
  assert.equal(await p.getByLabel("What it is for").inputValue(), "of ann");
  await accessible(p, "a group that somebody else has changed");
  await p.getByRole("button", { name: "Save" }).click();
  await p.waitForURL(/done=saved/);
  assert.match(stored(), /of ann/);
});

await test("a draft that somebody else changes is not put in force unseen, nor lost", async () => {
  await p.goto("/group/preview?id=500");
  sql("UPDATE group_blueprint SET items = '[]', created_at = created_at + 5, created_by = 'bob' WHERE group_id = 500 AND number = 0");
  await p.getByRole("button", { name: "Save and put in force" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /somebody else has changed the draft/i);
  assert.match(await p.locator(".lead").textContent(), /bob/);
  await p.goto("/group/versions?id=500");
  await p.getByRole("button", { name: "Bring back: 1" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /There is a draft already, last changed by bob/);
  assert.equal(sql("SELECT created_by FROM group_blueprint WHERE group_id = 500 AND number = 0").trim(), "bob");
});

await test("every filter of the API has its form, which gives it back", async () => {
  const all = { any: [{ all: [{ fact: "os_version", at_least: "17.4" }, { fact: "supervised", is: true }] },
    { not: { all: [{ fact: "platform", in: ["iOS", "tvOS"] }, { profile: "org.example.a" }] } },
    { fact: "BatteryLevel", known: false }, { app: "org.example.b" }, { fact: "model", begins: "iPad, big" },
    { not: { any: [{ tag: "x" }] } }, { fact: "ModemFirmwareVersion", is_not: "1" }] };
  sql(`UPDATE device_group SET filter = ${quoted(JSON.stringify(all))} WHERE id = 503`);
  await p.goto("/group/filter?id=503");
  await p.getByRole("button", { name: "Save" }).click();
  await p.waitForURL(/done=saved/);
  assert.deepEqual(JSON.parse(sql("SELECT filter FROM device_group WHERE id = 503").replaceAll("\\\\", "\\")), all);
});

await test("a roll-out is stopped by a person and goes on", async () => {
  await p.goto("/rollouts");
  await p.getByRole("link", { name: EVIL.slice(0, 20) }).first().click();
  await p.getByText("Halted:").waitFor();
  await accessible(p, "a roll-out");
  assert.equal(await p.locator("#list").textContent(), "Devices failed"); // which of them are listed
  await p.locator(".names a", { hasText: "installed" }).click();
  assert.equal(await p.locator("#list").textContent(), "Devices installed");
  assert.match(await p.locator(".names [aria-current]").textContent(), /^installed/);
  await p.goBack();
  await shot("rollout-halted");
  await p.getByLabel("Reason").fill("seen");
  await p.getByRole("button", { name: "Go on" }).click();
  await p.waitForURL(/done=saved/);
  assert.equal(sql("SELECT halted_at IS NULL FROM rollout WHERE item_id = 501").trim(), "1");
  await p.getByLabel("First wave").fill("3");
  await p.getByRole("button", { name: "Save" }).click();
  await p.waitForURL(/done=saved/);
  assert.equal(sql("SELECT wave_first FROM library_item WHERE id = 501").trim(), "3");
  await p.getByLabel("Reason").fill("not now");
  await p.getByRole("button", { name: "Stop it" }).click();
  await p.getByText("not now").first().waitFor();
  assert.equal(sql("SELECT COUNT(*) FROM audit WHERE action = 'rollout.stop'").trim(), "1");
});

await test("a list of devices that is empty says why", async () => {
  await p.goto("/profile?id=501&tab=devices&state=removed"); // one has failed
  assert.match(await p.locator("[aria-labelledby=states] .card").textContent(), /^No device is at this point/);
  sql(`REPLACE INTO library_item (id, kind, identifier, name, version, created_at, created_by, changed_at, changed_by)
      VALUES (508, 1, 'org.example.given', 'Just given', 1, 1, 'ann', 1, 'ann');
    REPLACE INTO library_version (id, item_id, number, sha256, size, types, details, created_at, created_by)
      VALUES (509, 508, 1, REPEAT('x', 32), 1, '', '{}', 1, 'ann');`);
  await p.goto("/profile?id=508&tab=devices");
  assert.equal(await p.locator("[aria-labelledby=states] .card").textContent(), "No device is to have it.");
  sql("REPLACE INTO device_group (id, name, created_at, created_by, changed_at, changed_by) VALUES (510, 'Nobody in it', 1, 'ann', 1, 'ann'); REPLACE INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (511, 510, 508, 1, 'ann')");
  await p.reload();
  assert.match(await p.locator("[aria-labelledby=states] .card").textContent(), /groups are empty, or their devices are still being gone through/);
  sql("DELETE FROM assignment WHERE id = 511; DELETE FROM device_group WHERE id = 510; DELETE FROM library_version WHERE id = 509; DELETE FROM library_item WHERE id = 508");
});

await test("tags, on a device and for many", async () => {
  await p.goto(device);
  await p.getByLabel("New tag").fill("<i>desk");
  await p.getByRole("button", { name: "Add the tag" }).click();
  await p.waitForURL(/done=saved/);
  await p.getByRole("button", { name: "Take the tag away: <i>desk" }).click();
  await p.waitForURL(/done=saved/);
  assert.equal(sql("SELECT COUNT(*) FROM device_tag WHERE tag = '<i>desk'").trim(), "0");
  await p.goto("/bulk?platform=iPhone");
  const hit = await p.locator("h2 .badge").first().textContent();
  await p.getByLabel("New tag").fill("phones");
  await p.getByRole("button", { name: "Add the tag" }).click();
  await p.waitForURL(/devices\?done=saved/);
  assert.equal(sql("SELECT COUNT(*) FROM device_tag WHERE tag = 'phones'").trim(), hit);
});

await test("a filter without JavaScript", async () => {
  const plain = await context({ javaScriptEnabled: false });
  const q = await signIn(plain, "/groups");
  await tree(q);
  await q.getByRole("button", { name: "Count and show" }).click();
  assert.equal(await q.locator("[data-counted] .badge").textContent(), "1");
  await q.getByRole("button", { name: "Save" }).click();
  await q.getByText("Its devices are found by its filter").waitFor();
  await plain.close();
});

await test("groups in the dark, and on a phone", async () => {
  for (const [name, options] of [["dark", { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }]]) {
    const d = await context({ ...options, storageState: await c.storageState() });
    const r = await d.newPage();
    for (const page of ["group_filter", "group_contents", "rollout"]) {
      await r.goto(PAGES[page]);
      await accessible(r, name + " " + page);
      await picture(r, `${page}-${name}`);
      assert.equal(await r.evaluate(() => document.documentElement.scrollWidth), options.viewport.width, name + " " + page);
    }
    await d.close();
  }
});

assert.ok(ID);
await finish();
