-- Self-service: what people may have on their own devices, and what they asked for.

CREATE TABLE offer (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  group_id BIGINT NOT NULL COMMENT 'device_group.id',
  item_id BIGINT NOT NULL COMMENT 'library_item.id its devices may have',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  UNIQUE KEY pair (group_id, item_id),
  KEY item (item_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what the devices of a group may have when their user wants it';

CREATE TABLE offer_taken (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  item_id BIGINT NOT NULL COMMENT 'library_item.id its user wants; counts while it is offered to the device',
  taken_at BIGINT NOT NULL COMMENT 'when',
  PRIMARY KEY (enrollment_id, item_id),
  KEY item (item_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='offers that users of devices have taken';

CREATE TABLE errand (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  account_kind TINYINT NOT NULL COMMENT 'as handout.account_kind: of the person who asked',
  account VARCHAR(255) NOT NULL COMMENT 'that person''s login name',
  what TINYINT NOT NULL COMMENT '1 take an offer, 2 give it back, 3 lock the device, 4 end management',
  item_id BIGINT NOT NULL DEFAULT 0 COMMENT 'library_item.id, of 1 and 2; otherwise 0',
  message VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'of 3: what the locked device shows',
  phone VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'of 3: the telephone number it shows',
  asked_at BIGINT NOT NULL COMMENT 'when',
  address VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'from where',
  is_open TINYINT NULL DEFAULT 1 COMMENT '1: the agent has it to do; NULL: done, or refused',
  done_at BIGINT NULL COMMENT 'when it was done or refused',
  refused TINYINT NOT NULL DEFAULT 0 COMMENT '1: it was not done',
  outcome VARCHAR(400) NOT NULL DEFAULT '' COMMENT 'why not',
  PRIMARY KEY (id),
  UNIQUE KEY once (enrollment_id, what, item_id, is_open),
  KEY todo (is_open, id),
  KEY done (done_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what people asked for on their own devices, to be done by the agent';
