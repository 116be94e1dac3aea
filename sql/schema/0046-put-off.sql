-- What a device has put off stands behind the rest of its queue until the next Idle: the command to
-- offer is the first of the index, however many were answered NotNow.
ALTER TABLE queue
  ADD COLUMN put_off TINYINT NOT NULL DEFAULT 0 COMMENT '1: answered NotNow; offered after all that was not, until the next Idle' AFTER enrollment_id;
UPDATE queue SET put_off = 1 WHERE state = 3;
ALTER TABLE queue
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (enrollment_id, put_off, urgency, queued_at, command_id);
