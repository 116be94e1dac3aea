/* sensitive.c: see sensitive.h. */
#include "command/sensitive.h"

#include "base/log.h"
#include "command/catalogue.h"
#include "store/audit.h"
#include "store/inventory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define IDENTIFIER_MAX 200

/* "https://mdm.example.org:8443" to "org.example.mdm.drover": the same for every profile of this
 * server, so that a new one replaces the old. */
const char *profile_identifier(struct arena *a, const char *url)
{
    char out[IDENTIFIER_MAX];
    size_t at = 0;
    const char *host = url + (strncmp(url, "https://", 8) == 0 ? 8 : 0);
    const char *end = host + strcspn(host, ":/");
    while (end > host && at + (size_t)(end - host) + 8 < sizeof out) {
        const char *label = end;
        while (label > host && label[-1] != '.')
            label--;
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s.", (int)(end - label), label);
        end = label > host ? label - 1 : host;
    }
    return arena_fmt(a, "%.*sdrover", (int)at, out);
}

const char *command_removes(const char *request_type, js keys)
{
    return request_type && strcmp(request_type, "RemoveProfile") == 0
               ? js_get_str(keys, "Identifier")
               : NULL;
}

enum outcome profile_managing(struct db *db, const struct conf *conf, struct arena *a,
                              const char *identifier, enum profile_managing *which, struct err *err)
{
    const char *own = profile_identifier(a, conf->device_url);
    bool told = false;
    enum outcome o;
    *which = MANAGING_NOT;
    if (!own)
        return err_set(err, ERROR, "out of memory");
    if (strcasecmp(own, identifier) == 0) {
        *which = MANAGING_OWN;
        return OK;
    }
    o = inv_profile_manages(db, identifier, a, &told, err);
    if (o == OK && told)
        *which = MANAGING_TOLD;
    return o;
}

/* Whether management ends with that profile: better asked once too often. */
static bool manages(struct db *db, const struct conf *conf, struct arena *a, const char *identifier)
{
    enum profile_managing which;
    struct err err = {0};
    if (profile_managing(db, conf, a, identifier, &which, &err) == OK)
        return which != MANAGING_NOT;
    log_err(LOG_LEVEL_WARNING, "command.sensitive", &err);
    return true;
}

bool command_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                       const char *request_type, const char *removes)
{
    cat row = catalogue_find(request_type);
    return (row && catalogue_is(row, CATALOGUE_SENSITIVE)) ||
           (removes && strcmp(request_type, "RemoveProfile") == 0 && manages(db, conf, a, removes));
}

bool command_personal(const char *request_type)
{
    cat row = catalogue_find(request_type);
    return row && catalogue_is(row, CATALOGUE_PERSONAL);
}

enum outcome command_looked(struct db *db, const char *actor, const char *ident, const char *uuid,
                            const char *request_type, struct err *err)
{
    char detail[512];
    snprintf(detail, sizeof detail, "request_type=%.64s%s%.128s", request_type,
             *uuid ? " uuid=" : "", uuid);
    return audit_add(db, actor, "report.look", ident, detail, err);
}
