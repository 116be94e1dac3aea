-- Enrolment by web page; and one throttle of wrong passwords for users and administrators, where
-- there were two.

ALTER TABLE enroll_session
  MODIFY COLUMN kind TINYINT NOT NULL COMMENT '1 profile service, 2 web view of the configuration URL, 3 access token of an account, 4 nonce of HTTP Digest, 5 a person who has logged in to the web page';

ALTER TABLE handout ADD KEY account (account, account_kind, made_at);

DROP TABLE signin_throttle;
