-- Apps: redemption codes, changed settings that reach the devices, feedback, updates of the store.

ALTER TABLE library_item
  ADD COLUMN settings_rev INT NOT NULL DEFAULT 1 COMMENT 'of an app: rises with each change of its settings that devices are to get',
  ADD COLUMN configuration_rev INT NOT NULL DEFAULT 1 COMMENT 'settings_rev at which Configuration changed last',
  ADD COLUMN attributes_rev INT NOT NULL DEFAULT 1 COMMENT 'settings_rev at which Attributes changed last',
  ADD COLUMN install_rev INT NOT NULL DEFAULT 1 COMMENT 'settings_rev at which something changed last that InstallApplication alone tells',
  ADD COLUMN variables INT NOT NULL DEFAULT 0 COMMENT 'of an app: bits of the variables in its settings (library/variables.c)',
  ADD COLUMN feedback_hours INT NOT NULL DEFAULT 0 COMMENT 'of an app: it is asked for feedback once installed and every so many hours; 0: never',
  ADD COLUMN feedback_delete TINYINT NOT NULL DEFAULT 0 COMMENT '1: feedback that was read is deleted on the device',
  ADD COLUMN update_hours INT NOT NULL DEFAULT 0 COMMENT 'of an app: devices are asked every so many hours whether the store has an update, which is installed; 0: never',
  ADD COLUMN codes_low INT NOT NULL DEFAULT 10 COMMENT 'of an app with redemption codes: fewer that are free raise an alarm; 0: none does',
  ADD COLUMN codes_alarm_at BIGINT NULL COMMENT 'when that alarm was raised; NULL: there are enough';
ALTER TABLE device_item
  ADD COLUMN settings_rev INT NOT NULL DEFAULT 1 COMMENT 'of an app: library_item.settings_rev of the settings that the device has',
  ADD COLUMN asked_rev INT NOT NULL DEFAULT 1 COMMENT 'and of those that its last command carried',
  ADD COLUMN feedback_at BIGINT NULL COMMENT 'when it was last asked for the app''s feedback',
  ADD COLUMN update_at BIGINT NULL COMMENT 'when it was last asked whether the store has an update of the app';
-- Devices that had apps before have the settings that there were.
ALTER TABLE device_item
  ALTER COLUMN settings_rev SET DEFAULT 0,
  ALTER COLUMN asked_rev SET DEFAULT 0;
ALTER TABLE command
  MODIFY COLUMN fill TINYINT NOT NULL DEFAULT 0 COMMENT 'bits, what is filled in on delivery: 1 the UnlockToken, 2 the file of fill_from, 4 the redemption code fill_from, 8 variables',
  MODIFY COLUMN fill_from BIGINT NULL COMMENT 'library_version.id or redemption_code.id, as fill says';

CREATE TABLE redemption_code (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  item_id BIGINT NOT NULL COMMENT 'library_item.id of the app it pays for',
  digest BINARY(5) NOT NULL COMMENT 'beginning of a digest of the code: enough to know it again, too little to find it',
  sealed VARBINARY(400) NOT NULL COMMENT 'the code, sealed as RedemptionCode:id',
  state TINYINT NOT NULL COMMENT '1 free, 2 given to a device, 3 redeemed, 4 refused by the store',
  enrollment_id BIGINT NULL COMMENT 'enrollment.id of the device that it was given to; NULL: free, or refused',
  command_id BIGINT NULL COMMENT 'command.id that brings it there, or did last',
  refused_by BIGINT NULL COMMENT 'enrollment.id of the device on which the store refused it',
  reclaimed INT NOT NULL DEFAULT 0 COMMENT 'how often a device gave it back unused',
  added_at BIGINT NOT NULL COMMENT 'when it was uploaded',
  added_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  given_at BIGINT NULL COMMENT 'when it was given to the device',
  ended_at BIGINT NULL COMMENT 'when it was redeemed or refused',
  PRIMARY KEY (id),
  UNIQUE KEY code (item_id, digest),
  UNIQUE KEY device (item_id, enrollment_id),
  KEY state (item_id, state, id),
  KEY command (command_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='redemption codes of paid apps, each for one device';
