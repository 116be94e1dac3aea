// lib.mjs: what every browser test needs: the site, Chromium, accessibility, the database, and the
// count of what passed. A file of tests ends with `await finish()`.
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";

const require = createRequire(process.env.MODULES + "/");
const { chromium } = require("playwright-core");
const { HtmlValidate, StaticConfigLoader } = require("html-validate");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const site = JSON.parse(fs.readFileSync(process.env.STATE + "/run.json", "utf8"));
export const screens = process.env.SCREENS;
export const base = site.console_url;
// What no web server can change, markup and looks, is judged behind lighttpd; behind another one the
// pages are opened and used.
const judged = site.web === "lighttpd";
// What a hostile device, user or administrator calls things.
export const EVIL = `"><script>window.pwned=1</script><img src=x onerror="window.pwned=2">{{admin}}'`;

let passed = 0, failed = 0;
/** One test; what took longer than two seconds is told, for build/times of scripts/test. */
export async function test(name, body) {
  const begin = Date.now();
  try {
    await body();
    passed++;
  } catch (e) {
    failed++;
    console.log("FAIL  browser: " + name + "\n" + (e.stack || e).toString().split("\n").slice(0, 14).join("\n"));
  }
  const took = (Date.now() - begin) / 1000;
  if (took > 2) console.log(`time  ${took.toFixed(2)} browser ${site.web}: ${name}`);
}

export function sql(text) {
  return execFileSync("mariadb", ["--no-defaults", "-N", "-B", "--socket=" + site.mysql_socket,
    "--user=" + site.mysql_user, "--default-character-set=utf8mb4",
    "--password=" + fs.readFileSync(site.mysql_password_file, "utf8").trim(), site.mysql_database],
  { input: text, encoding: "utf8" });
}
export const quoted = (s) => "'" + s.replaceAll("\\", "\\\\").replaceAll("'", "''") + "'";

// Playwright gives each browser that it launches a fresh folder of user data.
const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
let engine = await launch();

const sum = (text) => crypto.createHash("sha1").update(text).digest("hex");
// What the files of this run have judged already; each looks it up once, and adds what it judges itself.
const record = process.env.JUDGED;
const judgements = new Set(fs.existsSync(record) ? fs.readFileSync(record, "utf8").split("\n") : []);
function once(what) {
  if (judgements.has(what)) return true;
  judgements.add(what);
  fs.appendFileSync(record, what + "\n");
  return false;
}

// Every page that was served while the tests ran, whatever led to it, keeps the rules of HTML, and the
// answers to forms and the pages of errors are accessible: one of a kind, which is its address without
// the query, its status, and its shape.
const served = [], kinds = new Map();
async function keep(response) {
  if (response.request().resourceType() !== "document" || !/text\/html/.test(response.headers()["content-type"] || "")) return;
  const text = await response.text(), { pathname } = new URL(response.url());
  const shape = sum([...text.matchAll(/<\/?[a-z][a-z0-9]*|\s(?:id|for|aria-\w+|role)=/g)].join(""));
  const kind = `${response.request().method()} ${pathname.replace(/[0-9a-f]{16,}/g, "…")} ${response.status()}`;
  kinds.set(`${kind} ${shape}`, { kind, text, url: response.url() });
}

export async function context(options = {}) {
  if (!engine.isConnected()) engine = await launch(); // it died between two tests
  const c = await engine.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", baseURL: base, ...options });
  c.setDefaultTimeout(20000);
  c.faults = [];
  // A connection that was idle may be closed by the server in the moment in which it is used again.
  const get = c.request.get.bind(c.request);
  c.request.get = (...all) => get(...all).catch((e) => {
    if (!/socket hang up|ECONNRESET/.test(e.message)) throw e;
    return get(...all);
  });
  c.on("page", (p) => {
    if (judged) p.on("response", (r) => served.push(keep(r).catch(() => {}))); // it may be gone already
    p.on("pageerror", (e) => c.faults.push("error: " + e.message));
    p.on("console", (m) => m.type() === "error" && !/status of [45]/.test(m.text()) &&
      c.faults.push("console: " + m.text()));
    p.on("request", (r) => { if (!r.url().startsWith(base)) c.faults.push("foreign request: " + r.url()); });
    p.on("dialog", (d) => { c.faults.push("dialog"); d.dismiss(); });
  });
  return c;
}

export async function signIn(c, next = "/", password = site.console_password) {
  const p = await c.newPage();
  await p.goto(next);
  await p.getByLabel("Name").fill(site.console_user);
  await p.getByLabel(/Password|Passwort/).fill(password);
  await p.locator("main button").click();
  await p.waitForLoadState();
  return p;
}

// All that its rules look at but the words: elements, attributes, classes, size and colours of the window.
const shapeOf = () => [innerWidth, matchMedia("(prefers-color-scheme: dark)").matches, document.documentElement.lang,
  ...[...document.querySelectorAll("*")].map((e) => [e.tagName, e.className, e.hidden, e.disabled, !e.textContent.trim(),
    ...[...e.attributes].filter((a) => a.name !== "value").map((a) => /^(href|src|content|id|for|name|action)$|label|describedby|controls/.test(a.name) ? a.name : a.name + a.value)])].join();
/** axe-core finds nothing on the page. A page like one that this run has judged already is not judged again. */
export async function accessible(p, name) {
  if (!judged || once("axe " + sum(await p.evaluate(shapeOf)))) return;
  await p.evaluate(axe);
  const r = await p.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")), [], name);
}

/** Keeps a picture of the whole page in build/screens; as JPEG, which takes a third less of the time. */
export async function picture(p, name) {
  if (judged) await p.screenshot({ path: `${screens}/${name}.jpg`, type: "jpeg", quality: 80, fullPage: true });
}

