/* personal.c: answers that tell where a person is: see queue.h. */
#include "api/queue.h"

#include "command/sensitive.h"
#include "store/account.h"

struct onlooker personal_onlooker(struct req *req, const struct caller *caller)
{
    const struct apikey key = {.scopes = caller->scopes};

    return (struct onlooker){
        api_actor(req, caller),
        apikey_allows(&key, "command") && apikey_allows(&key, "sensitive"),
    };
}

enum outcome personal_filter(struct db *db, struct onlooker by, const char *ident,
                             struct queue_item *q, size_t n, struct err *err)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < n; i++) {
        if (!command_personal(q[i].request_type) || (q[i].reported_at == 0 && q[i].report.n == 0))
            continue;
        if (!by.personal) {
            q[i].report = bytes_of(NULL, 0);
            q[i].withheld = PERSONAL_WHY;
        } else if (q[i].report.n > 0) {
            o = command_looked(db, by.actor, ident, q[i].uuid, q[i].request_type, err);
        }
    }
    return o;
}
