-- How often devices asked for commands: counted in the workers' memory, written once a minute by each.

ALTER TABLE activity
  ADD COLUMN polls BIGINT NOT NULL DEFAULT 0 COMMENT 'reports of devices that came in it, those that only ask for a command among them';
