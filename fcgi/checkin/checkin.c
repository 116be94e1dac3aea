/* checkin.c: the table of MessageTypes. */
#include "checkin/checkin.h"

enum channel { CHANNEL_DEVICE = 1, CHANNEL_USER = 2, CHANNEL_ANY = 3 };

static const struct {
    const char *type;
    enum channel channel;
    void (*fn)(struct message *m); /* NULL: not served, answered 400 */
} table[] = {
    {"Authenticate", CHANNEL_DEVICE, checkin_Authenticate},
    {"TokenUpdate", CHANNEL_ANY, checkin_TokenUpdate},
    {"CheckOut", CHANNEL_DEVICE, checkin_CheckOut},
    {"UserAuthenticate", CHANNEL_USER, checkin_UserAuthenticate},
    {"SetBootstrapToken", CHANNEL_DEVICE, checkin_SetBootstrapToken},
    {"GetBootstrapToken", CHANNEL_DEVICE, checkin_GetBootstrapToken},
    {"DeclarativeManagement", CHANNEL_ANY, NULL},
    {"ReturnToService", CHANNEL_ANY, NULL},
    {"GetToken", CHANNEL_ANY, NULL},
};

void checkin_message(struct message *m)
{
    const char *type = pl_get_str(m->root, "MessageType");
    int channel = ident_is_user(&m->id) ? CHANNEL_USER : CHANNEL_DEVICE;

    if (type == NULL) {
        device_refuse(m, 400,
                      pl_get(m->root, "Status") != NULL
                          ? "a report came to the address of check-in messages"
                          : "the message has no MessageType");
        return;
    }
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].type, type) != 0)
            continue;
        m->word = table[i].type;
        if (table[i].fn == NULL)
            device_refuse(m, 400, "%s is not served by this server", type);
        else if (!(table[i].channel & channel))
            device_refuse(m, 400, "%s came in the wrong channel", type);
        else
            table[i].fn(m);
        return;
    }
    device_refuse(m, 400, "unknown MessageType");
}

void checkin_handle(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    struct message m = {.app = app, .req = req, .caller = caller, .resp = resp};

    if (device_message_read(&m))
        checkin_message(&m);
    device_message_free(&m);
}
