-- Jobs that the agent works off are not commands alone: what failed is sent again, and an item of
-- the library is tried again on all devices where it failed.
ALTER TABLE bulk_job
  ADD COLUMN task TINYINT NOT NULL DEFAULT 1 COMMENT '1 a command for devices, 2 commands that failed are sent again, 3 an item is tried again where it failed',
  ADD COLUMN failed_since BIGINT NOT NULL DEFAULT 0 COMMENT 'of task 2: those that ended then or later',
  ADD COLUMN failed_before BIGINT NOT NULL DEFAULT 0 COMMENT 'of task 2: and earlier than then',
  ADD COLUMN item_id BIGINT NOT NULL DEFAULT 0 COMMENT 'of task 3: library_item.id',
  ADD COLUMN reason VARCHAR(255) NULL COMMENT 'of task 2: why, in place of the first reason; NULL: that one',
  ADD COLUMN push TINYINT NOT NULL DEFAULT 1 COMMENT '1: devices are woken for what is queued',
  MODIFY COLUMN request_type VARCHAR(64) NOT NULL COMMENT 'RequestType of the command; of task 2 of those that are sent again, '''': all; of task 3 ''''',
  MODIFY COLUMN total BIGINT NOT NULL COMMENT 'how many it was for when it was made; -1: not counted yet',
  MODIFY COLUMN last_id BIGINT NOT NULL DEFAULT 0 COMMENT 'enrollment.id up to which it is done; of task 2 result.closed_at down to which';
