// test_enrolment.mjs: how devices come in and stay: calendar, certificates, enrolment profiles,
// invitations, push certificates, people; and the pages that people who enrol see.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { accessible, base, context, finish, mark, picture, signIn, site, sql, stayed, test } from "./lib.mjs";
import { fill } from "./pages.mjs";

fill();
const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, "/calendar");

// Repeats what leads to a page until the person has proved who they are.
async function prove(page) {
  if (await page.locator("#proof").count() === 0) return;
  await page.locator("#proof").fill(site.console_password);
  await page.locator("main button.primary").click();
  await page.waitForLoadState();
}

await test("calendar: what ends is listed with what to do, an address can be made and taken back", async () => {
  await p.goto("/calendar");
  const row = p.locator("tbody tr", { hasText: "Device CA" }).first();
  assert.match(await row.textContent(), /droverctl ca next/);
  await p.getByLabel("Name of the address").fill("ops");
  await p.getByRole("button", { name: "Make an address" }).click();
  const url = await p.locator(".secret").textContent();
  await accessible(p, "calendar with an address");
  const answer = await c.request.get(url);
  assert.equal(answer.status(), 200);
  assert.match(await answer.text(), /BEGIN:VCALENDAR/);
  await p.getByLabel("Name of the address").fill("ops");
  await p.getByRole("button", { name: "Make an address" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /already/);
  await p.getByRole("button", { name: "Revoke ops" }).click();
  await p.locator("main > .notice[role=status]").waitFor();
  assert.equal((await c.request.get(url)).status(), 404);
});

await test("certificates: searched, opened, revoked with a reason and a proof, once", async () => {
  sql(`REPLACE INTO identity_cert (sha256, serial, subject, not_before, not_after, issued_at) VALUES (REPEAT('g', 32), 'abc9', 'CN=To revoke', 1, ${(Date.now() + 9e9) * 1000}, 1)`);
  await p.goto("/certificates?q=to+revoke");
  assert.equal(await p.locator("tbody tr").count(), 1);
  await p.getByRole("link", { name: "CN=To revoke" }).click();
  await p.getByLabel("Reason").fill("lost & found");
  sql("UPDATE session SET fresh_at = 0");
  await p.getByRole("button", { name: "Revoke" }).click();
  await p.waitForLoadState();
  assert.equal(sql("SELECT COUNT(*) FROM identity_cert WHERE sha256 = REPEAT('g', 32) AND revoked_at IS NOT NULL").trim(), "0");
  await prove(p);
  assert.match(await p.locator("h1").textContent(), /revoked/);
  assert.match(await p.locator(".pairs").textContent(), /lost & found/);
  assert.equal(await p.getByRole("button", { name: "Revoke" }).count(), 0);
  await p.goto("/certificates?state=revoked&q=to+revoke");
  assert.equal(await p.locator("tbody tr").count(), 1);
  assert.equal((await p.goto("/certificate?sha256=00")).status(), 404);
});

await test("certificates: a request that waits is approved or refused, with a reason", async () => {
  await p.goto("/certificates?tab=requests");
  await p.locator("#why71").fill("the lab's iPad");
  await p.getByRole("button", { name: "Approve" }).first().click();
  await p.locator("#proof, main > .notice[role]").first().waitFor();
  await prove(p);
  await p.locator("main > [role=status]", { hasText: "asks again" }).waitFor();
  assert.equal(sql("SELECT state FROM scep_request WHERE id = 71").trim(), "2");
  await p.goto("/certificates?tab=ca");
  assert.match(await p.locator("main").textContent(), /Device CA.*issues/s);
});

await test("enrolment profiles: made, edited, compared, gone back to, previewed, removed", async () => {
  await p.goto("/enrollment-profiles");
  await p.getByLabel("Name", { exact: true }).fill("bad name");
  await p.getByRole("button", { name: "Make it" }).click();
  assert.equal(await p.locator("[role=alert]").count(), 1);
  await accessible(p, "enrolment profiles with a fault");
  await p.getByLabel("Name", { exact: true }).fill("lab-macs");
  await p.getByRole("button", { name: "Make it" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("h1").textContent(), /lab-macs/);
  await p.getByLabel("Title").fill("Lab <Macs>");
  await p.getByLabel("erase", { exact: false }).first().uncheck();
  await p.getByLabel("Oldest macOS").fill("14.x");
  await p.getByRole("button", { name: "Store as the next version" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("[role=alert]").textContent(), /minimum_macos/);
  assert.equal(await p.getByLabel("Oldest macOS").inputValue(), "14.x");
  assert.equal(await p.getByLabel("Title").inputValue(), "Lab <Macs>");
  await accessible(p, "an enrolment profile with a fault");
  await p.getByLabel("Oldest macOS").fill("14.4");
  await p.locator("#note").fill("no erasing in the lab");
  await p.getByRole("button", { name: "Store as the next version" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("[role=status]").textContent(), /in force/);
  assert.equal(sql("SELECT access_rights, title, minimum_macos FROM enroll_profile_version v JOIN enroll_profile p ON p.id = v.profile_id AND v.version = p.version WHERE p.name = 'lab-macs'").trim(), "8183\tLab <Macs>\t14.4");
  // somebody with an older page overwrites nothing
  await p.evaluate(() => { document.querySelector("form [name=version]").value = "1"; });
  await p.getByRole("button", { name: "Store as the next version" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("[role=alert]").textContent(), /version 2/);
  await p.goto("/enrollment-profile?name=lab-macs&tab=preview");
  const xml = await p.locator("pre").textContent();
  assert.match(xml, /<key>AccessRights<\/key>\s*<integer>8183<\/integer>/);
  assert.match(xml, /made when it is given out/);
  const file = await c.request.get(base + "/enrollment-profile/preview?name=lab-macs");
  assert.match(await file.text(), /com\.apple\.mdm/);
  await p.goto("/enrollment-profile?name=lab-macs&tab=versions");
  await p.getByRole("link", { name: /with the one before 2|2/ }).first().click();
  assert.match(await p.locator("main").textContent(), /Lab <Macs>/);
  await p.getByRole("button", { name: "Go back to this 1" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("h1").textContent(), /3/);
  assert.equal(await p.getByLabel("Title").inputValue(), "");
  await p.getByRole("button", { name: "Remove" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("[role=status]").textContent(), /Removed/);
  assert.equal((await p.goto("/enrollment-profile?name=lab-macs")).status(), 404);
});

await test("enrolment profiles: what installed profiles would refuse is refused, with the reason", async () => {
  const id = sql("SELECT id FROM enroll_profile WHERE name = 'default'").trim();
  assert.notEqual(sql(`SELECT COUNT(*) FROM life l JOIN handout h ON h.id = l.handout_id JOIN enrollment e ON e.life_id = l.id WHERE h.profile_id = ${id} AND e.state = 2`).trim(), "0");
  await p.goto("/enrollment-profile?name=default");
  await p.getByLabel("Topic").fill("com.apple.mgmt.External.other");
  await p.getByRole("button", { name: "Store as the next version" }).click();
  await p.waitForLoadState();
  assert.match(await p.locator("[role=alert]").textContent(), /enrolled device/);
  assert.equal(await p.getByLabel("Topic").inputValue(), "com.apple.mgmt.External.other");
  assert.equal(await p.getByRole("button", { name: "Remove" }).count(), 0);
});

await test("push certificates: a request is made here, its key stays, and openssl can read it", async () => {
  await p.goto("/pushcerts");
  await p.getByLabel("For", { exact: true }).selectOption({ index: 1 });
  await p.getByRole("button", { name: "Make the request" }).click();
  await p.waitForLoadState();
  await prove(p);
  assert.match(await p.locator("[role=status]").textContent(), /is made/);
  await p.locator("summary", { hasText: "the renewal of" }).click();
  const csr = await p.locator("details pre").textContent();
  assert.match(execFileSync("openssl", ["req", "-noout", "-verify", "-text"], { input: csr, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] }), /Public-Key: \(2048 bit\)/);
  assert.doesNotMatch(await p.content(), /PRIVATE KEY/);
  assert.match(await p.locator("details").textContent(), /your MDM vendor/);
  await accessible(p, "push certificates with a request");
});

await test("people: added with a password that is shown once, changed, searched, disabled, removed", async () => {
  await p.goto("/people");
  await p.getByLabel("Name", { exact: true }).fill("a:b");
  await p.getByLabel("Full name", { exact: true }).fill("Ada <b>");
  sql("UPDATE session SET fresh_at = 0");
  await p.getByRole("button", { name: "Add the person" }).click();
  await p.waitForLoadState();
  await prove(p);
  assert.match(await p.locator("[role=alert]").textContent(), /colons/);
  assert.equal(await p.getByLabel("Full name", { exact: true }).inputValue(), "Ada <b>");
  await accessible(p, "people with a fault");
  await p.getByLabel("Name", { exact: true }).fill("ada.l");
  await p.getByRole("button", { name: "Add the person" }).click();
  const first = await p.locator(".secret").textContent();
  assert.match(first, /^[0-9a-f]{20}$/);
  await accessible(p, "people with a new password");
  await picture(p, `people`);
  await p.goto("/people?q=ADA");
  assert.equal(await p.locator("tbody tr").count(), 1);
  assert.doesNotMatch(await p.content(), new RegExp(first));
  await p.getByLabel("Managed Apple Account: ada.l").fill("ada@example.com");
  await p.getByRole("button", { name: "Save: ada.l" }).click();
  assert.match(await p.locator("[role=status]").textContent(), /Saved/);
  assert.equal(sql("SELECT managed_account, full_name FROM enroll_user WHERE name = 'ada.l'").trim(), "ada@example.com\tAda <b>");
  await p.goto("/people?q=ada");
  await p.getByRole("button", { name: "New password: ada.l" }).click();
  assert.notEqual(await p.locator(".secret").textContent(), first);
  await p.goto("/people?q=ada");
  await p.getByRole("button", { name: "Disable: ada.l" }).click();
  await p.goto("/people?q=ada");
  await p.getByRole("button", { name: "Enable: ada.l" }).waitFor();
  await p.getByRole("button", { name: "Remove: ada.l" }).click();
  assert.match(await p.locator("[role=alert]").textContent(), /sure/);
  await p.goto("/people?q=ada");
  await p.getByLabel("sure: ada.l").check();
  await p.getByRole("button", { name: "Remove: ada.l" }).click();
  await p.waitForLoadState();
  assert.equal(sql("SELECT COUNT(*) FROM enroll_user WHERE name = 'ada.l'").trim(), "0");
  await p.goto("/people?q=ada");
  assert.match(await p.locator("main").textContent(), /Nobody is found/);
});

let link;
await test("invitations: for a chosen profile, with a code, taken back", async () => {
  await p.goto("/invitations");
  await p.getByLabel("For whom").fill("the lab");
  await p.locator("#uses").fill("3");
  await p.getByLabel("Enrolment profile", { exact: true }).selectOption("default");
  await p.getByRole("button", { name: "Make the link" }).click();
  link = await p.locator(".secret").textContent();
  assert.match(link, /\/enroll\/[0-9a-f]{48}$/);
  const row = await p.locator("tbody tr", { hasText: "the lab" }).textContent(); // made while the page was
  assert.match(row, /just now/);
  assert.doesNotMatch(row, /in a moment/);
  await p.getByRole("img", { name: /The link as a code/ }).waitFor();
  await accessible(p, "an invitation with its code");
  await picture(p, `invitation-made`);
  await p.getByLabel("For whom").fill("a mistake");
  await p.getByRole("button", { name: "Make the link" }).click();
  const mistake = await p.locator(".secret").textContent();
  await mark(p);
  await p.getByRole("button", { name: "Take back a mistake" }).click();
  await stayed(p, "no longer");
  assert.equal((await c.request.get(mistake, { headers: { Accept: "text/html" } })).status(), 410);
});

await test("the page of a link: explains in plain words, gives the profile; on a phone, dark, in German, without JavaScript", async () => {
  for (const [name, options] of Object.entries({ wide: {}, phone: { viewport: { width: 390, height: 844 } }, dark: { colorScheme: "dark" },
    german: { locale: "de-DE" }, plain: { javaScriptEnabled: false } })) {
    const guest = await context({ baseURL: site.device_url, ...options });
    const g = await guest.newPage();
    assert.equal((await g.goto(link)).status(), 200);
    assert.match(await g.locator("main").textContent(), name === "german" ? /löschen/ : /Erase the whole device/);
    assert.equal(await g.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, name);
    if (name !== "plain") await accessible(g, "the page of a link, " + name);
    await picture(g, `enroll-${name}`);
    if (name === "wide" || name === "plain") {
      const download = g.waitForEvent("download");
      await g.locator("form.go button").click();
      const file = fs.readFileSync(await (await download).path(), "latin1");
      assert.match(file, /com\.apple\.mdm/);
    }
    await guest.close();
  }
  assert.equal(sql("SELECT uses FROM invitation WHERE note = 'the lab'").trim(), "2");
});

await test("the page of a link that is used up, or none, says so", async () => {
  sql("UPDATE invitation SET uses = uses_max WHERE note = 'the lab'");
  const guest = await context({ baseURL: site.device_url });
  const g = await guest.newPage();
  assert.equal((await g.goto(link)).status(), 410);
  await accessible(g, "a link that is used up");
  assert.equal((await g.goto("/enroll/" + "0".repeat(48))).status(), 404);
  assert.equal(await g.locator("h1").count(), 1);
  await accessible(g, "a link that is none");
  await guest.close();
});

await finish();
