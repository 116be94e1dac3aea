-- Standing orders: commands that the devices of a group get by themselves. Blueprints: versions of all
-- that is assigned to a group.

CREATE TABLE standing_order (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  group_id BIGINT NOT NULL COMMENT 'device_group.id',
  request_type VARCHAR(64) NOT NULL COMMENT 'RequestType of the command',
  command_keys MEDIUMTEXT NOT NULL COMMENT 'its keys, a JSON object; where one is a secret, a mark stands for it',
  sealed MEDIUMBLOB NULL COMMENT 'the keys with the secrets, sealed as StandingOrder:id; NULL: none is a secret',
  policy TINYINT NOT NULL COMMENT '1 once when a device comes into the group, 2 once when it enrols, 3 again and again',
  every_days SMALLINT NOT NULL DEFAULT 0 COMMENT 'of policy 3: after so many days',
  reason VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'why, of a sensitive command',
  state TINYINT NOT NULL COMMENT '1 in force, 2 waits for a second person, 3 taken out, 4 of a draft',
  approval_id BIGINT NULL COMMENT 'approval.id, of a sensitive command where two are asked for',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  changed_at BIGINT NOT NULL COMMENT 'when its state changed last',
  PRIMARY KEY (id),
  KEY of_group (group_id, state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='commands that the devices of a group get by themselves';

CREATE TABLE device_order (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  order_id BIGINT NOT NULL COMMENT 'standing_order.id',
  occasion BIGINT NOT NULL COMMENT 'when the device came into the group or enrolled: what it gets the command for, once',
  state TINYINT NOT NULL COMMENT '1 pending, 2 a command is open, 3 done, 4 failed, 5 not for this device, 6 withdrawn',
  command_id BIGINT NULL COMMENT 'command.id of the last command',
  attempts SMALLINT NOT NULL DEFAULT 0 COMMENT 'commands of this occasion or turn that failed',
  due_at BIGINT NOT NULL COMMENT 'pending, failed, done again and again: not earlier; open: when it is looked up',
  reason VARCHAR(400) NOT NULL DEFAULT '' COMMENT 'why it failed, or cannot be had',
  changed_at BIGINT NOT NULL COMMENT 'when its state changed last',
  done_at BIGINT NULL COMMENT 'when the device last did it',
  PRIMARY KEY (enrollment_id, order_id),
  KEY due (state, due_at),
  KEY of_order (order_id, state, enrollment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how far a device is with the commands of its groups';

CREATE TABLE group_blueprint (
  group_id BIGINT NOT NULL COMMENT 'device_group.id',
  number INT NOT NULL COMMENT '1, 2, 3: versions; 0: a draft that is not saved yet',
  items MEDIUMTEXT NOT NULL COMMENT 'library_item.id of what was assigned, a JSON array of strings',
  orders MEDIUMTEXT NOT NULL COMMENT 'standing_order.id of the commands, a JSON array of strings',
  note VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'what was changed, in words',
  created_at BIGINT NOT NULL COMMENT 'when it was saved',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (group_id, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='versions of all that is assigned to a group';
