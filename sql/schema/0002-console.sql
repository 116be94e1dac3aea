-- The console: sessions of administrators, and what slows down guessing of passwords.

CREATE TABLE session (
  token_sha256 BINARY(32) NOT NULL COMMENT 'digest of the cookie''s token, which is stored nowhere',
  admin VARCHAR(128) NOT NULL COMMENT 'admin.name of who signed in',
  csrf BINARY(32) NOT NULL COMMENT 'secret of the tokens in this session''s forms',
  created_at BIGINT NOT NULL COMMENT 'when the person signed in',
  seen_at BIGINT NOT NULL COMMENT 'last request, true to a minute',
  idle_until BIGINT NOT NULL COMMENT 'over then unless a request comes',
  ends_at BIGINT NOT NULL COMMENT 'over then in any case',
  user_agent VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'what the browser called itself',
  address VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'where the person signed in from',
  PRIMARY KEY (token_sha256),
  KEY admin (admin),
  KEY ends (ends_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='administrators who are signed in to the console';

CREATE TABLE signin_throttle (
  key_sha256 BINARY(32) NOT NULL COMMENT 'digest of an account, an address, or both',
  failures INT NOT NULL COMMENT 'attempts that did not succeed, one under way included',
  wait_until BIGINT NOT NULL COMMENT 'no attempt is admitted earlier',
  last_at BIGINT NOT NULL COMMENT 'the last attempt; an hour later it is forgotten',
  PRIMARY KEY (key_sha256),
  KEY last (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='wrong passwords, counted for all workers together';

ALTER TABLE admin ADD COLUMN language VARCHAR(8) NOT NULL DEFAULT '' COMMENT 'language of the console; empty: the browser''s choice';

ALTER TABLE audit ADD KEY actor (actor);
