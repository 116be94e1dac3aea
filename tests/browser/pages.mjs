// pages.mjs: every page and every form of the console, and a device whose every string is hostile.
import { EVIL, quoted, sql } from "./lib.mjs";

export const ID = `EVIL-"><b>&'`;

/** The hostile device and what hangs on it; may be called again. */
export function fill() {
  const now = Date.now() * 1000;
  sql(`REPLACE INTO enrollment (id, ident, kind, device_id, state, life_id, udid, serial, device_name,
    product_name, model, model_name, os_version, created_at, enrolled_at, last_seen_at) VALUES
    (77, ${quoted(ID)}, 1, 77, 2, 78, ${quoted(ID)}, ${quoted(EVIL.slice(0, 60))}, ${quoted(EVIL)},
    'iPhone15,2', ${quoted("<i>M")}, ${quoted("<i>Model")}, '<b>26', ${now}, ${now}, ${now});
  REPLACE INTO life (id, enrollment_id, state, topic, push_token, push_magic, opened_at, token_at)
    VALUES (78, 77, 2, ${quoted(EVIL)}, 'x', 'm', ${now}, ${now});
  REPLACE INTO enrollment (id, ident, kind, device_id, state, user_short_name, user_long_name,
    created_at, last_seen_at) VALUES (79, ${quoted(ID + ":u")}, 2, 77, 2, ${quoted("alice<b>")},
    ${quoted(EVIL)}, ${now}, ${now});
  REPLACE INTO command (id, uuid, request_type, body, created_at, created_by) VALUES
    (80, 'C-80', 'InstallProfile', '<plist version="1.0"><dict><key>k</key><string>&lt;script&gt;</string></dict></plist>', ${now}, ${quoted(EVIL)}),
    (81, 'C-81', 'SecurityInfo', '<plist version="1.0"><dict/></plist>', ${now}, 'ann');
  REPLACE INTO queue (enrollment_id, urgency, queued_at, command_id, state, sent_at, sent_count, notnow_at,
    notnow_count) VALUES (77, 0, ${now - 7200e6}, 80, 3, ${now - 3600e6}, 2, ${now - 3600e6}, 2);
  REPLACE INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, closed_at,
    closed_why, reported_at, report) VALUES (77, 81, 5, ${now - 9000e6}, ${now - 8000e6}, 1,
    ${now - 7000e6}, ${quoted(EVIL)}, ${now - 7000e6}, ${quoted('<plist version="1.0"><dict><key>ErrorChain</key><string>&lt;/pre&gt;&lt;script&gt;window.pwned=3&lt;/script&gt;</string></dict></plist>')});
  REPLACE INTO result_error (enrollment_id, command_id, item, position, domain, code, localized, english) VALUES
    (77, 81, 0, 0, ${quoted("<b>Domain")}, 1, ${quoted(EVIL)}, ${quoted(EVIL)});
  REPLACE INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id, items) VALUES (77, 1, ${now}, ${now}, 81, 1);
  REPLACE INTO inv_device (enrollment_id, platform, device_name, os_version, is_supervised, battery_level) VALUES
    (77, 1, ${quoted(EVIL)}, '17.6', 1, 0.5);
  DELETE FROM push WHERE enrollment_id = 77;
  REPLACE INTO push (enrollment_id, state, due_at, wanted_at, expires_at, attempts, last_status, last_reason) VALUES
    (79, 5, ${now}, ${now}, ${now}, 1, 410, ${quoted(EVIL.slice(0, 100))});
  REPLACE INTO inv_secret (enrollment_id, kind, about, sealed, at, command_id) VALUES (77, ${quoted("<b>PIN")}, ${quoted(EVIL)}, 'x', ${now}, 81);
  REPLACE INTO software (id, identifier, version, short_version, name, seen_at) VALUES (5, ${quoted("com.evil.<b>")}, '1', '1.0', ${quoted(EVIL)}, ${now});
  REPLACE INTO inv_app (enrollment_id, software_id) VALUES (77, 5);
  REPLACE INTO inv_event (id, enrollment_id, at, area, happened, subject, was, became) VALUES (91, 77, ${now}, 1, 2, ${quoted(EVIL)}, ${quoted("<i>17")}, '18');
  REPLACE INTO library_item (id, kind, identifier, name, version, created_at, created_by, changed_at, changed_by) VALUES
    (60, 1, ${quoted("org.evil.<b>\"'")}, ${quoted(EVIL)}, 1, ${now}, ${quoted(EVIL.slice(0, 100))}, ${now}, ${quoted("<b>ann")});
  REPLACE INTO library_version (id, item_id, number, uuid, sha256, size, content, signed_by, types, platforms, details, created_at, created_by) VALUES
    (60, 60, 1, ${quoted("<i>U")}, REPEAT('x', 32), 5, 'x', ${quoted(EVIL)}, ${quoted("<b>type")}, 62, ${quoted(JSON.stringify({ description: EVIL,
      organization: EVIL, warnings: [{ path: EVIL, text: EVIL }] }))}, ${now}, ${quoted(EVIL.slice(0, 100))});
  REPLACE INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, changed_at) VALUES
    (77, 60, 1, 1, 4, ${now * 2}, ${quoted(EVIL)}, ${now});
  REPLACE INTO profile_draft (id, item_id, name, identifier, content, size, created_at, created_by, changed_at, changed_by) VALUES
    (61, 60, ${quoted(EVIL)}, ${quoted(EVIL)}, 'x', 1, ${now}, 'ann', ${now}, ${quoted(EVIL.slice(0, 100))});
  REPLACE INTO unknown_device (id, ident, cert_sha256, subject, last_message, first_seen_at, last_seen_at)
    VALUES (7, ${quoted(ID)}, REPEAT('x', 32), ${quoted(EVIL)}, ${quoted("<Idle>")}, ${now}, ${now});
  REPLACE INTO webhook (id, name, url, wants, payload, secret, state, state_at, state_by, state_why, failing_since, failure, created_at, created_by)
    VALUES (92, ${quoted(EVIL.slice(0, 64))}, 'https://evil.invalid/', 64, 2, 'x', 3, ${now}, ${quoted(EVIL)}, ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}, ${now}, ${quoted(EVIL)});
  REPLACE INTO webhook_event (id, topic, at, enrollment_id, ident, kind, spread) VALUES (513, 6, ${now}, 77, ${quoted(ID)}, 1, 1);
  REPLACE INTO webhook_delivery (webhook_id, event_id, enrollment_id, topic, state, attempts, asked_at, due_at, done_at, status, failure)
    VALUES (92, 513, 77, 6, 3, 2, ${now}, ${now}, ${now}, 500, ${quoted(EVIL)});
  REPLACE INTO webhook_attempt (webhook_id, event_id, at, took_us, status, failure, answer) VALUES (92, 513, ${now}, 1500, 500, ${quoted(EVIL)}, ${quoted(EVIL)});
  REPLACE INTO identity_cert (sha256, der, serial, subject, issuer, not_before, not_after, issued_at, device_id, life_id, revoked_at, revoked_why)
    VALUES (REPEAT('e', 32), 'x', 'e1', ${quoted(EVIL)}, ${quoted(EVIL)}, 1, ${now + 9e13}, ${now}, 77, 78, NULL, NULL),
    (REPEAT('f', 32), NULL, 'e2', ${quoted(EVIL)}, NULL, 1, ${now + 9e13}, NULL, NULL, NULL, ${now}, ${quoted(EVIL)});
  REPLACE INTO scep_request (id, transaction_sha256, key_sha256, transaction_id, csr_sealed, subject, common_name, san, key_text, proof, note,
    remote_addr, state, created_at, expires_at) VALUES (71, REPEAT('t', 32), REPEAT('k', 32), ${quoted(EVIL)}, 'x', ${quoted(EVIL)},
    ${quoted(EVIL.slice(0, 60))}, ${quoted(EVIL)}, ${quoted("<b>RSA")}, ${quoted("<b>none")}, ${quoted(EVIL)}, ${quoted("<i>1")}, 1, ${now}, ${now + 864e8});
  REPLACE INTO expiry (kind, name, ends_at, count, detail, seen_at) VALUES (${quoted("<b>kind")}, ${quoted(EVIL)}, ${now - 1e6}, 2, ${quoted(EVIL)}, ${now * 2});
  REPLACE INTO calendar_feed (name, sha256, created_at, created_by) VALUES (${quoted(EVIL.slice(0, 64))}, REPEAT('c', 32), ${now}, ${quoted(EVIL)});
  REPLACE INTO device_group (id, name, filter, note, created_at, created_by, changed_at, changed_by, members)
    VALUES (500, ${quoted(EVIL)}, NULL, ${quoted(EVIL)}, ${now}, 'ann', ${now}, 'ann', 1),
    (503, ${quoted("by " + EVIL)}, ${quoted(JSON.stringify({ any: [{ fact: "device_name", is: EVIL }, { not: { all: [{ tag: EVIL }, { fact: "BatteryLevel", above: 0.2 }] } }] }))},
    '', ${now}, 'ann', ${now}, 'ann', 1);
  REPLACE INTO group_member (group_id, device_id, since) VALUES (500, 77, ${now}), (503, 77, ${now});
  REPLACE INTO device_tag (device_id, tag, at, by_whom) VALUES (77, ${quoted(EVIL.slice(0, 60))}, ${now}, 'ann');
  REPLACE INTO library_item (id, kind, identifier, name, version, created_at, created_by, changed_at, changed_by)
    VALUES (501, 1, ${quoted("evil.<b>")}, ${quoted(EVIL)}, 1, ${now}, 'ann', ${now}, ${quoted(EVIL)});
  REPLACE INTO library_version (id, item_id, number, sha256, size, types, details, created_at, created_by)
    VALUES (504, 501, 1, REPEAT('x', 32), 1, '', '{}', ${now}, 'ann');
  REPLACE INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (505, 500, 501, ${now}, 'ann');
  REPLACE INTO device_item (enrollment_id, item_id, wanted, version, state, due_at, reason, changed_at)
    VALUES (77, 501, 1, 1, 4, 9000000000000000, ${quoted(EVIL)}, ${now});
  REPLACE INTO rollout (item_id, version, released, wave_at, halted_at, halted_why) VALUES (501, 1, 1, ${now}, ${now}, ${quoted(EVIL)});
  REPLACE INTO standing_order (id, group_id, request_type, command_keys, policy, every_days, reason, state, created_at, created_by, changed_at)
    VALUES (502, 500, 'Settings', ${quoted(JSON.stringify({ Settings: [{ Item: "DeviceName", DeviceName: EVIL }] }))}, 3, 7, ${quoted(EVIL)}, 2, ${now}, 'ann', ${now});
  REPLACE INTO approval (id, state, request_type, targets, first_target, request, reason, asked_at, asked_by, expires_at, group_id, order_id)
    VALUES (506, 1, 'DeviceLock', 1, ${quoted(ID)}, '', ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}, ${now + 864e8}, NULL, NULL),
    (507, 1, 'Settings', 1, ${quoted("group " + EVIL)}, '', ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}, ${now + 864e8}, 500, 502);
  REPLACE INTO approval_target (approval_id, enrollment_id) VALUES (506, 77);
  REPLACE INTO device_order (enrollment_id, order_id, occasion, state, due_at, reason, changed_at) VALUES (77, 502, ${now}, 4, 9000000000000000, ${quoted(EVIL)}, ${now});
  REPLACE INTO group_blueprint (group_id, number, items, orders, note, created_at, created_by) VALUES
    (500, 1, '[]', '[]', ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}), (500, 2, '["501"]', '["502"]', '', ${now}, 'ann'),
    (500, 0, '[]', '["502"]', '', ${now}, ${quoted(EVIL)});
  REPLACE INTO enroll_profile (id, name, version, created_at, created_by) VALUES (72, 'evil-one', 2, ${now}, ${quoted(EVIL)});
  REPLACE INTO enroll_profile_version (profile_id, version, made_at, made_by, note, organization, title, description, consent, access_rights,
    sign_message, check_out_when_removed, use_development_apns, certificates, identity) VALUES
    (72, 1, ${now}, ${quoted(EVIL)}, ${quoted(EVIL)}, 'x', 'y', '', '', 1, 0, 1, 0, '', 1),
    (72, 2, ${now}, ${quoted(EVIL)}, ${quoted(EVIL)}, ${quoted(EVIL)}, ${quoted(EVIL)}, ${quoted(EVIL)}, ${quoted(EVIL)}, 8191, 0, 1, 0, ${quoted("<b>")}, 1);
  REPLACE INTO library_item (id, kind, identifier, name, version, settings, created_at, created_by, changed_at,
    changed_by, codes_alarm_at, feedback_hours) VALUES (160, 3, ${quoted("com.evil.<b>")}, ${quoted(EVIL)}, 1,
    ${quoted(JSON.stringify({ iTunesStoreID: 1, Configuration: { [EVIL]: EVIL, n: 3, deep: { a: EVIL } }, Attributes: { VPNUUID: EVIL } }))},
    ${now}, ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}, ${now}, 1);
  REPLACE INTO library_version (id, item_id, number, uuid, sha256, size, types, details, created_at, created_by) VALUES
    (161, 160, 1, ${quoted("<b>1")}, REPEAT('x', 32), 0, '', ${quoted(JSON.stringify({ build: EVIL }))}, ${now}, ${quoted(EVIL)}),
    (162, 160, 2, ${quoted("<b>2")}, REPEAT('y', 32), 0, '', '{}', ${now}, ${quoted(EVIL)});
  REPLACE INTO device_group (id, name, created_at, created_by, changed_at, changed_by) VALUES
    (170, ${quoted("Has <b>")}, 1, 't', 1, 't');
  REPLACE INTO group_member (group_id, device_id, since) VALUES (170, 77, 1);
  REPLACE INTO assignment (id, group_id, item_id, created_at, created_by) VALUES (171, 170, 160, 1, ${quoted(EVIL)});
  REPLACE INTO device_item (enrollment_id, item_id, wanted, version, installed_version, state, due_at, reason, changed_at)
    VALUES (77, 160, 1, 1, 1, 4, ${now + 86400e6}, ${quoted(EVIL)}, ${now});
  REPLACE INTO redemption_code (id, item_id, digest, sealed, state, enrollment_id, added_at, added_by, given_at) VALUES
    (163, 160, 'abcde', 'x', 2, 77, ${now}, ${quoted(EVIL)}, ${now}), (164, 160, 'abcdf', 'x', 1, NULL, ${now}, 'ann', NULL);
  REPLACE INTO inv_app_data (enrollment_id, identifier, kind, at, content) VALUES (77, ${quoted("com.evil.<b>")}, 3, ${now},
    ${quoted(JSON.stringify({ said: EVIL }))});
  REPLACE INTO app_upload (id, asset, filename, item_id, size, received, state, why, started_at, started_by, changed_at)
    VALUES (165, REPEAT('a', 32), ${quoted(EVIL)}, 160, 100, 40, 1, ${quoted(EVIL)}, ${now}, ${quoted(EVIL)}, ${now});
  REPLACE INTO enroll_user (id, name, full_name, password_hash, ha1_md5, ha1_sha256, created_at, created_by, password_at, managed_account)
    VALUES (79, ${quoted(EVIL.slice(0, 100))}, ${quoted(EVIL)}, 'x', 'x', 'x', ${now}, ${quoted(EVIL.slice(0, 100))}, ${now}, ${quoted(EVIL.slice(0, 200))});
  REPLACE INTO bulk_job (id, request_type, state, picked, f_text, f_platform, f_os, total, created_at, created_by, ended_at, ended_why)
    VALUES (66, ${quoted("<b>Type")}, 4, 0, ${quoted(EVIL.slice(0, 90))}, ${quoted("<i>")}, ${quoted("<u>1")}, 3, ${now}, ${quoted(EVIL.slice(0, 100))}, ${now}, ${quoted(EVIL)});
  REPLACE INTO saved_filter (id, owner, name, query, shared, saved_at) VALUES
    (67, ${quoted(EVIL.slice(0, 100))}, ${quoted(EVIL.slice(0, 64))}, ${quoted("q=" + encodeURIComponent(EVIL))}, 1, ${now});
  REPLACE INTO login_throttle (subject, failures, first_at, last_at, free_at) VALUES
    (${quoted("admin:" + EVIL.slice(0, 100))}, 60, ${now - 6e8}, ${now}, ${now + 9e8}), (${quoted("account:<b>@2001:db8::1")}, 12, ${now - 6e8}, ${now}, ${now + 9e8}),
    ('admin:admin@192.0.2.66', 5, ${now - 6e8}, ${now}, ${now + 9e8});
  REPLACE INTO session (token_sha256, admin, csrf, created_at, seen_at, idle_until, ends_at, user_agent, address) VALUES
    (REPEAT('s', 32), 'admin', REPEAT('c', 32), ${now}, ${now}, ${now + 9e8}, ${now + 9e9}, ${quoted(EVIL.slice(0, 200))}, ${quoted(EVIL.slice(0, 60))});
  INSERT IGNORE INTO audit (id, at, actor, action, subject, detail) VALUES (900077, ${now}, ${quoted(EVIL)},
    'a.<b>', ${quoted(ID)}, ${quoted(EVIL)});`);
  inventory();
}

