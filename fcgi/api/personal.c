/* personal.c: answers that tell where a person is: see queue.h. */
#include "api/queue.h"

#include "command/sensitive.h"
#include "store/account.h"

bool personal_seen(const struct caller *caller)
{
    const struct apikey key = {.scopes = caller->scopes};

    return apikey_allows(&key, "command") && apikey_allows(&key, "sensitive");
}

enum outcome personal_filter(struct db *db, struct req *req, const struct caller *caller,
                             const char *ident, struct queue_item *q, size_t n, struct err *err)
{
    bool may = personal_seen(caller);
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < n; i++) {
        if (!command_personal(q[i].request_type) || (q[i].reported_at == 0 && q[i].report.n == 0))
            continue;
        if (!may) {
            q[i].report = bytes_of(NULL, 0);
            q[i].withheld = PERSONAL_WHY;
        } else if (q[i].report.n > 0) {
            o = command_looked(db, api_actor(req, caller), ident, q[i].uuid, q[i].request_type,
                               err);
        }
    }
    return o;
}
