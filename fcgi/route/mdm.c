/* mdm.c: see mdm.h. */
#include "route/mdm.h"

#include "checkin/checkin.h"
#include "connect/connect.h"

void mdm_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct message m = {.app = app, .req = req, .caller = caller, .resp = resp};

    if (device_message_read(&m)) {
        if (pl_get(m.root, "MessageType") != NULL)
            checkin_message(&m);
        else
            connect_message(&m);
    }
    device_message_free(&m);
}
