-- Groups of devices, what is assigned to them, and how far each device is with what it is to have.

CREATE TABLE device_group (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  name VARCHAR(128) NOT NULL COMMENT 'what people call it',
  filter MEDIUMTEXT NULL COMMENT 'JSON: which devices belong to it (store/filter.h); NULL: those that were put into it',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'what it is for',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  changed_at BIGINT NOT NULL COMMENT 'last change of name, filter or note',
  changed_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  evaluated_at BIGINT NOT NULL DEFAULT 0 COMMENT 'when the agent last found its devices; 0: it has to',
  evaluated_us BIGINT NOT NULL DEFAULT 0 COMMENT 'how long that took',
  members INT NOT NULL DEFAULT 0 COMMENT 'devices then',
  PRIMARY KEY (id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='groups of devices';

CREATE TABLE group_member (
  group_id BIGINT NOT NULL COMMENT 'device_group.id',
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  since BIGINT NOT NULL COMMENT 'when it came into the group',
  PRIMARY KEY (group_id, device_id),
  KEY device (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='which devices are in which groups';

CREATE TABLE device_tag (
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  tag VARCHAR(64) NOT NULL COMMENT 'a word of the administrators',
  at BIGINT NOT NULL COMMENT 'when it was given',
  by_whom VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (device_id, tag),
  KEY tag (tag)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='tags of devices';

CREATE TABLE assignment (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  group_id BIGINT NOT NULL COMMENT 'device_group.id',
  item_id BIGINT NOT NULL COMMENT 'library_item.id its devices are to have',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  UNIQUE KEY pair (group_id, item_id),
  KEY item (item_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what the devices of a group are to have';

CREATE TABLE device_item (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  item_id BIGINT NOT NULL COMMENT 'library_item.id',
  wanted TINYINT NOT NULL COMMENT '1: the device is to have it; 0: it is to be rid of it',
  version INT NOT NULL COMMENT 'library_version.number it is to have',
  installed_version INT NOT NULL DEFAULT 0 COMMENT 'number it has, as far as is known; 0: none',
  state TINYINT NOT NULL COMMENT '1 pending, 2 a command is open, 3 installed, 4 failed, 5 not for this device, 6 removed',
  command_id BIGINT NULL COMMENT 'command.id that brings it about, or did last',
  attempts SMALLINT NOT NULL DEFAULT 0 COMMENT 'commands in a row that did not last',
  due_at BIGINT NOT NULL COMMENT 'of a pending or failed one: not tried earlier',
  reason VARCHAR(400) NOT NULL DEFAULT '' COMMENT 'why it failed, waits, or cannot be had',
  changed_at BIGINT NOT NULL COMMENT 'when its state changed last',
  installed_at BIGINT NULL COMMENT 'when the device confirmed it last',
  PRIMARY KEY (enrollment_id, item_id),
  KEY due (state, due_at),
  KEY item (item_id, wanted, version, state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how far a device is with what it is to have';

CREATE TABLE rollout (
  item_id BIGINT NOT NULL COMMENT 'library_item.id',
  version INT NOT NULL COMMENT 'library_version.number',
  released INT NOT NULL COMMENT 'devices that may have it or be at it, in this wave',
  wave_at BIGINT NOT NULL COMMENT 'when the wave began',
  forgiven INT NOT NULL DEFAULT 0 COMMENT 'failures that somebody has seen and went on',
  halted_at BIGINT NULL COMMENT 'when too many failed; NULL: it goes on',
  halted_why VARCHAR(255) NULL COMMENT 'how many',
  PRIMARY KEY (item_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='new versions on their way to devices, in waves';

CREATE TABLE newcomer (
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of a device that has just enrolled',
  at BIGINT NOT NULL COMMENT 'when',
  awaiting TINYINT NOT NULL COMMENT '1: it waits in Setup Assistant for DeviceConfigured',
  planned TINYINT NOT NULL DEFAULT 0 COMMENT '1: what it is to have stands in device_item',
  PRIMARY KEY (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='devices whose groups are found first';

INSERT INTO site (name, value) VALUES ('wanted', NULL);

ALTER TABLE command
  ADD COLUMN fill_from BIGINT NULL COMMENT 'library_version.id whose file is filled in on delivery',
  MODIFY COLUMN fill TINYINT NOT NULL DEFAULT 0 COMMENT 'bits: 1 the UnlockToken is filled in on delivery, 2 the file of fill_from';