/** A row of each kind of its inventory that stands nowhere above, with every text hostile. Not of a
 *  User Enrolment, which commands such as Settings cannot be used with. */
function inventory() {
  const rows = sql(`SELECT table_name, column_name, data_type, COALESCE(character_maximum_length, 0), column_comment LIKE '%JSON%' FROM
    information_schema.columns WHERE table_schema = DATABASE() AND extra NOT LIKE '%GENERATED%' AND table_name IN ('inv_network', 'inv_security',
    'inv_profile', 'inv_provisioning', 'inv_certificate', 'seen_certificate', 'inv_restriction', 'inv_user', 'inv_update', 'inv_setting',
    'inv_managed_app') ORDER BY table_name, ordinal_position`).trim().split("\n").map((row) => row.split("\t"));
  const value = (name, type, room, json) => name === "enrollment_id" ? 77 : name === "is_user_enrollment" ? 0 : /int|double|decimal/.test(type) ? 1 : /binary|blob/.test(type) ?
    `REPEAT('x', ${Math.min(room, 32)})` : json === "1" ? quoted(JSON.stringify({ [EVIL]: EVIL })) : `LEFT(${quoted(EVIL)}, ${room})`;
  for (const table of new Set(rows.map(([name]) => name))) {
    const own = rows.filter(([name]) => name === table);
    sql(`REPLACE INTO ${table} (${own.map(([, name]) => name)}) VALUES (${own.map(([, ...column]) => value(...column))})`);
  }
}

