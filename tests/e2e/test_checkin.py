"""Check-in messages: the lives of an enrolment, channels, secrets, and what is not spoken yet."""

import plistlib
import secrets
import unittest
import uuid

import drover


class Messages(unittest.TestCase):
    def test_enrol_in_both_forms_and_addresses(self):
        for fmt in (plistlib.FMT_XML, plistlib.FMT_BINARY):
            for path in ("/mdm/checkin", "/mdm"):
                d = drover.device()
                self.assertEqual(d.authenticate(fmt=fmt, path=path).status, 200)
                self.assertEqual(d.token_update(fmt=fmt, path=path).status, 200)
                self.assertEqual(d.idle(fmt=fmt, path="/mdm/connect").status, 200)
                self.assertEqual(d.idle(fmt=fmt, path="/mdm").status, 200)

    def test_authenticate_twice_is_harmless(self):
        d = drover.device()
        for _ in range(3):
            self.assertEqual(d.authenticate().status, 200)
        for _ in range(3):
            self.assertEqual(d.token_update().status, 200)
        self.assertEqual(d.server.count("SELECT COUNT(*) FROM enrollment WHERE ident='%s'"
                                        % d.udid), 1)

    def test_not_spoken_yet(self):
        d = drover.device().enrol()
        for message in ({"MessageType": "DeclarativeManagement", "Endpoint": "tokens"},
                        {"MessageType": "ReturnToService"},
                        {"MessageType": "GetToken", "TokenServiceType": "com.apple.maid"},
                        {"MessageType": "Nonsense"}, {"MessageType": ""}, {}):
            a = d.checkin({**message, "UDID": d.udid, "Topic": d.topic})
            self.assertEqual(a.status, 400, message)

    def test_user_authenticate(self):
        d = drover.device().enrol()
        a = d.checkin({"MessageType": "UserAuthenticate", "UDID": d.udid,
                       "UserID": str(uuid.uuid4()).upper()})
        self.assertEqual(a.status, 410)

    def test_missing_keys(self):
        d = drover.device()
        self.assertEqual(d.checkin({"MessageType": "Authenticate", "Topic": d.topic}).status, 400)
        self.assertEqual(d.authenticate(UDID="").status, 400)
        d.enrol()
        for key in ("Token", "PushMagic", "Topic"):
            self.assertEqual(d.token_update(**{key: None}).status, 400, key)

    def test_wrong_types(self):
        """A key of another type is refused, not taken for one that is missing."""
        d = drover.device().enrol()
        for key, value in (("UserID", 5), ("EnrollmentID", b"x"), ("UserShortName", []),
                           ("AwaitingConfiguration", "true"), ("NotOnConsole", 1),
                           ("UnlockToken", "text"), ("Token", "text"), ("PushMagic", b"x")):
            a = d.token_update(**{"PushMagic": "other", key: value})
            self.assertEqual(a.status, 400, key)
        self.assertEqual(d.server.count(
            "SELECT COUNT(*) FROM enrollment e JOIN life l ON l.id=e.life_id WHERE e.ident='%s' "
            "AND l.push_magic='%s'" % (d.udid, d.magic)), 1)
        facts = ("SELECT serial, os_version, pending_life_id FROM enrollment WHERE ident='%s'" %
                 d.udid)
        before = d.server.sql(facts)
        for key in ("SerialNumber", "DeviceName", "ProductName", "Model", "ModelName", "OSVersion",
                    "BuildVersion", "IMEI", "MEID"):
            for value in (5, [], {}, b"x", True):
                a = d.authenticate(**{"OSVersion": "99.9", key: value})
                self.assertEqual(a.status, 400, (key, value))
        self.assertEqual(d.server.sql(facts), before)
        self.assertEqual(d.checkin({"MessageType": "UserAuthenticate", "UDID": d.udid,
                                    "UserID": "U1", "DigestResponse": b"x"}).status, 400)

    def test_half_a_users_name(self):
        """A user's message with a key missing is not its device's."""
        d = drover.device().enrol()
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        self.assertEqual(d.idle(EnrollmentUserID="U1").status, 400)
        e = drover.device()
        e.ids = {"EnrollmentID": str(uuid.uuid4()).upper()}
        e.enrol()
        self.assertEqual(e.idle(UserID="U1").status, 400)
        self.assertEqual(d.server.command_state(d.ident, c), "queued")
        both = drover.Device(d.server, d.identity)
        both.ids = {**d.ids, "UserID": "U1", "EnrollmentUserID": "E1"}
        self.assertEqual(both.token_update().status, 200)

    def test_an_UnlockToken_that_comes_again(self):
        """It is sealed to other octets each time, and not stored again for that."""
        d = drover.device().enrol()
        one, other = secrets.token_bytes(1196), secrets.token_bytes(1196)

        def stored(token):
            self.assertEqual(d.token_update(UnlockToken=token).status, 200)
            return d.server.sql("SELECT HEX(l.unlock_token), l.token_update_tally FROM enrollment e "
                                "JOIN life l ON l.id = e.life_id WHERE e.ident = '%s'" % d.udid)[0]

        first, again, changed = stored(one), stored(one), stored(other)
        self.assertEqual(first[0], again[0])
        self.assertEqual(int(again[1]), int(first[1]) + 1)
        self.assertNotEqual(changed[0], first[0])
        self.assertEqual(stored(other)[0], changed[0])

    def test_names_with_blanks_at_their_ends(self):
        """The database would take them for the same name without the blank."""
        d = drover.device().enrol()
        for udid in (d.udid + " ", " " + d.udid):
            self.assertEqual(drover.device(udid=udid).authenticate().status, 400)
        self.assertEqual(d.user("U1").token_update().status, 200)
        self.assertEqual(d.user("U1 ").token_update().status, 400)
        self.assertEqual(d.user("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                                "bob ").token_update().status, 400)
        self.assertEqual(d.idle().status, 200)

    def test_channels(self):
        d = drover.device().enrol()
        u = d.user()
        self.assertEqual(u.token_update().status, 200)
        self.assertEqual(u.idle().status, 200)
        shared = d.user("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "bob")
        self.assertEqual(shared.token_update().status, 200)
        self.assertEqual(shared.idle().status, 200)
        for ident in (u.ident, shared.ident):
            self.assertEqual(d.server.count("SELECT COUNT(*) FROM enrollment WHERE ident='%s'"
                                            % ident), 1, ident)
        # A command for the device is not handed to its user.
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        self.assertEqual(u.idle().body, b"")
        self.assertEqual(d.idle().plist()["CommandUUID"], c)

    def test_user_enrollment(self):
        d = drover.device()
        d.ids = {"EnrollmentID": str(uuid.uuid4()).upper()}
        d.enrol()
        u = drover.Device(d.server, d.identity)
        u.ids = {**d.ids, "EnrollmentUserID": str(uuid.uuid4()).upper(),
                 "UserShortName": "carol"}
        self.assertEqual(u.token_update().status, 200)
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        e = d.server.enqueue(u.ident, "ProfileList", push=False)
        self.assertEqual(d.idle().plist()["CommandUUID"], c)
        self.assertEqual(u.idle().plist()["CommandUUID"], e)

    def test_check_out(self):
        d = drover.device().enrol()
        self.assertEqual(d.checkin({"MessageType": "CheckOut", "Topic": d.topic,
                                    "UDID": d.udid}).status, 200)
        self.assertNotEqual(d.idle().status, 401)


class Secrets(unittest.TestCase):
    def test_bootstrap_token(self):
        d = drover.device().enrol()
        token = secrets.token_bytes(64)
        self.assertEqual(d.checkin({"MessageType": "SetBootstrapToken", "UDID": d.udid,
                                    "BootstrapToken": token}).status, 200)
        a = d.checkin({"MessageType": "GetBootstrapToken", "UDID": d.udid})
        self.assertEqual((a.status, a.plist()["BootstrapToken"]), (200, token))

    def test_at_rest(self):
        """What is stored does not hold the secret, in any column of the row."""
        d = drover.device()
        d.authenticate()
        unlock, bootstrap = b"UNLOCK-" + secrets.token_bytes(40), secrets.token_bytes(64)
        self.assertEqual(d.token_update(UnlockToken=unlock).status, 200)
        d.checkin({"MessageType": "SetBootstrapToken", "UDID": d.udid,
                   "BootstrapToken": bootstrap})
        with open(d.server.run["mysql_password_file"]) as f:
            password = f.read().strip()
        dump = drover.sh("mariadb-dump", "--no-defaults", "--socket",
                         d.server.run["mysql_socket"], "--user", d.server.run["mysql_user"],
                         "--hex-blob", "--skip-lock-tables", d.server.run["mysql_database"],
                         env={"MYSQL_PWD": password}).upper()
        for secret in (unlock, bootstrap):
            self.assertNotIn(secret.hex().upper().encode(), dump)
        self.assertIn(d.udid.encode(), dump)  # it was the right database


class Lives(unittest.TestCase):
    """Authenticate opens a pending life; until its TokenUpdate the old one holds."""

    def test_replaced_profile_that_fails(self):
        d = drover.device().enrol()
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        again = drover.Device(d.server, drover.trusted_ca().issue(), udid=d.udid)
        self.assertEqual(again.authenticate().status, 200)
        # The update fails on the device: the old identity polls on and finds its queue.
        self.assertEqual(d.idle().plist()["CommandUUID"], c)
        self.assertEqual(d.report(c).status, 200)

    def test_new_enrolment_cancels_the_queue(self):
        d = drover.device().enrol()
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        new = drover.Device(d.server, drover.trusted_ca().issue(), udid=d.udid).enrol()
        a = new.idle()
        self.assertEqual((a.status, a.body), (200, b""))
        self.assertEqual(d.server.command_state(d.ident, c), "cancelled")
        # The old identity has been replaced; it is refused and not told to leave.
        self.assertIn(d.idle().status, (400, 403))

    def test_a_report_between_two_lives_comes_again(self):
        """What is answered 200 is stored; before the TokenUpdate it cannot be."""
        d = drover.device().enrol()
        c = d.server.enqueue(d.ident, "DeviceInformation", push=False)
        d.idle()
        new = drover.Device(d.server, drover.trusted_ca().issue(), udid=d.udid)
        self.assertEqual(new.authenticate().status, 200)
        self.assertEqual(new.report(c).status, 503)
        self.assertEqual(new.idle().status, 200)
        self.assertEqual(d.report(c).status, 200)
        self.assertEqual(d.server.command_state(d.ident, c), "acknowledged")

    def test_a_report_after_check_out(self):
        d = drover.device().enrol()
        c = d.server.enqueue(d.ident, "RemoveProfile", push=False, Identifier="mdm")
        d.idle()
        d.checkin({"MessageType": "CheckOut", "Topic": d.topic, "UDID": d.udid})
        self.assertEqual(d.report(c).status, 200)
        self.assertEqual(d.server.command_state(d.ident, c), "acknowledged")

    def test_secrets_do_not_carry_over(self):
        d = drover.device().enrol()
        d.checkin({"MessageType": "SetBootstrapToken", "UDID": d.udid, "BootstrapToken": b"old"})
        new = drover.Device(d.server, drover.trusted_ca().issue(), udid=d.udid).enrol()
        a = new.checkin({"MessageType": "GetBootstrapToken", "UDID": d.udid})
        self.assertNotIn(b"b2xk", a.body)

    def test_401_by_decision_only(self):
        """Each 401 that a device got names the decision of a person or rule."""
        for line in drover.server().log_since(0):
            if " mdm[" in line and "status=401" in line:
                self.assertRegex(line, r"ended by decision|\[restore\] action=refuse")


if __name__ == "__main__":
    unittest.main()
