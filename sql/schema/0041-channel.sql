-- Profiles that are for the users of devices.
ALTER TABLE library_item
  ADD COLUMN channel TINYINT NOT NULL DEFAULT 0 COMMENT 'whose channel it is installed on: 0 as its version says, 1 the device''s, 2 those of its users';
ALTER TABLE library_version
  ADD COLUMN scope TINYINT NOT NULL DEFAULT 0 COMMENT 'PayloadScope of a configuration profile: 1 System, 2 User, 0 it does not say';
UPDATE library_version SET scope = CASE JSON_VALUE(details, '$.scope') WHEN 'System' THEN 1 WHEN 'User' THEN 2 ELSE 0 END;
-- What devices have stays on their own channel until somebody says otherwise.
UPDATE library_item i JOIN library_version v ON v.item_id = i.id AND v.number = i.version SET i.channel = 1 WHERE v.scope = 2;
ALTER TABLE newcomer
  MODIFY COLUMN device_id BIGINT NOT NULL COMMENT 'enrollment.id of a device that has just enrolled, or of a user of a device',
  MODIFY COLUMN awaiting TINYINT NOT NULL COMMENT '1: it waits in Setup Assistant for DeviceConfigured; a user, at the login for UserConfigured';
ALTER TABLE device_item
  MODIFY COLUMN enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id of the channel: the device''s or that of one of its users';
