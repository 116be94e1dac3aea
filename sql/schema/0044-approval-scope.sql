-- A second person agrees to what was checked when it was asked for, and who is limited to groups to
-- what is within them. Nobody agrees as a person to what the same person asked for by an API key.

CREATE TABLE approval_target (
  approval_id BIGINT NOT NULL COMMENT 'approval.id',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id that it is for',
  PRIMARY KEY (approval_id, enrollment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='enrollments that a request for a second person is about';

ALTER TABLE approval
  ADD COLUMN group_id BIGINT NULL COMMENT 'device_group.id, of a command of a group; NULL: it is about enrollments',
  ADD COLUMN asked_person VARCHAR(128) NOT NULL DEFAULT '' COMMENT 'name of the person: the account of the console that asked, or that made the API key that did; otherwise the name in asked_by';

UPDATE approval SET asked_person = IF(asked_by LIKE 'api:%' OR asked_by LIKE 'droverctl:%', SUBSTR(asked_by, LOCATE(':', asked_by) + 1), asked_by);
INSERT INTO approval_target (approval_id, enrollment_id)
  SELECT a.id, e.id FROM approval a JOIN enrollment e ON e.ident = a.first_target WHERE a.targets = 1;
UPDATE approval a JOIN standing_order s ON s.approval_id = a.id SET a.group_id = s.group_id;
