// test_house.mjs: the pages by which the house is kept: settings.
import assert from "node:assert/strict";
import { EVIL, accessible, context, finish, signIn, test } from "./lib.mjs";

const c = await context({ viewport: { width: 1280, height: 860 } });
const p = await signIn(c, "/settings");

await test("settings: what is wrong is told, what is changed counts within seconds, the file goes before", async () => {
  await p.goto("/settings");
  assert.equal(await p.locator('[id="server.organization"]').isDisabled(), true);
  await p.getByLabel("Days for which a new link is good").fill("0");
  await p.getByLabel("Whom people turn to").fill(EVIL);
  await p.getByRole("button", { name: "Save" }).click();
  assert.match(await p.locator(".error").textContent(), /1 to 365/);
  await accessible(p, "settings with a fault");
  assert.equal(await p.getByLabel("Whom people turn to").inputValue(), EVIL);
  await p.getByLabel("Days for which a new link is good").fill("23");
  await p.getByRole("button", { name: "Save" }).click();
  assert.equal(await p.locator("[role=status]").count(), 1);
  assert.equal(await p.getByLabel("Days for which a new link is good").inputValue(), "23");
  for (const until = Date.now() + 20000; Date.now() < until;) {
    await p.goto("/invitations");
    if (await p.locator("#days").inputValue() === "23") break;
  }
  assert.equal(await p.locator("#days").inputValue(), "23");
  const two = await c.newPage(); // an older form does not undo what came between
  await two.goto("/settings");
  await p.goto("/settings");
  await p.getByLabel("Days for which a new link is good").fill("7");
  await p.getByRole("button", { name: "Save" }).click();
  await two.getByLabel("Devices that may use a new link").fill("3");
  await two.getByRole("button", { name: "Save" }).click();
  assert.match(await two.locator("[role=alert]").textContent(), /meanwhile/);
  await two.close();
});

await finish();
