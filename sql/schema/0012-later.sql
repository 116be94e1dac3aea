-- Pushes for commands that are not offered before a moment: the device is woken then.

CREATE TABLE push_later (
  at BIGINT NOT NULL COMMENT 'when the push is wanted: queue.not_before of the command',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  apns_id CHAR(36) CHARACTER SET ascii NULL COMMENT 'apns-id that the asker was told; NULL: any',
  PRIMARY KEY (at, enrollment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='pushes that are wanted later; the outbox takes one for each enrollment, wanted now';

INSERT INTO push_later (at, enrollment_id) SELECT DISTINCT not_before, enrollment_id FROM queue
WHERE sent_count = 0 AND not_before > UNIX_TIMESTAMP() * 1000000;
