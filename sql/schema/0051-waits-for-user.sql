-- What is for users has no row in device_item for a device on which nobody has logged in yet: that it
-- is to come stands here, for people. The agent keeps it.
CREATE TABLE device_item_wait (
  item_id BIGINT NOT NULL COMMENT 'library_item.id of what is for users',
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of a device that is to have it and has no user yet',
  since BIGINT NOT NULL COMMENT 'when that was noted',
  PRIMARY KEY (item_id, device_id),
  KEY of_device (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='items that wait until a user logs in';