// The HTML standard, and no more: what is a matter of taste is the house's.
const validator = new HtmlValidate(new StaticConfigLoader({ extends: ["html-validate:standard"], root: true,
  rules: { "void-style": "off", "no-trailing-whitespace": "off", "doctype-style": "off", "attribute-boolean-style": "off" } }));
/** Does the page, as it was served, keep the rules of HTML? */
export async function valid(text, name) {
  if (!judged || once("html " + sum(text))) return;
  const { results } = await validator.validateString(text, name);
  assert.deepEqual(results.flatMap((r) => r.messages.map((m) =>
    `${m.ruleId}: ${m.message} at line ${m.line}: ${text.split("\n")[m.line - 1].slice(Math.max(0, m.column - 60), m.column + 60)}`)), [], name);
}

/** What is done to a row is done there: told in the region for it (kind: "alert" for what went wrong),
 * on the page that mark() was called for. */
export const mark = (p) => p.evaluate(() => { window.same = true; });
export async function stayed(p, text, kind = "status") {
  await p.locator(`main > [role=${kind}]`, { hasText: text }).waitFor();
  assert.equal(await p.evaluate(() => window.same), true, "the page was loaded anew");
}

// ---- simulated devices (tests/sim/mdmsim.c) ----

const fleets = [], atEnd = [];
process.once("exit", () => { // also when the tests do not come to their end
  for (const { child, folder } of fleets) {
    child.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
  for (const one of atEnd) one();
});
let seed = 7000;
/** Enrols devices that stay until the tests end; options: of mdmsim. Its ask() is its control
 * socket, its ident the first device's. */
export async function simulate(...options) {
  const folder = fs.mkdtempSync(os.tmpdir() + "/drover-sim-"), socket = folder + "/control";
  const child = spawn(process.env.BUILD + "/mdmsim", ["--enroll-url", site.enroll_url, "--ca-file", site.ca_file,
    "--wake", site.apns_wake_socket, "--control", socket, "--seed", String(process.pid * 100 + seed++), ...options],
  { stdio: ["ignore", "pipe", "ignore"] });
  fleets.push({ child, folder });
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (d) => /"enrolled":[1-9]/.test(d) && resolve());
    child.once("exit", () => reject(new Error("mdmsim has ended")));
  });
  const ask = (what) => new Promise((resolve, reject) => {
    const c = net.connect(socket, () => c.write(JSON.stringify(what) + "\n"));
    let text = "";
    c.on("error", reject).on("data", (d) => {
      text += d;
      if (text.endsWith("\n")) c.destroy(), resolve(JSON.parse(text));
    });
  });
  const { ident } = await ask({ op: "device", device: 0 });
  const stop = () => new Promise((resolve) => child.once("exit", resolve) && child.kill());
  return { ask, ident, stop, page: "/device?id=" + encodeURIComponent(ident) };
}

/** The site's configuration with these lines besides, until the tests end: Drover reads it again. */
export async function configure(lines, taken) {
  const before = fs.readFileSync(site.config, "utf8");
  const put = (text) => {
    fs.writeFileSync(site.config, text);
    process.kill(JSON.parse(fs.readFileSync(process.env.STATE + "/run.json", "utf8")).pids.drover, "SIGHUP");
  };
  put(before + "\n" + lines + "\n");
  atEnd.push(() => put(before));
  for (let i = 0; i < 200 && !await taken(); i++) await pause(50);
}

export const pause = (ms) => new Promise((r) => setTimeout(r, ms));
export const droverctl = (args, input = "") => execFileSync(site.droverctl, ["-c", site.config, ...args], { input, encoding: "utf8" });
/** The HTTP API, as its own account. */
export async function api(method, path, body, type = "application/json") {
  const c = await context();
  const r = await c.request.fetch(site.api_url + path, { method, data: body,
    headers: { "Content-Type": type, Authorization: "Basic " + Buffer.from(`${site.api_user}:${site.api_key}`).toString("base64") } });
  const text = await r.text();
  assert.equal(r.ok(), true, `${method} ${path}: ${r.status()} ${text}`);
  await c.close();
  return text ? JSON.parse(text) : null;
}

/** Waits until the database says so. */
export async function until(query, wanted, ms = 30000) {
  let got;
  let wait = 20; // each look starts a client: seldom, when it takes long
  for (const end = Date.now() + ms; Date.now() < end; await pause(wait = Math.min(wait * 1.5, 200)))
    if ((got = sql(query).trim()) === wanted) return;
  assert.equal(got, wanted, query);
}

// RFC 6238 with the secret as the page shows it.
export function totp(text, step = Math.floor(Date.now() / 30000)) {
  const bits = [...text].map((ch) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(ch).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = crypto.createHmac("sha1", key).update(counter).digest();
  return ((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).toString().padStart(6, "0");
}

/** Ends Chromium and the process; the last line is "N passed, N failed". */
export async function finish() {
  // A page that was left while it still came has no end that Chromium would tell of.
  await Promise.race([Promise.all(served), pause(5000)]);
  await test("every page that was served is HTML as it should be", async () => {
    for (const [shape, { kind, text }] of kinds) if (!once(shape)) await valid(text, kind);
  });
  await test("every answer to a form and every page of an error is accessible", async () => {
    const c = await context();
    for (const { kind, text, url } of [...kinds.values()]) {
      if (!judged || /^GET .* 200$/.test(kind) || once("axe " + kind)) continue;
      const p = await c.newPage();
      await p.route(url, (route) => route.fulfill({ body: text, contentType: "text/html; charset=utf-8" }));
      await p.goto(url);
      await accessible(p, kind);
      await p.close();
    }
    await c.close();
  });
  await engine.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
