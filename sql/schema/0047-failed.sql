-- Results of commands that failed have a number of their own in the index of time, so that a page of
-- them is read without those that did not. Older ones than the page shows stay as they are.
ALTER TABLE result
  MODIFY COLUMN digest TINYINT NOT NULL DEFAULT 0 COMMENT '1 its report waits to become inventory, 0 it has, 3 it has and tells an error, 2 set aside: see digest_failure';
UPDATE result FORCE INDEX (digest) SET digest = 3
  WHERE digest = 0 AND closed_at > (UNIX_TIMESTAMP() - 8 * 86400) * 1000000 AND state IN (5, 6);
