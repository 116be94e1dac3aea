/* enrollment_int.h: the columns of an enrollment, for enrollment.c and enrollment_list.c. */
#ifndef DROVER_STORE_ENROLLMENT_INT_H
#define DROVER_STORE_ENROLLMENT_INT_H

#include "store/enrollment.h"

/* A device that was seen since is back, whether the sweep has noticed or not. */
#define ENROLLMENT_INACTIVE_AT                                                                     \
    "IF(e.state = 2 AND e.last_seen_at < e.inactive_at, e.inactive_at, NULL)"
#define ENROLLMENT_COLUMNS                                                                         \
    "e.id, e.ident, d.ident, e.kind, e.state, e.udid, e.user_id, e.user_short_name, "              \
    "e.user_long_name, e.serial, e.device_name, e.product_name, e.model, e.model_name, "           \
    "e.os_version, e.build_version, e.imei, e.meid, e.created_at, e.enrolled_at, e.last_seen_at, " \
    "l.token_update_tally, e.ended_at, e.ended_by, e.ended_why, e.pending_life_id, l.topic, "      \
    "IF(l.push_token IS NULL, NULL, l.token_at), l.push_dead_at, l.push_dead_why, "                \
    "l.awaiting_configuration, l.not_on_console, l.unlock_token IS NOT NULL, "                     \
    "l.bootstrap_token IS NOT NULL, l.cert_sha256, e.nudged_at, " ENROLLMENT_INACTIVE_AT           \
    ", h.access_rights, h.way, COALESCE(p.name, IF(h.id IS NULL, NULL, 'default')), "              \
    "h.profile_version, h.account_kind, h.account "
#define ENROLLMENT_FROM                                                                            \
    " FROM enrollment e LEFT JOIN life l ON l.id = e.life_id "                                     \
    "LEFT JOIN enrollment d ON d.id = e.device_id AND d.id <> e.id "                               \
    "LEFT JOIN life f ON f.id = IF(d.id IS NULL, e.life_id, d.life_id) "                           \
    "LEFT JOIN handout h ON h.id = f.handout_id "                                                  \
    "LEFT JOIN enroll_profile p ON p.id = h.profile_id "

/* Rows of ENROLLMENT_COLUMNS. */
enum outcome enrollment_from_rows(const struct rows *r, struct arena *a, struct enrollment **out,
                                  size_t *n, struct err *err) MUST_USE;
/* Adds the certificates themselves, where they are kept. */
enum outcome enrollment_add_certs(struct db *db, struct enrollment *e, size_t n, struct arena *a,
                                  struct err *err) MUST_USE;

#endif
