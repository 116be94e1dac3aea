"""The command catalogue over the HTTP API."""

import json
import unittest

import drover


class TestCommands(unittest.TestCase):
    webs = ("lighttpd",)

    @classmethod
    def setUpClass(cls):
        cls.s = drover.server()

    def get(self, path, status=200):
        r = self.s.api("GET", path)
        self.assertEqual(r.status, status, r.body[:300])
        self.assertEqual(r.headers["content-type"], "application/json" if status == 200
                         else "application/problem+json")
        return json.loads(r.body)

    def test_all_of_it_and_one_row(self):
        commands = self.get("/api/v1/commands")["commands"]
        self.assertGreaterEqual(len(commands), 66)
        lock = self.get("/api/v1/commands/DeviceLock")
        self.assertEqual(lock, next(c for c in commands if c["request_type"] == "DeviceLock"))
        self.assertEqual([k["name"] for k in lock["keys"]], ["Message", "PhoneNumber", "PIN"])

    def test_what_is_not_there(self):
        for name in ("Nope", "devicelock", "%22%3E%3Cscript%3E", "%e2%82%ac"):
            problem = self.get("/api/v1/commands/" + name, 404)
            self.assertEqual((problem["title"], problem["status"]), ("Not Found", 404))
            self.assertIn("request type", problem["detail"])
        self.get("/api/v1/commands/" + 5000 * "x", 400)
        self.get("/api/v1/commands/DeviceLock/PIN", 404)
        self.get("/api/v1/commands/", 400)

    def test_only_with_a_key(self):
        for method, path, key, status in (("GET", "/api/v1/commands", "wrong", 401),
                                          ("PUT", "/api/v1/commands", None, 405),
                                          ("GET", "/api/v1/nothing", None, 404),
                                          ("GET", "/api/nothing", "wrong", 404)):
            r = self.s.api(method, path, b"" if method == "PUT" else None, key=key)
            self.assertEqual((r.status, r.headers["content-type"], r.json()["status"]),
                             (status, "application/problem+json", status))
