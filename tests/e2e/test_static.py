#!/usr/bin/python3
"""Style sheet, script and icon of the console: packed for whoever takes that, the same octets."""

import gzip
import re
import unittest

import drover


class Static(unittest.TestCase):
    def get(self, path, accept=None):
        return drover.server().request("console_url", "GET", path,
                                       headers={"Accept-Encoding": accept} if accept else {})

    def test_packed_for_who_takes_it(self):
        page = self.get("/signin").body.decode()
        files = set(re.findall(r"/static/[a-z]+\.[0-9a-f]{12}\.[a-z]+", page))
        self.assertTrue(files)
        for path in files:
            plain = self.get(path)
            self.assertIsNone(plain.headers["Content-Encoding"])
            for accept in ("gzip", "br, gzip;q=0.8", "deflate,GZIP", "gzip; q=1"):
                got = self.get(path, accept)
                self.assertEqual(got.status, 200)
                self.assertIn("Accept-Encoding", got.headers["Vary"])
                self.assertEqual(got.headers["Content-Type"], plain.headers["Content-Type"])
                if got.headers["Content-Encoding"] is None:  # so short that packing gains nothing
                    self.assertLess(len(plain.body), 300)
                    continue
                self.assertEqual(got.headers["Content-Encoding"], "gzip", accept)
                self.assertEqual(gzip.decompress(got.body), plain.body)
                self.assertLess(len(got.body) * 2, len(plain.body) + 200)
            for accept in ("identity", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip2", "gzipped"):
                got = self.get(path, accept)
                self.assertIsNone(got.headers["Content-Encoding"], accept)
                self.assertEqual(got.body, plain.body)

    def test_no_page_is_packed(self):
        """A page holds tokens: its length is not to tell of them."""
        self.assertIsNone(self.get("/signin", "gzip").headers["Content-Encoding"])


if __name__ == "__main__":
    unittest.main()
