-- Devices that have not been heard of for long: an observation, which a returning device ends.

ALTER TABLE enrollment
  ADD COLUMN nudged_at BIGINT NULL COMMENT 'last push because it had not been seen for a day',
  ADD COLUMN inactive_at BIGINT NULL COMMENT 'when the sweep found it inactive; over once last_seen_at is later',
  ADD KEY inactive (inactive_at);
