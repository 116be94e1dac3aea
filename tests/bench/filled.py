"""filled.py: a site with a large fleet, for tests/bench/fleet and console.

The database makes devices, inventory and history itself, by sequences; what is not large comes in by
the HTTP API, so that it is as Drover makes it. A state folder that is kept is filled once.
"""
import contextlib
import http.client
import json
import os
import plistlib
import ssl
import sys
import time
import urllib.parse
import uuid
from base64 import b64encode

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))
import drover  # noqa: E402

APPS = 40       # of each device; what a page shows is the same with 300
PROFILES = 60   # in the library
STORE_APPS = 60
GROUPS = 200
ROLLED_OUT = 12  # profiles, and as many apps, that all devices have
DELIVERIES = 500000
DAY = 86400 * 10 ** 6


def answered(connection, method, path, body, headers):
    """The answer; on a new connection where this one was idle for too long, and is closed."""
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse()
    except (ConnectionError, ssl.SSLError):
        connection.close()
        connection.request(method, path, body, headers)
        return connection.getresponse()


class Client:
    """One connection that stays open, as a script's."""

    def __init__(self, server, key=None):
        at = urllib.parse.urlsplit(server.run["api_url"])
        context = ssl.create_default_context(cafile=server.run["ca_file"])
        self.http = http.client.HTTPSConnection(at.hostname, at.port, context=context, timeout=120)
        word = "nanomdm:" + (key or server.run["api_key"])
        self.auth = "Basic " + b64encode(word.encode()).decode()

    def ask(self, method, path, body=None, statuses=(200, 201, 202, 207)):
        """(seconds, the answer's octets)"""
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        if isinstance(body, dict):
            body = json.dumps(body)
        headers = {"Authorization": self.auth, "Content-Type": kind}
        begin = time.monotonic()
        r = answered(self.http, method, path, body, headers)
        data = r.read()
        if r.status not in statuses:
            raise SystemExit("%s %s is %d: %s" % (method, path, r.status, data[:300]))
        return time.monotonic() - begin, data

    def make(self, path, body):
        return json.loads(self.ask("POST", path, body)[1])


