-- Administrators: roles with less than everything, a second factor, accounts of the web server's own
-- users; sessions that know when their person was last asked for a proof.

ALTER TABLE admin
  ADD COLUMN origin VARCHAR(16) NOT NULL DEFAULT 'local' COMMENT 'local: a password stands here; remote: the web server says who it is (REMOTE_USER)',
  ADD COLUMN created_by VARCHAR(128) NOT NULL DEFAULT '' COMMENT 'by whom the account was made',
  ADD COLUMN signed_in_at BIGINT NULL COMMENT 'last sign-in',
  ADD COLUMN password_due TINYINT NOT NULL DEFAULT 0 COMMENT '1: somebody else gave the password; nothing else is possible until it is changed',
  ADD COLUMN totp_secret BLOB NULL COMMENT 'second factor: the secret of its codes, sealed; NULL: none',
  ADD COLUMN totp_pending BLOB NULL COMMENT 'a secret that was shown and that no code has confirmed yet, sealed',
  ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0 COMMENT 'time step of the last code that was taken: none is taken twice';

CREATE TABLE admin_recovery (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the code',
  admin_id BIGINT NOT NULL COMMENT 'admin.id',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  used_at BIGINT NULL COMMENT 'when it was used up',
  PRIMARY KEY (sha256),
  KEY admin (admin_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='codes that stand in for a lost second factor, each once';

ALTER TABLE session
  ADD COLUMN fresh_at BIGINT NOT NULL DEFAULT 0 COMMENT 'when the person last proved who they are: sensitive actions want it lately',
  ADD COLUMN pending TINYINT NOT NULL DEFAULT 0 COMMENT '1: the password was right and the second factor has not come';
