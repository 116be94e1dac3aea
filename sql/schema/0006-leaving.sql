-- Enrollments that are asked to remove their MDM profile, with 401 as the last resort.

CREATE TABLE leaving (
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  command_uuid VARCHAR(128) NOT NULL COMMENT 'CommandUUID of the RemoveProfile',
  asked_at BIGINT NOT NULL COMMENT 'when it was decided',
  asked_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  asked_why VARCHAR(255) NOT NULL COMMENT 'the reason given',
  fallback_at BIGINT NOT NULL COMMENT 'ended with 401 then, if it is still enrolled',
  PRIMARY KEY (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='devices that are being let go by RemoveProfile';
