// test_webhooks.mjs: a webhook from its form to its log, without JavaScript too.
import assert from "node:assert/strict";
import { accessible, context, finish, mark, picture, signIn, sql, stayed, test } from "./lib.mjs";

const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, "/webhooks");
const label = (text) => p.getByLabel(text, { exact: true });

await test("nothing yet says what to do; what is wrong is said, and kept", async () => {
  sql("DELETE FROM webhook WHERE name LIKE 'browser%'");
  await p.goto("/webhooks");
  await label("Name").fill("browser test");
  await label("Address").fill("https://192.168.7.7/in");
  await p.getByRole("button", { name: "Make the webhook" }).click();
  assert.match(await p.getByRole("alert").textContent(), /192\.168\.7\.7 is no public address/);
  assert.equal(await label("Name").inputValue(), "browser test");
  assert.equal(await p.locator("input[value='mdm.Connect']").isChecked(), true);
  await accessible(p, "webhooks with a fault");
});

await test("made: the secret is shown once", async () => {
  await label("Address").fill("https://hooks.invalid/in");
  await p.getByRole("button", { name: "Make the webhook" }).click();
  assert.match(await p.locator("code.secret").textContent(), /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(sql("SELECT payload FROM webhook WHERE name = 'browser test'").trim(), "1");
  await picture(p, "webhooks-made");
  await p.goto("/webhooks");
  assert.equal(await p.locator("code.secret").count(), 0);
});

await test("a test is sent, and its attempts are there", async () => {
  await p.getByRole("link", { name: "browser test" }).click();
  await p.getByRole("button", { name: "Send a test" }).click();
  assert.match(await p.getByRole("status").textContent(), /on its way/);
  const row = p.locator("tbody tr").filter({ hasText: "drover.Ping" });
  for (let i = 0; i < 100 && !/resolve/.test(await row.first().textContent()); i++) {
    await p.waitForTimeout(100);
    await p.goto(p.url().split("&")[0]);
  }
  assert.match(await row.textContent(), /waits.*Could not resolve host/s);
  await row.getByRole("link").first().click();
  assert.match(await p.locator("section:has(#attempts)").textContent(), /Could not resolve host/);
  await accessible(p, "attempts");
  await picture(p, "webhook-attempts");
});

await test("paused with a reason, changed, and active again", async () => {
  await p.getByText("Pause", { exact: true }).first().click();
  await p.locator("#pause_why").fill("it moves");
  await p.locator("button[value=pause]").click();
  assert.match(await p.locator(".notice.warn").textContent(), /it moves/);
  assert.match(await p.locator("h1").textContent(), /paused/);
  await p.locator("summary", { hasText: "Edit" }).click();
  await label("Name").fill("browser test 2");
  await p.locator("input[value='*']").check();
  await p.locator("#payload_whole").check();
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.locator("h1").textContent(), /browser test 2/);
  assert.match(await p.locator(".notice.warn").last().textContent(), /push tokens/);
  assert.match(await p.locator("dl.pairs").textContent(), /\*/);
  await p.getByRole("button", { name: "Send again" }).first().click();
  assert.match(await p.locator("h1").textContent(), /active/);
});

await test("what two administrators change at once is told to the second, and nothing is lost", async () => {
  await p.goto(p.url().split("&")[0]);
  sql("UPDATE webhook SET version = version + 1, url = 'https://other.invalid/in' WHERE name = 'browser test 2'");
  await p.locator("summary", { hasText: "Edit" }).click();
  await label("Name").fill("browser test 3");
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.getByRole("alert").textContent(), /somebody else has changed the webhook/i);
  assert.match(await p.locator("dl.pairs").textContent(), /other\.invalid/); // what the other one stored
  assert.equal(await p.locator("#nav").getByRole("link", { name: "Settings" }).count(), 1); // as on every page
  assert.equal(await label("Name").isVisible(), true); // the form is open, as it was filled in
  assert.equal(await label("Name").inputValue(), "browser test 3");
  await accessible(p, "a webhook that somebody else has changed");
  await label("Name").fill("browser test 2");
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.getByRole("status").textContent(), /Saved/);
});

await test("a new secret; replay; filters", async () => {
  await p.locator("summary", { hasText: "New secret" }).click();
  await p.getByRole("button", { name: "Make a new secret" }).click();
  assert.match(await p.locator("code.secret").textContent(), /^whsec_/);
  assert.match(await p.locator("dl.pairs").textContent(), /The old secret signs until/);
  sql(`UPDATE webhook_delivery SET state = 3, claim = 0, done_at = asked_at WHERE webhook_id =
    (SELECT id FROM webhook WHERE name = 'browser test 2')`);
  await p.goto("/webhooks");
  await p.getByRole("link", { name: "browser test 2" }).click();
  const url = p.url();
  await p.goto(url + "&state=delivered");
  assert.equal(await p.locator("tbody tr").count(), 0);
  await p.goto(url + "&state=dead&topic=drover.Ping");
  assert.equal(await p.locator("tbody tr").count(), 1);
  await mark(p);
  await p.getByRole("button", { name: /^Send again: / }).click();
  await stayed(p, "sent again");
  assert.equal(await p.locator("tbody tr").count(), 0); // it is not given up any more, and that was asked for
  assert.equal(new URL(p.url()).searchParams.get("state"), "dead");
  await p.goto(url + "&state=dead");
  assert.equal(await p.locator("tbody tr").count(), 0);
});

await test("on a phone, dark, in German, without JavaScript", async () => {
  for (const [name, options] of [["phone", { viewport: { width: 390, height: 844 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["plain", { javaScriptEnabled: false, locale: "de-DE", viewport: { width: 1280, height: 860 } }]]) {
    const d = await context({ ...options, storageState: await c.storageState() });
    const r = await d.newPage();
    for (const [page, url] of [["webhooks", "/webhooks"], ["webhook", p.url().split("&")[0]]]) {
      await r.goto(url);
      if (name !== "plain") {
        await accessible(r, name + " " + page);
        assert.equal(await r.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, name + page);
      }
      await picture(r, `${page}-${name}`);
    }
    await d.close();
  }
});

await test("deleted with a reason", async () => {
  await p.locator("summary", { hasText: "Delete" }).click();
  await p.locator("#delete_why").fill("test is over");
  await p.locator("button[value=delete]").click();
  assert.match(await p.getByRole("status").textContent(), /deleted/);
  assert.equal(await p.getByRole("link", { name: "browser test 2" }).count(), 0);
  assert.match(sql("SELECT detail FROM audit WHERE action = 'webhook.delete' ORDER BY id DESC LIMIT 1"), /test is over/);
});

await finish();
