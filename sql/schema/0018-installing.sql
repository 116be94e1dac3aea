-- Apps are followed until the device says that they are installed.

ALTER TABLE device_item
  MODIFY COLUMN state TINYINT NOT NULL COMMENT '1 pending, 2 a command is open, 3 installed, 4 failed, 5 not for this device, 6 removed, 7 an app that the device is installing';
