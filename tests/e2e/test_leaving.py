"""Letting a device go: RemoveProfile of the MDM profile, and 401 as the last resort."""

import os
import signal
import time
import unittest

import drover


class Leaving(unittest.TestCase):
    webs = ("lighttpd",)

    def agent_works(self):
        """The agent's successor runs all timed jobs at once."""
        for p in drover.server().workers("agent"):
            os.kill(p, signal.SIGTERM)

    def let_go(self, *more):
        s = drover.server()
        d = drover.device("proxy").enrol()
        s.ctl("end", d.ident, "--why", "sold", "--remove-profile", *more)
        return s, d

    def decisions(self, d):
        return d.server.count("SELECT COUNT(*) FROM leaving g JOIN enrollment e ON "
                              "e.id=g.device_id WHERE e.ident='%s'" % d.ident)

    def state(self, d):
        return d.server.sql("SELECT state, ended_by, ended_why FROM enrollment WHERE ident='%s'"
                            % d.ident)[0]

    def test_the_device_leaves(self):
        s, d = self.let_go()
        status, out = s.ctl("end", d.ident, "--why", "x", "--remove-profile", check=False)
        self.assertEqual(status, 1)
        self.assertIn("already", out)
        command = d.idle().plist()
        self.assertEqual(command["Command"]["RequestType"], "RemoveProfile")
        self.assertTrue(command["Command"]["Identifier"].endswith("drover"))
        self.assertEqual(d.report(command["CommandUUID"]).status, 200)
        self.assertEqual(d.checkin({"MessageType": "CheckOut", "UDID": d.udid,
                                    "Topic": d.topic}).status, 200)
        self.agent_works()
        drover.wait_for(lambda: self.decisions(d) == 0, 30)
        self.assertEqual(self.state(d)[0], "3")
        self.assertEqual(s.count("SELECT COUNT(*) FROM audit WHERE action='enrollment.let_go' AND "
                                 "detail='sold' AND subject='%s'" % d.ident), 1)

    def test_it_refuses_or_stays_away(self):
        s, refuses = self.let_go()
        self.assertEqual(refuses.report(refuses.idle().plist()["CommandUUID"], "Error").status, 200)
        _, late = self.let_go("--within", "1s")
        _, waits = self.let_go("--within", "1d")
        self.assertEqual(late.idle().status, 200)
        time.sleep(1.1)
        self.agent_works()
        drover.wait_for(lambda: self.decisions(refuses) + self.decisions(late) == 0, 30)
        for d in (refuses, late):
            state, by, why = self.state(d)
            self.assertEqual((state, why), ("4", "sold"))
            self.assertTrue(by.startswith("droverctl:"))
            self.assertEqual(d.idle().status, 401)
        self.assertEqual(self.state(waits)[0], "2")
        self.assertEqual(waits.idle().status, 200)

    def test_what_cannot_leave(self):
        s = drover.server()
        d = drover.device("proxy").enrol()
        u = d.user()
        u.token_update()
        for ident, word in (("nobody", "no enrollment"), (u.ident, "user of a device")):
            status, out = s.ctl("end", ident, "--why", "x", "--remove-profile", check=False)
            self.assertEqual(status, 1)
            self.assertIn(word, out)
        self.assertEqual(d.idle().body, b"")


if __name__ == "__main__":
    unittest.main()
