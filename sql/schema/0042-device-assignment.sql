-- Profiles and apps for single devices, beside those of groups.
ALTER TABLE assignment
  MODIFY COLUMN group_id BIGINT NULL COMMENT 'device_group.id; NULL: it is for one device',
  ADD COLUMN device_id BIGINT NULL COMMENT 'enrollment.id of the one device it is for; NULL: it is for a group' AFTER group_id,
  MODIFY COLUMN item_id BIGINT NOT NULL COMMENT 'library_item.id that its devices, or the device, are to have',
  ADD UNIQUE KEY device (device_id, item_id),
  COMMENT 'what the devices of a group, or one device, are to have';
