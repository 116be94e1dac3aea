-- Webhooks: who is told, what happened, and what became of telling it.

CREATE TABLE webhook (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  name VARCHAR(64) NOT NULL COMMENT 'what people call it',
  url VARCHAR(1024) NOT NULL COMMENT 'where events are sent',
  wants BIGINT NOT NULL COMMENT 'topics that are sent, one bit each: enum event_topic; 9223372036854775807 is all, and those to come, but for Idle, bit 62',
  payload TINYINT NOT NULL DEFAULT 1 COMMENT 'the device''s message: 0 is not sent, 1 without its secrets, 2 whole',
  secret VARBINARY(512) NOT NULL COMMENT 'the key it signs with, sealed',
  secret_before VARBINARY(512) NULL COMMENT 'the key before, sealed: signs too until it ends',
  secret_before_until BIGINT NULL COMMENT 'when the key before ends',
  state TINYINT NOT NULL DEFAULT 1 COMMENT '1 sends, 2 paused by a person, 3 paused by rule: events are kept meanwhile',
  state_at BIGINT NOT NULL COMMENT 'since when',
  state_by VARCHAR(128) NOT NULL COMMENT 'who made it so',
  state_why VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'the reason',
  failing_since BIGINT NULL COMMENT 'first failure since the last success; NULL: it works',
  failure VARCHAR(255) NULL COMMENT 'the last failure, in words',
  last_ok_at BIGINT NULL COMMENT 'last success, true to a minute',
  version BIGINT NOT NULL DEFAULT 1 COMMENT 'raised at each change, so that the agent notices',
  created_at BIGINT NOT NULL COMMENT 'when it was made: earlier events are not sent',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='addresses that are told what happens';

CREATE TABLE webhook_event (
  id BIGINT NOT NULL COMMENT 'event_id, made by the program (store/id.h)',
  topic TINYINT NOT NULL COMMENT 'enum event_topic',
  at BIGINT NOT NULL COMMENT 'when it happened',
  enrollment_id BIGINT NOT NULL DEFAULT 0 COMMENT 'enrollment.id it is about; 0: none',
  ident VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'that enrollment''s id',
  kind TINYINT NOT NULL DEFAULT 0 COMMENT 'and its kind, as enrollment.kind',
  status VARCHAR(32) NULL COMMENT 'Status of a report',
  command_uuid VARCHAR(128) NULL COMMENT 'CommandUUID of a report',
  query VARCHAR(1024) NULL COMMENT 'query of the address the message came to',
  tally INT NULL COMMENT 'of a TokenUpdate: how many have come in this life',
  facts TEXT NULL COMMENT 'the rest, a JSON object',
  raw MEDIUMBLOB NULL COMMENT 'the message without its secrets',
  sealed MEDIUMBLOB NULL COMMENT 'the message as it came, sealed, where it holds secrets and a webhook wants them',
  spread TINYINT NOT NULL DEFAULT 0 COMMENT '1: the deliveries have been made of it',
  PRIMARY KEY (id),
  KEY spread (spread, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what happened, while somebody wants to be told';

CREATE TABLE webhook_delivery (
  webhook_id BIGINT NOT NULL COMMENT 'webhook.id',
  event_id BIGINT NOT NULL COMMENT 'webhook_event.id',
  enrollment_id BIGINT NOT NULL COMMENT 'as that of the event: those of one enrollment keep their order',
  topic TINYINT NOT NULL COMMENT 'as that of the event',
  state TINYINT NOT NULL DEFAULT 1 COMMENT '1 waits or is being sent, 2 delivered, 3 dead',
  attempts INT NOT NULL DEFAULT 0 COMMENT 'how often it was tried since it was asked for',
  asked_at BIGINT NOT NULL COMMENT 'when it was first, or again, to be sent',
  due_at BIGINT NOT NULL COMMENT 'when it is tried next; while it is being sent: when another may try',
  claim BIGINT NOT NULL DEFAULT 0 COMMENT 'mark of the attempt that is under way; 0: none',
  done_at BIGINT NULL COMMENT 'when it was delivered or given up',
  status SMALLINT NOT NULL DEFAULT 0 COMMENT 'HTTP status of the last attempt; 0: there was no answer',
  failure VARCHAR(255) NULL COMMENT 'why the last attempt failed',
  PRIMARY KEY (webhook_id, event_id),
  KEY due (webhook_id, state, due_at, event_id),
  KEY in_order (webhook_id, enrollment_id, state, event_id),
  KEY event (event_id),
  KEY asked (state, asked_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='an event for one webhook';

CREATE TABLE webhook_attempt (
  webhook_id BIGINT NOT NULL COMMENT 'webhook.id',
  event_id BIGINT NOT NULL COMMENT 'webhook_event.id',
  at BIGINT NOT NULL COMMENT 'when it began',
  took_us BIGINT NOT NULL COMMENT 'how long it took, microseconds',
  status SMALLINT NOT NULL COMMENT 'HTTP status; 0: there was no answer',
  failure VARCHAR(255) NULL COMMENT 'why it failed; NULL: it did not',
  answer VARCHAR(255) NULL COMMENT 'the beginning of the answer''s body',
  PRIMARY KEY (webhook_id, event_id, at),
  KEY at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='each attempt to deliver';
