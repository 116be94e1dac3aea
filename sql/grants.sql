-- The rights of the programs' accounts, table by table; applied by `droverctl migrate` and
-- `droverctl grants`, as often as one likes. @db@, @mdm@, @console@ and @agent@ are replaced. A
-- right that is withdrawn gets a REVOKE here, which may find nothing to revoke.

-- drover mdm: devices' messages. It can neither read nor make API keys, administrators, leases and
-- commands, nor change or delete what is audited.
GRANT SELECT ON @db@.schema_migration TO @mdm@;
GRANT SELECT ON @db@.site TO @mdm@;
GRANT SELECT ON @db@.trust_ca TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.identity_cert TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.enrollment TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.life TO @mdm@;
GRANT SELECT ON @db@.command TO @mdm@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.queue TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.result TO @mdm@;
GRANT SELECT (topic, not_after, version) ON @db@.push_cert TO @mdm@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.push TO @mdm@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.unknown_device TO @mdm@;
GRANT INSERT, SELECT (subject, action, at) ON @db@.audit TO @mdm@;
GRANT SELECT, UPDATE ON @db@.invitation TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.scep_challenge TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.scep_transaction TO @mdm@;
GRANT SELECT ON @db@.enroll_user TO @mdm@;
GRANT SELECT ON @db@.renewal TO @mdm@;
GRANT SELECT, INSERT, UPDATE ON @db@.user_auth TO @mdm@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.login_throttle TO @mdm@;
GRANT SELECT ON @db@.enroll_profile TO @mdm@;
GRANT SELECT ON @db@.enroll_profile_version TO @mdm@;
GRANT SELECT ON @db@.enroll_profile_item TO @mdm@;
GRANT SELECT, INSERT ON @db@.handout TO @mdm@;

-- drover console: the HTTP API and the pages.
GRANT SELECT ON @db@.schema_migration TO @console@;
GRANT SELECT, UPDATE ON @db@.site TO @console@;
GRANT SELECT ON @db@.trust_ca TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.identity_cert TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.enrollment TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.life TO @console@;
GRANT SELECT, INSERT ON @db@.command TO @console@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.queue TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.result TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.push_cert TO @console@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.push TO @console@;
GRANT SELECT, INSERT, DELETE ON @db@.outcall TO @console@;
GRANT SELECT ON @db@.lease TO @console@;
GRANT SELECT, UPDATE ON @db@.unknown_device TO @console@;
GRANT SELECT, INSERT ON @db@.audit TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.apikey TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.admin TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.invitation TO @console@;
GRANT SELECT, INSERT ON @db@.scep_challenge TO @console@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.session TO @console@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.signin_throttle TO @console@;
GRANT SELECT, INSERT, UPDATE ON @db@.enroll_user TO @console@;
GRANT SELECT ON @db@.renewal TO @console@;
GRANT SELECT, INSERT, DELETE ON @db@.leaving TO @console@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.enroll_profile TO @console@;
GRANT SELECT, INSERT ON @db@.enroll_profile_version TO @console@;
GRANT SELECT, INSERT ON @db@.enroll_profile_item TO @console@;
GRANT SELECT ON @db@.handout TO @console@;

-- drover agent: pushes, timed jobs and the purge of old rows.
GRANT SELECT ON @db@.schema_migration TO @agent@;
GRANT SELECT, UPDATE ON @db@.site TO @agent@;
GRANT SELECT ON @db@.trust_ca TO @agent@;
GRANT SELECT, INSERT ON @db@.identity_cert TO @agent@;
GRANT SELECT, UPDATE ON @db@.enrollment TO @agent@;
GRANT SELECT, UPDATE ON @db@.life TO @agent@;
GRANT SELECT, INSERT, DELETE ON @db@.command TO @agent@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.queue TO @agent@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.result TO @agent@;
GRANT SELECT, UPDATE ON @db@.push_cert TO @agent@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.push TO @agent@;
GRANT SELECT, UPDATE, DELETE ON @db@.outcall TO @agent@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @db@.lease TO @agent@;
GRANT SELECT, UPDATE, DELETE ON @db@.unknown_device TO @agent@;
GRANT INSERT, SELECT (subject, action, at) ON @db@.audit TO @agent@;
GRANT SELECT, INSERT, DELETE ON @db@.scep_challenge TO @agent@;
GRANT SELECT, DELETE ON @db@.scep_transaction TO @agent@;
GRANT SELECT (ends_at), DELETE ON @db@.session TO @agent@;
GRANT SELECT (last_at), DELETE ON @db@.signin_throttle TO @agent@;
GRANT SELECT, DELETE ON @db@.login_throttle TO @agent@;
GRANT SELECT, INSERT, UPDATE ON @db@.renewal TO @agent@;
GRANT SELECT, DELETE ON @db@.leaving TO @agent@;
GRANT SELECT ON @db@.enroll_profile TO @agent@;
GRANT SELECT ON @db@.enroll_profile_version TO @agent@;
GRANT SELECT ON @db@.enroll_profile_item TO @agent@;
GRANT SELECT, INSERT, DELETE ON @db@.handout TO @agent@;