export const device = "/device?id=" + encodeURIComponent(ID);
const part = (word) => `/device/part?part=${word}&id=${encodeURIComponent(ID)}`;
export const PAGES = {
  overview: "/", devices: "/devices", device, command: "/device/command?uuid=C-80&id=" + encodeURIComponent(ID),
  result: "/device/command?uuid=C-81&id=" + encodeURIComponent(ID), unknown: "/unknown",
  invitations: "/invitations", people: "/people", pushcerts: "/pushcerts", apikeys: "/apikeys", audit: "/audit",
  facts: part("facts"), apps: part("apps"), history: part("history"), queue: part("queue"), results: part("results"),
  users: part("users"), security: part("security"), device_audit: part("audit"), network: part("network"), device_profiles: part("profiles"),
  provisioning: part("provisioning"), managed_apps: part("managed-apps"), device_certificates: part("certificates"), restrictions: part("restrictions"),
  device_accounts: part("accounts"), os_updates: part("os-updates"), device_settings: part("settings"), commands: "/device/send?id=" + encodeURIComponent(ID),
  settings: "/device/send?type=Settings&id=" + encodeURIComponent(ID), information: "/device/send?type=DeviceInformation&id=" + encodeURIComponent(ID),
  bulk: "/bulk", jobs: "/bulk/jobs", job: "/bulk/job?id=66", filtered: "/devices?platform=iPhone&state=enrolled&unseen=7&os=1",
  profiles: "/profiles", profile: "/profile?id=60", "profile-groups": "/profile?id=60&tab=devices", "profile-versions": "/profile?id=60&tab=versions",
  "profile-settings": "/profile?id=60&tab=settings",
  scope: "/scope?kind=admin&name=admin", groups: "/groups", group: "/group?id=500", group_new: "/group/filter", group_filter: "/group/filter?id=503",
  group_contents: "/group/contents?id=500", group_command: "/group/command?id=500&type=Settings", group_preview: "/group/preview?id=500",
  group_versions: "/group/versions?id=500", group_order: "/group/order?id=502", rollouts: "/rollouts", rollout: "/rollout?id=501",
  app_list: "/apps", app_new: "/app/new", app: "/app?id=160", app_devices: "/app?id=160&tab=devices",
  app_versions: "/app?id=160&tab=versions", app_codes: "/app?id=160&tab=codes", app_feedback: "/app?id=160&tab=feedback",
  failed: "/failed", failed_retry: "/failed/retry?type=DeviceLock", pushes: "/pushes?which=dead", pushes_late: "/pushes", approvals: "/approvals", approval: "/approval?id=506", approval_group: "/approval?id=507", accounts: "/accounts", signins: "/signins?name=admin", account: "/account", settings_page: "/settings", setup: "/setup", setup_push: "/setup?step=push", setup_device: "/setup?step=device",
  "enrollment-profiles": "/enrollment-profiles", "enrollment-profile": "/enrollment-profile?name=evil-one",
  "enrollment-profile-versions": "/enrollment-profile?name=evil-one&tab=versions&from=1&to=2",
  "enrollment-profile-preview": "/enrollment-profile?name=default&tab=preview",
  calendar: "/calendar", certificates: "/certificates", "certificate-requests": "/certificates?tab=requests&all=1", "device-ca": "/certificates?tab=ca",
  certificate: "/certificate?sha256=" + "65".repeat(32),
  webhooks: "/webhooks", webhook: "/webhook?id=92&event=0000000000000201",
};
// Every form: its address and fields that would do something.
export const FORMS = [["/signout", {}], ["/device/command", { device: ID, type: "SecurityInfo" }],
  ["/devices", { what: "columns", column: "os" }], ["/devices", { what: "save", name: "x" }],
  ["/device/cancel", { device: ID, uuid: "C-80" }], ["/device/push", { device: ID }],
  ["/device/retry", { device: ID, uuid: "C-80" }], ["/failed/retry", { sure: "yes" }],
  ["/apps", { upload: "165" }], ["/app/new", { what: "store", number: "5" }], ["/app/upload", { what: "begin", filename: "a.ipa", size: "9" }],
  ["/app", { id: "160", what: "delete", sure: "yes", why: "x" }],
  ["/approvals", { id: "1", decision: "approve", why: "x" }], ["/bulk", { type: "RestartDevice", sure: "yes" }], ["/bulk/stop", { id: "1" }],
  ["/scope", { kind: "admin", name: "admin", limited: "1" }], ["/signins", { what: "all", name: "admin" }], ["/groups", { name: "evil" }], ["/group/devices", { id: "500", what: "add", ids: ID }], ["/group/delete", { id: "500", why: "x" }],
  ["/group/filter", { name: "evil", do: "save", r_kind: "all" }], ["/group/contents", { id: "500", what: "drop" }],
  ["/group/command", { id: "500", type: "SecurityInfo", policy: "join", go: "1" }], ["/group/preview", { id: "500", base: "2" }],
  ["/group/versions", { id: "500", version: "1" }], ["/rollout", { id: "501", what: "resume", why: "x" }], ["/audit", {}], ["/offers", { group: "500", item: "60", what: "offer" }], ["/device/tag", { device: ID, tag: "x", what: "add" }],
  ["/device/send", { device: ID, type: "DeviceLock", go: "1" }], ["/device/answer", { device: ID, uuid: "C-80" }], ["/device/secret", { device: ID, kind: "<b>PIN", about: EVIL, why: "x" }],
  ["/unknown", { number: "7", decision: "end", why: "x" }], ["/invitations", { uses: "1", days: "1" }], ["/invitations", { revoke: "1" }],
  ["/people", { what: "add", name: "evil" }], ["/people", { what: "remove", name: EVIL.slice(0, 100), sure: "yes" }],
  ["/webhooks", { name: "evil", url: "https://evil.example.org", topic: "*" }], ["/webhook", { webhook: "92", what: "delete", why: "x" }],
  ["/enrollment-profiles", { name: "evil-two" }], ["/enrollment-profile", { name: "evil-one", what: "revert", version: "1" }],
  ["/enrollment-profile", { name: "evil-one", what: "remove" }], ["/calendar", { name: "evil" }], ["/calendar", { revoke: EVIL.slice(0, 64) }], ["/certificates", { id: "71", decision: "approve", why: "x" }],
  ["/certificate", { sha256: "65".repeat(32), why: "x" }],
  ["/webhook", { webhook: "92", what: "secret", hours: "0" }],
  ["/apikeys", { name: "evil", scope_read: "1" }], ["/apikeys", { revoke: "nanomdm" }],
  ["/profiles", { what: "new", name: "evil" }], ["/profile", { id: "60", what: "delete", why: "x", sure: "yes" }], ["/profile", { id: "60", what: "retry" }],
  ["/profile/file", { id: "60" }], ["/draft", { id: "61", what: "discard" }], ["/draft/form", { id: "61", what: "add", form: "wifi", revision: "1" }],
  ["/draft/raw", { id: "61", what: "store", text: "x", revision: "1" }],
  ["/accounts", { what: "add", name: "evil", role: "administrator" }], ["/pushcerts", { pem: "x" }], ["/pushcerts", { what: "request", topic: "" }], ["/pushcerts", { what: "sign", id: "1" }], ["/setup", { what: "check" }], ["/setup", { what: "link" }], ["/settings", { "inactive.days": "9" }], ["/account", { what: "others" }], ["/account", { what: "factor_off" }]];