def devices_fill(sql, n, now):
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, udid, serial, "
        "device_name, product_name, os_version, created_at, enrolled_at, last_seen_at) SELECT seq, "
        "CONCAT('FLEET-', seq), 1, seq, 2, seq, CONCAT('FLEET-', seq), CONCAT('S', seq), "
        "CONCAT('Device ', seq), ELT(1 + seq %% 3, 'iPhone14,2', 'Mac15,3', 'iPad13,1'), '17.4', 1, "
        "1, %d - seq * 1000000 FROM seq_1_to_%d" % (now, n))
    sql("INSERT INTO life (id, enrollment_id, state, topic, opened_at, token_at, push_token, "
        "push_magic, cert_sha256) SELECT seq, seq, 2, 'com.apple.mgmt.bench', 1, 1, 'token', "
        "'magic', UNHEX(SHA2(CONCAT('identity', seq), 256)) FROM seq_1_to_%d" % n)
    sql("INSERT INTO identity_cert (sha256, serial, subject, issuer, key_sha256, not_before, "
        "not_after, issued_at, device_id, life_id, revoked_at, revoked_why) SELECT UNHEX(SHA2("
        "CONCAT('identity', seq), 256)), LOWER(SHA2(seq, 224)), CONCAT('CN=Device ', seq, ',O=Bench'),"
        " 'CN=Device CA', UNHEX(SHA2(CONCAT('key', seq), 256)), 1, %d + (100 + seq %% 600) * %d, 1, "
        "IF(seq > %d, NULL, seq), IF(seq > %d, NULL, seq), IF(seq > %d, 1, NULL), IF(seq > %d, 'ann: "
        "lost', NULL) FROM seq_1_to_%d" % (now, DAY, n, n, n, n, n + n // 20))
    sql("INSERT INTO inv_device (enrollment_id, platform, os_number, device_name, os_version, "
        "product_name, serial_number, is_supervised) SELECT seq, ELT(1 + seq %% 3, 1, 2, 1), "
        "17004000, CONCAT('Device ', seq), '17.4', ELT(1 + seq %% 3, 'iPhone14,2', 'Mac15,3', "
        "'iPad13,1'), CONCAT('S', seq), 1 FROM seq_1_to_%d" % n)
    sql("INSERT INTO inv_network (enrollment_id, phone_number, wifi_mac) SELECT seq, "
        "CONCAT('+49 170 ', 1000000 + seq), CONCAT('a4:83:e7:', LPAD(HEX(seq), 6, '0')) "
        "FROM seq_1_to_%d" % n)
    sql("INSERT INTO enrollment (id, ident, kind, device_id, state, user_short_name, user_long_name, "
        "created_at, last_seen_at) SELECT 10000000 + seq, CONCAT('FLEET-', seq, ':u'), 2, seq, 2, "
        "CONCAT('user', seq), ELT(1 + seq %% 4, 'Anna Berg', 'Ben Smith', 'Cem Kaya', 'Dora Holm'), "
        "1, 1 FROM seq_10_to_%d_step_10" % n)
    sql("INSERT INTO device_tag (device_id, tag, at, by_whom) SELECT seq, ELT(1 + seq %% 3, 'school', "
        "'kiosk', 'spare'), 1, 'ann' FROM seq_1_to_%d" % n)
    sql("INSERT INTO unknown_device (ident, cert_sha256, subject, last_message, first_seen_at, "
        "last_seen_at) SELECT CONCAT('UNKNOWN-', seq), UNHEX(SHA2(seq, 256)), 'CN=x', 'Idle', seq, "
        "seq FROM seq_1_to_%d" % max(10, n // 20))
    sql("INSERT INTO assigned_device (serial, note, added_at, added_by) SELECT CONCAT('S', seq), "
        "'bought in spring', 1, 'ann' FROM seq_1_to_%d" % n)


def inventory_fill(sql, n, now):
    sql("INSERT INTO software (id, identifier, version, short_version, name, seen_at) SELECT seq, "
        "CONCAT('com.example.', seq), '1', '1.0', CONCAT('App ', seq), 1 FROM seq_1_to_%d" % APPS)
    for app in range(1, APPS + 1, 10):
        sql("INSERT INTO inv_app (enrollment_id, software_id, bundle_size, dynamic_size) SELECT "
            "d.seq, a.seq, 100, 100 FROM seq_1_to_%d d JOIN seq_%d_to_%d a" % (n, app, app + 9))
    sql("INSERT INTO inv_area (enrollment_id, area, reported_at, changed_at, command_id, items) "
        "SELECT d.seq, a.seq, %d, %d, 1, IF(a.seq = 7, %d, 1) FROM seq_1_to_%d d JOIN seq_1_to_7 a"
        % (now - DAY, now - DAY, APPS, n))
    sql("INSERT INTO inv_event (id, enrollment_id, at, area, happened, subject, was, became) SELECT "
        "d.seq * 100 + a.seq, d.seq, %d + a.seq, 1, 2, 'BatteryLevel', '0.5', '0.6' FROM "
        "seq_1_to_%d d JOIN seq_1_to_10 a" % (now - DAY, n))


def history_fill(sql, devices, results, now):
    """A command every six hours, to all; of ten one fails, and tells why."""
    commands = max(1, results // devices)
    closed = "%d - c.seq * %d - d.seq * 60000" % (now, DAY // 4)
    sql("INSERT INTO command (id, uuid, request_type, body, created_at, created_by) SELECT seq, "
        "CONCAT('OLD-', seq), 'DeviceInformation', REPEAT('x', 300), %d - seq * %d, 'bench' "
        "FROM seq_1_to_%d" % (now, DAY // 4, commands))
    step = max(1, devices // 20)
    for first in range(1, devices + 1, step):  # in the order of the primary key
        pairs = "seq_%d_to_%d d JOIN seq_1_to_%d c" % (first, min(first + step - 1, devices), commands)
        sql("INSERT INTO result (enrollment_id, command_id, state, queued_at, sent_at, sent_count, "
            "closed_at, reported_at, report, digest) SELECT d.seq, c.seq, IF(c.seq %% 10, 4, 5), %s, "
            "%s, 1, %s, %s, REPEAT('y', 200), IF(c.seq %% 10, 0, 3) FROM %s" % (closed, closed, closed, closed, pairs))
        sql("INSERT INTO result_error (enrollment_id, command_id, item, position, domain, code, "
            "english) SELECT d.seq, c.seq, 0, 0, 'MCMDMErrorDomain', 12021, 'Unknown command' FROM %s "
            "WHERE c.seq %% 10 = 0" % pairs)


def log_fill(sql, devices, now):
    sql("INSERT INTO audit (id, at, actor, action, subject, detail) SELECT 1000000 + seq, %d + seq, "
        "ELT(1 + seq %% 3, 'ann', 'ben', 'apikey:x'), ELT(1 + seq %% 4, 'command', 'sign-in', 'push', "
        "'group'), CONCAT('FLEET-', 1 + seq %% %d), 'detail' FROM seq_1_to_%d"
        % (now, devices, 2 * devices))
    sql("INSERT INTO bulk_job (id, request_type, state, picked, total, queued, created_at, "
        "created_by, ended_at) SELECT seq, 'DeviceInformation', 2, 0, 100, 100, %d, 'ann', %d FROM "
        "seq_1_to_2000" % (now, now))
    sql("INSERT INTO approval (id, state, request_type, targets, first_target, request, reason, "
        "asked_at, asked_by, expires_at, decided_at, decided_by) SELECT seq, 1 + seq %% 2, "
        "'EraseDevice', 1, CONCAT('FLEET-', seq), 'x', 'stolen', %d, 'ben', %d, %d, 'ann' FROM "
        "seq_1_to_5000" % (now, now + 90 * DAY, now))
    sql("INSERT INTO scep_request (id, transaction_sha256, key_sha256, transaction_id, csr_sealed, "
        "subject, common_name, san, key_text, proof, state, created_at, expires_at) SELECT seq, "
        "UNHEX(SHA2(seq, 256)), UNHEX(SHA2(seq, 256)), seq, 'x', 'CN=x', 'x', '', 'RSA 2048', "
        "'nothing', 1 + seq %% 3, %d, %d FROM seq_1_to_5000" % (now, now + 90 * DAY))
    sql("INSERT INTO invitation (token_sha256, note, created_at, created_by, expires_at) SELECT "
        "UNHEX(SHA2(seq, 256)), CONCAT('for person ', seq), %d, 'ann', %d FROM seq_1_to_5000"
        % (now, now + 30 * DAY))
    sql("INSERT INTO enroll_user (name, full_name, password_hash, ha1_md5, ha1_sha256, created_at, "
        "created_by, password_at) SELECT CONCAT('user', seq), CONCAT('User ', seq), 'x', 'x', 'x', 1, "
        "'ann', 1 FROM seq_1_to_%d" % (devices // 20))
    sql("INSERT INTO apikey (name, sha256, scopes, created_at, created_by) SELECT CONCAT('key ', seq),"
        " UNHEX(SHA2(CONCAT('key', seq), 256)), 'read', 1, 'ann' FROM seq_1_to_200")
    sql("INSERT INTO admin (name, password_hash, role, created_at) SELECT CONCAT('admin', seq), 'x', "
        "'viewer', 1 FROM seq_1_to_200")


def profile(n, text):
    return plistlib.dumps({
        "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadUUID": str(uuid.uuid4()),
        "PayloadIdentifier": "org.example.bench.%d" % n, "PayloadDisplayName": "Profile %d" % n,
        "PayloadDescription": text, "PayloadContent": [{
            "PayloadType": "com.apple.wifi.managed", "PayloadVersion": 1, "SSID_STR": "Office %d" % n,
            "PayloadIdentifier": "org.example.bench.%d.wifi" % n,
            "PayloadUUID": str(uuid.uuid4())}]})


def library_fill(server, api, devices, now):
    """Profiles, apps, groups; one group of everybody, who have some profiles and apps, but for those
    where they failed. Everything else of a site, in the numbers that a large one has."""
    sql = server.sql
    profiles = [api.make("/api/v1/profiles", profile(n, "first"))["id"] for n in range(PROFILES)]
    for n in range(25):
        api.ask("POST", "/api/v1/profiles/%s/versions" % profiles[0], profile(0, "version %d" % n))
    apps = [api.make("/api/v1/apps", {"identifier": "com.example.store%d" % n, "name": "App %d" % n,
                                      "settings": {"iTunesStoreID": 1000000 + n}})["id"]
            for n in range(STORE_APPS)]
    everybody = api.make("/api/v1/groups", {"name": "everybody"})["id"]
    groups = [api.make("/api/v1/groups", {"name": "group %d" % n})["id"] for n in range(GROUPS)]
    for n in range(3):
        api.make("/api/v1/groups", {"name": "filter %d" % n, "filter": {"all": [
            {"fact": "platform", "is": "iOS"}, {"fact": "os_version", "at_least": "17.2"},
            {"tag": "kiosk"}]}})
    sql("INSERT INTO group_member (group_id, device_id, since) SELECT %s, seq, 1 FROM seq_1_to_%d"
        % (everybody, devices))
    for n, group in enumerate(groups):
        sql("INSERT INTO group_member (group_id, device_id, since) SELECT %s, %d + seq, 1 FROM "
            "seq_1_to_%d" % (group, n, min(500, devices - GROUPS)))
    sql("UPDATE device_group g SET members = (SELECT COUNT(*) FROM group_member m WHERE m.group_id = "
        "g.id)")
    all_have = profiles[:ROLLED_OUT] + apps[:ROLLED_OUT]
    wanted_fill(sql, all_have, devices, now)
    codes_fill(sql, apps[0], devices, now)
    for item in all_have:
        api.make("/api/v1/assignments", {"group": everybody, "item": item})
    sql("INSERT INTO rollout (item_id, version, released, wave_at, halted_at, halted_why) SELECT id, "
        "version, 10, %d, %d, '3 of 10 failed' FROM library_item WHERE id NOT IN (%s)"
        % (now, now, ", ".join(all_have)))
    for n, item in enumerate(profiles[ROLLED_OUT:] + apps[ROLLED_OUT:]):
        api.make("/api/v1/offers", {"group": groups[n], "item": item})
    for n in range(40):
        api.make("/api/v1/enrollment-profiles", {"name": "site-%d" % n})
    for n in range(5):
        api.make("/api/v1/push-certificates/requests", {"name": "Push %d" % n})
    choices_fill(sql, everybody, devices, now)
    webhooks_fill(server, api, devices, now)


def wanted_fill(sql, items, devices, now):
    for item in items:
        sql("INSERT INTO device_item (enrollment_id, item_id, wanted, version, installed_version, "
            "state, due_at, reason, changed_at, installed_at, settings_rev, asked_rev) SELECT d.seq, "
            "i.id, 1, i.version, IF(d.seq %% 50, i.version, 0), IF(d.seq %% 50, 3, 4), %d, IF(d.seq "
            "%% 50, '', 'MCInstallationErrorDomain 4001'), %d, IF(d.seq %% 50, %d, NULL), "
            "i.settings_rev, i.settings_rev FROM seq_1_to_%d d JOIN library_item i ON i.id = %s"
            % (now + 90 * DAY, now, now, devices, item))


def codes_fill(sql, of_app, devices, now):
    sql("INSERT INTO redemption_code (id, item_id, digest, sealed, state, added_at, added_by) SELECT "
        "seq, %s, UNHEX(LPAD(HEX(seq), 10, '0')), 'x', 1, %d, 'ann' FROM seq_1_to_10000"
        % (of_app, now))
    sql("INSERT INTO inv_app_data (enrollment_id, identifier, kind, at, content) SELECT seq, "
        "'com.example.store0', 3, %d, '{}' FROM seq_1_to_%d" % (now, devices))


def choices_fill(sql, group, devices, now):
    """Saved filters, and a command of the group of everybody, which all have had."""
    sql("INSERT INTO standing_order (id, group_id, request_type, command_keys, policy, state, "
        "created_at, created_by, changed_at) VALUES (1, %s, 'ProfileList', '{}', 1, 1, 1, 'ann', 1)"
        % group)
    sql("INSERT INTO device_order (enrollment_id, order_id, occasion, state, due_at, changed_at, "
        "done_at) SELECT seq, 1, 1, 3, %d, %d, %d FROM seq_1_to_%d"
        % (now + 90 * DAY, now, now, devices))
    sql("INSERT INTO saved_filter (id, owner, name, query, shared, saved_at) SELECT seq, 'ann', "
        "CONCAT('filter ', seq), 'platform=Mac', 1, %d FROM seq_1_to_20" % now)


def webhooks_fill(server, api, devices, now):
    """Paused ones: nothing is sent while the pages are measured."""
    hooks = [api.make("/api/v1/webhooks", {"name": "hook %d" % n, "topics": ["*"],
                                           "url": "https://hooks.example.org/%d" % n})["id"]
             for n in range(10)]
    for hook in hooks:
        api.ask("POST", "/api/v1/webhooks/%s/pause" % hook, {"why": "bench"})
    n = min(DELIVERIES, 5 * devices)
    server.sql("INSERT INTO webhook_event (id, topic, at, enrollment_id, ident, kind, status, "
               "command_uuid, raw, spread) SELECT seq, 6, %d - seq * 1000, 1 + seq %% %d, "
               "CONCAT('FLEET-', 1 + seq %% %d), 1, 'Acknowledged', 'OLD-1', REPEAT('x', 300), 1 FROM "
               "seq_1_to_%d" % (now, devices, devices, n))
    server.sql("INSERT INTO webhook_delivery (webhook_id, event_id, enrollment_id, topic, state, "
               "attempts, asked_at, due_at, done_at, status, failure) SELECT %s, seq, 1 + seq %% %d, "
               "6, IF(seq %% 50, 2, 3), 1, %d - seq * 1000, %d, %d - seq * 1000, IF(seq %% 50, 200, "
               "500), IF(seq %% 50, NULL, 'HTTP 500') FROM seq_1_to_%d"
               % (hooks[0], devices, now, now, now, n))
    server.sql("INSERT INTO webhook_attempt (webhook_id, event_id, at, took_us, status) SELECT %s, "
               "seq, %d - seq * 1000, 5000, IF(seq %% 50, 200, 500) FROM seq_1_to_%d"
               % (hooks[0], now, n))


def fill(server, devices, results):
    """Fills a new site; seconds, or None when it was filled before."""
    sql, begin, now = server.sql, time.monotonic(), int(time.time() * 1e6)
    if server.count("SELECT COUNT(*) FROM enrollment") > 0:
        return None
    devices_fill(sql, devices, now)
    inventory_fill(sql, devices, now)
    history_fill(sql, devices, results, now)
    log_fill(sql, devices, now)
    library_fill(server, Client(server), devices, now)
    sql("REPLACE INTO tag_count (tag, devices) SELECT tag, COUNT(*) FROM device_tag GROUP BY tag")
    tables = [row[0] for row in sql("SELECT table_name FROM information_schema.tables WHERE "
                                    "table_schema = DATABASE() AND table_rows > 100")]
    sql("ANALYZE TABLE " + ", ".join(tables))
    return time.monotonic() - begin


# Who reaches one group: a small one, or that of everybody; and one that begins where lists end.
LIMITED = {"few": "group 3", "many": "everybody", "last": "retired"}


def retire(server, devices):
    """A group of a tenth of the devices, those that were not seen for the longest time."""
    if server.count("SELECT COUNT(*) FROM device_group WHERE name = 'retired'") == 0:
        group = Client(server).make("/api/v1/groups", {"name": "retired"})["id"]
        server.sql("INSERT INTO group_member (group_id, device_id, since) SELECT %s, seq, 1 FROM "
                   "seq_%d_to_%d" % (group, devices - devices // 10 + 1, devices))
        server.sql("UPDATE device_group SET members = %d WHERE id = %s" % (devices // 10, group))


def limited_key(server, who):
    """A key of the API that reaches one of LIMITED."""
    name = "%s %s" % (who, uuid.uuid4().hex[:8])
    key = server.ctl("apikey", "add", name, "--scopes", "*").strip().split()[-1]
    server.ctl("scope", "apikey", name, LIMITED[who])
    return key


def limited_account(server, who):
    """(name, password) of an account that reaches one of LIMITED."""
    name, word = "%s-%s" % (who, uuid.uuid4().hex[:8]), uuid.uuid4().hex
    path = os.path.join(server.state, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(word + "\n")
    os.chmod(path, 0o600)
    server.ctl("admin", "add", name, "--role", "operator", "--password-file", path)
    os.unlink(path)
    server.ctl("scope", "admin", name, LIMITED[who])
    return name, word


def everybodys(server):
    """A profile with versions and an app with codes, which all devices have, and their group."""
    rows = server.sql("SELECT i.kind, MIN(i.id), MIN(a.group_id) FROM assignment a JOIN library_item i "
                      "ON i.id = a.item_id GROUP BY i.kind")
    kind = {r[0]: r[1] for r in rows}
    return {"profile": kind["1"], "app": kind["3"], "group": rows[0][2]}


def settled(server, seconds=900):
    """Waits until the agent has made the index of words, has planned and counted what it has to, and
    the database has read what it had in memory when it was stopped."""
    begin = time.monotonic()
    while ("completed" not in server.sql("SHOW STATUS LIKE 'Innodb_buffer_pool_load_status'")[0][1]
           or server.count("SELECT (SELECT COUNT(*) FROM enrollment WHERE search_due = 1) + (SELECT "
                           "COUNT(*) FROM identity_cert WHERE word_due = 1) + (SELECT COUNT(*) FROM "
                           "device_group WHERE evaluated_at = 0 AND filter IS NOT NULL) + (SELECT "
                           "COUNT(*) FROM library_item i JOIN item_count c ON c.item_id = i.id WHERE "
                           "i.deleted_at = 0 AND c.version NOT IN (0, i.version))")):
        if time.monotonic() - begin > seconds:
            raise SystemExit("agent and database have not done after %d s" % seconds)
        time.sleep(0.5)
    return time.monotonic() - begin


def cpu_ms(server):
    """Processor time that the web server, the console and the database have used. What a page takes of
    it other work on the machine does not change; the agent's share of the database is in it."""
    total = 0
    for pid in server.workers("console") + [server.pid("web"), server.pid("mariadbd")]:
        for task in os.listdir("/proc/%d/task" % pid):
            with contextlib.suppress(OSError):
                with open("/proc/%d/task/%s/schedstat" % (pid, task), encoding="ascii") as f:
                    total += int(f.read().split()[0])
    return total / 1e6


def measure(server, make, ask, seconds):
    """(95th percentile ms, its path, median ms, processor ms of each) of paths that make() makes; ask()
    asks for one and tells the milliseconds."""
    times = []
    ask(make())
    end, cpu = time.monotonic() + seconds, cpu_ms(server)
    while time.monotonic() < end or len(times) < 20:
        path = make()
        times.append((ask(path), path))
    cpu = (cpu_ms(server) - cpu) / len(times)
    times.sort()
    return (*times[len(times) * 95 // 100], times[len(times) // 2][0], cpu)


def tell(told, name, wanted, measured):
    """Adds the figure, with what led to it where it is too much."""
    most, path, half, cpu = measured
    note = "median %.1f, processor %.1f" % (half, cpu)
    told.add(name, most, "ms p95", wanted, note=note if most <= wanted else note + "; " + path)
