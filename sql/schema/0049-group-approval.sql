-- A second person approves a sensitive command of a group for the devices that are in it then. What
-- comes later waits for another approval: which ones there are of an order is found by it.
ALTER TABLE approval
  ADD COLUMN order_id BIGINT NULL COMMENT 'standing_order.id, of a command of a group: its enrollments are kept when it is approved, those that were in the group then; NULL: it is about enrollments',
  ADD KEY of_order (order_id, state);

UPDATE approval a JOIN standing_order s ON s.approval_id = a.id SET a.order_id = s.id;
INSERT INTO approval_target (approval_id, enrollment_id)
  SELECT a.id, m.device_id FROM approval a JOIN group_member m ON m.group_id = a.group_id
  WHERE a.order_id IS NOT NULL AND a.state = 2 AND m.since <= a.decided_at;

ALTER TABLE device_order
  MODIFY COLUMN state TINYINT NOT NULL COMMENT '1 pending, 2 a command is open, 3 done, 4 failed, 5 not for this device, 6 withdrawn, 7 waits for a second person';
